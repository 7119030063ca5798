package mqtt

import (
	"sync"
	"time"

	"onemap/internal/fault"
	"onemap/sensors"
)

// liveMap holds the newest session of each device.
type liveMap struct {
	mu sync.Mutex
	m  map[string]*session
}

// put makes s the session of its device and returns the session that it replaces, or nil.
func (l *liveMap) put(s *session) (old *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old = l.m[s.device]
	l.m[s.device] = s
	return old
}

// drop removes s and reports whether it was still the session of its device.
func (l *liveMap) drop(s *session) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m[s.device] != s {
		return false
	}
	delete(l.m, s.device)
	return true
}

// has reports whether the device is connected.
func (l *liveMap) has(device string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.m[device] != nil
}

// count returns the number of connected devices.
func (l *liveMap) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.m)
}

// each calls f for every session while it holds the lock of the map.
func (l *liveMap) each(f func(*session)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.m {
		f(s)
	}
}

// Recheck checks every connected device again, and disconnects those that the registry no longer accepts. It is called after
// each reload of the registry.
func (b *Broker) Recheck() { b.live.each(b.recheck) }

// recheck disconnects the session if the registry no longer grants what it granted at the login. It does not block, so
// it may run under the lock of the map.
func (b *Broker) recheck(s *session) {
	now := b.registry.Device(s.device)
	if !now.Grants(s.known.Load(), s.byCert) {
		s.revoke()
		return
	}
	s.known.Store(now) // so that the memory of the old registry is released
}

// reportSlowReaders finds devices that do not read. No packet shows this, so it is checked at intervals.
func (b *Broker) reportSlowReaders() {
	now := time.Now()
	var slow []*session
	b.live.each(func(s *session) {
		if since := s.conn.stuck(); !since.IsZero() && now.Sub(since) >= b.opts.SlowAfter {
			slow = append(slow, s)
		}
	})
	for _, s := range slow {
		b.abuse.report(sensors.TroubleSlowReader, s.device, s.conn, fault.NewMessage(CodeAcksUnread))
	}
}

// Stats returns the statistics of the broker.
func (b *Broker) Stats() sensors.BrokerStats {
	h := b.Health()
	s := sensors.BrokerStats{
		Name: "embedded", Address: b.addresses(), Connected: h.OK, Detail: h.Detail, Code: h.Code, Params: h.Params, Connections: b.live.count(),
		QoS0: b.metrics.published[0].n.Load(), QoS1: b.metrics.published[1].n.Load(), QoS2: b.metrics.published[2].n.Load(),
		Refused: map[string]uint64{},
	}
	for reason, t := range b.metrics.refused {
		if n := t.n.Load(); n > 0 {
			s.Refused[reason] = n
		}
	}
	return s
}

// Troubles returns the devices and unknown addresses that cause trouble, newest first, at most 100.
func (b *Broker) Troubles() []sensors.DeviceTrouble { return b.abuse.list() }
