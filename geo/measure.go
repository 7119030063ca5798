package geo

import (
	"math"

	"github.com/paulmach/orb"
	orbgeo "github.com/paulmach/orb/geo"
	"github.com/paulmach/orb/planar"
)

// Distance returns the great-circle distance of two points {lon, lat} in metres. It uses a sphere; the distance on the
// ellipsoid differs by at most 0.6 %.
func Distance(a, b orb.Point) float64 { return orbgeo.DistanceHaversine(a, b) }

// Bearing returns the initial bearing from a to b. Units: degrees clockwise from north, in the range [0, 360).
func Bearing(a, b orb.Point) float64 {
	return math.Mod(orbgeo.Bearing(a, b)+360, 360)
}

// Toward returns the point at a distance of metres from p in the direction of bearing. Units: metres, degrees clockwise
// from north.
func Toward(p orb.Point, bearing, metres float64) orb.Point {
	return orbgeo.PointAtBearingAndDistance(p, bearing, metres)
}

// Circle returns a closed polygon with n corners on the circle around centre. The radius is in metres. The ring is
// counter-clockwise, as RFC 7946 requires of an outer ring. An n below 3 means 3.
func Circle(centre orb.Point, radius float64, n int) orb.Polygon {
	n = max(n, 3)
	ring := make(orb.Ring, 0, n+1)
	for i := range n {
		ring = append(ring, Toward(centre, -360*float64(i)/float64(n), radius))
	}
	return orb.Polygon{append(ring, ring[0])}
}

// PointOn returns one point that represents a geometry: a point itself, the middle vertex of a line, the centroid of the
// largest area, or its first corner if the centroid is outside. It returns false if the geometry is empty.
func PointOn(g orb.Geometry) (orb.Point, bool) {
	switch g := g.(type) {
	case orb.Point:
		return g, true
	case orb.MultiPoint:
		return middle(g)
	case orb.LineString:
		return middle(g)
	case orb.Ring:
		return PointOn(orb.Polygon{g})
	case orb.Polygon:
		return PointOn(orb.MultiPolygon{g})
	case orb.MultiLineString:
		return longest(g)
	case orb.MultiPolygon:
		return inArea(g)
	case orb.Collection:
		for _, part := range g {
			if p, ok := PointOn(part); ok {
				return p, true
			}
		}
	case orb.Bound:
		return g.Center(), !g.IsEmpty()
	}
	return orb.Point{}, false
}

// middle returns the middle vertex.
func middle[S ~[]orb.Point](s S) (orb.Point, bool) {
	if len(s) == 0 {
		return orb.Point{}, false
	}
	return s[len(s)/2], true
}

// longest returns the middle vertex of the line with the most vertices.
func longest(lines orb.MultiLineString) (orb.Point, bool) {
	var best orb.LineString
	for _, l := range lines {
		if len(l) > len(best) {
			best = l
		}
	}
	return middle(best)
}

// inArea returns the centroid of the largest polygon, or its first corner if the centroid is outside the polygon. It
// compares areas in square degrees, which is exact enough for this choice.
func inArea(areas orb.MultiPolygon) (orb.Point, bool) {
	var largest orb.Polygon
	size := -1.0
	for _, p := range areas {
		if len(p) == 0 || len(p[0]) == 0 {
			continue
		}
		if a := math.Abs(planar.Area(p)); a > size {
			largest, size = p, a
		}
	}
	if largest == nil {
		return orb.Point{}, false
	}
	if c, _ := planar.CentroidArea(largest); planar.PolygonContains(largest, c) {
		return c, true
	}
	return largest[0][0], true
}
