package shape

import (
	"math"
	"strings"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/clip"

	"onemap/geo"
)

// finding is what New found wrong with a geometry.
type finding uint8

const (
	foundNothing finding = 1 << iota
	foundNoNumber
	foundPointOff
	foundBeyondLat
	foundBeyondLon
	foundShortLine
	foundShortRing
	foundNoArea
)

// String is the note of New.
func (f finding) String() string {
	if f == 0 {
		return ""
	}
	var words []string
	for _, w := range []struct {
		finding
		words string
	}{
		{foundNoNumber, "coordinates that are no degrees are left out"},
		{foundPointOff, "points beyond latitude 85.05° or longitude 180° are not drawn"},
		{foundBeyondLat, "what lies beyond latitude 85.05° is cut off"},
		{foundBeyondLon, "what lies beyond longitude 180° is cut off"},
		{foundShortLine, "lines of fewer than two different points are left out"},
		{foundShortRing, "rings of fewer than three different points are left out"},
		{foundNoArea, "rings without an area are left out"},
		{foundNothing, "nothing is left to draw"},
	} {
		if f&w.finding != 0 {
			words = append(words, w.words)
		}
	}
	return strings.Join(words, "; ")
}

// farOff is beyond what anybody means by degrees, turns of the globe included.
const farOff = 1e6

// finite reports whether a point's coordinates may be degrees.
func finite(p orb.Point) bool {
	return math.Abs(p[0]) < farOff && math.Abs(p[1]) < farOff // a NaN is neither
}

// mustTrim reports whether some points are not on the map, and notes why.
func (b *Builder) mustTrim(points []orb.Point) bool {
	off := false
	for _, p := range points {
		if OnMap(p) {
			continue
		}
		off = true
		if !finite(p) {
			b.found |= foundNoNumber
			continue
		}
		if math.Abs(p[0]) > 180 {
			b.found |= foundBeyondLon
		}
		if math.Abs(p[1]) > geo.MaxMercatorLat {
			b.found |= foundBeyondLat
		}
	}
	return off
}

// finitePoints is a copy of the points that are finite, for a clipper that writes into what it is
// given.
func (b *Builder) finitePoints(points []orb.Point) []orb.Point {
	b.degrees = b.degrees[:0]
	for _, p := range points {
		if finite(p) {
			b.degrees = append(b.degrees, p)
		}
	}
	return b.degrees
}

// mercatorSquare is the map in degrees.
func mercatorSquare() orb.Bound {
	return orb.Bound{Min: orb.Point{-180, -geo.MaxMercatorLat}, Max: orb.Point{180, geo.MaxMercatorLat}}
}

func (b *Builder) trimLine(l orb.LineString) orb.MultiLineString {
	return clip.LineString(mercatorSquare(), b.finitePoints(l))
}

// trimRing cuts a ring; an open one is closed before, or its last side would not be cut.
func (b *Builder) trimRing(r orb.Ring) orb.Ring {
	points := b.finitePoints(r)
	if n := len(points); n > 0 && points[0] != points[n-1] {
		points = append(points, points[0])
		b.degrees = points
	}
	return clip.Ring(mercatorSquare(), points)
}
