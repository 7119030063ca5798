package memory

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/paulmach/orb"
	"pgregory.net/rapid"

	"onemap/geo"
	"onemap/internal/core"
	"onemap/tiles"
	"onemap/tiles/testset"
)

// corner returns a corner of a tile of zoom 5. The property tests use only a few tiles of zoom 12 around it, so that
// features often share cells and tiles.
func corner() orb.Point {
	at := geo.TileAt(orb.Point{120.5, 37.5}, 5)
	return geo.FromMercator(orb.Point{
		float64(at.X)/32*2*geo.MercatorHalf - geo.MercatorHalf, geo.MercatorHalf - float64(at.Y)/32*2*geo.MercatorHalf,
	})
}

// unitOf returns the size of a tile unit at a zoom, in degrees of longitude.
func unitOf(z int) float64 { return 360 / math.Exp2(float64(z)) / core.TileExtent }

// spot draws a place. Half of the draws are from a small raster, so that several features have the same place.
func spot(t *rapid.T) orb.Point {
	c := corner()
	if rapid.Bool().Draw(t, "raster") {
		step := unitOf(10) * float64(rapid.SampledFrom([]int{1, 40, 700}).Draw(t, "step"))
		return orb.Point{c[0] + step*float64(rapid.IntRange(-3, 3).Draw(t, "i")), c[1] + step*float64(rapid.IntRange(-3, 3).Draw(t, "j"))}
	}
	far := unitOf(10) * 4096
	return orb.Point{c[0] + far*rapid.Float64Range(-1, 1).Draw(t, "dx"), c[1] + far*rapid.Float64Range(-1, 1).Draw(t, "dy")}
}

// ringAt draws a ring around a place, with a size from far below a pixel to many tiles.
func ringAt(t *rapid.T, c orb.Point) orb.Ring {
	n := rapid.IntRange(3, 140).Draw(t, "n")
	radius := unitOf(12) * math.Pow(10, rapid.Float64Range(-2, 4.2).Draw(t, "radius"))
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	r := make(orb.Ring, 0, n+1)
	for i := range n {
		a, far := 2*math.Pi*float64(i)/float64(n), radius*(0.4+0.6*rng.Float64())
		r = append(r, orb.Point{c[0] + far*math.Cos(a), c[1] + far*math.Sin(a)})
	}
	return append(r, r[0])
}

// drawGeometry draws a geometry of any kind. A map cannot show some of them, or only a part.
func drawGeometry(t *rapid.T, deep int) orb.Geometry {
	switch what := rapid.IntRange(0, 13).Draw(t, "what"); {
	case what < 5 || deep == 0:
		return spot(t)
	case what < 7:
		return orb.Polygon{ringAt(t, spot(t))}
	case what == 7:
		return orb.LineString(ringAt(t, spot(t)))
	case what == 8:
		return orb.MultiPoint(ringAt(t, spot(t)))
	case what == 9:
		return orb.MultiLineString{orb.LineString(ringAt(t, spot(t))), orb.LineString(ringAt(t, spot(t)))}
	case what == 10:
		c := spot(t)
		return orb.MultiPolygon{{ringAt(t, c), ringAt(t, c)}, {ringAt(t, spot(t))}}
	case what == 11:
		return rapid.SampledFrom([]orb.Geometry{
			orb.Point{120, 90}, orb.Point{math.NaN(), 1}, orb.LineString{{1, 1}, {1, 1}}, orb.Collection{}, orb.MultiPoint{},
			orb.Polygon{{{120, 80}, {121, 80}, {121, 89}, {120, 89}, {120, 80}}}, orb.Collection{orb.Point{0, 90}, orb.Point{1, 1}}, nil,
		}).Draw(t, "odd")
	default:
		c := orb.Collection{}
		for range rapid.IntRange(1, 4).Draw(t, "members") {
			c = append(c, drawGeometry(t, deep-1))
		}
		return c
	}
}

func divisionCodes() []string { return []string{"", "3706", "370602", "370602001", "370614", "1101"} }

// drawFeature draws a feature with the fields of spec. Its id is one of a few, so that features replace each other.
func drawFeature(t *rapid.T) *tiles.Feature {
	f := &tiles.Feature{
		ID: rapid.Int64Range(0, 40).Draw(t, "id"), Geometry: drawGeometry(t, 2),
		Division: rapid.SampledFrom(divisionCodes()).Draw(t, "division"), Origin: core.OriginSynthetic,
		Level: rapid.SampledFrom([]core.Level{0, 1, 2, 3, 4}).Draw(t, "level"), Severity: rapid.SampledFrom([]core.Level{0, 1, 2, 3, 4}).Draw(t, "severity"),
	}
	if f.Geometry == nil {
		f.Problem = "it is a curve"
	}
	word := func(what string) []byte {
		return rapid.SampledFrom([][]byte{nil, nil, []byte("a"), []byte("b"), []byte(fmt.Sprint(what, f.ID)), []byte("罐")}).Draw(t, what)
	}
	f.NameZH, f.NameEN = word("zh"), word("en")
	f.Values = [][]byte{word("kind"), rapid.SampledFrom([][]byte{nil, []byte("0"), []byte("-7"), []byte("2"), []byte("12.5"), []byte("1e400")}).Draw(t, "stock")}
	return f
}

// crowd draws many features at once: points at a few places, or small polygons, with consecutive ids.
func crowd(t *rapid.T) []*tiles.Feature {
	n, first := rapid.IntRange(1, 900).Draw(t, "crowd"), 1000+rapid.Int64Range(0, 900).Draw(t, "first")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	areas, c := rapid.IntRange(0, 3).Draw(t, "areas") == 0, corner()
	spread := unitOf(10) * rapid.SampledFrom([]float64{0, 3, 200, 4000}).Draw(t, "spread")
	all := make([]*tiles.Feature, n)
	for i := range all {
		at := orb.Point{c[0] + spread*(rng.Float64()*2-1), c[1] + spread*(rng.Float64()*2-1)}
		f := testset.Feature{
			Name: "演示 " + strconv.Itoa(rng.IntN(2000)), Level: core.Level(rng.IntN(5)), Kind: "kind-" + strconv.Itoa(rng.IntN(4)),
			Stock: float64(rng.IntN(50)) / 2, Division: divisionCodes()[rng.IntN(6)], Geometry: at,
		}
		if areas {
			side := unitOf(10) * 12 * rng.Float64()
			f.Geometry = orb.Bound{Min: at, Max: orb.Point{at[0] + side, at[1] + side}}.ToPolygon()
		}
		all[i] = stored(first+int64(i), &f)
	}
	return all
}

// drawRules draws the tile rules of the layer.
func drawRules(t *rapid.T) core.TileRules {
	var r core.TileRules
	number := func(what string, of ...int) int { return rapid.SampledFrom(of).Draw(t, what) }
	if rapid.Bool().Draw(t, "simplify?") {
		v := float64(number("simplify", 0, 1, 16))
		r.Simplify = &v
	}
	if rapid.Bool().Draw(t, "thin?") {
		r.Thin = &core.TileGrid{Cell: number("thin", 0, 1, 16, 256, 4096), ToZoom: number("to", 9, 14, 22)}
	}
	if rapid.IntRange(0, 2).Draw(t, "cluster?") == 0 {
		r.Cluster = &core.TileGrid{Cell: number("cluster", 64, 512, 4096), ToZoom: number("to", 9, 14)}
	}
	if rapid.Bool().Draw(t, "buffer?") {
		v := number("buffer", 0, 8, 1024)
		r.Buffer = &v
	}
	return r
}

// drawQuery draws a query for a tile near the corner, or for any place where a feature may be.
func drawQuery(t *rapid.T, rules core.TileRules) Query {
	z := rapid.SampledFrom([]uint32{0, 3, 5, 8, 9, 10, 11, 12, 14, 16, 20, 22}).Draw(t, "z")
	at := geo.TileAt(spot(t), z)
	side := int64(1) << z
	return Query{
		Z:      z,
		X:      uint32(min(max(int64(at.X)+rapid.Int64Range(-1, 1).Draw(t, "x"), 0), side-1)),
		Y:      uint32(min(max(int64(at.Y)+rapid.Int64Range(-1, 1).Draw(t, "y"), 0), side-1)),
		Labels: rapid.IntRange(0, 3).Draw(t, "labels") == 0,
		Scope:  rapid.SampledFrom([]string{"3706", "370602", "370614", "370602001", "99", ""}).Draw(t, "scope"),
		Judged: rapid.Bool().Draw(t, "judged"),
		Rules:  rules, MaxZoom: 14,
		Budget: rapid.SampledFrom([]int{0, 0, 200, 3000, 40_000}).Draw(t, "budget"),
	}
}
