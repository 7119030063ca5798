package torture_test

import (
	"syscall"
	"testing"
)

// The server is killed under load several times.
func TestServerKilled(t *testing.T) {
	sideBySide(t)
	s := newStage(t, killSize(), staging{})
	s.broken(func() { s.server.end(syscall.SIGKILL) }, s.server.start)
	s.finish()
	if out := s.ledger.check("server killed (SIGKILL)"); out.lost < out.devices {
		t.Errorf("%d devices lost %d connections: they were not there when the server was killed", out.devices, out.lost)
	}
}
