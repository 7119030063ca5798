package backfill

import (
	"strings"
	"time"
)

// notATime is the fault of a text that is not a time in any form.
const notATime = "is not a time like 2026-03-14T12:00:00+08:00"

// timeParser parses a date and a time of day in the forms of spreadsheets and data loggers. The text must be trimmed and
// half-width.
type timeParser struct {
	rest  string
	order DateOrder
	dayAt *time.Duration // time of day of dates without one; nil: they are refused
}

// parse parses the whole text. zone is the rest after the time of day.
func (p *timeParser) parse(c *clock) (zone string, bad mistake) {
	if bad := p.date(c); bad.msg != "" {
		return "", bad
	}
	p.between()
	if p.rest == "" {
		return "", p.wholeDay(c)
	}
	before := p.meridiem()
	p.skip()
	if !p.timeOfDay(c) {
		return "", mistake{msg: notATime}
	}
	p.skip()
	after := p.meridiem()
	p.skip()
	// am or pm may come before the time, as in Chinese, or after it, as in English, but not twice.
	if before != "" && after != "" || !c.halfDay(before+after) || !c.valid() {
		return "", mistake{msg: notATime}
	}
	return p.rest, mistake{}
}

// wholeDay sets the time of day of a date without one.
func (p *timeParser) wholeDay(c *clock) mistake {
	switch {
	case !c.valid():
		return mistake{msg: notATime}
	case p.dayAt == nil:
		return mistake{"has no time of day", "--day-at"}
	}
	minutes := int(*p.dayAt / time.Minute)
	c.time = [3]int{minutes / 60, minutes % 60, 0}
	return mistake{}
}

// date parses 2026-11-20, 2026/1/5, 2026.1.5, 2026年1月5日, 20261120, and dates whose year is last.
func (p *timeParser) date(c *clock) mistake {
	bad := mistake{msg: notATime}
	first, digits := p.digits()
	// Eight digits without a sign are year, month and day, each in its fixed length.
	if digits == 8 {
		c.date = [3]int{first / 10000, first / 100 % 100, first % 100}
		return mistake{}
	}
	sign := p.sign("-", "/", ".", "年")
	second, n := p.digits()
	if digits == 0 || sign == "" || n == 0 || n > 2 {
		return bad
	}
	// After 年, the month ends with 月 and the day with 日 or 号.
	if sign == "年" {
		sign = "月"
	}
	if p.sign(sign) == "" {
		return bad
	}
	third, n := p.digits()
	if n == 0 || sign == "月" && p.sign("日", "号") == "" {
		return bad
	}
	switch {
	case digits == 4 && n <= 2:
		c.date = [3]int{first, second, third}
	case digits <= 2 && n == 4 && sign != "月":
		return p.yearLast(c, [3]int{first, second, third}, sign)
	default:
		return bad
	}
	return mistake{}
}

// yearLast distinguishes month and day in a date whose year is last. It does not guess: a date with points has the day first;
// any other date needs --date-order, unless it can be read in only one way.
func (p *timeParser) yearLast(c *clock, date [3]int, sign string) mistake {
	first, second, year := date[0], date[1], date[2]
	// The two readings of the date are compared below; only their dates are set.
	monthFirst, dayFirst := clock{date: [3]int{year, first, second}}, clock{date: [3]int{year, second, first}}
	order := p.order
	switch {
	// If both numbers are the same, the order does not matter.
	case sign == ".", order == DateOrderAuto && (first > 12 || first == second):
		order = DayFirst
	case order == DateOrderAuto && second > 12:
		order = MonthFirst
	}
	switch {
	case order == DateOrderAuto:
		return mistake{"may be the " + itoa(first) + "th of month " + itoa(second) + " or the " + itoa(second) + "th of month " + itoa(first), "--date-order"}
	// The other order would be a valid date, so the message proposes it.
	case order == MonthFirst && first > 12 && p.order == MonthFirst && dayFirst.valid():
		return mistake{"has no month " + itoa(first) + ", and --date-order mdy says that the month is first", "--date-order dmy"}
	case order == DayFirst && second > 12 && sign != "." && p.order == DayFirst && monthFirst.valid():
		return mistake{"has no month " + itoa(second) + ", and --date-order dmy says that the day is first", "--date-order mdy"}
	case order == MonthFirst:
		c.date = monthFirst.date
	default:
		c.date = dayFirst.date
	}
	return mistake{}
}

// timeOfDay parses 8:05, 8:05:00.5, 0805, 080500, 8时5分, 8时05分00秒, 8点.
func (p *timeParser) timeOfDay(c *clock) bool {
	hour, digits := p.digits()
	switch digits {
	case 4:
		c.time = [3]int{hour / 100, hour % 100, 0}
		return true
	case 6:
		c.seconds = true
		c.time = [3]int{hour / 10000, hour / 100 % 100, hour % 100}
		return p.fraction(c)
	case 1, 2:
	default:
		return false
	}
	c.time = [3]int{hour, 0, 0}
	sign := p.sign(":", "时", "点")
	if sign == "" {
		return false
	}
	minute, n := p.digits()
	if n == 0 {
		return sign != ":" // 8时 is the full hour
	}
	c.time[1] = minute
	if n > 2 {
		return false
	}
	next := p.sign(":", "分")
	if next == "" {
		return sign == ":"
	}
	second, n := p.digits()
	switch {
	case n == 0:
		return next == "分"
	case n > 2:
		return false
	}
	c.time[2], c.seconds = second, true
	ok := p.fraction(c)
	if next == "分" {
		p.sign("秒")
	}
	return ok
}

// fraction parses a fraction of a second, if there is one.
func (p *timeParser) fraction(c *clock) bool {
	nanos, rest, ok := fraction([]byte(p.rest), true)
	c.nanos, p.rest = nanos, string(rest)
	return ok
}

// halfDay applies am or pm to the hour. It returns false if there is no such hour.
func (c *clock) halfDay(half string) bool {
	hour := c.time[0]
	switch {
	case half == "":
		return true
	case hour > 12 && half == "am", hour > 23:
		return false
	case hour == 12 && half == "am":
		c.time[0] = 0
	case hour < 12 && half == "pm":
		c.time[0] += 12
	}
	return true
}

// meridiem reads am or pm in one of its forms. It returns "" if there is none.
func (p *timeParser) meridiem() string {
	for _, m := range [...]struct{ word, half string }{
		{"上午", "am"}, {"下午", "pm"}, {"a.m.", "am"}, {"p.m.", "pm"}, {"am", "am"}, {"pm", "pm"},
	} {
		if n := len(m.word); len(p.rest) >= n && strings.EqualFold(p.rest[:n], m.word) {
			p.rest = p.rest[n:]
			return m.half
		}
	}
	return ""
}

// digits reads a number of at most eight digits. n is the number of digits.
func (p *timeParser) digits() (value, n int) {
	for n < len(p.rest) && n < 8 && p.rest[n] >= '0' && p.rest[n] <= '9' {
		value = 10*value + int(p.rest[n]-'0')
		n++
	}
	p.rest = p.rest[n:]
	return value, n
}

// sign reads one of the signs, with spaces around it. It returns "" if there is none.
func (p *timeParser) sign(signs ...string) string {
	trimmed := strings.TrimLeft(p.rest, " ")
	for _, s := range signs {
		if rest, ok := strings.CutPrefix(trimmed, s); ok {
			p.rest = strings.TrimLeft(rest, " ")
			return s
		}
	}
	return ""
}

// between skips what may be between date and time of day: spaces, T or a comma.
func (p *timeParser) between() {
	p.skip()
	if p.rest != "" && strings.ContainsRune("Tt,", rune(p.rest[0])) {
		p.rest = p.rest[1:]
		p.skip()
	}
}

// skip skips spaces.
func (p *timeParser) skip() { p.rest = strings.TrimLeft(p.rest, " ") }
