package load

import (
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/paulmach/orb"
	"golang.org/x/text/width"

	"onemap/catalogue/geojson"
	"onemap/geo"
	"onemap/internal/fault"
)

// parseCoordinate reads one number of a position: degrees as geo.ParseDegrees does, or metres.
func parseCoordinate(cell string, frame geo.Frame) (float64, error) {
	if isNothing(cell) {
		if text := strings.TrimSpace(cell); text != "" {
			return 0, fault.New(fault.Invalid, "is empty: %q", clip(text))
		}
		return 0, fault.New(fault.Invalid, "is empty")
	}
	if frame.Degrees() {
		v, err := geo.ParseDegrees(cell)
		if err != nil {
			return 0, fault.New(fault.Invalid, "%q is no coordinate", clip(cell))
		}
		return v, nil
	}
	// Metres: with a unit, with spaces or commas between thousands, or with a decimal comma.
	// Full-width characters are folded first, so that one set of rules holds for both widths.
	text := strings.TrimSuffix(strings.TrimSpace(width.Fold.String(cell)), "m")
	text = strings.ReplaceAll(strings.TrimSpace(text), " ", "")
	head, tail, comma := strings.Cut(text, ",")
	switch {
	// Three digits after a single comma are read as thousands: 623,205 is 623205 m and not 623.205 m.
	case comma && (strings.Contains(text, ".") || len(tail) == 3 || strings.Contains(tail, ",")):
		text = strings.ReplaceAll(text, ",", "") // 623,205.71
	case comma:
		text = head + "." + tail // 623205,71
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fault.New(fault.Invalid, "%q is no coordinate", clip(cell))
	}
	return v, nil
}

// maxDegrees is the limit above which a number cannot be meant as degrees. It is probably in metres.
const maxDegrees = 1000

// onTheGlobe converts a position of the frame.
func onTheGlobe(p orb.Point, frame geo.Frame) (orb.Geometry, error) {
	if p == (orb.Point{}) {
		return p, nil // checkZero checks this point, for every frame
	}
	if frame.Degrees() && max(math.Abs(p[0]), math.Abs(p[1])) > maxDegrees {
		return nil, fault.New(fault.Invalid, "%s, %s are no degrees; if they are metres, name the frame, as --frame 4549",
			strconv.FormatFloat(p[0], 'f', -1, 64), strconv.FormatFloat(p[1], 'f', -1, 64))
	}
	// The frame is checked before the conversion, because metres of another zone convert to a valid but wrong place.
	if err := frame.Check(p); err != nil {
		return nil, err
	}
	p = frame.ToWGS84(p)
	// The result is [lon, lat] in EPSG:4326.
	return p, geo.CheckPoint(p)
}

// looksSwapped reports whether a projected position has its northing first. In China a northing has seven digits. An
// easting has six digits, or eight with the number of the zone.
func looksSwapped(p orb.Point) bool {
	// The false easting of the Gauss-Krüger zones in China is 500,000 m, so an easting lies between 0 and 1,000,000.
	// The number of the zone, if it is written, stands before it. Units: m.
	northing := func(v float64) bool { return v >= 1e6 && v < 1e7 }
	easting := func(v float64) bool { return v >= 0 && v < 1e6 || v >= 1e7 && v < 1e8 }
	return northing(p[0]) && easting(p[1])
}

// parsePlace parses a position or a geometry from one cell: "121.39,37.54", 东经…北纬…, WKT, or GeoJSON. If latFirst is
// true, the first of two numbers is the latitude, unless letters or the size of the numbers show another order.
func parsePlace(cell string, frame geo.Frame, latFirst bool) (orb.Geometry, error) {
	if isNothing(cell) {
		return nil, fault.New(fault.Invalid, "is empty")
	}
	text := strings.TrimSpace(cell)
	if strings.HasPrefix(text, "{") {
		return geojson.DecodeIn([]byte(text), frame)
	}
	upper := strings.ToUpper(text)
	// A type of WKT may have Z, M or ZM directly behind it: POINTZ.
	if strings.HasPrefix(upper, "SRID=") || wktKind(strings.TrimRight(upper[:wordEnd(upper)], "ZM")) != "" {
		return decodeWKT(text, frame)
	}
	first, second, ok := splitPair(text)
	if !ok {
		return nil, fault.New(fault.Invalid, "%q is no position like 121.39,37.54", clip(cell))
	}
	if !frame.Degrees() {
		return projectedPair(first, second, frame)
	}
	// A letter or a word (N, 北纬) takes precedence over the name of the column.
	if saysLatitude(first) != saysLatitude(second) {
		latFirst = saysLatitude(first)
	}
	if latFirst {
		first, second = second, first
	}
	lon, err := parseCoordinate(first, frame)
	if err != nil {
		return nil, err
	}
	lat, err := parseCoordinate(second, frame)
	if err != nil {
		return nil, err
	}
	if math.Abs(lat) > 90 && math.Abs(lon) <= 90 { // more than 90 cannot be a latitude, so the order is reversed
		lon, lat = lat, lon
	}
	return onTheGlobe(orb.Point{lon, lat}, frame)
}

// projectedPair reads two numbers of a projected frame, in metres. Surveyors write the northing first and call it
// X, so the order is decided by the size of the numbers.
func projectedPair(first, second string, frame geo.Frame) (orb.Geometry, error) {
	x, err := parseCoordinate(first, frame)
	if err != nil {
		return nil, err
	}
	y, err := parseCoordinate(second, frame)
	if err != nil {
		return nil, err
	}
	if p := (orb.Point{x, y}); looksSwapped(p) {
		x, y = y, x
	}
	return onTheGlobe(orb.Point{x, y}, frame)
}

// wordEnd returns the offset at which the letters at the beginning of s end.
func wordEnd(s string) int {
	if n := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsLetter(r) }); n >= 0 {
		return n
	}
	return len(s)
}

// splitPair splits a pair at the first kind of separator that results in two parts, or at a word or letter of direction.
func splitPair(text string) (first, second string, ok bool) {
	text = strings.Trim(width.Fold.String(text), " ()[]")
	// The order matters: the less common separators come first, so that a space inside of degrees, minutes and seconds
	// does not split a pair.
	for _, at := range []string{";", ",", "、", "/", "|", "\t", " "} {
		parts := strings.Split(text, at)
		if at == " " {
			parts = strings.Fields(text)
		}
		if len(parts) == 2 && strings.TrimSpace(parts[0]) != "" && strings.TrimSpace(parts[1]) != "" {
			return strings.TrimSpace(parts[0]), strings.TrimSpace(parts[1]), true
		}
	}
	for _, word := range []string{"北纬", "东经", "N", "E"} { // 东经121°23′42″北纬37°32′24″, 121.39E37.54N
		if i := strings.LastIndex(text, word); i > 0 {
			if len(word) == 1 {
				i = strings.Index(text, word) + 1
			}
			if i < len(text) {
				return text[:i], text[i:], true
			}
		}
	}
	return "", "", false
}

// saysLatitude reports whether a text contains a mark of a latitude: N, S or 纬.
func saysLatitude(s string) bool {
	return strings.ContainsAny(strings.ToUpper(s), "NS") && !strings.ContainsAny(s, "dD") || strings.Contains(s, "纬")
}
