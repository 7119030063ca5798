package mqttjson

import (
	"strconv"
	"time"

	"onemap/sensors"
)

// Encode returns the payload of an obs topic: one object for one reading, an array for several.
func Encode(readings ...sensors.Reading) []byte {
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

// appendReading appends one reading as a JSON object. It leaves "t" out if the reading has no time; the server then
// uses the time of receipt.
func appendReading(b []byte, r sensors.Reading) []byte {
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
		// The precision -1 writes the fewest digits that are read back as the same number.
		b = strconv.AppendFloat(b, v.Number, 'g', -1, 64)
	}
	return append(b, '}', '}')
}

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		// JSON does not allow a control character in a string without an escape (RFC 8259, section 7).
		case r < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = append(b, string(r)...)
		}
	}
	return append(b, '"')
}
