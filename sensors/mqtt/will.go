package mqtt

import (
	"log/slog"
	"strings"
	"unicode"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
)

// will is what is to be said when the device vanishes.
type will struct {
	online bool // hardly ever, but it is the device's to say
	retain bool
}

// payload is the will without its time: that is the time of the connection, and what counts is when
// the device vanished.
func (w *will) payload() []byte {
	if w.online {
		return []byte("online")
	}
	return []byte("offline")
}

// keepWill keeps the last will of a device that is let in, when it is the device's status and says one. The
// device's readings matter more than a will that is not: it is let in, the will is not spoken, and the list of
// troubles says so. A will on another device's topic is never spoken.
func (s *session) keepWill(pk packets.ConnectParams) {
	online, faults := mqttjson.ParseStatus(pk.WillPayload)
	kind, said := sensors.TroubleTopic, fault.Message{}
	switch {
	case pk.WillTopic != s.status:
		if _, device, _, err := mqttjson.ParseTopic(pk.WillTopic); err == nil && device != s.device {
			said = fault.NewMessage(CodeWillOfOther, clip(pk.WillTopic))
		} else {
			said = fault.NewMessage(CodeWillForeign, clip(pk.WillTopic))
		}
	case faults.Len() > 0:
		kind, said = sensors.TroubleStatus, fault.NewMessage(CodeWillUnread, legible(pk.WillPayload))
	default:
		s.will = &will{online: online, retain: pk.WillRetain}
		return
	}
	s.b.refuse(refusedWill, slog.String("device", s.device), slog.String("will_topic", clip(pk.WillTopic)))
	s.b.abuse.report(kind, s.device, s.conn, said)
}

// checkStatus lists a status that is not understood. It goes to quarantine as any such publish.
func (s *session) checkStatus(payload []byte) {
	if _, faults := mqttjson.ParseStatus(payload); faults.Len() > 0 {
		s.b.abuse.report(sensors.TroubleStatus, s.device, s.conn, fault.NewMessage(CodeStatusUnread, legible(payload)))
	}
}

// legible is what a device said, fit for a list: cut, and what cannot be shown replaced.
func legible(payload []byte) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, clip(string(payload)))
}
