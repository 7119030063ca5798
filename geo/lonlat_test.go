package geo_test

import (
	"math"
	"strings"
	"testing"

	"github.com/paulmach/orb"

	"onemap/geo"
	"onemap/internal/fault"
)

func TestCheckLonLat(t *testing.T) {
	for _, c := range []struct {
		lon, lat float64
		want     string // part of the message; empty is no error
	}{
		{121.4, 37.5, ""}, {-180, -90, ""}, {180, 90, ""},
		{37.5, 121.4, "lat: 121.4 is outside -90 to 90; are lon and lat swapped?"},
		{200, 37.5, "lon: 200 is outside"}, {0, -91, "lat: -91 is outside"}, {200, 200, "lat: 200 is outside -90 to 90"},
		{math.NaN(), 0, "lon: is not a finite"}, {0, math.Inf(1), "lat: is not a finite"}, {math.Inf(-1), 0, "lon: is not"},
	} {
		err := geo.CheckLonLat(c.lon, c.lat)
		if c.want == "" && err != nil || c.want != "" && (!fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("CheckLonLat(%v, %v) = %v; want %q", c.lon, c.lat, err, c.want)
		}
	}
	yantai := orb.Bound{Min: orb.Point{119, 36}, Max: orb.Point{122.5, 38.5}}
	if err := geo.CheckInside(yantai, orb.Point{121, 37}); err != nil {
		t.Error(err)
	}
	if err := geo.CheckInside(orb.Bound{Min: orb.Point{70, 10}, Max: orb.Point{90, 50}}, orb.Point{40, 80}); err == nil || !strings.HasSuffix(err.Error(), "swapped?") {
		t.Errorf("a swapped point is not called so: %v", err)
	}
	if err := geo.CheckInside(yantai, orb.Point{10, 10}); err == nil || strings.Contains(err.Error(), "swapped") {
		t.Errorf("a point elsewhere: %v", err)
	}
}

func TestParseDegrees(t *testing.T) {
	for in, want := range map[string]float64{
		"121.39": 121.39, "-0.5": -0.5, " 37 ": 37, "1.2139e2": 121.39, "121.5E": 121.5, "E121.5": 121.5, "37.5 S": -37.5,
		"121°23′42″": 121.395, "121度23分42秒": 121.395, "121° 23' 42\" E": 121.395, "121°23.7′": 121.395, "121°": 121,
		"121°23'42''E": 121.395, "121°23’42”": 121.395, "121°23‘42“": 121.395, "１２１°２３′４２″": 121.395, "121°23＇42＂": 121.395, "东经121度23分42秒": 121.395, "南纬37°30′": -37.5,
		"121d23m42s": 121.395, "121D23M42SE": 121.395, "121:23:42": 121.395, "121 23 42 E": 121.395, "121,39": 121.39, "１２１．３９": 121.39, "121°23′42,0″": 121.395, "37˚30`": 37.5, "E: 121.5": 121.5,
		"W121°30′": -121.5, "-121°30′": -121.5, "121°42″": 121 + 42.0/3600, "37º32’9”N": 37 + 32.0/60 + 9.0/3600,
	} {
		if got, err := geo.ParseDegrees(in); err != nil || math.Abs(got-want) > 1e-9 {
			t.Errorf("ParseDegrees(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "abc", "NaN", "Inf", "0x10", "1_0", "121°60′", "121°10′60″", "°", "1°2′3″4", "--1", "121°-5′", "E", "1′2°", "+"} {
		if got, err := geo.ParseDegrees(in); err == nil {
			t.Errorf("ParseDegrees(%q) = %v; want an error", in, got)
		}
	}
}

func FuzzParseDegrees(f *testing.F) {
	for _, s := range []string{"121.39", "121°23′42″E", "121度23分42秒", "-0.5", "1e400", "S", "°′″", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := geo.ParseDegrees(s); err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
			t.Fatalf("ParseDegrees(%q) = %v", s, v)
		}
	})
}
