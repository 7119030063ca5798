package mqttjson

import (
	"bytes"
	"time"
)

// parseTime parses an RFC 3339 time, or a similar form of ISO 8601 or of common libraries: see rfc3339. ok is false if it is
// none of them, or if the year is not from 0 to 9999.
func parseTime(text []byte) (at time.Time, ok bool) {
	if at.UnmarshalText(text) != nil { // strict RFC 3339; time.Parse accepts more
		if at, ok = rfc3339(text); !ok {
			return time.Time{}, false
		}
	}
	at = at.UTC()
	return at, at.Year() >= 0 && at.Year() <= 9999
}

// rfc3339 parses a time that is almost RFC 3339. It accepts these differences: a zone as +0800 or +08 (strftime), UTC for Z,
// and a space before the zone; a space for the T; lower case; a comma before the fraction; no seconds; no separators (basic
// form of ISO 8601). A leap second at the end of a UTC day becomes the first second of the next day. A month or day 00, of a
// clock that was never set, becomes a day of the year 1.
func rfc3339(text []byte) (at time.Time, ok bool) {
	// date, minute and second are the lengths of a time that ends after the date, the minutes and the seconds.
	const date, minute, second = len("2006-01-02"), len("2006-01-02T15:04"), len("2006-01-02T15:04:05")
	// The limit of 48 bytes bounds the copies below. The longest form, with nine digits of a fraction and a zone, is
	// shorter.
	if text = bytes.TrimSpace(text); len(text) > 48 {
		return at, false
	}
	// ToUpper copies, so the changes of b below do not change the payload.
	b := bytes.ToUpper(text)
	if len(b) > 8 && digits(b) == 8 {
		b = separated(b)
	}
	if len(b) <= minute {
		return at, false
	}
	if b[date] == ' ' {
		b[date] = 'T'
	}
	zone := minute + bytes.IndexAny(b[minute:], " Z+-U")
	if zone < minute {
		return at, false
	}
	clock, offset := b[:zone], bytes.TrimLeft(b[zone:], " ")
	if len(clock) == minute {
		clock = append(bytes.Clone(clock), ":00"...)
	}
	leap := len(clock) >= second && string(clock[minute:second]) == ":60"
	if leap {
		clock = append(append(bytes.Clone(clock[:minute]), ":59"...), clock[second:]...)
	}
	if digits(clock) == len("2006") && (bytes.HasPrefix(clock[4:], []byte("-00-")) || string(clock[7:date]) == "-00") {
		clock = append([]byte("0001-01-02"), clock[date:]...)
	}
	if len(clock) > second && clock[second] == ',' {
		clock = append(append(bytes.Clone(clock[:second]), '.'), clock[second+1:]...)
	}
	switch {
	case string(offset) == "UTC":
		offset = []byte("Z")
	case len(offset) == len("+08"):
		offset = append(bytes.Clone(offset), ":00"...)
	case len(offset) == len("+0800"):
		offset = append(append(bytes.Clone(offset[:3]), ':'), offset[3:]...)
	}
	if at.UnmarshalText(append(bytes.Clone(clock), offset...)) != nil {
		return at, false
	}
	if leap {
		at = at.Add(time.Second)
		if h, m, _ := at.UTC().Clock(); h != 0 || m != 0 { // only the last second of a day can be a leap second
			return at, false
		}
	}
	return at, true
}

// separated converts the basic form of ISO 8601, 20060102T150405, to the extended form. It returns other bytes unchanged.
func separated(b []byte) []byte {
	clock := digits(b[9:])
	if clock != len("150405") && clock != len("1504") {
		return b
	}
	out := []byte(string(b[:4]) + "-" + string(b[4:6]) + "-" + string(b[6:9]) + string(b[9:11]) + ":" + string(b[11:13]))
	if clock == len("150405") {
		out = append(append(out, ':'), b[13:15]...)
	}
	return append(out, b[9+clock:]...)
}
