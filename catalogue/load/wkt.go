package load

import (
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"onemap/catalogue/geojson"
	"onemap/geo"
	"onemap/internal/fault"
)

// decodeWKT reads a geometry in well-known text (OGC 06-103r4, chapter 7), with SRID=…; before it as PostGIS writes it. It
// is written anew as GeoJSON, so that both are held against the same rules. A third and a fourth number are dropped.
func decodeWKT(text string, frame geo.Frame) (orb.Geometry, error) {
	text = strings.TrimSpace(text)
	if srid, rest, ok := strings.Cut(text, ";"); ok && strings.HasPrefix(strings.ToUpper(srid), "SRID=") {
		of, err := geo.ParseFrame(strings.TrimSpace(srid[len("SRID="):]))
		if err != nil || (of != frame && of != geo.FrameWGS84) {
			return nil, fault.New(fault.Invalid, "%s is not the frame %s: name it by --frame", clip(srid), frame)
		}
		text = rest
	}
	w := &wkt{rest: text}
	// Depth is bounded, because the text is a stranger's and each bracket is a call.
	object, err := w.geometry(0)
	if err == nil && strings.TrimSpace(w.rest) != "" {
		err = w.wrong("the end")
	}
	if err != nil {
		return nil, err
	}
	return geojson.DecodeIn([]byte(object), frame)
}

// wkt writes what is left of a text as GeoJSON.
type wkt struct{ rest string }

// wrong is the error of a text that has something else where want should be.
func (w *wkt) wrong(want string) error {
	return fault.New(fault.Invalid, "malformed WKT: %s should be at %q", want, clip(w.rest))
}

// word takes the letters that come next, in upper case.
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

// take takes c if it comes next.
func (w *wkt) take(c byte) bool {
	w.rest = strings.TrimLeft(w.rest, " \t\r\n")
	if w.rest == "" || w.rest[0] != c {
		return false
	}
	w.rest = w.rest[1:]
	return true
}

// maxCollections is how deep collections are followed.
const maxCollections = 4

// geometry writes one geometry as a GeoJSON object. Z, M and ZM after the type are read and not kept.
func (w *wkt) geometry(depth int) (string, error) {
	word := w.word()
	kind := wktKind(strings.TrimRight(word, "ZM"))
	if kind == "" || depth > maxCollections {
		return "", fault.New(fault.Invalid, "%q is no geometry type of WKT", clip(word))
	}
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

// list calls each for every element between brackets.
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

// coordinates writes nested lists of positions. The one position of a point stands without a list of its own, and the
// points of a multipoint may have brackets.
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

// position writes one position as a JSON array: x before y, which is lon before lat in degrees.
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
		numbers[i] = strconv.FormatFloat(v, 'g', -1, 64)
	}
	w.rest = w.rest[n:]
	return "[" + strings.Join(numbers, ",") + "]", nil
}
