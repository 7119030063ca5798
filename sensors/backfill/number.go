package backfill

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"onemap/internal/charset"
)

// Decimal is the decimal sign of numbers.
type Decimal string

// The signs. DecimalAuto accepts numbers that can be read in only one way. If a comma can have two meanings, as in 1,234, the
// delimiter of the file decides: with ";" it is the decimal sign, with "," it groups thousands.
const (
	DecimalAuto  Decimal = ""
	DecimalPoint Decimal = "point"
	DecimalComma Decimal = "comma"
)

// numberReader parses values.
type numberReader struct {
	decimal Decimal
	lean    Decimal   // meaning of a comma that can have two meanings; "": unknown
	missing []float64 // values that mean a missing value
}

// read parses a cell: a finite decimal number, or a word for a missing value.
func (r numberReader) read(b []byte) (v float64, missing bool, bad mistake) {
	if len(b) == 0 {
		return 0, true, mistake{}
	}
	v, ok := plain(b)
	// With --decimal comma, 1.234 means 1234, so plain must not decide.
	if !ok || r.decimal == DecimalComma {
		s := strings.TrimSpace(halfWidth(b))
		if isMissing(s) {
			return 0, true, mistake{}
		}
		text, option, ok := r.ungrouped(s)
		if !ok {
			if option != "" {
				return 0, false, mistake{clip(string(b)) + " may be " + strings.Replace(s, ",", ".", 1) + " or " + strings.ReplaceAll(s, ",", ""), option}
			}
			return 0, false, mistake{msg: clip(string(b)) + " is not a number"}
		}
		if v, ok = plain([]byte(text)); !ok {
			return 0, false, mistake{msg: clip(string(b)) + " is not a number"}
		}
	}
	if math.IsInf(v, 0) {
		return 0, false, mistake{msg: clip(string(b)) + " is larger than a number can be"}
	}
	return v, slices.Contains(r.missing, v), mistake{}
}

// plain parses a number whose decimal sign is a point. A number that is too large becomes infinite.
func plain(b []byte) (float64, bool) {
	for _, c := range b {
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	v, err := strconv.ParseFloat(string(b), 64)
	// ParseFloat returns an infinity together with an error if the number is too large; read refuses it.
	return v, err == nil || math.IsInf(v, 0)
}

// ungrouped removes the signs between thousands and replaces the decimal sign by a point. If the number can be read in two
// ways, option is the command option that decides.
func (r numberReader) ungrouped(s string) (text, option string, ok bool) {
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = s[:1], s[1:]
	}
	// An exponent stays as it is; only the part before it can have groups and a decimal sign.
	whole, exponent := s, ""
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		whole, exponent = s[:i], s[i:]
	}
	decimal, option := r.decimalOf(whole)
	if option != "" {
		return "", option, false
	}
	whole, part, cut := whole, "", false
	if i := strings.LastIndexByte(whole, decimal); i >= 0 {
		whole, part, cut = whole[:i], whole[i+1:], true
	}
	whole, ok = joinGroups(whole, decimal)
	if !ok || strings.Trim(part, "0123456789") != "" || whole == "" && part == "" {
		return "", "", false
	}
	if cut {
		part = "." + part
	}
	return sign + whole + part + exponent, "", true
}

// decimalOf returns the decimal sign of a number without sign and exponent. If both comma and point occur, the last one is
// the decimal sign. If it cannot decide, it returns the command option that does.
func (r numberReader) decimalOf(s string) (sign byte, option string) {
	commas, points := strings.Count(s, ","), strings.Count(s, ".")
	switch {
	case r.decimal == DecimalComma:
		return ',', ""
	case r.decimal == DecimalPoint, commas == 0:
		return '.', ""
	case points > 0 && strings.LastIndexByte(s, ',') > strings.LastIndexByte(s, '.'):
		return ',', ""
	case points > 0, commas > 1:
		return '.', ""
	}
	i := strings.IndexByte(s, ',')
	// The comma can group thousands only if three digits follow it and one to three digits, without a leading zero,
	// precede it.
	grouped := len(s)-i-1 == 3 && i > 0 && i <= 3 && s[0] != '0'
	switch {
	case !grouped, r.lean == DecimalComma:
		return ',', ""
	case r.lean == DecimalPoint:
		return '.', ""
	}
	return 0, "--decimal"
}

// joinGroups removes the signs between groups of three digits. It returns false if the groups are not valid: only one sign,
// not the decimal one, and three digits in every group but the first.
func joinGroups(s string, decimal byte) (string, bool) {
	i := strings.IndexFunc(s, func(c rune) bool { return c < '0' || c > '9' })
	// A number without any sign is not grouped.
	if i < 0 {
		return s, true
	}
	sign := s[i]
	if sign == decimal || !strings.ContainsRune(",. '", rune(sign)) {
		return "", false
	}
	groups := strings.Split(s, string(sign))
	for n, g := range groups {
		if strings.Trim(g, "0123456789") != "" || n > 0 && len(g) != 3 || n == 0 && (g == "" || len(g) > 3) {
			return "", false
		}
	}
	return strings.Join(groups, ""), true
}

// isMissing reports whether a text means a missing value.
func isMissing(s string) bool {
	switch strings.ToLower(s) {
	case "", "nan", "na", "n/a", "#n/a", "#na", "null", "nil", "none", "missing", "nodata", "no data", `\n`,
		"缺测", "缺失", "缺", "缺值", "缺数", "无", "无数据", "无效", "空", "空值", "未测":
		return true
	}
	// Many programs write a missing value as a row of such signs, as -- or ***.
	return strings.Trim(s, "-/—–_*?") == ""
}

// halfWidth converts full-width letters, digits and signs to ASCII, and every kind of space to a plain space.
func halfWidth(b []byte) string {
	if charset.FirstHigh(b) == len(b) {
		return string(b)
	}
	return strings.Map(func(r rune) rune {
		switch {
		// The full-width forms U+FF01 to U+FF5E are in the order of the ASCII signs from ! to ~.
		case r >= 0xff01 && r <= 0xff5e:
			return r - 0xff01 + '!'
		case r == '−':
			return '-'
		case r == '。', r == '．':
			return '.'
		case r == '、', r == '，':
			return ','
		case r == '’':
			return '\''
		case r == 0xfeff: // a byte order mark in the middle
			return -1
		case unicode.IsSpace(r):
			return ' '
		}
		return r
	}, string(b))
}
