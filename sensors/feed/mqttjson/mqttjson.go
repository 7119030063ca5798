// Package mqttjson is the protocol of devices over MQTT: topics onemap/v1/{division}/{device}/{kind} and payloads in JSON
// (docs/devices.md). The embedded broker and an external one use the same protocol. The package has no connection: it
// converts topics and bytes to the types of package sensors, and back.
package mqttjson

import (
	"onemap/internal/fault"
	"onemap/sensors"
)

// Decoder returns the decoder of a topic's kind. It returns nil for a kind that devices do not publish.
func Decoder(kind string) sensors.Decoder {
	switch kind {
	case KindObs:
		return observations{}
	case KindStatus:
		return status{}
	}
	return nil
}

// observations decodes the payload of an obs topic: {"t":RFC 3339,"v":{"name":number,…}} or an array of such objects. Without
// "t", the time of receipt is used. A wrong value is one fault and does not affect the other values. If the bytes are not
// JSON, the whole payload is rejected, because the rest cannot be interpreted safely. A byte order mark before the JSON, and
// NUL and Ctrl-Z after it, are ignored.
type observations struct{}

// Count implements sensors.Decoder.
func (observations) Count(payload []byte) int { return Count(payload) }

// Decode implements sensors.Decoder.
func (observations) Decode(payload []byte, out *sensors.Decoding) {
	d := decoder{scanner: scanner{b: bare(payload)}, at: -1, out: out}
	if err := d.payload(); err != nil {
		// Reject also drops the readings that were decoded before the error.
		out.Reject(sensors.Faults{List: []sensors.Fault{{Reason: sensors.ReasonBadJSON, Field: d.path(), Message: fault.MessageOf(err)}}})
	}
}

// status decodes the payload of a status topic.
type status struct{}

// Count implements sensors.Decoder.
func (status) Count([]byte) int { return 0 }

// Decode implements sensors.Decoder.
func (status) Decode(payload []byte, out *sensors.Decoding) {
	online, faults := ParseStatus(payload)
	if faults.Len() > 0 {
		out.Reject(faults)
		return
	}
	out.Status(online)
}
