package geo

import (
	"math"
	"strconv"
	"strings"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/project"

	"onemap/internal/fault"
)

// Frame is the coordinate frame of data from outside. The import converts every frame to FrameWGS84, so the rest of the
// program uses only that one.
type Frame string

// The frames in degrees, Web Mercator, and two of the Gauss–Krüger frames of CGCS2000. Every other Gauss–Krüger frame is
// named by its EPSG code in the same way; see GaussKrugerOf. A point is {lon, lat} in a frame in degrees, and {easting,
// northing} in metres in a projected frame.
const (
	FrameWGS84    Frame = "wgs84"     // WGS 84 and CGCS2000 (EPSG:4326, EPSG:4490), degrees
	FrameGCJ02    Frame = "gcj02"     // the shifted frame of Chinese map services, degrees
	FrameBD09     Frame = "bd09"      // the frame of Baidu, with a further shift on GCJ-02, degrees
	FrameEPSG3857 Frame = "epsg:3857" // Web Mercator
	FrameEPSG4549 Frame = "epsg:4549" // CGCS2000 3-degree Gauss–Krüger, central meridian 120°E
	FrameEPSG4528 Frame = "epsg:4528" // the same with the zone's number 40 before the easting
)

// Frames lists every frame: those in degrees, Web Mercator, and the 64 Gauss–Krüger frames of CGCS2000.
func Frames() []Frame {
	all := []Frame{FrameWGS84, FrameGCJ02, FrameBD09, FrameEPSG3857}
	for code := firstGaussKruger; code <= lastGaussKruger; code++ {
		all = append(all, Frame(epsg+strconv.Itoa(code)))
	}
	return all
}

const epsg = "epsg:"

// ParseFrame parses the name of a frame. An empty text, EPSG:4326, EPSG:4490 and CRS84 mean FrameWGS84. A number alone
// is an EPSG code. It returns fault.Invalid with the list of names if the name is not known.
func ParseFrame(s string) (Frame, error) {
	name := strings.ToLower(strings.TrimSpace(s))
	if _, err := strconv.ParseUint(name, 10, 32); err == nil {
		name = epsg + name
	}
	switch name {
	case "", "wgs84", "wgs-84", "epsg:4326", "epsg:4490", "crs84", "cgcs2000":
		return FrameWGS84, nil
	case "gcj02", "gcj-02":
		return FrameGCJ02, nil
	case "bd09", "bd-09":
		return FrameBD09, nil
	case "epsg:3857", "epsg:900913":
		return FrameEPSG3857, nil
	}
	if _, ok := GaussKrugerOf(Frame(name)); ok {
		return Frame(name), nil
	}
	return "", fault.InvalidField("frame", "%q is not one of wgs84, gcj02, bd09, epsg:4326, epsg:4490, epsg:3857, or epsg:%d to epsg:%d (CGCS2000 Gauss–Krüger)",
		clip(s, 40), firstGaussKruger, lastGaussKruger)
}

// Degrees reports whether the frame's coordinates are degrees of longitude and latitude.
func (f Frame) Degrees() bool { return f == FrameWGS84 || f == FrameGCJ02 || f == FrameBD09 || f == "" }

// Check checks a point of the frame before it is converted. For a Gauss–Krüger frame it returns fault.Invalid if the
// easting has the number of another zone, or if no place of the zone can have these metres. It accepts every point of
// another frame.
func (f Frame) Check(p orb.Point) error {
	g, ok := GaussKrugerOf(f)
	if !ok {
		return nil
	}
	return g.check(f, p)
}

// ToWGS84 converts a point of the frame to {lon, lat} in degrees. It returns a point of an unknown frame unchanged.
func (f Frame) ToWGS84(p orb.Point) orb.Point {
	switch f {
	case FrameWGS84, "":
		return p
	case FrameGCJ02:
		return GCJ02ToWGS84(p)
	case FrameBD09:
		return BD09ToWGS84(p)
	case FrameEPSG3857:
		return project.Mercator.ToWGS84(p)
	case FrameEPSG4549, FrameEPSG4528: // handled below, with the other zones
	}
	if g, ok := GaussKrugerOf(f); ok {
		return g.Inverse(g.ownEasting(p))
	}
	return p
}

// FromWGS84 converts {lon, lat} in degrees to a point of the frame. It returns the point unchanged for an unknown frame.
func (f Frame) FromWGS84(p orb.Point) orb.Point {
	switch f {
	case FrameWGS84, "":
		return p
	case FrameGCJ02:
		return WGS84ToGCJ02(p)
	case FrameBD09:
		return WGS84ToBD09(p)
	case FrameEPSG3857:
		return project.WGS84.ToMercator(p)
	case FrameEPSG4549, FrameEPSG4528: // handled below, with the other zones
	}
	if g, ok := GaussKrugerOf(f); ok {
		return g.Forward(p)
	}
	return p
}

// The ellipsoid of the GCJ-02 formula, Krassovsky 1940: the semi-major axis in metres and the square of the
// eccentricity.
const (
	krassovskyA  = 6378245.0
	krassovskyE2 = 0.00669342162296594323
)

// InChina reports whether GCJ-02 shifts the point. It is the rectangle that the formula uses, which also contains Korea
// and parts of other countries, so it is not a test of the national border.
func InChina(p orb.Point) bool {
	return p[0] >= 72.004 && p[0] <= 137.8347 && p[1] >= 0.8293 && p[1] <= 55.8271
}

// WGS84ToGCJ02 applies the shift of GCJ-02. It returns a point outside InChina unchanged. The official formula is not
// published; this one is in common use. Check value (lat, lon): 39.911954, 116.377817 → 39.913345, 116.384047.
func WGS84ToGCJ02(p orb.Point) orb.Point {
	if !InChina(p) {
		return p
	}
	return addShift(p)
}

// addShift adds the shift of GCJ-02 to a point (lon, lat in degrees of WGS 84), wherever it is. The shift is a
// polynomial with sine waves around 105°E, 35°N, in metres; the last lines turn metres into degrees on the
// ellipsoid.
func addShift(p orb.Point) orb.Point {
	x, y := p[0]-105, p[1]-35
	dLat := -100 + 2*x + 3*y + 0.2*y*y + 0.1*x*y + 0.2*math.Sqrt(math.Abs(x)) + wave(x) +
		(20*math.Sin(y*math.Pi)+40*math.Sin(y/3*math.Pi))*2/3 + (160*math.Sin(y/12*math.Pi)+320*math.Sin(y*math.Pi/30))*2/3
	dLon := 300 + x + 2*y + 0.1*x*x + 0.1*x*y + 0.1*math.Sqrt(math.Abs(x)) + wave(x) +
		(20*math.Sin(x*math.Pi)+40*math.Sin(x/3*math.Pi))*2/3 + (150*math.Sin(x/12*math.Pi)+300*math.Sin(x/30*math.Pi))*2/3
	sin, cos := math.Sincos(p[1] * math.Pi / 180)
	magic := 1 - krassovskyE2*sin*sin
	root := math.Sqrt(magic)
	dLat = dLat * 180 / (krassovskyA * (1 - krassovskyE2) / (magic * root) * math.Pi)
	dLon = dLon * 180 / (krassovskyA / root * cos * math.Pi)
	return orb.Point{p[0] + dLon, p[1] + dLat}
}

// wave is the part of the shift that latitude and longitude share, in metres.
func wave(x float64) float64 {
	return (20*math.Sin(6*x*math.Pi) + 20*math.Sin(2*x*math.Pi)) * 2 / 3
}

// GCJ02ToWGS84 removes the shift of GCJ-02 by iteration, with an error below one millimetre. The result is undefined
// within one kilometre of the edge of InChina. It returns any other point outside InChina unchanged.
func GCJ02ToWGS84(p orb.Point) orb.Point {
	if !InChina(p) {
		return p
	}
	// Fixed-point iteration: the shift changes slowly, so each round corrects most of the error that is left. It ends when
	// the correction is below 1e-10 degrees, about 0.01 mm.
	w := p
	for range 30 {
		g := addShift(w)
		dx, dy := p[0]-g[0], p[1]-g[1]
		w[0] += dx
		w[1] += dy
		if math.Abs(dx) < 1e-10 && math.Abs(dy) < 1e-10 {
			break
		}
	}
	return w
}

// baiduPi is the constant of the formula of Baidu. The waves of the shift have a period of 0.12 degrees.
const baiduPi = math.Pi * 3000 / 180

// GCJ02ToBD09 applies the further shift of Baidu. It shifts every point, also outside InChina.
func GCJ02ToBD09(p orb.Point) orb.Point {
	r := math.Hypot(p[0], p[1]) + 0.00002*math.Sin(p[1]*baiduPi)
	theta := math.Atan2(p[1], p[0]) + 0.000003*math.Cos(p[0]*baiduPi)
	sin, cos := math.Sincos(theta)
	return orb.Point{r*cos + 0.0065, r*sin + 0.006}
}

// BD09ToGCJ02 removes the shift of Baidu by iteration.
func BD09ToGCJ02(p orb.Point) orb.Point {
	g := orb.Point{p[0] - 0.0065, p[1] - 0.006}
	for range 30 {
		b := GCJ02ToBD09(g)
		dx, dy := p[0]-b[0], p[1]-b[1]
		g[0] += dx
		g[1] += dy
		if math.Abs(dx) < 1e-10 && math.Abs(dy) < 1e-10 {
			break
		}
	}
	return g
}

// WGS84ToBD09 applies the shift of GCJ-02 and then that of Baidu. It returns a point outside InChina unchanged.
func WGS84ToBD09(p orb.Point) orb.Point {
	if !InChina(p) {
		return p
	}
	return GCJ02ToBD09(addShift(p))
}

// BD09ToWGS84 is the inverse of WGS84ToBD09.
func BD09ToWGS84(p orb.Point) orb.Point {
	if !InChina(p) {
		return p
	}
	return GCJ02ToWGS84(BD09ToGCJ02(p))
}
