// Package mqttjson is the protocol that devices speak to onemap over MQTT: topics onemap/v1/{division}/{device}/{kind} and
// payloads in JSON (docs/devices.md). It is the same through the embedded broker and through an external one. The package
// knows no connection: it turns topics and bytes into what package sensors stores, and back.
package mqttjson

import (
	"onemap/internal/fault"
	"onemap/sensors"
)

// Decoder returns what decodes the payloads of a topic's kind; nil for a kind that devices do not publish.
func Decoder(kind string) sensors.Decoder {
	switch kind {
	case KindObs:
		return observations{}
	case KindStatus:
		return status{}
	}
	return nil
}

// observations decodes the payload of an obs topic: {"t":RFC 3339,"v":{"name":number,…}} or an array of such. "t" may be left
// out: then the time of receipt counts. Each value that is wrong is a fault of its own and does not cost the others; bytes
// that are not JSON cost the whole payload, since what they would have said cannot be known. A byte order mark before the
// JSON, and NULs and Ctrl-Z after it, are passed over.
type observations struct{}

// Count implements sensors.Decoder.
func (observations) Count(payload []byte) int { return Count(payload) }

// Decode implements sensors.Decoder.
func (observations) Decode(payload []byte, out *sensors.Decoding) {
	d := decoder{scanner: scanner{b: bare(payload)}, at: -1, out: out}
	if err := d.payload(); err != nil {
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
