package geo_test

import (
	"math"
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
			if !f.Degrees() {
				p[0] = 120 + math.Mod(p[0], 3) // the projected frames hold near their meridian
			}
			if back := f.ToWGS84(f.FromWGS84(p)); !near(back, p, 1e-8) {
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
	for in, want := range map[string]geo.Frame{"": geo.FrameWGS84, "WGS84": geo.FrameWGS84, "EPSG:4490": geo.FrameWGS84, " GCJ-02 ": geo.FrameGCJ02, "bd09": geo.FrameBD09, "EPSG:4528": geo.FrameEPSG4528} {
		if got, err := geo.ParseFrame(in); err != nil || got != want {
			t.Errorf("ParseFrame(%q) = %q, %v", in, got, err)
		}
	}
	if _, err := geo.ParseFrame("epsg:2433"); err == nil {
		t.Error("an unknown frame is taken")
	}
}

// The known values are PROJ 9's, EPSG:4490 to EPSG:4549 and EPSG:4528.
func TestGaussKrugerKnownValues(t *testing.T) {
	for p, want := range map[orb.Point]orb.Point{
		{121.39388, 37.53157}: {623205.7118, 4156419.0976},
		{119.3, 36.3}:         {437124.8567, 4019058.5940},
		{122.3, 38.40008}:     {700924.6793, 4254412.7411},
		{120, 37.5}:           {500000.0000, 4152002.1425},
	} {
		if got := geo.EPSG4549().Forward(p); !near(got, want, 1e-4) {
			t.Errorf("EPSG:4549 of %v is %.4f; want %.4f", p, got, want)
		}
		want[0] += 40_000_000
		if got := geo.EPSG4528().Forward(p); !near(got, want, 1e-4) {
			t.Errorf("EPSG:4528 of %v is %.4f; want %.4f", p, got, want)
		}
		if got := geo.EPSG4528().Inverse(want); !near(got, p, 1e-8) {
			t.Errorf("EPSG:4528 back is %v; want %v", got, p)
		}
	}
}

func TestGaussKrugerTakesAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := orb.Point{rapid.Float64().Draw(t, "x"), rapid.Float64().Draw(t, "y")}
		geo.EPSG4549().Inverse(p)
		geo.EPSG4549().Forward(p)
	})
}
