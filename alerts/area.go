package alerts

import (
	"math"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geo"
)

const (
	areaCorners   = 32
	defaultRadius = 500.0   // metres, for a hazard that does not say
	maxRadius     = 500_000 // metres: past it a circle of 32 corners is no picture of anything
)

// circle is the closed 32-gon of a radius in metres around a point, its corners on the geodesic
// circle, counter-clockwise, lon/lat with six decimals (0.1 m).
func circle(centre orb.Point, radiusM float64) orb.Polygon {
	if !finite(radiusM) || radiusM <= 0 {
		radiusM = defaultRadius
	}
	radiusM = min(radiusM, maxRadius)
	ring := make(orb.Ring, 0, areaCorners+1)
	for i := range areaCorners {
		bearing := -360 * float64(i) / areaCorners
		ring = append(ring, round6(geo.PointAtBearingAndDistance(centre, bearing, radiusM)))
	}
	return orb.Polygon{append(ring, ring[0])}
}

func round6(p orb.Point) orb.Point {
	return orb.Point{math.Round(p.Lon()*1e6) / 1e6, math.Round(p.Lat()*1e6) / 1e6}
}

// countyOf is the county level of a division code: what is longer is cut, what is shorter stays and
// so addresses everybody below it.
func countyOf(division string) string { return division[:min(6, len(division))] }
