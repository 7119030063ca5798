package geo

import (
	"math"

	"github.com/paulmach/orb"
	orbclip "github.com/paulmach/orb/clip"

	"onemap/internal/fault"
)

// CutAntimeridian cuts lines and areas that cross the meridian of 180° into parts on its two sides, as RFC 7946,
// section 3.1.9, recommends. It returns true if it cut something. An edge that spans more than 180° of longitude is
// taken as the short way around the globe. An edge from exactly 180 to -180 is not, because it is the edge of a map of
// the whole world. It returns fault.Invalid if an area surrounds a pole, because such an area cannot be cut in this
// way.
func CutAntimeridian(g orb.Geometry) (orb.Geometry, bool, error) {
	switch g := g.(type) {
	case orb.LineString:
		parts := cutLine(g)
		if len(parts) == 1 {
			return parts[0], false, nil
		}
		return parts, true, nil
	case orb.MultiLineString:
		var all orb.MultiLineString
		for _, l := range g {
			all = append(all, cutLine(l)...)
		}
		return all, len(all) > len(g), nil
	case orb.Polygon:
		if !crosses(g) {
			return g, false, nil
		}
		parts, err := cutPolygon(g)
		return parts, err == nil, err
	case orb.MultiPolygon:
		return cutPolygons(g)
	case orb.Collection:
		all, some := make(orb.Collection, len(g)), false
		for i, part := range g {
			cut, did, err := CutAntimeridian(part)
			if err != nil {
				return g, false, err
			}
			all[i], some = cut, some || did
		}
		return all, some, nil
	}
	return g, false, nil
}

// jump returns the degrees (-360, 0 or 360) that must be added to the longitude b, so that the edge from a to b takes
// the short way around the globe.
func jump(a, b float64) float64 {
	d := b - a
	if math.Abs(d) <= 180 || math.Abs(d) >= 360 {
		return 0
	}
	return -360 * math.Copysign(1, d)
}

// crosses reports whether an edge of the polygon crosses the meridian of 180° on the short way.
func crosses(p orb.Polygon) bool {
	for _, ring := range p {
		for i := 1; i < len(ring); i++ {
			if jump(ring[i-1][0], ring[i][0]) != 0 {
				return true
			}
		}
	}
	return false
}

// cutLine cuts a line where it crosses the meridian of 180°. Each part ends at the meridian, at the latitude that
// a straight edge in lon, lat has there.
func cutLine(l orb.LineString) orb.MultiLineString {
	parts := orb.MultiLineString{{}}
	for i, p := range l {
		last := len(parts) - 1
		if i > 0 {
			if turn := jump(l[i-1][0], p[0]); turn != 0 {
				a, b := l[i-1], orb.Point{p[0] + turn, p[1]}
				side := math.Copysign(180, b[0])
				lat := a[1] + (b[1]-a[1])*(side-a[0])/(b[0]-a[0])
				if a[0] != side { // a point on the meridian ends the part itself
					parts[last] = append(parts[last], orb.Point{side, lat})
				}
				parts = append(parts, orb.LineString{})
				last++
				if p[0] != -side {
					parts[last] = append(parts[last], orb.Point{-side, lat})
				}
			}
		}
		parts[last] = append(parts[last], p)
	}
	// A part of one point can remain if the line touches the meridian. It is not a line and is dropped.
	whole := parts[:0]
	for _, part := range parts {
		if len(part) > 1 {
			whole = append(whole, part)
		}
	}
	return whole
}

// cutPolygons cuts the polygons that cross the meridian. On an error it returns the geometry unchanged.
func cutPolygons(g orb.MultiPolygon) (orb.Geometry, bool, error) {
	var all orb.MultiPolygon
	some := false
	for _, p := range g {
		if !crosses(p) {
			all = append(all, p)
			continue
		}
		parts, err := cutPolygon(p)
		if err != nil {
			return g, false, err
		}
		all, some = append(all, parts...), true
	}
	return all, some, nil
}

// cutPolygon shifts the vertices by whole turns, so that no edge jumps and longitudes may be beyond ±180. It then clips
// the result to the bands -540 to -180, -180 to 180 and 180 to 540 and shifts each part back. A ring that does not
// close after the shift surrounds a pole.
func cutPolygon(p orb.Polygon) (orb.MultiPolygon, error) {
	flat := make(orb.Polygon, len(p))
	for i, ring := range p {
		turns := 0.0
		for j, q := range ring {
			if j > 0 {
				turns += jump(ring[j-1][0], q[0])
			} else if i > 0 {
				turns = jump(flat[0][0][0], q[0]) // shifts a hole to the same side as the outer ring
			}
			flat[i] = append(flat[i], orb.Point{q[0] + turns, q[1]})
		}
		if flat[i][0] != flat[i][len(ring)-1] {
			return nil, fault.New(fault.Invalid, "the ring goes round a pole; cut it at 180°")
		}
	}
	var parts orb.MultiPolygon
	for turn := -360.0; turn <= 360; turn += 360 {
		band := orb.Bound{Min: orb.Point{turn - 180, -90}, Max: orb.Point{turn + 180, 90}}
		part := orbclip.Polygon(band, flat.Clone())
		for _, ring := range part {
			for i := range ring {
				ring[i][0] -= turn
			}
		}
		if len(part) > 0 && len(part[0]) > 3 {
			parts = append(parts, part)
		}
	}
	return parts, nil
}
