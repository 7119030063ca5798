package geo_test

import (
	"math"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"pgregory.net/rapid"

	"onemap/geo"
)

func near(a, b orb.Point, tolerance float64) bool {
	return math.Abs(a[0]-b[0]) <= tolerance && math.Abs(a[1]-b[1]) <= tolerance
}

func inChina(t *rapid.T) orb.Point {
	return orb.Point{rapid.Float64Range(73, 137).Draw(t, "lon"), rapid.Float64Range(2, 55).Draw(t, "lat")}
}

func TestGCJ02CheckValue(t *testing.T) {
	got := geo.WGS84ToGCJ02(orb.Point{116.377817, 39.911954})
	if want := (orb.Point{116.384047, 39.913345}); !near(got, want, 1e-6) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFramesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := inChina(t)
		for _, f := range geo.Frames() {
			if g, ok := geo.GaussKrugerOf(f); ok {
				p[0] = g.CentralMeridian + math.Mod(p[0], 3) // a zone holds near its meridian
			}
			if back := f.ToWGS84(f.FromWGS84(p)); f.Check(f.FromWGS84(p)) != nil || !near(back, p, 1e-8) {
				t.Fatalf("%s: %v comes back as %v", f, p, back)
			}
		}
	})
}

func TestShiftIsPlausible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := inChina(t)
		if d := geo.Distance(p, geo.WGS84ToGCJ02(p)); d < 1 || d > 1500 {
			t.Fatalf("GCJ-02 shifts %v by %v m", p, d)
		}
		if d := geo.Distance(p, geo.WGS84ToBD09(p)); d > 3000 {
			t.Fatalf("BD-09 shifts %v by %v m", p, d)
		}
	})
}

func TestOutsideChinaIsUntouched(t *testing.T) {
	for _, p := range []orb.Point{{0, 0}, {-122.4, 37.8}, {151.2, -33.9}, {139.7, 35.7}, {10, 50}} {
		for _, f := range []geo.Frame{geo.FrameGCJ02, geo.FrameBD09} {
			if f.FromWGS84(p) != p || f.ToWGS84(p) != p {
				t.Errorf("%s moves %v", f, p)
			}
		}
	}
}

func TestParseFrame(t *testing.T) {
	for in, want := range map[string]geo.Frame{"": geo.FrameWGS84, "WGS84": geo.FrameWGS84, "EPSG:4490": geo.FrameWGS84, " GCJ-02 ": geo.FrameGCJ02, "bd09": geo.FrameBD09, "EPSG:4528": geo.FrameEPSG4528, "4549": geo.FrameEPSG4549, "epsg:4510": "epsg:4510", "3857": geo.FrameEPSG3857} {
		if got, err := geo.ParseFrame(in); err != nil || got != want {
			t.Errorf("ParseFrame(%q) = %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"epsg:2433", "epsg:4555", "epsg:-4549", "+4549", "epsg:"} {
		if _, err := geo.ParseFrame(in); err == nil {
			t.Errorf("the unknown frame %q is taken", in)
		}
	}
}

// The expected values are from PROJ 9, EPSG:4490 to EPSG:4549 and EPSG:4528.
func TestGaussKrugerKnownValues(t *testing.T) {
	for p, want := range map[orb.Point]orb.Point{
		{121.39388, 37.53157}: {623205.7118, 4156419.0976},
		{119.3, 36.3}:         {437124.8567, 4019058.5940},
		{122.3, 38.40008}:     {700924.6793, 4254412.7411},
		{120, 37.5}:           {500000.0000, 4152002.1425},
	} {
		if got := geo.FrameEPSG4549.FromWGS84(p); !near(got, want, 1e-4) {
			t.Errorf("EPSG:4549 of %v is %.4f; want %.4f", p, got, want)
		}
		numbered := orb.Point{want[0] + 40_000_000, want[1]}
		if got := geo.FrameEPSG4528.FromWGS84(p); !near(got, numbered, 1e-4) {
			t.Errorf("EPSG:4528 of %v is %.4f; want %.4f", p, got, numbered)
		}
		for _, f := range []geo.Frame{geo.FrameEPSG4549, geo.FrameEPSG4528} { // each takes the easting of the other
			for _, q := range []orb.Point{want, numbered} {
				if got := f.ToWGS84(q); f.Check(q) != nil || !near(got, p, 1e-8) {
					t.Errorf("%s: %v is %v, not %v (%v)", f, q, got, p, f.Check(q))
				}
			}
		}
	}
}

func TestWrongMetresAreNamed(t *testing.T) {
	for want, p := range map[string]orb.Point{
		"easting: 3.96e+07 is not of epsg:4549, of which the central meridian is 120° and the zone 40": {39_600_000, 4_156_419},
		"are easting and northing swapped?":                                               {4_156_419, 623_205},
		"0, 0 is no place of epsg:4549":                                                   {},
		"northing: 4.0623205e+07 m is beyond the pole; are easting and northing swapped?": {4_156_419, 40_623_205},
	} {
		if err := geo.FrameEPSG4549.Check(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v; want %s", p, err, want)
		}
	}
	if err := geo.Frame("epsg:4510").Check(orb.Point{21_500_000, 4_000_000}); err != nil {
		t.Errorf("zone 21 of 6 degrees has the meridian 123°: %v", err)
	}
}

func TestGaussKrugerTakesAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := orb.Point{rapid.Float64().Draw(t, "x"), rapid.Float64().Draw(t, "y")}
		geo.FrameEPSG4549.ToWGS84(p)
		geo.FrameEPSG4549.FromWGS84(p)
	})
}
