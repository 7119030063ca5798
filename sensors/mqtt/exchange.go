package mqtt

import (
	"hash/maphash"
	"sync"
	"time"
)

// exchange is what a device has published with QoS 2 and not released yet. It outlives a connection
// when the device's session does, so that a publish delivered again over the next one is known.
type exchange struct {
	mu    sync.Mutex
	owner *session  // the newest
	left  time.Time // when the last owner ended
	ids   map[uint16]*inbound
}

// inbound is one publish on its way.
type inbound struct {
	sum       uint64 // of topic and payload: what is new under a used id is a new publish
	committed bool
	waiting   []again // deliveries of it that wait for the same commit
}

// again is a delivery that is answered when the first one is.
type again struct {
	s      *session
	answer answer
}

// What begin finds.
const (
	inboundNew       = iota
	inboundPending   // the answer follows when it is stored
	inboundCommitted // to be answered now
	inboundTooMany
)

func (x *exchange) begin(id uint16, sum uint64, limit int, a again) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	in := x.ids[id]
	switch {
	case in == nil && len(x.ids) >= limit:
		return inboundTooMany
	case in == nil || in.sum != sum:
		if x.ids == nil {
			x.ids = map[uint16]*inbound{}
		}
		x.ids[id] = &inbound{sum: sum}
		return inboundNew
	case in.committed:
		return inboundCommitted
	}
	in.waiting = append(in.waiting, a)
	return inboundPending
}

// stored is called when the commit has come to something. It gives the deliveries that waited for it.
func (x *exchange) stored(id uint16, sum uint64, err error) []again {
	x.mu.Lock()
	defer x.mu.Unlock()
	in := x.ids[id]
	if in == nil || in.sum != sum {
		return nil
	}
	waiting := in.waiting
	in.waiting, in.committed = nil, err == nil
	if err != nil {
		delete(x.ids, id)
	}
	return waiting
}

// release ends a publish's exchange; false when there is none.
func (x *exchange) release(id uint16) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	in := x.ids[id]
	if in == nil || !in.committed {
		return false
	}
	delete(x.ids, id)
	return true
}

// exchanges holds those of all devices.
type exchanges struct {
	seed maphash.Seed
	mu   sync.Mutex
	m    map[string]*exchange
}

func newExchanges() *exchanges {
	return &exchanges{seed: maphash.MakeSeed(), m: map[string]*exchange{}}
}

// sum tells one publish from another.
func (e *exchanges) sum(topic string, payload []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(e.seed)
	_, _ = h.WriteString(topic) // never fails
	_ = h.WriteByte(0)
	_, _ = h.Write(payload)
	return h.Sum64()
}

// open sets a session's exchange: the device's last one when its session goes on, of the
// connection that it takes over or of the one that ended, else a new one.
func (e *exchanges) open(s, old *session, goesOn bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := e.m[s.device]
	delete(e.m, s.device)
	if old != nil && old.exchange != nil {
		x = old.exchange
	}
	if x == nil || !goesOn {
		x = &exchange{}
	}
	x.mu.Lock()
	x.owner, x.left = s, time.Time{}
	x.mu.Unlock()
	s.exchange = x
}

// close keeps what is not released when the device's session outlives its connection.
func (e *exchanges) close(s *session, outlives bool, now time.Time) {
	x := s.exchange
	if x == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.owner != s {
		return
	}
	if outlives && len(x.ids) > 0 {
		x.left = now
		e.m[s.device] = x
	}
}

// sweep forgets those whose devices stay away.
func (e *exchanges) sweep(before time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for device, x := range e.m {
		x.mu.Lock()
		if x.left.Before(before) {
			delete(e.m, device)
		}
		x.mu.Unlock()
	}
}
