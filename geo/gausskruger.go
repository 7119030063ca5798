package geo

import (
	"math"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"onemap/internal/fault"
)

// GaussKruger is a transverse Mercator projection of CGCS2000 with scale 1 on its central meridian and the equator as
// the origin of northings. Projected points are {easting, northing} in metres. Note that Chinese surveyors and the EPSG
// axis order write the northing first and call it X.
type GaussKruger struct {
	CentralMeridian float64 // degrees
	FalseEasting    float64 // metres
}

// The EPSG codes of the Gauss–Krüger frames of CGCS2000. They are four ranges, each by central meridian from 75°E to
// 135°E: 6-degree zones 13 to 23 with the number of the zone before the easting (from 4491) and without it (from 4502),
// then 3-degree zones 25 to 45 with the number (from 4513) and without it (from 4534).
const (
	firstGaussKruger  = 4491
	sixNoNumber       = 4502
	threeWithNumber   = 4513
	threeNoNumber     = 4534
	lastGaussKruger   = 4554
	westernMeridian   = 75
	firstSixZone      = 13
	firstThreeZone    = 25
	falseEasting      = 500_000
	millionPerZone    = 1_000_000
	northernmostMetre = 10_002_000 // a quarter of a meridian
)

// GaussKrugerOf returns the projection of a frame such as "epsg:4549". It returns false if the frame is not one of the
// Gauss–Krüger frames of CGCS2000.
func GaussKrugerOf(f Frame) (GaussKruger, bool) {
	code, err := strconv.Atoi(strings.TrimPrefix(string(f), epsg))
	if err != nil || code < firstGaussKruger || code > lastGaussKruger || !strings.HasPrefix(string(f), epsg) {
		return GaussKruger{}, false
	}
	g := GaussKruger{FalseEasting: falseEasting}
	zone := 0
	switch {
	case code < sixNoNumber:
		g.CentralMeridian, zone = float64(westernMeridian+6*(code-firstGaussKruger)), firstSixZone+code-firstGaussKruger
	case code < threeWithNumber:
		g.CentralMeridian = float64(westernMeridian + 6*(code-sixNoNumber))
	case code < threeNoNumber:
		g.CentralMeridian, zone = float64(westernMeridian+3*(code-threeWithNumber)), firstThreeZone+code-threeWithNumber
	default:
		g.CentralMeridian = float64(westernMeridian + 3*(code-threeNoNumber))
	}
	g.FalseEasting += float64(zone) * millionPerZone
	return g, true
}

// ownEasting returns p with an easting in the form of the projection: with the number of the zone before it, or without
// it. Files often name the frame with the number and have eastings without it, or the reverse. A zone is less than a
// million metres wide, so the millions of an easting are the number of the zone.
func (g GaussKruger) ownEasting(p orb.Point) orb.Point {
	zone := math.Floor(g.FalseEasting / millionPerZone)
	switch given := math.Floor(p[0] / millionPerZone); {
	case zone > 0 && given == 0:
		p[0] += zone * millionPerZone
	case zone == 0 && given > 0:
		p[0] -= given * millionPerZone
	}
	return p
}

// check returns fault.Invalid if {easting, northing} cannot be a place of the projection. f is the name of the frame,
// for the error. A zone number before the easting must be the number of the central meridian, counted in zones of 3 or
// 6 degrees. The error asks whether the two numbers are swapped if that would explain it.
func (g GaussKruger) check(f Frame, p orb.Point) error {
	// A 3-degree zone k has the central meridian 3k; a 6-degree zone k has 6k-3, so only an odd multiple of 3 has both.
	given := int(math.Floor(p[0] / millionPerZone))
	three, six := int(g.CentralMeridian)/3, (int(g.CentralMeridian)+3)/6
	sixFits := int(g.CentralMeridian)%6 == 3
	switch {
	case p == orb.Point{}:
		return fault.InvalidField("easting", "0, 0 is no place of %s", f)
	case math.Abs(p[1]) > northernmostMetre:
		hint := ""
		if math.Abs(p[0]) <= northernmostMetre {
			hint = "; are easting and northing swapped?"
		}
		return fault.InvalidField("northing", "%s m is beyond the pole%s", number(p[1]), hint)
	case given < 0 || (given > 0 && given != three && (!sixFits || given != six)):
		hint := ""
		if p[1] >= 0 && p[1] < millionPerZone && given < 10 {
			hint = "; are easting and northing swapped?"
		}
		return fault.InvalidField("easting", "%s is not of %s, of which the central meridian is %v° and the zone %d%s", number(p[0]), f, g.CentralMeridian, three, hint)
	}
	return nil
}

// The ellipsoid of CGCS2000 (GB 22021-2008): semi-major axis in metres, flattening, and third flattening.
const (
	cgcsA = 6378137.0
	cgcsF = 1 / 298.257222101
	cgcsN = cgcsF / (2 - cgcsF)
)

// rectifying is the radius in metres of the circle that is as long as the meridian ellipse, to the order n⁴.
const rectifying = cgcsA / (1 + cgcsN) * (1 + cgcsN*cgcsN/4 + cgcsN*cgcsN*cgcsN*cgcsN/64)

// kruger returns the coefficients of the series of Krüger (1912) to the order n⁴: alpha for the projection, beta for
// its inverse. Source: Karney, "Transverse Mercator with an accuracy of a few nanometers" (2011), equations 35 and 36.
// Within 4° of the central meridian the error is far below one millimetre.
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

// Forward projects {lon, lat} in degrees to {easting, northing} in metres. It first maps the ellipsoid to a sphere by
// the conformal latitude, then projects the sphere (xi, eta), and corrects the result with the series of alpha.
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

// conformalTan returns the tangent of the conformal latitude, from the tangent tau of the latitude and the eccentricity
// e (Karney 2011, equations 7 to 9).
func conformalTan(tau, e float64) float64 {
	sigma := math.Sinh(e * math.Atanh(e*tau/math.Hypot(1, tau)))
	return tau*math.Hypot(1, sigma) - sigma*math.Hypot(1, tau)
}

// Inverse returns {lon, lat} in degrees for {easting, northing} in metres. Far from the zone the result has no meaning,
// but no finite input causes a panic. The caller should check the result with CheckPoint.
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
	for range 8 { // Newton's method for the latitude, Karney 2011, equations 19 to 21
		t := conformalTan(tau, math.Sqrt(e2))
		d := (target - t) / math.Hypot(1, t) * (1 + (1-e2)*tau*tau) / ((1 - e2) * math.Hypot(1, tau))
		tau += d
		if math.Abs(d) < 1e-14*(1+math.Abs(tau)) {
			break
		}
	}
	return orb.Point{g.CentralMeridian + math.Atan2(sinh, cos)*180/math.Pi, math.Atan(tau) * 180 / math.Pi}
}
