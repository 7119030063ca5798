package geo

import (
	"math"

	"github.com/paulmach/orb"
)

// GaussKruger is a transverse Mercator projection of CGCS2000 with scale 1 on its central meridian
// and the equator as origin. Projected points are {easting, northing} in metres: x, y as mathematics
// has them. Chinese surveyors and EPSG's axis order write the northing first and call it X.
type GaussKruger struct {
	CentralMeridian float64 // degrees
	FalseEasting    float64 // metres
}

// EPSG4549 is CGCS2000 / 3-degree Gauss–Krüger CM 120E.
func EPSG4549() GaussKruger { return GaussKruger{CentralMeridian: 120, FalseEasting: 500_000} }

// EPSG4528 is CGCS2000 / 3-degree Gauss–Krüger zone 40: EPSG:4549 with 40 before the easting.
func EPSG4528() GaussKruger { return GaussKruger{CentralMeridian: 120, FalseEasting: 40_500_000} }

// CGCS2000's ellipsoid, GB 22021-2008.
const (
	cgcsA = 6378137.0
	cgcsF = 1 / 298.257222101
	cgcsN = cgcsF / (2 - cgcsF)
)

// rectifying is the radius of the circle as long as the meridian, to n⁴.
const rectifying = cgcsA / (1 + cgcsN) * (1 + cgcsN*cgcsN/4 + cgcsN*cgcsN*cgcsN*cgcsN/64)

// The series of Krüger 1912 to n⁴, as in Karney, Transverse Mercator with an accuracy of a few
// nanometers, 2011, equations 35 and 36. Within 4° of the central meridian the error is far under a
// millimetre.
func kruger() (alpha, beta [4]float64) {
	n := cgcsN
	n2, n3, n4 := n*n, n*n*n, n*n*n*n
	alpha = [4]float64{
		n/2 - 2*n2/3 + 5*n3/16 + 41*n4/180,
		13*n2/48 - 3*n3/5 + 557*n4/1440,
		61*n3/240 - 103*n4/140,
		49561 * n4 / 161280,
	}
	beta = [4]float64{
		n/2 - 2*n2/3 + 37*n3/96 - n4/360,
		n2/48 + n3/15 - 437*n4/1440,
		17*n3/480 - 37*n4/840,
		4397 * n4 / 161280,
	}
	return alpha, beta
}

// Forward projects {lon, lat} to {easting, northing}.
func (g GaussKruger) Forward(p orb.Point) orb.Point {
	alpha, _ := kruger()
	e := math.Sqrt(cgcsF * (2 - cgcsF))
	phi, lambda := p[1]*math.Pi/180, (p[0]-g.CentralMeridian)*math.Pi/180
	t := conformalTan(math.Tan(phi), e)
	sin, cos := math.Sincos(lambda)
	xi, eta := math.Atan2(t, cos), math.Asinh(sin/math.Hypot(t, cos))
	x, y := eta, xi
	for j, a := range alpha {
		k := 2 * float64(j+1)
		x += a * math.Cos(k*xi) * math.Sinh(k*eta)
		y += a * math.Sin(k*xi) * math.Cosh(k*eta)
	}
	return orb.Point{g.FalseEasting + rectifying*x, rectifying * y}
}

// conformalTan is the tangent of the conformal latitude, from that of the latitude.
func conformalTan(tau, e float64) float64 {
	sigma := math.Sinh(e * math.Atanh(e*tau/math.Hypot(1, tau)))
	return tau*math.Hypot(1, sigma) - sigma*math.Hypot(1, tau)
}

// Inverse gives {lon, lat} of {easting, northing}. Far from the zone the answer is meaningless but
// finite input never panics; check the result with CheckPoint.
func (g GaussKruger) Inverse(p orb.Point) orb.Point {
	_, beta := kruger()
	e2 := cgcsF * (2 - cgcsF)
	eta, xi := (p[0]-g.FalseEasting)/rectifying, p[1]/rectifying
	xi1, eta1 := xi, eta
	for j, b := range beta {
		k := 2 * float64(j+1)
		xi1 -= b * math.Sin(k*xi) * math.Cosh(k*eta)
		eta1 -= b * math.Cos(k*xi) * math.Sinh(k*eta)
	}
	sinh := math.Sinh(eta1)
	sin, cos := math.Sincos(xi1)
	target := sin / math.Hypot(sinh, cos)
	tau := target / (1 - e2)
	for range 8 { // Newton, Karney 2011, equations 19 to 21
		t := conformalTan(tau, math.Sqrt(e2))
		d := (target - t) / math.Hypot(1, t) * (1 + (1-e2)*tau*tau) / ((1 - e2) * math.Hypot(1, tau))
		tau += d
		if math.Abs(d) < 1e-14*(1+math.Abs(tau)) {
			break
		}
	}
	return orb.Point{g.CentralMeridian + math.Atan2(sinh, cos)*180/math.Pi, math.Atan(tau) * 180 / math.Pi}
}
