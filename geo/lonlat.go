package geo

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/paulmach/orb"
	"golang.org/x/text/width"

	"onemap/internal/fault"
)

// CheckLonLat returns fault.Invalid with the field "lon" or "lat" if the number is not finite or not in the range -180
// to 180 or -90 to 90 degrees. The error asks whether the two are swapped if the swapped numbers would be valid.
func CheckLonLat(lon, lat float64) error {
	if math.IsNaN(lon) || math.IsInf(lon, 0) {
		return fault.InvalidField("lon", "is not a finite number")
	}
	if math.IsNaN(lat) || math.IsInf(lat, 0) {
		return fault.InvalidField("lat", "is not a finite number")
	}
	hint := ""
	if math.Abs(lon) <= 90 && math.Abs(lat) <= 180 {
		hint = "; are lon and lat swapped?"
	}
	if math.Abs(lat) > 90 {
		return fault.InvalidField("lat", "%s is outside -90 to 90%s", number(lat), hint)
	}
	if math.Abs(lon) > 180 {
		return fault.InvalidField("lon", "%s is outside -180 to 180", number(lon))
	}
	return nil
}

// CheckPoint is CheckLonLat for a point {lon, lat}.
func CheckPoint(p orb.Point) error { return CheckLonLat(p[0], p[1]) }

// CheckInside returns fault.Invalid if the point {lon, lat} is not valid or not inside the bound. The error asks whether
// lon and lat are swapped if the swapped point is inside.
func CheckInside(b orb.Bound, p orb.Point) error {
	if err := CheckPoint(p); err != nil {
		return err
	}
	if b.Contains(p) {
		return nil
	}
	hint := ""
	if b.Contains(orb.Point{p[1], p[0]}) {
		hint = "; are lon and lat swapped?"
	}
	return fault.InvalidField("lon", "%s, %s (lon, lat) is outside the area %s to %s, %s to %s%s", number(p[0]), number(p[1]),
		number(b.Min[0]), number(b.Max[0]), number(b.Min[1]), number(b.Max[1]), hint)
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// ParseDegrees parses an angle and returns decimal degrees. It accepts:
//
//   - decimal degrees with a point or a comma: "121.39", "-0.5", "121,39";
//   - degrees, minutes and seconds with their signs, common substitutes of the signs, Chinese words, d, m and s, colons or
//     spaces: "121°23′40.5″", "121度23分40.5秒", "37°32'9\"N", "121:23:42".
//
// N, S, E, W, 东经, 西经, 北纬, 南纬, 经度 or 纬度 may stand before or after the angle. S, W, 南纬 and 西经 make it negative.
// Full-width characters are read as half-width characters. ParseDegrees does not check the range. It returns
// fault.Invalid if the text is not an angle.
func ParseDegrees(s string) (float64, error) {
	t := strings.TrimSpace(width.Fold.String(s))
	if strings.Count(t, ",") == 1 && !strings.Contains(t, ".") {
		t = strings.Replace(t, ",", ".", 1) // a decimal comma
	}
	if v, err := strconv.ParseFloat(t, 64); err == nil && isPlain(t) {
		return v, nil
	}
	t, sign := hemisphere(t)
	if strings.HasPrefix(t, "-") && sign == 0 {
		t, sign = t[1:], -1
	}
	if sign == 0 {
		sign = 1
	}
	v, ok := sexagesimal(t)
	if !ok {
		return 0, fault.New(fault.Invalid, "%q is neither decimal degrees nor degrees, minutes and seconds", clip(s, 40))
	}
	return sign * v, nil
}

// isPlain reports whether s has only the characters of a decimal number. strconv.ParseFloat also accepts Inf, NaN,
// hexadecimal numbers and underscores, which are not angles.
func isPlain(s string) bool { return strings.Trim(s, "+-.0123456789eE") == "" }

// clip cuts a text from outside to n characters, because an error message repeats it.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n]) + "…"
}

// hemisphere removes a leading or trailing N, S, E, W or the Chinese word from s. It returns the rest and the sign,
// which is 0 if there was no such word.
func hemisphere(s string) (string, float64) {
	for _, h := range []struct {
		word string
		sign float64
	}{{"N", 1}, {"E", 1}, {"S", -1}, {"W", -1}, {"北纬", 1}, {"东经", 1}, {"南纬", -1}, {"西经", -1}, {"经度", 1}, {"纬度", 1}} {
		n := len(h.word)
		switch {
		case len(s) < n:
		case strings.EqualFold(s[:n], h.word):
			return strings.TrimLeft(s[n:], " :"), h.sign
		case strings.EqualFold(s[len(s)-n:], h.word) && (h.word != "S" || !secondsByLetter(s)):
			return strings.TrimSpace(s[:len(s)-n]), h.sign
		}
	}
	return s, 0
}

// secondsByLetter reports whether an s at the end, as in "121d23m42s", means seconds and not south.
func secondsByLetter(s string) bool {
	return strings.ContainsAny(s, "mM") && strings.ContainsAny(s, "dD")
}

// markReplacer replaces the marks that people type for degrees, minutes and seconds by °, ′ and ″.
func markReplacer() *strings.Replacer {
	return strings.NewReplacer(
		"''", "″", "’’", "″", "‘‘", "″", "′′", "″", "´´", "″", "``", "″",
		"度", "°", "º", "°", "˚", "°", "d", "°", "D", "°", "。", "°",
		"分", "′", "'", "′", "’", "′", "‘", "′", "´", "′", "`", "′", "ʹ", "′", "ʼ", "′", "m", "′", "M", "′",
		"秒", "″", "\"", "″", "”", "″", "“", "″", "〃", "″", "ʺ", "″", "s", "″", "S", "″")
}

// sexagesimal parses unsigned degrees with optional minutes and seconds. It returns false if the text has another form
// or if minutes or seconds are 60 or more.
func sexagesimal(s string) (float64, bool) {
	rest := markReplacer().Replace(s)
	if !strings.ContainsAny(rest, "°′″") {
		rest = markBetween(rest)
	}
	rest = strings.ReplaceAll(rest, " ", "")
	value, scale, found := 0.0, 1.0, false
	for _, mark := range []string{"°", "′", "″"} {
		head, tail, ok := strings.Cut(rest, mark)
		if ok {
			v, err := strconv.ParseFloat(strings.Replace(head, ",", ".", 1), 64)
			if err != nil || strings.Trim(head, ".,0123456789") != "" || (mark != "°" && v >= 60) {
				return 0, false
			}
			value, rest, found = value+v/scale, tail, true
		}
		scale *= 60
	}
	if !found && strings.Trim(rest, ".0123456789") == "" {
		v, err := strconv.ParseFloat(rest, 64) // "121.5E"
		return v, err == nil
	}
	return value, found && rest == ""
}

// markBetween inserts the marks °, ′ and ″ into "121:23:42" or "121 23 42". It returns any other text unchanged.
func markBetween(s string) string {
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == ' ' })
	if len(parts) < 2 || len(parts) > 3 {
		return s
	}
	var b strings.Builder
	for i, part := range parts {
		b.WriteString(part + [...]string{"°", "′", "″"}[i])
	}
	return b.String()
}
