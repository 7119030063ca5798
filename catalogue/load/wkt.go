package load

import (
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"onemap/catalogue/geojson"
	"onemap/geo"
	"onemap/internal/fault"
)

// decodeWKT parses a geometry in well-known text (OGC 06-103r4, chapter 7), with an optional SRID=…; in front, as
// PostGIS writes it. It converts the text to GeoJSON and decodes that, so that both formats have the same rules. The
// numbers of a position after the second one are ignored.
func decodeWKT(text string, frame geo.Frame) (orb.Geometry, error) {
	text = strings.TrimSpace(text)
	// An SRID other than 4326 and that of the frame is an error: a wrong frame moves a feature by hundreds of metres or
	// more.
	if srid, rest, ok := strings.Cut(text, ";"); ok && strings.HasPrefix(strings.ToUpper(srid), "SRID=") {
		of, err := geo.ParseFrame(strings.TrimSpace(srid[len("SRID="):]))
		if err != nil || (of != frame && of != geo.FrameWGS84) {
			return nil, fault.New(fault.Invalid, "%s is not the frame %s: name it by --frame", clip(srid), frame)
		}
		text = rest
	}
	w := &wkt{rest: text}
	// The depth of nested brackets is bounded, because each one is a call and the text comes from outside.
	object, err := w.geometry(0)
	if err == nil && strings.TrimSpace(w.rest) != "" {
		err = w.wrong("the end")
	}
	if err != nil {
		return nil, err
	}
	return geojson.DecodeIn([]byte(object), frame)
}

// wkt converts WKT to GeoJSON. rest is the part of the text that is not read yet.
type wkt struct{ rest string }

// wrong returns the error for a text that does not have what is wanted at this place.
func (w *wkt) wrong(want string) error {
	return fault.New(fault.Invalid, "malformed WKT: %s should be at %q", want, clip(w.rest))
}

// word consumes the next letters and returns them in upper case.
func (w *wkt) word() string {
	w.rest = strings.TrimLeft(w.rest, " \t\r\n")
	n := 0
	for n < len(w.rest) && (w.rest[n]|0x20 >= 'a' && w.rest[n]|0x20 <= 'z') {
		n++
	}
	word := strings.ToUpper(w.rest[:n])
	w.rest = w.rest[n:]
	return word
}

// take consumes c and returns true if it is the next character after white space.
func (w *wkt) take(c byte) bool {
	w.rest = strings.TrimLeft(w.rest, " \t\r\n")
	if w.rest == "" || w.rest[0] != c {
		return false
	}
	w.rest = w.rest[1:]
	return true
}

// maxCollections is the largest depth of nested collections and brackets.
const maxCollections = 4

// geometry returns one geometry as a GeoJSON object. It ignores Z, M and ZM after the type.
func (w *wkt) geometry(depth int) (string, error) {
	word := w.word()
	kind := wktKind(strings.TrimRight(word, "ZM"))
	if kind == "" || depth > maxCollections {
		return "", fault.New(fault.Invalid, "%q is no geometry type of WKT", clip(word))
	}
	// Z, M and ZM may also stand apart from the type: POINT Z (1 2 3). They are consumed here and ignored.
	if next := w.word(); next == "EMPTY" {
		return "", fault.New(fault.Invalid, "the geometry is empty")
	}
	if kind == "GeometryCollection" {
		var parts []string
		err := w.list(func() error {
			part, err := w.geometry(depth + 1)
			parts = append(parts, part)
			return err
		})
		return `{"type":"GeometryCollection","geometries":[` + strings.Join(parts, ",") + `]}`, err
	}
	coordinates, err := w.coordinates(kind, 0)
	return `{"type":"` + kind + `","coordinates":` + coordinates + `}`, err
}

// wktKind returns the GeoJSON type for a WKT keyword, or "" for any other text.
func wktKind(word string) string {
	for _, kind := range []string{"Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection"} {
		if strings.EqualFold(word, kind) {
			return kind
		}
	}
	return ""
}

// list reads a list in brackets. It calls each at the beginning of each element.
func (w *wkt) list(each func() error) error {
	if !w.take('(') {
		return w.wrong("a bracket")
	}
	for {
		if err := each(); err != nil {
			return err
		}
		if w.take(')') {
			return nil
		}
		if !w.take(',') {
			return w.wrong("a comma or a closing bracket")
		}
	}
}

// coordinates returns nested lists of positions as JSON. The position of a Point is not in a list. The points of a
// MultiPoint may have brackets or not.
func (w *wkt) coordinates(kind string, depth int) (string, error) {
	var parts []string
	err := w.list(func() error {
		w.rest = strings.TrimLeft(w.rest, " \t\r\n")
		if strings.HasPrefix(w.rest, "(") {
			if depth > maxCollections {
				return w.wrong("a position")
			}
			part, err := w.coordinates(kind, depth+1)
			// MULTIPOINT ((1 2), (3 4)) and MULTIPOINT (1 2, 3 4) are the same.
			if err == nil && kind == "MultiPoint" {
				part = strings.TrimSuffix(strings.TrimPrefix(part, "["), "]")
			}
			parts = append(parts, part)
			return err
		}
		position, err := w.position()
		parts = append(parts, position)
		return err
	})
	if kind == "Point" && depth == 0 && len(parts) == 1 {
		return parts[0], err
	}
	return "[" + strings.Join(parts, ",") + "]", err
}

// position returns one position as a JSON array with all its numbers: x, y, which is lon, lat in degrees.
func (w *wkt) position() (string, error) {
	n := strings.IndexAny(w.rest, ",()")
	if n < 0 {
		return "", w.wrong("a closing bracket")
	}
	numbers := strings.Fields(w.rest[:n])
	for i, number := range numbers {
		v, err := strconv.ParseFloat(number, 64)
		if err != nil || strings.Trim(number, "+-.0123456789eE") != "" {
			return "", w.wrong("a number")
		}
		// FormatFloat writes the shortest text that is the same float64, in a form that JSON accepts; WKT also has +5
		// and .5.
		numbers[i] = strconv.FormatFloat(v, 'g', -1, 64)
	}
	w.rest = w.rest[n:]
	return "[" + strings.Join(numbers, ",") + "]", nil
}
