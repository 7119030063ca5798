package engine_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
	"github.com/paulmach/orb/planar"

	"onemap/catalogue"
	"onemap/geo"
	"onemap/internal/core"
	"onemap/tiles"
	"onemap/tiles/engine"
)

// byHand is shapes that a random set does not have.
func byHand() []catalogue.Feature {
	hole := orb.Polygon{square(120.2, 36.8, 0.4)[0], square(120.3, 36.9, 0.1)[0], square(120.45, 37.05, 0.1)[0]}
	slices.Reverse(hole[1])
	var river, zigzag, seam orb.LineString
	for i := range 400 {
		at := float64(i) / 400
		river = append(river, orb.Point{119.6 + 2.2*at, 36.6 + at + 0.1*math.Sin(at*40)})
	}
	for i := range 100 {
		seam = append(seam, orb.Point{179 + float64(i)*0.01, 10 + float64(i)*0.02})
	}
	for i := range 60 {
		zigzag = append(zigzag, orb.Point{121 + float64(i)*0.002, 37.2 + float64(i%2)*0.01})
	}
	shapes := map[string]orb.Geometry{
		"holes": hole, "river": river, "zigzag": zigzag, "far": square(-70, -40, 8), "equator": square(-1, -1, 2),
		"short": orb.LineString{{121.5, 37.9}, {121.50001, 37.90001}}, "roads": orb.MultiLineString{zigzag[:20], zigzag[30:], {{121.3, 37.3}, {121.4, 37.5}}},
		"islands": orb.MultiPolygon{square(121.6, 37.6, 0.02), square(121.7, 37.6, 0.05), hole}, "wells": orb.MultiPoint{{121.1, 37.1}, {121.2, 37.15}, {120.1, 37}},
		"sliver": orb.Polygon{{{120.5, 37.4}, {121.5, 37.4002}, {121.5, 37.4003}, {120.5, 37.4}}},
		"needle": orb.Polygon{{{120.9, 36.9}, {120.9001, 37.9}, {120.9002, 37.9}, {120.9, 36.9}}},
		"east":   orb.Point{180, 10}, "west": orb.Point{-180, 10}, "top": orb.Point{20, 85.05}, "seam": seam,
		"band": orb.Polygon{{{-180, 50}, {180, 50}, {180, 60}, {-180, 60}, {-180, 50}}}, "dot": square(121.01, 37.01, 0.00001),
	}
	var all []catalogue.Feature
	for key, g := range shapes {
		all = append(all, shaped(key, "370602", g))
	}
	slices.SortFunc(all, func(a, b catalogue.Feature) int { return cmp.Compare(a.Key, b.Key) })
	for i := range all {
		all[i].Level = core.Level(i % 5)
	}
	return all
}

// comparedTiles lists tiles of zooms 0 to 16: around features and beside them, at the edges of the
// world, and where nothing is.
func comparedTiles(all []catalogue.Feature) []tiles.Address {
	r := rand.New(rand.NewPCG(3, 1))
	seen := map[tiles.Address]bool{}
	var out []tiles.Address
	add := func(a geo.Tile) {
		if at := tiles.Address(a); a.Valid() && !seen[at] {
			seen[at] = true
			out = append(out, at)
		}
	}
	for z := uint32(0); z <= 16; z++ {
		for range 7 {
			b := all[r.IntN(len(all))].Geometry.Bound()
			at := geo.TileAt(orb.Point{b.Min[0] + r.Float64()*(b.Max[0]-b.Min[0]), b.Min[1] + r.Float64()*(b.Max[1]-b.Min[1])}, z)
			add(at)
			add(geo.Tile{Z: z, X: at.X + uint32(r.IntN(2)), Y: at.Y + uint32(r.IntN(2))})
		}
		last := uint32(1)<<z - 1
		add(geo.Tile{Z: z})
		add(geo.Tile{Z: z, X: last, Y: last})
		add(geo.TileAt(orb.Point{180, 10}, z))
		add(geo.TileAt(orb.Point{-180, 10}, z))
		add(geo.TileAt(orb.Point{-100, -20}, z))
	}
	for _, f := range byHand() {
		for _, z := range []uint32{5, 9, 12, 15} {
			add(geo.TileAt(f.Geometry.Bound().Center(), z))
		}
	}
	return out
}

// The engine's tiles hold what ST_AsMVT draws of the same features: the same ones in the same places
// with the same attributes, the worst last. What is under a pixel the reference may leave out.
func TestTilesAreThoseOfPostGIS(t *testing.T) {
	db := newBase(t)
	public := core.Audience{Kind: core.AudiencePublic}
	set := seeded(t, 1, 3000, 600)
	dots, rest := set[:3000], append(set[3000:], byHand()...)
	importOK(t, db, layerOf("dots", public, unthinned()), dots...)
	importOK(t, db, layerOf("shapes", public, unthinned()), rest...)
	sizes := map[int64]orb.Bound{}
	all := append(slices.Clone(dots), rest...)
	for _, layer := range []string{"dots", "shapes"} {
		ids := idsOf(t, db, layer)
		for _, f := range all {
			if id, ok := ids[f.Key]; ok {
				sizes[id] = f.Geometry.Bound()
			}
		}
	}
	n := start(t, db, engine.Options{}, nil)
	c := comparison{t: t, sizes: sizes}
	list := comparedTiles(all)
	for _, a := range list {
		want, err := db.Tiles.Tile(t.Context(), city, []string{"dots", "shapes"}, a)
		if err != nil {
			t.Fatal(err)
		}
		got := n.get(city, "dots,shapes", a)
		c.compare(a, decoded(t, got.Bytes), decoded(t, want))
	}
	if len(list) < 150 || c.empty < 10 || c.features < 5000 || c.missing > c.features/10 {
		t.Errorf("the test has little in it: %d tiles, %d empty, %d features, %d of which the reference leaves out", len(list), c.empty, c.features, c.missing)
	}
	t.Logf("%d tiles, %d of them empty; %d features, %d of them only in the engine's; the largest difference of an area is %.2f of what it may be",
		len(list), c.empty, c.features, c.missing, c.worst)
	for _, s := range n.engine.Layers(city) {
		if s.Source != core.TileSourceMemory || s.UndrawnCount != 0 {
			t.Errorf("%s: %s, %+v", s.Layer, s.Source, s.Undrawn)
		}
	}
}

// comparison is a run of comparisons.
type comparison struct {
	t                        *testing.T
	sizes                    map[int64]orb.Bound
	empty, features, missing int
	worst                    float64
}

func (c *comparison) compare(a tiles.Address, got, want map[string][]*geojson.Feature) {
	c.t.Helper()
	if len(got) == 0 && len(want) == 0 {
		c.empty++
	}
	for _, layer := range []string{"dots", "shapes"} {
		ours := map[int64]*geojson.Feature{}
		last := 10.0
		for _, f := range got[layer] {
			if ours[idOf(f)] != nil {
				c.t.Errorf("%v: %d is drawn twice", a, idOf(f))
			}
			ours[idOf(f)] = f
			level := f.Properties["level"].(float64)
			if level == 0 {
				level = 9
			}
			if level > last {
				c.t.Errorf("%v: level %g is drawn after level %g", a, level, last)
			}
			last = level
		}
		c.features += len(ours)
		for _, f := range want[layer] {
			mine := ours[idOf(f)]
			if mine == nil && onEdge(f.Geometry) {
				continue
			}
			if mine == nil {
				c.t.Errorf("%v: %d, %v, is not in the engine's tile: %.300v", a, idOf(f), f.Properties["name_zh"], f.Geometry)
				continue
			}
			delete(ours, idOf(f))
			c.same(a, mine, f)
		}
		for id, f := range ours {
			c.missing++
			if !c.subPixel(a.Z, id) && !slight(f.Geometry) {
				c.t.Errorf("%v: %d, %v, is only in the engine's tile: %.300v", a, id, f.Properties["name_zh"], f.Geometry)
			}
		}
	}
}

// pixel is 8 units of a tile.
const pixel = 8

// subPixel reports whether a feature is under a pixel both ways.
func (c *comparison) subPixel(z uint32, id int64) bool {
	b := c.sizes[id]
	low, high := geo.ToMercator(b.Min), geo.ToMercator(b.Max)
	unit := 2 * geo.MercatorHalf / math.Exp2(float64(z)) / core.TileExtent
	return (high[0]-low[0])/unit < pixel && (high[1]-low[1])/unit < pixel
}

// slight reports whether what is drawn is at most two units thick: what of a shape reaches into the
// tile, or all of a sliver.
func slight(g orb.Geometry) bool {
	b := g.Bound()
	return planar.Area(g) <= 2*planar.Length(g) || b.Max[0]-b.Min[0] <= 2 || b.Max[1]-b.Min[1] <= 2
}

// onEdge reports whether a point stands on the very edge of the buffer, where the reference puts those
// that lie up to half a unit outside.
func onEdge(g orb.Geometry) bool {
	const low, high = -64, core.TileExtent + 64
	p, ok := g.(orb.Point)
	return ok && (p[0] == low || p[0] == high || p[1] == low || p[1] == high)
}

// apart is how far the vertices of one line are from the other line, and the other way round, at most;
// where it is cut at the end of the buffer, rounding moves the end along it.
func apart(a, b orb.Geometry) float64 {
	far := 0.0
	for _, pair := range [][2]orb.Geometry{{a, b}, {b, a}} {
		for _, line := range lines(pair[0]) {
			for _, p := range line {
				if min(p[0], p[1]) < -64+pixel || max(p[0], p[1]) > core.TileExtent+64-pixel {
					continue
				}
				far = max(far, planar.DistanceFrom(pair[1], p))
			}
		}
	}
	return far
}

func lines(g orb.Geometry) orb.MultiLineString {
	if l, ok := g.(orb.LineString); ok {
		return orb.MultiLineString{l}
	}
	return g.(orb.MultiLineString)
}

// sorted puts points in an order: those of a multi-point have none.
func sorted(g orb.Geometry) orb.Geometry {
	m, ok := g.(orb.MultiPoint)
	if !ok {
		return g
	}
	m = slices.Clone(m)
	slices.SortFunc(m, func(a, b orb.Point) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	return slices.Compact(m)
}

// same compares a feature of both tiles. The reference leaves out vertices of a line that lie within a
// unit of it, whatever it is told.
func (c *comparison) same(a tiles.Address, got, want *geojson.Feature) {
	c.t.Helper()
	if d := gocmp.Diff(want.Properties, got.Properties); d != "" {
		c.t.Errorf("%v: attributes of %d (-reference +engine):\n%s", a, idOf(want), d)
	}
	switch want.Geometry.(type) {
	case orb.Point, orb.MultiPoint:
		if !reflect.DeepEqual(sorted(want.Geometry), sorted(got.Geometry)) {
			c.t.Errorf("%v: %d is at %v, want %v", a, idOf(want), got.Geometry, want.Geometry)
		}
	case orb.LineString, orb.MultiLineString:
		if d := apart(got.Geometry, want.Geometry); d > 1.5 {
			c.t.Errorf("%v: %d, %v, is %.1f units beside the reference's line", a, idOf(want), want.Properties["name_zh"], d)
		}
		if x, y := planar.Length(got.Geometry), planar.Length(want.Geometry); x < y-4 || a.Z >= 9 && x > y*1.001+4 {
			c.t.Errorf("%v: %d, %v, is %.1f units long, want %.1f", a, idOf(want), want.Properties["name_zh"], x, y)
		}
	default:
		x, y := math.Abs(planar.Area(got.Geometry)), math.Abs(planar.Area(want.Geometry))
		may := max(y/1000, planar.Length(want.Geometry))
		if c.subPixel(a.Z, idOf(want)) {
			return
		}
		c.worst = max(c.worst, math.Abs(x-y)/may)
		if math.Abs(x-y) > may {
			c.t.Errorf("%v: %d, %v, has an area of %.1f, want %.1f ± %.1f", a, idOf(want), want.Properties["name_zh"], x, y, may)
		}
	}
}
