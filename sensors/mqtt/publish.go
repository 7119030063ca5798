package mqtt

import (
	"log/slog"

	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
)

// publish hands one publish to the ingest path. A full window blocks here, and with it the reading of
// this one connection. stored may be nil; it is called when the publish is.
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
	a.size, a.readings = len(m.Raw)+len(m.Subject)+publishOverhead, max(1, m.Values)
	if !s.take(a.readings, a.size) {
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

// with is the answer that follows from what became of the publish.
func (a answer) with(err error) answer {
	a.err = err
	return a
}

// message is a publish before its receipt is noted: that is when there is room for it.
func (s *session) message(topic, kind string, payload []byte, dup bool) sensors.Message {
	return sensors.Message{
		Device: s.device, Division: s.division, Subject: topic, Raw: payload, Decoder: mqttjson.Decoder(kind), Session: s.number, Redelivered: dup,
		Login: s.known.Load(), ByCert: s.byCert,
	}
}
