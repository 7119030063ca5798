package geo_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"
	"pgregory.net/rapid"

	"onemap/geo"
)

func TestCutAntimeridian(t *testing.T) {
	box := orb.Polygon{{{179, 30}, {-179, 30}, {-179, 31}, {179, 31}, {179, 30}}}
	halves := orb.MultiPolygon{
		{{{179, 30}, {180, 30}, {180, 31}, {179, 31}, {179, 30}}}, {{{-180, 30}, {-179, 30}, {-179, 31}, {-180, 31}, {-180, 30}}},
	}
	world := orb.Polygon{{{-180, -90}, {180, -90}, {180, 90}, {-180, 90}, {-180, -90}}}
	here := orb.Polygon{{{121, 37}, {122, 37}, {122, 38}, {121, 37}}}
	for name, c := range map[string]struct{ in, want orb.Geometry }{
		"an area":      {box, halves},
		"areas":        {orb.MultiPolygon{here, box}, append(orb.MultiPolygon{here}, halves...)},
		"a line":       {orb.LineString{{178, 0}, {-178, 4}}, orb.MultiLineString{{{178, 0}, {180, 2}}, {{-180, 2}, {-178, 4}}}},
		"lines":        {orb.MultiLineString{{{1, 1}, {2, 2}}, {{-180, 1}, {179, 1}}}, orb.MultiLineString{{{1, 1}, {2, 2}}, {{180, 1}, {179, 1}}}},
		"a collection": {orb.Collection{orb.Point{1, 2}, box}, orb.Collection{orb.Point{1, 2}, halves}},
		"the world":    {world, world}, "here": {here, here}, "a point": {orb.Point{180, 1}, orb.Point{180, 1}},
	} {
		got, cut, err := geo.CutAntimeridian(c.in)
		if whole := orb.Equal(c.in, c.want) || name == "lines"; err != nil || cut == whole {
			t.Errorf("%s: cut %v, error %v", name, cut, err)
		}
		for _, p := range polygonsOf(got) {
			for _, r := range p {
				if r.Orientation() != orb.CCW {
					r.Reverse()
				}
			}
		}
		if name == "an area" || name == "areas" || name == "a collection" {
			if a, b := planar.Area(got), planar.Area(c.want); math.Abs(a-b) > 1e-9 {
				t.Errorf("%s: area %v, want %v: %v", name, a, b, got)
			}
			continue
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
	}
	pole := orb.Polygon{{{0, 80}, {120, 80}, {-120, 80}, {0, 80}}}
	if _, _, err := geo.CutAntimeridian(pole); err == nil {
		t.Error("an area round the pole is cut")
	}
}

func polygonsOf(g orb.Geometry) orb.MultiPolygon {
	switch g := g.(type) {
	case orb.Polygon:
		return orb.MultiPolygon{g}
	case orb.MultiPolygon:
		return g
	case orb.Collection:
		var all orb.MultiPolygon
		for _, part := range g {
			all = append(all, polygonsOf(part)...)
		}
		return all
	}
	return nil
}

// A circle across the meridian of 180° keeps its area when it is cut, and every part of it is on the globe.
func TestCutKeepsTheArea(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		flat := geo.Circle(orb.Point{0, rapid.Float64Range(-60, 60).Draw(t, "lat")}, rapid.Float64Range(1000, 500_000).Draw(t, "r"), rapid.IntRange(3, 40).Draw(t, "n"))
		want := math.Abs(planar.Area(flat))
		at := rapid.Float64Range(179, 181).Draw(t, "lon")
		for i, p := range flat[0] {
			lon := p[0] + at
			if lon > 180 {
				lon -= 360
			}
			flat[0][i] = orb.Point{lon, p[1]}
		}
		got, _, err := geo.CutAntimeridian(flat)
		if err != nil {
			t.Fatal(err)
		}
		area := 0.0
		for _, p := range polygonsOf(got) {
			area += math.Abs(planar.Area(p))
			for _, q := range p[0] {
				if geo.CheckPoint(q) != nil {
					t.Fatalf("%v is off the globe", q)
				}
			}
		}
		if math.Abs(area-want) > 1e-6*want+1e-9 {
			t.Fatalf("area %v, not %v: %v", area, want, got)
		}
	})
}
