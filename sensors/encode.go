package sensors

import (
	"strconv"
	"time"
)

// Value is one named number of a Reading.
type Value struct {
	Name   string
	Number float64 // finite
}

// Reading is what a device measures at one time. A zero Time is left out of the payload: then the
// time of receipt counts.
type Reading struct {
	Time   time.Time
	Values []Value
}

// EncodeReadings is the payload of an obs topic: one object for one reading, an array for several.
// It is what DecodeObservations reads.
func EncodeReadings(readings ...Reading) []byte {
	var b []byte
	if len(readings) != 1 {
		b = append(b, '[')
	}
	for i, r := range readings {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendReading(b, r)
	}
	if len(readings) != 1 {
		b = append(b, ']')
	}
	return b
}

func appendReading(b []byte, r Reading) []byte {
	b = append(b, '{')
	if !r.Time.IsZero() {
		b = append(b, `"t":"`...)
		b = r.Time.UTC().AppendFormat(b, time.RFC3339Nano)
		b = append(b, `",`...)
	}
	b = append(b, `"v":{`...)
	for i, v := range r.Values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, v.Name)
		b = append(b, ':')
		b = strconv.AppendFloat(b, v.Number, 'g', -1, 64)
	}
	return append(b, '}', '}')
}

// appendString quotes s as JSON does.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = append(b, string(r)...)
		}
	}
	return append(b, '"')
}
