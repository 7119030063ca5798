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

// will is the last will of a device: its status after the connection is lost.
type will struct {
	online bool // a device may name "online" in its will, although that is rare
	retain bool
}

// payload returns the status of the will without a time of its own. A time in the will is the time of the connection. The
// time that counts is when the connection was lost, which the server sets.
func (w *will) payload() []byte {
	if w.online {
		return []byte("online")
	}
	return []byte("offline")
}

// storeWill keeps the last will if it is a valid status on the device's own status topic. Any other will is not published, and
// the device is listed with a trouble. The device is still accepted, because its readings matter more than its will.
func (s *session) storeWill(pk packets.ConnectParams) {
	online, faults := mqttjson.ParseStatus(pk.WillPayload)
	kind, msg := sensors.TroubleTopic, fault.Message{}
	switch {
	case pk.WillTopic != s.status:
		if _, device, _, err := mqttjson.ParseTopic(pk.WillTopic); err == nil && device != s.device {
			msg = fault.NewMessage(CodeWillOfOther, clip(pk.WillTopic))
		} else {
			msg = fault.NewMessage(CodeWillForeign, clip(pk.WillTopic))
		}
	case faults.Len() > 0:
		kind, msg = sensors.TroubleStatus, fault.NewMessage(CodeWillUnread, printable(pk.WillPayload))
	default:
		s.will = &will{online: online, retain: pk.WillRetain}
		return
	}
	s.b.refuse(refusedWill, slog.String("device", s.device), slog.String("will_topic", clip(pk.WillTopic)))
	s.b.abuse.report(kind, s.device, s.conn, msg)
}

// checkStatus reports a status that is neither online nor offline. The publish itself goes to quarantine like any other that
// cannot be decoded.
func (s *session) checkStatus(payload []byte) {
	if _, faults := mqttjson.ParseStatus(payload); faults.Len() > 0 {
		s.b.abuse.report(sensors.TroubleStatus, s.device, s.conn, fault.NewMessage(CodeStatusUnread, printable(payload)))
	}
}

// printable returns a payload for the list of troubles: clipped, with U+FFFD for what cannot be printed.
func printable(payload []byte) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, clip(string(payload)))
}
