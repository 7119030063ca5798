// Package geojson reads and writes the geometry objects of GeoJSON, RFC 7946, as orb values. It is
// strict where a map would break later: unclosed rings, positions off the globe, empty and nested
// collections are errors that name the member at fault. What a position has beyond two coordinates is dropped.
package geojson

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"onemap/geo"
	"onemap/internal/fault"
	"onemap/internal/text"
)

// Decode reads a geometry object in lon/lat. The error is fault.Invalid; its field is the member's
// path, as "coordinates[0][3]".
func Decode(raw []byte) (orb.Geometry, error) { return DecodeIn(raw, geo.FrameWGS84) }

// DecodeIn is like Decode for a geometry in another frame. It returns lon/lat.
func DecodeIn(raw []byte, frame geo.Frame) (orb.Geometry, error) {
	return decode(raw, frame, "", false)
}

// decode reads a geometry object. path is the prefix of the fields in its errors, such as "geometries[2]."; nested is
// true inside of a GeometryCollection.
func decode(raw []byte, frame geo.Frame, path string, nested bool) (orb.Geometry, error) {
	var members map[string]json.RawMessage
	// The members are kept raw: only the coordinates of a known type are read, and other members are ignored (RFC 7946,
	// 6.1).
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return nil, fault.InvalidField(strings.TrimSuffix(path, "."), "a geometry is an object, not %s", kindOf(raw))
	}
	var kind string
	if err := json.Unmarshal(members["type"], &kind); err != nil {
		return nil, fault.InvalidField(path+"type", "is missing or no string")
	}
	if kind == "GeometryCollection" {
		// RFC 7946, 3.1.8, advises against nested collections. They are refused, so the depth of the recursion is at
		// most two.
		if nested {
			return nil, fault.InvalidField(path+"type", "a GeometryCollection inside another is not taken")
		}
		return decodeCollection(members["geometries"], frame, path)
	}
	coordinates, ok := members["coordinates"]
	if !ok {
		return nil, fault.InvalidField(path+"coordinates", "is missing")
	}
	r := &reader{b: coordinates, frame: frame, root: path + "coordinates"}
	switch kind {
	case "Point":
		return typed(r.position())
	case "MultiPoint":
		return typed(listOf[orb.MultiPoint](r, 1, "positions", r.position))
	case "LineString":
		return typed(r.line())
	case "MultiLineString":
		return typed(listOf[orb.MultiLineString](r, 1, "lines", r.line))
	case "Polygon":
		return typed(r.polygon())
	case "MultiPolygon":
		return typed(listOf[orb.MultiPolygon](r, 1, "polygons", r.polygon))
	}
	return nil, fault.InvalidField(path+"type", "%q is no geometry type of GeoJSON", text.Cut(kind, 40))
}

// typed keeps a failed value from becoming a geometry that is not nil.
func typed[G orb.Geometry](g G, err error) (orb.Geometry, error) {
	if err != nil {
		return nil, err
	}
	return g, nil
}

// decodeCollection reads the geometries of a GeometryCollection, of which there must be one at least.
func decodeCollection(raw json.RawMessage, frame geo.Frame, path string) (orb.Geometry, error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return nil, fault.InvalidField(path+"geometries", "is missing or no array")
	}
	if len(parts) == 0 {
		return nil, fault.InvalidField(path+"geometries", "is empty")
	}
	all := make(orb.Collection, 0, len(parts))
	for i, part := range parts {
		g, err := decode(part, frame, path+"geometries["+strconv.Itoa(i)+"].", true)
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, nil
}

// reader walks a coordinates array that is known to be valid JSON. at is where it stands in the
// nested arrays.
type reader struct {
	b     []byte
	i     int
	at    []int
	frame geo.Frame
	root  string
}

// wrong returns fault.Invalid for the element that is being read. Its field is the path, such as "coordinates[0][3]".
func (r *reader) wrong(format string, args ...any) error {
	var path strings.Builder
	path.WriteString(r.root)
	for _, i := range r.at {
		path.WriteString("[" + strconv.Itoa(i) + "]")
	}
	return fault.InvalidField(path.String(), format, args...)
}

// space skips the white space of JSON. Source: RFC 8259, 2.
func (r *reader) space() {
	for r.i < len(r.b) && strings.IndexByte(" \t\r\n", r.b[r.i]) >= 0 {
		r.i++
	}
}

// list calls each for every element of the array that comes next.
func (r *reader) list(each func() error) error {
	r.space()
	if r.i >= len(r.b) || r.b[r.i] != '[' {
		return r.wrong("is %s, not an array", kindOf(r.b[min(r.i, len(r.b)):]))
	}
	r.i++
	// r.at has one index for each open array. The index of this array is at depth.
	depth := len(r.at)
	r.at = append(r.at, 0)
	for {
		r.space()
		if r.i >= len(r.b) {
			return r.wrong("ends too early")
		}
		switch r.b[r.i] {
		case ']':
			r.i++
			r.at = r.at[:depth]
			return nil
		case ',':
			r.i++
			r.at[depth]++
		default:
			if err := each(); err != nil {
				return err
			}
		}
	}
}

// listOf gathers at least n elements.
func listOf[S ~[]E, E any](r *reader, n int, what string, element func() (E, error)) (S, error) {
	var all S
	err := r.list(func() error {
		e, err := element()
		all = append(all, e)
		return err
	})
	if err == nil && len(all) < n {
		err = r.wrong("has %d %s; %d is the least", len(all), what, n)
	}
	return all, err
}

// position reads a position, [lon, lat] or easting and northing in r.frame, and returns it in EPSG:4326. It returns
// fault.Invalid if the position is outside the frame or outside the globe. Altitude and further numbers are dropped.
func (r *reader) position() (orb.Point, error) {
	var p orb.Point
	n := 0
	err := r.list(func() error {
		v, err := r.number()
		if n < len(p) {
			p[n] = v
		}
		n++
		return err
	})
	if err != nil {
		return p, err
	}
	if n < 2 {
		return p, r.wrong("a position has at least two numbers, not %d", n)
	}
	// The bounds of the frame are checked before the conversion, whose formulas are only valid within them.
	if err := r.frame.Check(p); err != nil {
		return p, r.wrong("%v", err)
	}
	p = r.frame.ToWGS84(p)
	if err := geo.CheckPoint(p); err != nil {
		return p, r.wrong("%v", err)
	}
	return p, nil
}

// number reads a number. It returns fault.Invalid for any other JSON value and for a number that is not finite as a
// float64, such as 1e999.
func (r *reader) number() (float64, error) {
	from := r.i
	for r.i < len(r.b) && strings.IndexByte(",] \t\r\n", r.b[r.i]) < 0 {
		r.i++
	}
	word := string(r.b[from:r.i])
	v, err := strconv.ParseFloat(word, 64)
	// ParseFloat also accepts words such as Inf and NaN, which are not JSON. So the first character must be a digit or
	// a minus.
	if c := word[:min(1, len(word))]; strings.Trim(c, "-0123456789") != "" || c == "" {
		return 0, r.wrong("is %s, not a number", kindOf(r.b[from:]))
	}
	if err != nil || math.IsInf(v, 0) {
		return 0, r.wrong("%s is not a finite number", text.Cut(word, 40))
	}
	return v, nil
}

// line reads a line, which has two positions or more. Source: RFC 7946, 3.1.4.
func (r *reader) line() (orb.LineString, error) {
	return listOf[orb.LineString](r, 2, "positions", r.position)
}

// polygon reads the rings of a polygon: the outer one first, then the holes. Their direction is not checked, because
// RFC 7946, 3.1.6, asks readers to accept both.
func (r *reader) polygon() (orb.Polygon, error) {
	return listOf[orb.Polygon](r, 1, "rings", r.ring)
}

// ring reads a linear ring: four positions or more, the last equal to the first, and not all on one line. Source: RFC
// 7946, 3.1.6.
func (r *reader) ring() (orb.Ring, error) {
	ring, err := listOf[orb.Ring](r, 4, "positions in its ring", r.position)
	if err != nil {
		return ring, err
	}
	if first, last := ring[0], ring[len(ring)-1]; first != last {
		return ring, r.wrong("the ring is not closed: it begins at %v, %v and ends at %v, %v", first[0], first[1], last[0], last[1])
	}
	if isStraight(ring) {
		return ring, r.wrong("the ring has no area")
	}
	return ring, nil
}

// isStraight reports whether all corners lie on one straight line. That a ring with corners crosses itself is for the store
// to find; such a one may have no area on the whole.
func isStraight(ring orb.Ring) bool {
	far := ring[0]
	for _, p := range ring {
		if p != ring[0] {
			far = p
			break
		}
	}
	for _, p := range ring {
		// The cross product of two vectors is 0 if they are parallel. It is compared exactly: a nearly straight ring
		// has an area.
		if (far[0]-ring[0][0])*(p[1]-ring[0][1]) != (p[0]-ring[0][0])*(far[1]-ring[0][1]) {
			return false
		}
	}
	return true
}

// kindOf names what a JSON text is, for a message.
func kindOf(raw []byte) string {
	text := strings.TrimLeft(string(raw[:min(len(raw), 64)]), " \t\r\n")
	if text == "" {
		return "nothing"
	}
	switch text[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}
