package torture_test

import (
	"syscall"
	"testing"
)

// The server is killed under load, again and again.
func TestServerKilled(t *testing.T) {
	sideBySide(t)
	s := newStage(t, killSize(), staging{})
	s.broken(func() { s.server.end(syscall.SIGKILL) }, s.server.start)
	s.finish()
	s.ledger.check("server killed (SIGKILL)")
}
