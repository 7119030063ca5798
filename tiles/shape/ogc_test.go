package shape

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"
	"pgregory.net/rapid"

	"onemap/data"
	"onemap/demo/city"
	"onemap/internal/app/stores/storetest"
	"onemap/tiles/testset"
)

// oracle asks PostGIS whether geometries are valid by OGC Simple Features.
type oracle struct {
	t    testing.TB
	conn *pgx.Conn
	wkbs [][]byte
	of   []string

	asked, invalid int
}

func newOracle(t testing.TB) *oracle {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), storetest.NewURL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return &oracle{t: t, conn: conn}
}

// add decodes the drawn commands with an independent decoder and keeps the result for the next check.
func (o *oracle) add(commands []byte, of string) {
	o.t.Helper()
	b, err := wkb.Marshal(independently(o.t, Polygon, commands))
	if err != nil {
		o.t.Fatal(err)
	}
	o.wkbs, o.of = append(o.wkbs, b), append(o.of, of)
	if len(o.wkbs) >= 2000 {
		o.ask()
	}
}

func (o *oracle) ask() {
	o.t.Helper()
	rows, err := o.conn.Query(o.t.Context(), `
		select n::int, ST_IsValidReason(g) from (select n, ST_GeomFromWKB(w) as g from unnest($1::bytea[]) with ordinality as u(w, n)) p where not ST_IsValid(g)`, o.wkbs)
	if err != nil {
		o.t.Fatal(err)
	}
	var n int
	var why string
	_, err = pgx.ForEachRow(rows, []any{&n, &why}, func() error {
		if o.invalid++; o.invalid <= 20 {
			o.t.Errorf("%s: %s", o.of[n-1], why)
		}
		return nil
	})
	if err != nil {
		o.t.Fatal(err)
	}
	o.asked += len(o.wkbs)
	o.wkbs, o.of = o.wkbs[:0], o.of[:0]
}

// eachPolygon calls a function for the polygons of the base data, of the synthetic city and of the test set of the tile
// engine.
func eachPolygon(t testing.TB, each func(name string, g orb.Geometry)) {
	t.Helper()
	dir := filepath.Join("..", "..", "data", "base")
	layers, err := data.BaseLayers(dir)
	if err != nil {
		t.Fatal(err)
	}
	synthetic, err := city.New(1, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range append(layers, synthetic.Layers...) {
		r, err := l.Open()
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; ; i++ {
			record, refusal, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || refusal != nil {
				t.Fatalf("%s: %v, %v", l.Name, err, refusal)
			}
			each(fmt.Sprintf("%s %d", l.Name, i), record.Feature.Geometry)
		}
	}
	err = testset.Polygons(1, 300, func(f *testset.Feature) error {
		each("test set "+f.Key, f.Geometry)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTilePolygonsAreValid cuts the polygons at every zoom, with the tolerance of the engine and with that of a tile
// that is too large, and checks that every polygon of a tile is valid.
func TestTilePolygonsAreValid(t *testing.T) {
	o := newOracle(t)
	var c Cutter
	rng := rand.New(rand.NewPCG(3, 3))
	eachPolygon(t, func(name string, g orb.Geometry) {
		shapes, _ := New(g, nil)
		for i := range shapes {
			if s := &shapes[i]; s.Kind == Polygon {
				for z := range uint32(15) {
					for _, at := range someTiles(s, z, rng) {
						for _, tolerance := range []float64{4, 0, 32} {
							v := View{Z: z, X: at[0], Y: at[1], Buffer: 64, Tolerance: tolerance}
							if commands := c.Commands(nil, s, &v); len(commands) > 0 {
								o.add(commands, fmt.Sprintf("%s %+v", name, v))
							}
						}
					}
				}
			}
		}
	})
	o.ask()
	t.Logf("%d of %d polygons of tiles are not valid", o.invalid, o.asked)
	if o.asked < 10_000 {
		t.Errorf("only %d polygons were drawn", o.asked)
	}
}

// someTiles returns all tiles of a zoom that the shape touches. If there are many, it returns the tiles of some of its
// vertices.
func someTiles(s *Shape, z uint32, rng *rand.Rand) [][2]uint32 {
	if tiles := tilesOf(s.Box, z, 12); tiles != nil {
		return tiles
	}
	seen := map[[2]uint32]bool{}
	var tiles [][2]uint32
	for range 12 {
		p := s.vertices()[rng.IntN(int(s.count))]
		if at := [2]uint32{p.x >> (32 - z), p.y >> (32 - z)}; !seen[at] {
			seen[at] = true
			tiles = append(tiles, at)
		}
	}
	return tiles
}

// awkward draws polygons that become invalid by rounding and simplification: spikes, narrow necks, thin walls, holes
// that touch the exterior, islands in holes, and neighbours that share a border.
func awkward(t *rapid.T) orb.Geometry {
	centre := orb.Point{rapid.Float64Range(-150, 150).Draw(t, "lon"), rapid.Float64Range(-70, 70).Draw(t, "lat")}
	radius := math.Pow(10, rapid.Float64Range(-4, 0).Draw(t, "size"))
	at := func(x, y float64) orb.Point { return orb.Point{centre[0] + x*radius, centre[1] + y*radius} }
	box := func(x0, y0, x1, y1 float64) orb.Ring {
		return orb.Ring{at(x0, y0), at(x1, y0), at(x1, y1), at(x0, y1), at(x0, y0)}
	}
	thin := math.Pow(10, rapid.Float64Range(-5, -0.7).Draw(t, "thin"))
	switch rapid.IntRange(0, 7).Draw(t, "kind") {
	case 0: // a spike
		return orb.Polygon{{at(-1, -1), at(1, -1), at(thin, 0), at(0, 5), at(-thin, 0), at(-1, -1)}}
	case 1: // a narrow neck
		return orb.Polygon{{at(-1, -1), at(0, -thin), at(1, -1), at(1, 1), at(0, thin), at(-1, 1), at(-1, -1)}}
	case 2: // a thin wall, with an island in its hole
		hole := box(-1+thin, -1+thin, 1-thin, 1-thin)
		hole.Reverse()
		return orb.MultiPolygon{{box(-1, -1, 1, 1), hole}, {box(-1+2*thin, -1+2*thin, 0, 0)}, {starRing(t, at(0.5, 0.5), radius*(0.5-thin), 60)}}
	case 3: // a hole that touches the exterior, and another one that
		return orb.Polygon{box(-1, -1, 1, 1), {at(-1, 0), at(0, thin), at(0.2, -0.3), at(-1, 0)}, {at(0, thin), at(1, 0.5), at(0, 0.5), at(0, thin)}}
	case 4: // neighbours
		var m orb.MultiPolygon
		for i := range 5 {
			x := float64(i) - 2
			m = append(m, orb.Polygon{box(x*(1+thin), -1, x*(1+thin)+1, 1)})
		}
		return m
	case 5: // a comb: what is cut at a view's side has many teeth
		r := orb.Ring{at(-2, -1)}
		for i := range 20 {
			x := -2 + float64(i)*0.2
			r = append(r, at(x, 1+thin*float64(i%3)), at(x+0.1, -0.9+thin*float64(i%2)))
		}
		return orb.Polygon{append(r, at(2, -1), at(-2, -1))}
	case 6: // a spiral corridor
		var r orb.Ring
		for i := range 60 {
			r = append(r, at(float64(i)/60*math.Cos(float64(i)/4), float64(i)/60*math.Sin(float64(i)/4)))
		}
		for i := range 60 {
			f := float64(59-i)/60 + thin
			r = append(r, at(f*math.Cos(float64(59-i)/4), f*math.Sin(float64(59-i)/4)))
		}
		return orb.Polygon{append(r, r[0])}
	default: // islands, some of them tiny, some on each other
		var m orb.MultiPolygon
		for range rapid.IntRange(2, 40).Draw(t, "islands") {
			c := at(rapid.Float64Range(-1, 1).Draw(t, "x"), rapid.Float64Range(-1, 1).Draw(t, "y"))
			m = append(m, orb.Polygon{starRing(t, c, radius*thin*rapid.Float64Range(0, 3).Draw(t, "r"), 12)})
		}
		return m
	}
}

// TestAnyPolygonIsDrawnValid checks that PostGIS finds the output valid for any polygon in any view.
func TestAnyPolygonIsDrawnValid(t *testing.T) {
	o := newOracle(t)
	var c Cutter
	rapid.Check(t, func(rt *rapid.T) {
		g := rapid.OneOf(rapid.Custom(anyArea), rapid.Custom(awkward), rapid.Custom(func(t *rapid.T) orb.Geometry { return simple(t, 300) })).Draw(rt, "g")
		shapes, _ := New(g, nil)
		for i := range shapes {
			s := &shapes[i]
			for range 6 {
				v := viewOf(rt, s, 22)
				if commands := c.Commands(nil, s, &v); len(commands) > 0 {
					o.add(commands, fmt.Sprintf("%v %+v", g, v))
				}
			}
		}
		o.ask()
		if o.invalid > 0 {
			rt.Fatalf("%v", g)
		}
	})
	if o.asked < 200 {
		t.Errorf("only %d polygons were drawn", o.asked)
	}
}
