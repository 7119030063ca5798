package shape

import (
	"math"
	"strings"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/clip"

	"onemap/geo"
)

// finding is a set of problems that New found in a geometry.
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

// String implements fmt.Stringer. It returns the note of New.
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

// farOff is the limit above which a number cannot be degrees, even with many turns around the globe.
const farOff = 1e6

// finite reports whether the coordinates of a point can be degrees.
func finite(p orb.Point) bool {
	return math.Abs(p[0]) < farOff && math.Abs(p[1]) < farOff // comparisons with NaN are false
}

// mustTrim reports whether a point is not on the map, and notes the reasons.
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

// finitePoints returns a copy of the finite points. The clipper needs a copy, because it overwrites its input.
func (b *Builder) finitePoints(points []orb.Point) []orb.Point {
	b.degrees = b.degrees[:0]
	for _, p := range points {
		if finite(p) {
			b.degrees = append(b.degrees, p)
		}
	}
	return b.degrees
}

// mercatorSquare returns the square of Web Mercator in degrees.
func mercatorSquare() orb.Bound {
	return orb.Bound{Min: orb.Point{-180, -geo.MaxMercatorLat}, Max: orb.Point{180, geo.MaxMercatorLat}}
}

// trimLine cuts a line at the edge of the map.
func (b *Builder) trimLine(l orb.LineString) orb.MultiLineString {
	return clip.LineString(mercatorSquare(), b.finitePoints(l))
}

// trimRing cuts a ring at the edge of the map. It closes an open ring first, because the clipper would not cut its last
// side.
func (b *Builder) trimRing(r orb.Ring) orb.Ring {
	points := b.finitePoints(r)
	if n := len(points); n > 0 && points[0] != points[n-1] {
		points = append(points, points[0])
		b.degrees = points
	}
	return clip.Ring(mercatorSquare(), points)
}
