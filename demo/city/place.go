package city

import (
	"math"

	"github.com/paulmach/orb"

	"onemap/data"
	"onemap/geo"
	"onemap/internal/fault"
)

// tries is how often a place is drawn before it is given up.
const tries = 20_000

// site draws a place for something of a unit.
type site func(m *maker, u *unit) (orb.Point, error)

// until draws candidates until one is right.
func (m *maker) until(u *unit, draw func() orb.Point, right func(orb.Point) bool) (orb.Point, error) {
	for range tries {
		if p := round5(draw()); right(p) {
			return p, nil
		}
	}
	return orb.Point{}, fault.New(fault.Internal, "no place is found in %s", u.code)
}

func (m *maker) onLand(u *unit, draw func() orb.Point) (orb.Point, error) {
	return m.until(u, draw, func(p orb.Point) bool { return m.dry(u, p) })
}

// around draws a point at a normally distributed distance in metres from another.
func (m *maker) around(p orb.Point, sigma float64) orb.Point {
	return geo.Toward(p, m.r.Float64()*360, math.Abs(m.r.NormFloat64())*sigma)
}

// anywhere is any land of the unit.
func anywhere(m *maker, u *unit) (orb.Point, error) {
	return m.onLand(u, func() orb.Point {
		if u.radius > 0 {
			return geo.Toward(u.centre, m.r.Float64()*360, math.Sqrt(m.r.Float64())*u.radius)
		}
		b := u.area.Bound()
		return orb.Point{b.Min[0] + m.r.Float64()*(b.Max[0]-b.Min[0]), b.Min[1] + m.r.Float64()*(b.Max[1]-b.Min[1])}
	})
}

// inTown is near a named place of the unit, the seat being as likely as all the others.
func inTown(m *maker, u *unit) (orb.Point, error) {
	return m.onLand(u, func() orb.Point {
		if m.r.IntN(2) == 0 {
			return m.around(u.centre, 1800)
		}
		return m.around(pick(m, u.towns).At, 1300)
	})
}

// atEdge is at the edge of a town, where works stand, or beside the coast, where there is one.
func atEdge(m *maker, u *unit) (orb.Point, error) {
	return m.onLand(u, func() orb.Point {
		if len(u.coast) > 0 && m.r.IntN(3) == 0 {
			return m.around(pick(m, u.coast).at, 1500)
		}
		return geo.Toward(pick(m, u.towns).At, m.r.Float64()*360, 800+m.r.Float64()*2500)
	})
}

// best draws several places anywhere and takes the one of the highest score.
func best(m *maker, u *unit, score func(orb.Point) float64) (orb.Point, error) {
	var found orb.Point
	top := math.Inf(-1)
	for range 7 {
		p, err := anywhere(m, u)
		if err != nil {
			return p, err
		}
		if s := score(p) + m.r.Float64()*20; s > top { // metres: the grid is coarse
			found, top = p, s
		}
	}
	return found, nil
}

// inHills is on high ground.
func inHills(m *maker, u *unit) (orb.Point, error) {
	return best(m, u, m.height.at)
}

// inLowland is on low ground.
func inLowland(m *maker, u *unit) (orb.Point, error) {
	return best(m, u, func(p orb.Point) float64 { return -m.height.at(p) })
}

// onCoast is on land within some hundred metres of the sea.
func onCoast(m *maker, u *unit) (orb.Point, error) {
	if len(u.coast) == 0 {
		return orb.Point{}, fault.New(fault.Internal, "%s has no coast", u.code)
	}
	return m.onLand(u, func() orb.Point { return m.around(pick(m, u.coast).at, 250) })
}

// atSea is one to six kilometres off the unit's coast.
func atSea(m *maker, u *unit) (orb.Point, error) {
	if len(u.coast) == 0 {
		return orb.Point{}, fault.New(fault.Internal, "%s has no coast", u.code)
	}
	return m.until(u, func() orb.Point {
		s := pick(m, u.coast)
		return geo.Toward(s.at, s.bearing+90*float64(1-2*m.r.IntN(2)), 1000+m.r.Float64()*5000)
	}, m.offshore)
}

// offshore reports whether there is sea for 500 m around, inside the frame of the land.
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

// blob is an irregular polygon around a point: a circle of the radius in metres, waved, stretched
// along the bearing. It is star-shaped, and so it never crosses itself.
func (m *maker) blob(centre orb.Point, radius, stretch, bearing float64) orb.Polygon {
	n := m.between(16, 28)
	var height, phase [3]float64
	for h := range height {
		height[h], phase[h] = (0.05+0.1*m.r.Float64())/float64(h+1)*1.6, m.r.Float64()*2*math.Pi
	}
	sin, cos := math.Sincos(bearing * math.Pi / 180)
	metresLat := 111_195.0
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

// nearest is the named place of the unit that is nearest to a point.
func (u *unit) nearest(p orb.Point) data.Place {
	found := u.towns[0]
	for _, t := range u.towns {
		if geo.Distance(t.At, p) < geo.Distance(found.At, p) {
			found = t
		}
	}
	return found
}
