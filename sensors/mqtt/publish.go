package mqtt

import (
	"log/slog"

	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
)

// publish passes one publish to the ingest path. If the window is full, it blocks, and so this connection is not read. stored
// may be nil; it is called after the commit.
func (s *session) publish(m sensors.Message, a answer, stored func()) {
	if s.revoked.Load() {
		return
	}
	s.b.metrics.published[min(a.qos, 2)].Inc()
	m.Values = m.Decoder.Count(m.Raw)
	if !s.withinQuota(m.Values) {
		return
	}
	if !s.b.begin() {
		s.fail(fault.New(fault.Unavailable, "the server is stopping"))
		return
	}
	// A publish without a reading counts as one, so that it takes room in the window too.
	a.size, a.readings = len(m.Raw)+len(m.Subject)+publishOverhead, max(1, m.Values)
	if !s.acquire(a.readings, a.size) {
		s.b.pending.Done()
		return
	}
	done := func(err error) {
		if err == nil && stored != nil {
			stored()
		}
		s.queueAck(a.with(err))
	}
	m.Received = s.b.clock()
	if err := s.accept(m, done); err != nil {
		s.b.refuse(refusedUnavailable, slog.String("device", s.device), slog.Any("error", err))
		done(err)
	}
}

// with returns the answer with the result of the commit.
func (a answer) with(err error) answer {
	a.err = err
	return a
}

// message returns a publish without its time of receipt. That time is set later, when there is room for the publish.
func (s *session) message(topic, kind string, payload []byte, dup bool) sensors.Message {
	return sensors.Message{
		Device: s.device, Division: s.division, Subject: topic, Raw: payload, Decoder: mqttjson.Decoder(kind), Session: s.number, Redelivered: dup,
		Login: s.known.Load(), ByCert: s.byCert,
	}
}
