package geo_test

import (
	"math"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"
	"pgregory.net/rapid"

	"onemap/geo"
	"onemap/internal/fault"
)

func anywhere(t *rapid.T) orb.Point {
	return orb.Point{rapid.Float64Range(-180, 180).Draw(t, "lon"), rapid.Float64Range(-85, 85).Draw(t, "lat")}
}

func TestTileHoldsItsPoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, z := anywhere(t), rapid.Uint32Range(0, 22).Draw(t, "z")
		tile := geo.TileAt(p, z)
		if !tile.Valid() || !tile.Bound().Pad(1e-9).Contains(p) {
			t.Fatalf("%v at %d is in %v, %v", p, z, tile, tile.Bound())
		}
	})
}

func TestTileKnownValues(t *testing.T) {
	for p, want := range map[orb.Point]geo.Tile{
		{121.39388, 37.53157}: {Z: 10, X: 857, Y: 396}, {0, 0}: {Z: 1, X: 1, Y: 1}, {-77.03, 38.9}: {Z: 18, X: 74980, Y: 100279},
	} {
		if got := geo.TileAt(p, want.Z); got != want {
			t.Errorf("%v is in %v; want %v", p, got, want)
		}
	}
	north := geo.Tile{}.Bound()
	if !near(north.Min, orb.Point{-180, -geo.MaxMercatorLat}, 1e-9) || !near(north.Max, orb.Point{180, geo.MaxMercatorLat}, 1e-9) {
		t.Errorf("the world is %v", north)
	}
}

func TestTileAtTheEdge(t *testing.T) {
	for p, want := range map[orb.Point]geo.Tile{
		{180, -90}: {Z: 3, X: 7, Y: 7}, {-180, 90}: {Z: 3}, {500, 500}: {Z: 3, X: 7}, {-500, -500}: {Z: 3, Y: 7},
	} {
		if got := geo.TileAt(p, 3); got != want {
			t.Errorf("%v is in %v; want %v", p, got, want)
		}
	}
}

func TestMercatorRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anywhere(t)
		if back := geo.FromMercator(geo.ToMercator(p)); !near(back, p, 1e-9) {
			t.Fatalf("%v comes back as %v", p, back)
		}
	})
	if m := geo.ToMercator(orb.Point{180, geo.MaxMercatorLat}); !near(m, orb.Point{geo.MercatorHalf, geo.MercatorHalf}, 1e-6) {
		t.Errorf("the corner is %v", m)
	}
}

func TestParseTile(t *testing.T) {
	if got, err := geo.ParseTile("10", "857", "393", 22); err != nil || got != (geo.Tile{Z: 10, X: 857, Y: 393}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range [][3]string{{"23", "0", "0"}, {"1", "2", "0"}, {"1", "0", "2"}, {"-1", "0", "0"}, {"1", "", "0"}, {"1", "0", "00"}, {"a", "0", "0"}, {"0", "4294967296", "0"}, {"4294967295", "0", "0"}} {
		if got, err := geo.ParseTile(bad[0], bad[1], bad[2], 22); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v gives %v, %v", bad, got, err)
		}
	}
}

func FuzzParseTile(f *testing.F) {
	f.Add("10", "857", "393", uint32(22))
	f.Add("31", "9", "", uint32(99))
	f.Fuzz(func(t *testing.T, z, x, y string, maxZoom uint32) {
		if tile, err := geo.ParseTile(z, x, y, maxZoom); err == nil && (!tile.Valid() || tile.Z > maxZoom) {
			t.Fatalf("%q %q %q gives %v", z, x, y, tile)
		}
	})
}

func TestCircleAndDistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := orb.Point{rapid.Float64Range(-170, 170).Draw(t, "lon"), rapid.Float64Range(-80, 80).Draw(t, "lat")}
		r := rapid.Float64Range(10, 20_000).Draw(t, "r")
		c := geo.Circle(p, r, 32)
		if len(c[0]) != 33 || !c[0].Closed() || c[0].Orientation() != orb.CCW || !planar.PolygonContains(c, p) {
			t.Fatalf("the circle of %v m around %v is %v", r, p, c)
		}
		for _, corner := range c[0] {
			if d := geo.Distance(p, corner); math.Abs(d-r) > r*1e-3+0.1 {
				t.Fatalf("a corner of the circle of %v m is %v m away", r, d)
			}
		}
	})
	if b := geo.Bearing(orb.Point{121, 37}, orb.Point{120, 37}); math.Abs(b-270) > 1 {
		t.Errorf("west is %v", b)
	}
}

func TestPointOn(t *testing.T) {
	horseshoe := orb.Polygon{{{0, 0}, {10, 0}, {10, 10}, {9, 10}, {9, 1}, {1, 1}, {1, 10}, {0, 10}, {0, 0}}}
	square := orb.Polygon{{{0, 0}, {2, 0}, {2, 2}, {0, 2}, {0, 0}}}
	for _, c := range []struct {
		g    orb.Geometry
		want orb.Point
	}{
		{orb.Point{1, 2}, orb.Point{1, 2}}, {square, orb.Point{1, 1}}, {horseshoe, orb.Point{0, 0}},
		{orb.MultiPolygon{square, {{{5, 5}, {5.1, 5}, {5, 5.1}, {5, 5}}}}, orb.Point{1, 1}},
		{orb.LineString{{0, 0}, {1, 1}, {2, 2}}, orb.Point{1, 1}}, {orb.MultiLineString{{{9, 9}}, {{0, 0}, {1, 1}}}, orb.Point{1, 1}},
		{orb.Collection{orb.MultiPoint{}, orb.Point{3, 3}}, orb.Point{3, 3}}, {square[0], orb.Point{1, 1}}, {square.Bound(), orb.Point{1, 1}},
	} {
		if got, ok := geo.PointOn(c.g); !ok || !near(got, c.want, 1e-9) {
			t.Errorf("PointOn(%v) = %v, %v; want %v", c.g, got, ok, c.want)
		}
	}
	for _, empty := range []orb.Geometry{nil, orb.Polygon{}, orb.MultiPolygon{{}}, orb.LineString{}, orb.Collection{}, orb.MultiPoint{}} {
		if p, ok := geo.PointOn(empty); ok {
			t.Errorf("PointOn(%#v) = %v", empty, p)
		}
	}
}
