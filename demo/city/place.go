package city

import (
	"math"

	"github.com/paulmach/orb"

	"onemap/data"
	"onemap/geo"
	"onemap/internal/fault"
)

// tries is the number of draws after which the search for a place fails.
const tries = 20_000

// site draws a random place of a certain kind in a unit. It returns fault.Internal if the unit has no such place.
type site func(m *maker, u *unit) (orb.Point, error)

// until draws points until right accepts one. Points are rounded before the check, so that the stored point is also
// right.
func (m *maker) until(u *unit, draw func() orb.Point, right func(orb.Point) bool) (orb.Point, error) {
	for range tries {
		if p := round5(draw()); right(p) {
			return p, nil
		}
	}
	return orb.Point{}, fault.New(fault.Internal, "no place is found in %s", u.code)
}

// onLand draws points until one is on land and in the unit.
func (m *maker) onLand(u *unit, draw func() orb.Point) (orb.Point, error) {
	return m.until(u, draw, func(p orb.Point) bool { return m.dry(u, p) })
}

// around draws a point around p. The direction is uniform; the distance is the absolute value of a normal distribution
// with the standard deviation sigma. Units: metres.
func (m *maker) around(p orb.Point, sigma float64) orb.Point {
	return geo.Toward(p, m.r.Float64()*360, math.Abs(m.r.NormFloat64())*sigma)
}

// anywhere draws a place anywhere on the land of the unit, with a uniform distribution.
func anywhere(m *maker, u *unit) (orb.Point, error) {
	return m.onLand(u, func() orb.Point {
		if u.radius > 0 {
			// The square root makes the distribution uniform over the area of the circle.
			return geo.Toward(u.centre, m.r.Float64()*360, math.Sqrt(m.r.Float64())*u.radius)
		}
		b := u.area.Bound()
		return orb.Point{b.Min[0] + m.r.Float64()*(b.Max[0]-b.Min[0]), b.Min[1] + m.r.Float64()*(b.Max[1]-b.Min[1])}
	})
}

// inTown draws a place near a named place of the unit: near the county seat in at least half of the draws, otherwise
// near any named place.
func inTown(m *maker, u *unit) (orb.Point, error) {
	return m.onLand(u, func() orb.Point {
		if m.r.IntN(2) == 0 {
			return m.around(u.centre, 1800)
		}
		return m.around(pick(m, u.towns).At, 1300)
	})
}

// atEdge draws a place at the edge of a town, where industry is. In a unit with a coast, a third of the draws are near
// the coast.
func atEdge(m *maker, u *unit) (orb.Point, error) {
	return m.onLand(u, func() orb.Point {
		if len(u.coast) > 0 && m.r.IntN(3) == 0 {
			return m.around(pick(m, u.coast).at, 1500)
		}
		return geo.Toward(pick(m, u.towns).At, m.r.Float64()*360, 800+m.r.Float64()*2500)
	})
}

// best draws seven places in the unit and returns the one with the highest score, in metres.
func best(m *maker, u *unit, score func(orb.Point) float64) (orb.Point, error) {
	var found orb.Point
	top := math.Inf(-1)
	for range 7 {
		p, err := anywhere(m, u)
		if err != nil {
			return p, err
		}
		if s := score(p) + m.r.Float64()*20; s > top { // up to 20 m of noise, because all places of a coarse cell score alike
			found, top = p, s
		}
	}
	return found, nil
}

// inHills draws a place on high ground.
func inHills(m *maker, u *unit) (orb.Point, error) {
	return best(m, u, m.height.at)
}

// inLowland draws a place on low ground.
func inLowland(m *maker, u *unit) (orb.Point, error) {
	return best(m, u, func(p orb.Point) float64 { return -m.height.at(p) })
}

// onCoast draws a place on land within a few hundred metres of the sea. It returns fault.Internal if the unit has no
// coast.
func onCoast(m *maker, u *unit) (orb.Point, error) {
	if len(u.coast) == 0 {
		return orb.Point{}, fault.New(fault.Internal, "%s has no coast", u.code)
	}
	return m.onLand(u, func() orb.Point { return m.around(pick(m, u.coast).at, 250) })
}

// atSea draws a place at sea, 1 to 6 km from the coast of the unit. It tries both sides of the shoreline, because the
// data do not state on which side the sea is.
func atSea(m *maker, u *unit) (orb.Point, error) {
	if len(u.coast) == 0 {
		return orb.Point{}, fault.New(fault.Internal, "%s has no coast", u.code)
	}
	return m.until(u, func() orb.Point {
		s := pick(m, u.coast)
		return geo.Toward(s.at, s.bearing+90*float64(1-2*m.r.IntN(2)), 1000+m.r.Float64()*5000)
	}, m.offshore)
}

// offshore reports whether the point and eight points 500 m around it are at sea. A point outside the area of the land
// data is not, because nothing is known there.
func (t *terrain) offshore(p orb.Point) bool {
	if !t.land.Bound().Contains(p) {
		return false
	}
	for k := range 8 {
		if t.land.Contains(geo.Toward(p, float64(k)*45, 500)) {
			return false
		}
	}
	return !t.land.Contains(p)
}

// blob returns an irregular polygon around a point. It is a circle with three sine waves on its radius, stretched along
// the bearing. Every ray from the centre meets the outline once, so the outline never crosses itself. Units: radius in
// metres, bearing in degrees clockwise from north.
func (m *maker) blob(centre orb.Point, radius, stretch, bearing float64) orb.Polygon {
	n := m.between(16, 28)
	var height, phase [3]float64
	for h := range height {
		height[h], phase[h] = (0.05+0.1*m.r.Float64())/float64(h+1)*1.6, m.r.Float64()*2*math.Pi
	}
	sin, cos := math.Sincos(bearing * math.Pi / 180)
	metresLat := 111_195.0 // metres of a degree of latitude on a sphere of 6,371 km
	metresLon := metresLat * math.Cos(centre[1]*math.Pi/180)
	ring := make(orb.Ring, 0, n+1)
	for k := range n {
		a := 2 * math.Pi * float64(k) / float64(n)
		r := radius
		for h := range height {
			r += radius * height[h] * math.Sin(float64(h+2)*a+phase[h])
		}
		along, across := r*math.Cos(a)*stretch, r*math.Sin(a)/math.Sqrt(stretch)
		east, north := along*sin-across*cos, along*cos+across*sin
		ring = append(ring, round5(orb.Point{centre[0] + east/metresLon, centre[1] + north/metresLat}))
	}
	return orb.Polygon{append(ring, ring[0])}
}

// nearest returns the named place of the unit that is nearest to a point. A unit always has its seat.
func (u *unit) nearest(p orb.Point) data.Place {
	found := u.towns[0]
	for _, t := range u.towns {
		if geo.Distance(t.At, p) < geo.Distance(found.At, p) {
			found = t
		}
	}
	return found
}
