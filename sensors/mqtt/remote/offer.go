package remote

import (
	"bytes"
	"log/slog"
	"strconv"

	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
)

// offer passes a publish to the ingest path. It returns the error of Receiver.Accept, or errDropped.
func (l *link) offer(s *slot) error {
	division, device, kind, err := mqttjson.ParseTopic(s.topic)
	switch {
	case err == nil && kind == mqttjson.KindCmd:
		err = fault.InvalidCode("topic", CodeTopicRead)
		fallthrough
	case err != nil:
		l.c.count.foreign.Add(1)
		return l.quarantine(s, l.row(s, sensors.Faults{List: []sensors.Fault{{Reason: sensors.ReasonBadTopic, Field: "topic", Message: fault.MessageOf(err)}}}))
	// Such a publish is acknowledged without being stored, because it repeats the past.
	case s.retained && stale(kind, s.payload):
		l.c.count.retained.Add(1)
		l.settle(s, nil)
		return nil
	case len(s.payload) > l.c.opts.MaxPayload:
		row := l.row(s, sensors.OneFault(sensors.ReasonTooLarge, "", sensors.CodePayloadTooLarge, len(s.payload), l.c.opts.MaxPayload))
		row.DeviceID = device
		return l.quarantine(s, row)
	}
	m := sensors.Message{
		Device: device, Division: division, Subject: s.topic, Raw: s.payload, Decoder: mqttjson.Decoder(kind), Received: s.received, Redelivered: s.dup,
	}
	return l.window.hand(s, func() error {
		return l.c.receiver.Accept(m, func(err error) { l.stored(s, device, err) })
	})
}

// stale reports whether a retained publish is out of date. After a subscription the broker sends all retained messages,
// however old they are. A retained "offline" is still true: the device is offline until it sends another status. A retained
// "online" is no news. A retained reading would be stored as a current one.
func stale(kind string, payload []byte) bool {
	if kind != mqttjson.KindStatus {
		return true
	}
	if string(payload) == "offline" {
		return false
	}
	return !bytes.HasPrefix(bytes.TrimSpace(payload), []byte("{")) || !bytes.Contains(payload, []byte("false"))
}

// quarantineBytes is the number of bytes of a payload that go to quarantine.
const quarantineBytes = 4 << 10

// row returns the quarantine row of a publish.
func (l *link) row(s *slot, faults sensors.Faults) sensors.Quarantined {
	return faults.Quarantine(sensors.Quarantined{
		At: s.received, Topic: s.topic, Payload: bytes.Clone(s.payload[:min(len(s.payload), quarantineBytes)]), Size: len(s.payload),
	})
}

// quarantine passes a row to the ingest path. The publish is acknowledged when the row is stored.
func (l *link) quarantine(s *slot, row sensors.Quarantined) error {
	l.c.warn("a publish at the external broker went to quarantine", slog.String("topic", strconv.Quote(s.topic[:min(len(s.topic), 100)])), slog.String("reason", row.Reason))
	return l.window.hand(s, func() error {
		return l.c.receiver.Quarantine(row, func(err error) { l.settle(s, err) })
	})
}

// stored is called with the result of the commit. The database may accept a publish neither as a reading nor in quarantine.
// The broker would then send it again for ever, and it would block all others. So its payload goes to the log, and a row
// without the payload goes to quarantine.
func (l *link) stored(s *slot, device string, err error) {
	if err == nil || fault.Is(err, fault.Unavailable) {
		l.settle(s, err)
		return
	}
	lost := sensors.OneFault(sensors.ReasonRefused, "", CodePayloadLost)
	row := lost.Quarantine(sensors.Quarantined{At: s.received, DeviceID: device, Size: len(s.payload)})
	l.c.log.Error("a publish can be neither stored nor kept", "topic", s.topic, "payload", strconv.QuoteToASCII(string(s.payload[:min(len(s.payload), quarantineBytes)])), "error", err)
	if err := l.c.receiver.Quarantine(row, func(err error) { l.settle(s, err) }); err != nil {
		l.settle(s, err)
	}
}
