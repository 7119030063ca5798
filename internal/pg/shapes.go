package pg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/paulmach/orb"
)

// Shapes decodes stored geometries like DecodeEWKB, but about a million per second. A result is valid until the next call,
// which reuses its memory. A geometry without a position, or with a position that is not finite, is an error.
type Shapes struct {
	points   []orb.Point
	rings    []orb.Ring
	lines    []orb.LineString
	polygons []orb.Polygon
}

// Decode decodes one EWKB geometry. Z and M are dropped. The error says why the geometry cannot be drawn.
func (s *Shapes) Decode(b []byte) (orb.Geometry, error) {
	rest, err := walkEWKB(b, 0)
	switch {
	case err != nil:
		return nil, err
	case len(rest) > 0:
		return nil, fmt.Errorf("%d bytes are left over behind the geometry", len(rest))
	}
	if s.points == nil { // so that empty parts are empty slices and not nil
		*s = Shapes{[]orb.Point{}, []orb.Ring{}, []orb.LineString{}, []orb.Polygon{}}
	}
	s.points, s.rings, s.lines, s.polygons = s.points[:0], s.rings[:0], s.lines[:0], s.polygons[:0]
	g, _, err := s.geometry(b)
	switch {
	case err != nil:
		return nil, err
	case !hasPlace(g):
		return nil, errEmpty
	case slices.ContainsFunc(s.points, func(p orb.Point) bool { return !isFinite(p) }):
		return nil, errNotFinite
	}
	return g, nil
}

// hasPlace reports whether a geometry has at least one position.
func hasPlace(g orb.Geometry) bool {
	switch g := g.(type) {
	case orb.MultiPoint:
		return len(g) > 0
	case orb.LineString:
		return len(g) > 0
	case orb.MultiLineString:
		return slices.ContainsFunc(g, func(l orb.LineString) bool { return len(l) > 0 })
	case orb.Polygon:
		return slices.ContainsFunc(g, func(r orb.Ring) bool { return len(r) > 0 })
	case orb.MultiPolygon:
		return slices.ContainsFunc(g, func(p orb.Polygon) bool { return hasPlace(p) })
	case orb.Collection:
		return slices.ContainsFunc(g, hasPlace)
	}
	return true
}

// isFinite reports whether both numbers are finite. x-x is 0 for every finite x, and NaN for NaN and infinity.
func isFinite(p orb.Point) bool { return p[0]-p[0] == 0 && p[1]-p[1] == 0 }

// The reasons why a geometry that can be decoded cannot be drawn.
var (
	errEmpty     = errors.New("the geometry is empty")
	errNotFinite = errors.New("a position in it is no number")
)

// readPoint decodes a point. It returns an error for the empty point, which EWKB encodes as two NaN.
func (h ewkbHeader) readPoint(b []byte) (orb.Point, error) {
	p := h.point(b)
	switch {
	case math.IsNaN(p[0]) && math.IsNaN(p[1]):
		return p, errEmpty
	case !isFinite(p):
		return p, errNotFinite
	}
	return p, nil
}

// ewkbHeader describes the encoding of a geometry's numbers.
type ewkbHeader struct {
	order    binary.ByteOrder
	kind     uint32
	srid     bool
	position int // bytes of one position
}

// ewkbHeaderOf decodes the first five bytes: byte order and type.
func ewkbHeaderOf(b []byte) ewkbHeader {
	h := ewkbHeader{order: binary.LittleEndian, position: 16}
	if b[0] == 0 {
		h.order = binary.BigEndian
	}
	kind := h.order.Uint32(b[1:])
	for _, flag := range []uint32{ewkbZ, ewkbM} {
		if kind&flag != 0 {
			h.position += 8
		}
	}
	h.kind, h.srid = kind&^(ewkbZ|ewkbM|ewkbSRID), kind&ewkbSRID != 0
	return h
}

// geometry decodes a geometry that walkEWKB has checked, and returns it with the bytes after it.
func (s *Shapes) geometry(b []byte) (orb.Geometry, []byte, error) {
	h := ewkbHeaderOf(b)
	b = b[5:]
	if h.srid {
		b = b[4:]
	}
	switch h.kind {
	case 1:
		p, err := h.readPoint(b)
		return p, b[h.position:], err
	case 2:
		points, b := s.positions(h, b)
		return orb.LineString(points), b, nil
	case 3:
		p, b := s.polygon(h, b)
		return p, b, nil
	case 4:
		return s.multiPoint(h, b)
	case 5:
		return s.multiLine(h, b)
	case 6:
		return s.multiPolygon(h, b)
	default: // 7, a collection: walkEWKB has refused all others
		return s.collection(h, b)
	}
}

// point decodes X and Y; Z and M are skipped by the caller.
func (h ewkbHeader) point(b []byte) orb.Point {
	return orb.Point{math.Float64frombits(h.order.Uint64(b)), math.Float64frombits(h.order.Uint64(b[8:]))}
}

// positions decodes a list of positions into s.points. The capacity of the result is limited, so that later appends do not
// overwrite it.
func (s *Shapes) positions(h ewkbHeader, b []byte) ([]orb.Point, []byte) {
	n := int(h.order.Uint32(b))
	b = b[4:]
	start := len(s.points)
	for range n {
		s.points = append(s.points, h.point(b))
		b = b[h.position:]
	}
	return s.points[start:len(s.points):len(s.points)], b
}

// polygon decodes the rings of a polygon. Rings have no header: each is a list of positions.
func (s *Shapes) polygon(h ewkbHeader, b []byte) (orb.Polygon, []byte) {
	n := int(h.order.Uint32(b))
	b = b[4:]
	start := len(s.rings)
	for range n {
		var points []orb.Point
		points, b = s.positions(h, b)
		s.rings = append(s.rings, points)
	}
	return s.rings[start:len(s.rings):len(s.rings)], b
}

// part decodes the header of a part, which must be of the given type.
func (s *Shapes) part(b []byte, kind uint32) (ewkbHeader, []byte, error) {
	h := ewkbHeaderOf(b)
	// A multi-geometry's type is the type of its parts plus 3: 4 to 6 have parts of type 1 to 3.
	if h.kind != kind {
		return h, b, fmt.Errorf("a geometry of type %d is part of one of type %d", h.kind, kind+3)
	}
	b = b[5:]
	if h.srid {
		b = b[4:]
	}
	return h, b, nil
}

// multiPoint decodes a MultiPoint. Each part has a header with its own byte order and type.
func (s *Shapes) multiPoint(h ewkbHeader, b []byte) (orb.Geometry, []byte, error) {
	n := int(h.order.Uint32(b))
	b = b[4:]
	start := len(s.points)
	for range n {
		one, rest, err := s.part(b, 1)
		if err != nil {
			return nil, b, err
		}
		p, err := one.readPoint(rest)
		if err != nil {
			return nil, b, err
		}
		s.points, b = append(s.points, p), rest[one.position:]
	}
	return orb.MultiPoint(s.points[start:len(s.points):len(s.points)]), b, nil
}

// multiLine decodes a MultiLineString, whose parts are LineStrings with a header each.
func (s *Shapes) multiLine(h ewkbHeader, b []byte) (orb.Geometry, []byte, error) {
	n := int(h.order.Uint32(b))
	b = b[4:]
	start := len(s.lines)
	for range n {
		one, rest, err := s.part(b, 2)
		if err != nil {
			return nil, b, err
		}
		var points []orb.Point
		points, b = s.positions(one, rest)
		s.lines = append(s.lines, points)
	}
	return orb.MultiLineString(s.lines[start:len(s.lines):len(s.lines)]), b, nil
}

// multiPolygon decodes a MultiPolygon, whose parts are Polygons with a header each.
func (s *Shapes) multiPolygon(h ewkbHeader, b []byte) (orb.Geometry, []byte, error) {
	n := int(h.order.Uint32(b))
	b = b[4:]
	start := len(s.polygons)
	for range n {
		one, rest, err := s.part(b, 3)
		if err != nil {
			return nil, b, err
		}
		var p orb.Polygon
		p, b = s.polygon(one, rest)
		s.polygons = append(s.polygons, p)
	}
	return orb.MultiPolygon(s.polygons[start:len(s.polygons):len(s.polygons)]), b, nil
}

// collection decodes a collection. Its parts are in separate memory, because a collection may contain collections.
func (s *Shapes) collection(h ewkbHeader, b []byte) (orb.Geometry, []byte, error) {
	n := int(h.order.Uint32(b))
	b = b[4:]
	out := make(orb.Collection, 0, n)
	for range n {
		var g orb.Geometry
		var err error
		if g, b, err = s.geometry(b); err != nil {
			return nil, b, err
		}
		out = append(out, g)
	}
	return out, b, nil
}
