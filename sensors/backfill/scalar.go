package backfill

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"onemap/sensors"
)

func itoa(n int) string { return strconv.Itoa(n) }

// parseTime reads RFC 3339, also with a space for the T, slashes, no seconds, or no zone, in which case
// zone is taken; noZone says that none was there to take. Times are UTC with microseconds.
func parseTime(b []byte, zone *time.Location) (at time.Time, msg string, noZone bool) {
	var d [6]int // year, month, day, hour, minute, second
	if len(b) == 0 {
		return at, "empty", false
	}
	rest, ok := dateAndTime(b, &d)
	if !ok {
		return at, clip(string(b)) + " is not a time like 2026-03-14T12:00:00+08:00", false
	}
	nanos, rest, ok := fraction(rest)
	if !ok {
		return at, clip(string(b)) + " has no digits behind its point", false
	}
	if len(rest) > 0 && rest[0] == ' ' {
		rest = rest[1:]
	}
	if len(rest) == 0 {
		if zone == nil {
			return at, clip(string(b)) + " names no zone", true
		}
		at = time.Date(d[0], time.Month(d[1]), d[2], d[3], d[4], d[5], nanos, zone)
		return at.UTC().Truncate(time.Microsecond), "", false
	}
	offset, ok := zoneOffset(rest)
	if !ok {
		return at, clip(string(b)) + " has no zone that can be read", false
	}
	at = time.Date(d[0], time.Month(d[1]), d[2], d[3], d[4], d[5], nanos, time.UTC).Add(-offset)
	return at.Truncate(time.Microsecond), "", false
}

// dateAndTime takes the part before the fraction; the seconds may be missing.
func dateAndTime(b []byte, d *[6]int) (rest []byte, ok bool) {
	if len(b) < len("2006-01-02T15:04") || b[4] != b[7] || (b[4] != '-' && b[4] != '/') ||
		(b[10] != 'T' && b[10] != 't' && b[10] != ' ') || b[13] != ':' {
		return nil, false
	}
	ok = number(b[0:4], &d[0]) && number(b[5:7], &d[1]) && number(b[8:10], &d[2]) && number(b[11:13], &d[3]) && number(b[14:16], &d[4])
	rest = b[16:]
	if len(rest) >= 3 && rest[0] == ':' {
		ok = ok && number(rest[1:3], &d[5])
		rest = rest[3:]
	}
	return rest, ok && inCalendar(d)
}

func inCalendar(d *[6]int) bool {
	if d[1] < 1 || d[1] > 12 || d[2] < 1 || d[3] > 23 || d[4] > 59 || d[5] > 59 {
		return false
	}
	return d[2] <= 28 || d[2] <= time.Date(d[0], time.Month(d[1])+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// number reads digits, all of them.
func number(b []byte, n *int) bool {
	v := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
		v = 10*v + int(c-'0')
	}
	*n = v
	return true
}

// fraction takes ".123" as nanoseconds; digits beyond the ninth are dropped.
func fraction(b []byte) (nanos int, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '.' && b[0] != ',' {
		return 0, b, true
	}
	unit, i := 100_000_000, 1
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		nanos += int(b[i]-'0') * unit
		unit /= 10
	}
	return nanos, b[i:], i > 1
}

// zoneOffset reads Z, +08:00, +0800 or +08: how far the zone is east.
func zoneOffset(b []byte) (time.Duration, bool) {
	if len(b) == 1 && (b[0] == 'Z' || b[0] == 'z') {
		return 0, true
	}
	var h, m int
	switch {
	case b[0] != '+' && b[0] != '-':
		return 0, false
	case len(b) == 3 && number(b[1:3], &h):
	case len(b) == 5 && number(b[1:3], &h) && number(b[3:5], &m):
	case len(b) == 6 && b[3] == ':' && number(b[1:3], &h) && number(b[4:6], &m):
	default:
		return 0, false
	}
	if h > 23 || m > 59 {
		return 0, false
	}
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	if b[0] == '-' {
		d = -d
	}
	return d, true
}

// parseNumber reads a decimal, finite number; a sign before it and a missing digit beside its point are let pass.
func parseNumber(b []byte) (float64, string) {
	if len(b) == 0 {
		return 0, "empty"
	}
	for _, c := range b {
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			return 0, clip(string(b)) + " is not a number"
		}
	}
	v, err := strconv.ParseFloat(string(b), 64)
	switch {
	case math.IsInf(v, 0):
		return 0, clip(string(b)) + " is larger than a number can be"
	case err != nil:
		return 0, clip(string(b)) + " is not a number"
	}
	return v, ""
}

// parseQC reads a flag of QARTOD; empty is none.
func parseQC(b []byte) (sensors.QC, string) {
	if len(b) == 0 {
		return 0, ""
	}
	if len(b) == 1 {
		switch q := sensors.QC(b[0] - '0'); q {
		case sensors.QCGood, sensors.QCNotEvaluated, sensors.QCSuspect, sensors.QCBad, sensors.QCMissing:
			return q, ""
		}
	}
	return 0, clip(string(b)) + " is none of 1, 2, 3, 4, 9"
}

// parseID reads the id of a datastream.
func parseID(b []byte) (int64, string) {
	id, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil || id <= 0 {
		return 0, clip(string(b)) + " is no datastream's id"
	}
	return id, ""
}

// clip makes outside text fit for a message: printable, at most 60 bytes.
func clip(s string) string {
	const limit = 60
	cut := ""
	if len(s) > limit {
		n := limit
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s, cut = s[:n], "…"
	}
	for _, r := range s {
		if !strconv.IsPrint(r) || r == utf8.RuneError || r == '"' {
			return strconv.Quote(s) + cut
		}
	}
	if s == "" {
		return `""`
	}
	return s + cut
}
