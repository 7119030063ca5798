package data

import "github.com/paulmach/orb"

// Area tests whether a point is inside polygons, with the even-odd rule. The edges are stored by bands of latitude, so
// that one test reads only the edges of one band.
type Area struct {
	bound orb.Bound
	bands [][][2]orb.Point
}

// areaBands is the number of bands of an area. All bands have the same height.
const areaBands = 512

// NewArea returns the area of a polygon or a multipolygon. The area of any other geometry contains no point.
func NewArea(g orb.Geometry) *Area {
	a := &Area{bound: g.Bound(), bands: make([][][2]orb.Point, areaBands)}
	var polygons []orb.Polygon
	switch g := g.(type) {
	case orb.Polygon:
		polygons = []orb.Polygon{g}
	case orb.MultiPolygon:
		polygons = g
	}
	for _, p := range polygons {
		for _, ring := range p {
			for i := 1; i < len(ring); i++ {
				a.add(ring[i-1], ring[i])
			}
		}
	}
	return a
}

// add adds an edge to each band that it touches.
func (a *Area) add(p, q orb.Point) {
	for b := a.band(min(p[1], q[1])); b <= a.band(max(p[1], q[1])); b++ {
		a.bands[b] = append(a.bands[b], [2]orb.Point{p, q})
	}
}

// band returns the index of the band of a latitude, and the nearest band for a latitude outside the area.
func (a *Area) band(lat float64) int {
	height := a.bound.Max[1] - a.bound.Min[1]
	return min(max(int((lat-a.bound.Min[1])/height*areaBands), 0), areaBands-1)
}

// Contains reports whether the point {lon, lat} is inside the area. It counts the edges that a ray from the point to the
// east crosses; an odd number means inside.
func (a *Area) Contains(p orb.Point) bool {
	if !a.bound.Contains(p) {
		return false
	}
	inside := false
	for _, e := range a.bands[a.band(p[1])] {
		if (e[0][1] > p[1]) != (e[1][1] > p[1]) &&
			p[0] < (e[1][0]-e[0][0])*(p[1]-e[0][1])/(e[1][1]-e[0][1])+e[0][0] {
			inside = !inside
		}
	}
	return inside
}

// Bound returns the box around the area.
func (a *Area) Bound() orb.Bound { return a.bound }
