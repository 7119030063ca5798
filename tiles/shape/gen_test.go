package shape

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/paulmach/orb"
	"pgregory.net/rapid"

	"onemap/geo"
)

// place draws the place of a geometry: anywhere, and often at the edges of the map.
func place(t *rapid.T) orb.Point {
	lon := rapid.OneOf(rapid.Float64Range(-180, 180), rapid.SampledFrom([]float64{-180, 180, 0, 120.5}))
	lat := rapid.OneOf(rapid.Float64Range(-90, 90), rapid.SampledFrom([]float64{-geo.MaxMercatorLat, geo.MaxMercatorLat, 0, 90, 37.5}))
	return orb.Point{lon.Draw(t, "lon"), lat.Draw(t, "lat")}
}

// size draws a radius in degrees, from centimetres to the globe.
func size(t *rapid.T) float64 { return math.Pow(10, rapid.Float64Range(-7, 2.2).Draw(t, "size")) }

// starRing draws a ring that does not cross itself, because its vertices are in order around the centre.
func starRing(t *rapid.T, centre orb.Point, radius float64, most int) orb.Ring {
	n := rapid.IntRange(3, most).Draw(t, "n")
	spike := rapid.Float64Range(0, 0.95).Draw(t, "spike")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	r := make(orb.Ring, 0, n+1)
	for i := range n {
		angle := 2 * math.Pi * float64(i) / float64(n)
		far := radius * (1 - spike*rng.Float64())
		r = append(r, orb.Point{centre[0] + far*math.Cos(angle), centre[1] + far*math.Sin(angle)})
	}
	return append(r, r[0])
}

// wildRing draws a ring of any form: a walk that crosses itself, points of a coarse raster that repeat and are in rows,
// or a sliver.
func wildRing(t *rapid.T, centre orb.Point, radius float64) orb.Ring {
	n := rapid.IntRange(0, 40).Draw(t, "n")
	raster := float64(rapid.IntRange(1, 5).Draw(t, "raster"))
	flat := rapid.SampledFrom([]float64{1, 1, 1e-2, 1e-4}).Draw(t, "flat")
	lean := rapid.SampledFrom([]float64{0, 1, 0.3}).Draw(t, "lean")
	coarse := rapid.Bool().Draw(t, "coarse")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	var r orb.Ring
	for range n {
		x, y := rng.Float64()*2-1, rng.Float64()*2-1
		if coarse {
			x, y = math.Round(x*raster)/raster, math.Round(y*raster)/raster
		}
		r = append(r, orb.Point{centre[0] + x*radius, centre[1] + (y*flat+x*lean)*radius})
	}
	if len(r) > 0 && rapid.Bool().Draw(t, "close") {
		r = append(r, r[0])
	}
	return r
}

func anyPolygon(t *rapid.T) orb.Polygon {
	centre, radius := place(t), size(t)
	ring := func() orb.Ring {
		if rapid.Bool().Draw(t, "star") {
			return starRing(t, centre, radius, 300)
		}
		return wildRing(t, centre, radius)
	}
	p := orb.Polygon{ring()}
	for range rapid.IntRange(0, 2).Draw(t, "holes") {
		radius *= rapid.Float64Range(0.3, 1.1).Draw(t, "shrink")
		p = append(p, ring())
	}
	return p
}

func anyArea(t *rapid.T) orb.Geometry {
	switch rapid.IntRange(0, 5).Draw(t, "area") {
	case 0:
		var m orb.MultiPolygon
		for range rapid.IntRange(1, 4).Draw(t, "polygons") {
			m = append(m, anyPolygon(t))
		}
		return m
	case 1: // neighbours, so that one view sees several
		centre, radius := place(t), size(t)
		var m orb.MultiPolygon
		for i := range rapid.IntRange(2, 30).Draw(t, "polygons") {
			c := orb.Point{centre[0] + radius*float64(i%5), centre[1] + radius*float64(i/5)}
			m = append(m, orb.Polygon{starRing(t, c, radius*rapid.Float64Range(0.001, 0.6).Draw(t, "part"), 20)})
		}
		return m
	default:
		return anyPolygon(t)
	}
}

func anyLine(t *rapid.T) orb.Geometry {
	centre, radius := place(t), size(t)
	var m orb.MultiLineString
	for range rapid.IntRange(1, 3).Draw(t, "lines") {
		var l orb.LineString
		if rapid.Bool().Draw(t, "long") {
			l = orb.LineString(starRing(t, centre, radius, 400))
		} else {
			l = orb.LineString(wildRing(t, centre, radius))
		}
		m = append(m, l)
	}
	if len(m) == 1 {
		return m[0]
	}
	return m
}

func anyPoints(t *rapid.T) orb.Geometry {
	if rapid.Bool().Draw(t, "single") {
		return place(t)
	}
	return orb.MultiPoint(wildRing(t, place(t), size(t)*float64(rapid.IntRange(0, 1).Draw(t, "spread"))))
}

func anything(t *rapid.T) orb.Geometry {
	switch rapid.IntRange(0, 9).Draw(t, "what") {
	case 0:
		return anyPoints(t)
	case 1, 2, 3:
		return anyLine(t)
	case 4:
		return orb.Collection{anyPoints(t), orb.Collection{anyLine(t), anyArea(t)}, anyArea(t)}
	default:
		return anyArea(t)
	}
}

// viewOf draws a view near a vertex of the shape, at any zoom.
func viewOf(t *rapid.T, s *Shape, deepest uint32) View {
	z := rapid.Uint32Range(0, deepest).Draw(t, "z")
	at := pair{s.Box.X0, s.Box.Y0}
	if s.count > 1 {
		at = s.vertices()[rapid.Uint32Range(0, s.count-1).Draw(t, "vertex")]
	}
	if rapid.Bool().Draw(t, "inside") { // of the box
		at.x = uint32((uint64(s.Box.X0) + uint64(s.Box.X1)) / 2)
	}
	step := func(v uint32) uint32 {
		tile := int64(v>>(32-z)) + rapid.Int64Range(-1, 1).Draw(t, "step")
		return uint32(min(max(tile, 0), 1<<z-1))
	}
	if z == 0 {
		step = func(uint32) uint32 { return 0 }
	}
	return View{
		Z: z, X: step(at.x), Y: step(at.y),
		Buffer:    rapid.SampledFrom([]int{0, 1, 64, 64, 1024}).Draw(t, "buffer"),
		Tolerance: rapid.SampledFrom([]float64{0, 0.5, 4, 4, 256}).Draw(t, "tolerance"),
	}
}

// tilesOf lists the tiles of a zoom that the box touches. It returns nil if there are more than most.
func tilesOf(b Box, z uint32, most uint64) [][2]uint32 {
	shift := 32 - z
	x0, x1 := uint64(b.X0)>>shift, uint64(b.X1)>>shift
	y0, y1 := uint64(b.Y0)>>shift, uint64(b.Y1)>>shift
	if (x1-x0+1)*(y1-y0+1) > most {
		return nil
	}
	var tiles [][2]uint32
	for x := x0; x <= x1; x++ {
		for y := y0; y <= y1; y++ {
			tiles = append(tiles, [2]uint32{uint32(x), uint32(y)})
		}
	}
	return tiles
}

// cut returns the decoded commands of a new Cutter.
func cut(t *rapid.T, s *Shape, v View) drawn {
	d, err := read(new(Cutter).Commands(nil, s, &v))
	if err != nil {
		t.Fatalf("%+v: %v", v, err)
	}
	return d
}

// exactly returns the place of a vertex in a view, in tile units, not rounded.
func exactly(p pair, v View) (x, y float64) {
	side := math.Exp2(float64(12+v.Z) - 32)
	return float64(edge(p.x))*side - float64(v.X)*4096, float64(edge(p.y))*side - float64(v.Y)*4096
}

func toSegment(x, y, ax, ay, bx, by float64) float64 {
	dx, dy := bx-ax, by-ay
	t := 0.0
	if l := dx*dx + dy*dy; l > 0 {
		t = min(max(((x-ax)*dx+(y-ay)*dy)/l, 0), 1)
	}
	return math.Hypot(x-ax-t*dx, y-ay-t*dy)
}

// one returns the only shape of a geometry. It skips the test if the geometry has no shape.
func one(t *rapid.T, g orb.Geometry) *Shape {
	shapes, _ := New(g, nil)
	if len(shapes) != 1 {
		t.Skip("nothing to draw")
	}
	return &slices.Clone(shapes)[0]
}
