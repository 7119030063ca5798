package backfill

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// Epoch is the unit of times that are numbers: the time since 1970-01-01T00:00:00Z.
type Epoch string

// The units. EpochNone refuses times that are numbers.
const (
	EpochNone         Epoch = ""
	EpochSeconds      Epoch = "s"
	EpochMilliseconds Epoch = "ms"
)

// DateOrder is the order of day and month in dates whose year is last.
type DateOrder string

// The orders. DateOrderAuto accepts dates that can be read in only one way: a number over 12 is a day. A date with points,
// such as 20.11.2026, always has the day first.
const (
	DateOrderAuto DateOrder = ""
	MonthFirst    DateOrder = "mdy"
	DayFirst      DateOrder = "dmy"
)

// mistake describes why a text is not a valid time or number. option is the command option with which it is valid.
type mistake struct{ msg, option string }

// timeReader parses times. The results are in UTC, truncated to microseconds.
type timeReader struct {
	zone  *time.Location // zone of times without one; nil: they are refused
	epoch Epoch
	order DateOrder
	dayAt *time.Duration // time of day of dates without one; nil: they are refused
}

// clock is a parsed date and time of day.
type clock struct {
	date    [3]int // year, month, day
	time    [3]int // hour, minute, second; 24:00:00 is allowed
	nanos   int
	seconds bool // a sign after the time begins a zone: seconds are written, or T separates date and time
}

// read parses a time: first as RFC 3339, then in the other forms of docs/data.md.
func (r timeReader) read(b []byte) (time.Time, mistake) {
	if len(b) == 0 {
		return time.Time{}, mistake{msg: "empty"}
	}
	var c clock
	if rest, ok := c.standard(b); ok {
		return r.in(&c, rest, b)
	}
	s := strings.Join(strings.Fields(halfWidth(b)), " ") // this also removes line ends within a cell
	if isNumber(s) {
		return r.number(s, b)
	}
	return r.parse(s, b)
}

// parse parses a text in the forms of timeParser.
func (r timeReader) parse(s string, text []byte) (time.Time, mistake) {
	var c clock
	p := timeParser{rest: s, order: r.order, dayAt: r.dayAt}
	zone, bad := p.parse(&c)
	if bad.msg != "" {
		bad.msg = clip(string(text)) + " " + bad.msg
		return time.Time{}, bad
	}
	return r.in(&c, []byte(zone), text)
}

// standard parses a date and time in the fixed form of RFC 3339. A space may replace the T, slashes may replace the hyphens,
// and seconds may be missing. rest is the zone, which may be empty.
func (c *clock) standard(b []byte) (rest []byte, ok bool) {
	if len(b) < len("2006-01-02T15:04") || b[4] != b[7] || (b[4] != '-' && b[4] != '/') ||
		(b[10] != 'T' && b[10] != 't' && b[10] != ' ') || b[13] != ':' {
		return nil, false
	}
	ok = number(b[0:4], &c.date[0]) && number(b[5:7], &c.date[1]) && number(b[8:10], &c.date[2]) &&
		number(b[11:13], &c.time[0]) && number(b[14:16], &c.time[1])
	rest = b[16:]
	c.seconds = b[10] != ' '
	if len(rest) >= 3 && rest[0] == ':' {
		ok = ok && number(rest[1:3], &c.time[2])
		rest, c.seconds = rest[3:], true
	}
	if c.nanos, rest, ok = fraction(rest, ok); !ok {
		return nil, false
	}
	if _, named := zoneOffset(rest); len(rest) > 0 && !named {
		return nil, false
	}
	return rest, c.valid()
}

// valid reports whether the date and the time of day exist.
func (c *clock) valid() bool {
	y, m, d := c.date[0], c.date[1], c.date[2]
	if y < 1 || m < 1 || m > 12 || d < 1 || c.time[1] > 59 || c.time[2] > 59 {
		return false
	}
	if c.time[0] > 23 && c.time != [3]int{24, 0, 0} || c.time[0] == 24 && c.nanos != 0 {
		return false
	}
	return d <= 28 || d <= time.Date(y, time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// in returns the time in the zone of the text or, if it has none, in the zone of the reader.
func (r timeReader) in(c *clock, zone, text []byte) (time.Time, mistake) {
	at := func(in *time.Location) time.Time { // time.Date converts 24:00 to 00:00 of the next day
		return time.Date(c.date[0], time.Month(c.date[1]), c.date[2], c.time[0], c.time[1], c.time[2], c.nanos, in)
	}
	if len(zone) == 0 {
		if r.zone == nil {
			return time.Time{}, mistake{clip(string(text)) + " names no zone", "--zone"}
		}
		return at(r.zone).UTC().Truncate(time.Microsecond), mistake{}
	}
	offset, ok := zoneOffset(zone)
	if ok && offset < 0 && !c.seconds && !bytes.ContainsAny(zone, "UGug") {
		return time.Time{}, mistake{msg: clip(string(text)) + " may be a span of time, or a time in the zone " + strings.TrimSpace(string(zone)) + "; write seconds before a zone"}
	}
	if !ok {
		return time.Time{}, mistake{msg: clip(string(text)) + " has no zone that can be read"}
	}
	return at(time.UTC).Add(-offset).Truncate(time.Microsecond), mistake{}
}

// isNumber reports whether a text consists of digits, with an optional minus sign and at most one point.
func isNumber(s string) bool {
	whole, part, _ := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	return whole != "" && strings.Trim(whole, "0123456789") == "" && strings.Trim(part, "0123456789") == ""
}

// number parses a time that consists of digits: 202611200805, with or without minutes and seconds; a day alone; or the time
// since 1970 in the unit of --epoch. It does not guess the unit, because a wrong guess is a wrong time.
func (r timeReader) number(s string, text []byte) (time.Time, mistake) {
	if (s[:min(2, len(s))] == "19" || s[:min(2, len(s))] == "20") && r.epoch == EpochNone {
		date := ""
		switch len(s) {
		case 8:
			date = s
		case 10: // as seconds since 1970 it would be in 2030 or later, in the future
			date = s[:8] + " " + s[8:] + "00"
		case 12, 14:
			date = s[:8] + " " + s[8:]
		}
		if date != "" {
			if at, bad := r.parse(date, text); bad.msg == "" || bad.option != "" {
				return at, bad
			}
		}
	}
	whole, part, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, mistake{msg: clip(string(text)) + " is no time"}
	}
	// looks is the unit that the size of the number suggests. It is used for the message and to refuse a wrong --epoch.
	looks := epochOf(n)
	switch {
	case r.epoch == EpochNone && looks == EpochNone && looksSerial(n):
		day := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(n))
		return time.Time{}, mistake{msg: clip(string(text)) + " is a number, no time; if it is a spreadsheet's day number, of " + day.Format(time.DateOnly) +
			", format the column as a date there, as yyyy-mm-dd hh:mm, and save it again"}
	case r.epoch == EpochNone && looks == EpochNone:
		return time.Time{}, mistake{msg: clip(string(text)) + " is a number, no time like 2026-03-14T12:00:00+08:00"}
	case r.epoch == EpochNone:
		return time.Time{}, mistake{clip(string(text)) + " looks like a time since 1970 in " + looks.words(), "--epoch " + string(looks)}
	case looks != EpochNone && looks != r.epoch:
		return time.Time{}, mistake{msg: clip(string(text)) + " looks like a time since 1970 in " + looks.words() + ", and --epoch " + string(r.epoch) + " is given"}
	}
	// The additional 0 makes the text a valid fraction if the number has none.
	nanos, _, _ := fraction([]byte("."+part+"0"), true)
	at := time.Unix(n, int64(nanos))
	if r.epoch == EpochMilliseconds {
		// fraction counts in units of a second, and here the fraction is one of a millisecond: 1,000 times less.
		at = time.UnixMilli(n).Add(time.Duration(nanos / 1000))
	}
	if strings.HasPrefix(s, "-") || at.Year() > 9999 {
		return time.Time{}, mistake{msg: clip(string(text)) + " is no time in " + r.epoch.words() + " since 1970"}
	}
	return at.UTC().Truncate(time.Microsecond), mistake{}
}

// epochOf returns the unit in which a number is a time from 1980 to 2099. It returns EpochNone if there is none.
func epochOf(n int64) Epoch {
	// from is 1980-01-01 and to is 2100-01-01, in seconds since 1970.
	const from, to = 315_532_800, 4_102_444_800
	switch {
	case n >= from && n < to:
		return EpochSeconds
	case n >= from*1000 && n < to*1000:
		return EpochMilliseconds
	default:
		return EpochNone
	}
}

// looksSerial reports whether a number is the day number of a spreadsheet from 1980 to 2099, counted from 1899-12-30.
func looksSerial(n int64) bool { return n >= 29_221 && n < 73_051 }

// words returns the unit in words, for a message.
func (e Epoch) words() string {
	if e == EpochMilliseconds {
		return "milliseconds"
	}
	return "seconds"
}

// number parses a text of digits only.
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

// fraction parses a fraction of a second such as ".123" to nanoseconds. It ignores digits after the ninth. If ok is false, it
// does nothing.
func fraction(b []byte, ok bool) (nanos int, rest []byte, _ bool) {
	if !ok || len(b) == 0 || b[0] != '.' && b[0] != ',' {
		return 0, b, ok
	}
	// unit is the value of the next digit in nanoseconds. It is 0 after the ninth digit.
	unit, i := 100_000_000, 1
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		nanos += int(b[i]-'0') * unit
		unit /= 10
	}
	return nanos, b[i:], i > 1
}

// zoneOffset parses Z, +08:00, +0800, +08, +8, UTC or UTC+8, with or without a space before it. It returns the offset east of
// UTC.
func zoneOffset(b []byte) (time.Duration, bool) {
	if len(b) > 1 && b[0] == ' ' {
		b = b[1:]
	}
	if len(b) == 1 && (b[0] == 'Z' || b[0] == 'z') {
		return 0, true
	}
	if len(b) >= 3 && (strings.EqualFold(string(b[:3]), "UTC") || strings.EqualFold(string(b[:3]), "GMT")) {
		if b = b[3:]; len(b) == 0 {
			return 0, true
		}
	}
	// The rest must be an offset, which begins with its sign.
	if len(b) < 2 || b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	var h, m int
	ok := false
	switch d := b[1:]; {
	case len(d) <= 2:
		ok = number(d, &h)
	case len(d) == 4 && d[1] != ':':
		ok = number(d[:2], &h) && number(d[2:], &m)
	case len(d) >= 4 && d[len(d)-3] == ':' && len(d) <= 5:
		ok = number(d[:len(d)-3], &h) && number(d[len(d)-2:], &m)
	}
	if !ok || h > 23 || m > 59 {
		return 0, false
	}
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	if b[0] == '-' {
		d = -d
	}
	return d, true
}
