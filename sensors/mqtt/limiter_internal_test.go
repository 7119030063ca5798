package mqtt

import (
	"net"
	"testing"
	"time"
)

// connectionFrom returns a connection from the host that was opened at the time.
func connectionFrom(t *testing.T, host string, at time.Time) *conn {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	c := newConn(a, time.Second, at)
	c.host = host
	return c
}

func TestAnAddressWithManySlowStrangersGivesItsOldest(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	l := newConnLimiter(Options{MaxClients: 100, MaxSlow: 3, HandshakeTimeout: 10 * time.Second})
	var all []*conn
	come := func(host string, after time.Duration) {
		t.Helper()
		c := connectionFrom(t, host, noon.Add(after))
		if !l.add(c) {
			t.Fatalf("%s was not let in", host)
		}
		all = append(all, c)
	}
	evicted := func() (n int) {
		for _, c := range all {
			if c.evicted.Load() {
				n++
			}
		}
		return n
	}
	for range 20 { // a gateway's devices that come all at once are not slow
		come("gateway", time.Second)
	}
	if n := evicted(); n != 0 {
		t.Fatalf("%d evicted of those that came at once", n)
	}
	come("other", 10*time.Second)
	if n := evicted(); n != 0 {
		t.Fatalf("%d evicted for another address", n)
	}
	come("gateway", 10*time.Second)
	if n := evicted(); n != 1 || !all[0].evicted.Load() {
		t.Errorf("%d evicted, the oldest %v", n, all[0].evicted.Load())
	}
	for _, c := range all[1:20] {
		l.authenticated(c) // they have said who they are
	}
	come("gateway", 20*time.Second)
	if n := evicted(); n != 1 {
		t.Errorf("%d evicted when the others have said who they are", n)
	}
}

func TestWhenThereIsNoRoomTheAddressWithTheMostGives(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	l := newConnLimiter(Options{MaxClients: 5, MaxSlow: 100, HandshakeTimeout: 10 * time.Second})
	for range 5 {
		if !l.add(connectionFrom(t, "many", noon)) {
			t.Fatal("not let in")
		}
	}
	if l.add(connectionFrom(t, "many", noon.Add(time.Second))) {
		t.Error("the address with the most was let in while none of its own is slow")
	}
	if !l.add(connectionFrom(t, "few", noon.Add(time.Second))) {
		t.Error("another address was not let in")
	}
	if !l.add(connectionFrom(t, "many", noon.Add(6*time.Second))) {
		t.Error("not let in for one of its own that is slow")
	}
	l.close()
	if l.add(connectionFrom(t, "few", noon.Add(7*time.Second))) {
		t.Error("let in after the end")
	}
}
