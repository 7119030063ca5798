package torture_test

import (
	"syscall"
	"testing"
)

// The server is killed under load, again and again.
func TestServerKilled(t *testing.T) {
	s := newStage(t, killSize(), staging{})
	s.publish()
	for i := range s.size.faults {
		s.reach(0.9 * float64(i+1) / float64(s.size.faults+1))
		s.server.end(syscall.SIGKILL)
		s.server.start()
	}
	s.finish()
	s.ledger.check("server killed (SIGKILL)")
}
