package mqttjson

import (
	"bytes"
	"time"
)

// parseTime reads an RFC 3339 time, or one that ISO 8601 or a common library writes in its place: see rfc3339.
func parseTime(text []byte) (at time.Time, ok bool) {
	if at.UnmarshalText(text) != nil { // RFC 3339 strictly, other than time.Parse
		if at, ok = rfc3339(text); !ok {
			return time.Time{}, false
		}
	}
	at = at.UTC()
	return at, at.Year() >= 0 && at.Year() <= 9999
}

// rfc3339 reads a time that is almost one of RFC 3339: a zone as +0800 or +08, as strftime writes it, UTC for Z, and
// a blank before either; a blank for the T; small letters; a comma before the fraction; no seconds; no
// separators (ISO 8601's basic form); the leap second at the end of a day in UTC, which is the first of the next day here;
// a month or day 00, as of a clock that was never set, which is a day of the year 1 here.
func rfc3339(text []byte) (at time.Time, ok bool) {
	const date, minute, second = len("2006-01-02"), len("2006-01-02T15:04"), len("2006-01-02T15:04:05")
	if text = bytes.TrimSpace(text); len(text) > 48 {
		return at, false
	}
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
		if h, m, _ := at.UTC().Clock(); h != 0 || m != 0 { // a leap second ends a day; another 60th second is no time
			return at, false
		}
	}
	return at, true
}

// separated writes ISO 8601's basic form, 20060102T150405, as its extended one; other bytes as they are.
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
