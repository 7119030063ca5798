package shape

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/paulmach/orb"
	"pgregory.net/rapid"

	"onemap/geo"
)

// coast returns a ring of n vertices around a centre, with bays.
func coast(seed uint64, n int, centre orb.Point, radius float64) orb.Polygon {
	rng := rand.New(rand.NewPCG(seed, 1))
	r := make(orb.Ring, 0, n+1)
	far := 0.6
	for i := range n {
		far = min(max(far+(rng.Float64()-0.5)*0.05, 0.2), 1)
		angle := 2 * math.Pi * float64(i) / float64(n)
		r = append(r, orb.Point{centre[0] + radius*far*math.Cos(angle), centre[1] + radius*far*math.Sin(angle)})
	}
	return orb.Polygon{append(r, r[0])}
}

func TestProjectRoundsOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		lon := rapid.Float64Range(-180, 180).Draw(rt, "lon")
		fraction := (lon + 180) / 360
		x, _ := Project(orb.Point{lon, 0})
		for z := uint32(0); z <= 18; z++ {
			units := math.Ldexp(fraction, int(12+z)) // exact
			want := math.Floor(units)
			if units-want >= 0.5 {
				want++
			}
			var c Cutter
			c.look(View{Z: z})
			if got := c.at(pair{x, 0}).x; float64(got) != want {
				rt.Fatalf("longitude %v at zoom %d is %d, want %v of %v", lon, z, got, want, units)
			}
		}
	})
}

func TestTheEdgesOfTheMap(t *testing.T) {
	for _, p := range []orb.Point{{-180, geo.MaxMercatorLat}, {-200, 90}, {math.Inf(-1), math.Inf(1)}} {
		if x, y := Project(p); x != 0 || y != 0 {
			t.Errorf("%v is at %d, %d; want the corner", p, x, y)
		}
	}
	for _, p := range []orb.Point{{180, -geo.MaxMercatorLat}, {1e308, -90}, {math.Inf(1), math.Inf(-1)}} {
		x, y := Project(p)
		if x != worldMax || y != worldMax {
			t.Errorf("%v is at %d, %d; want the last", p, x, y)
		}
		for z := range uint32(23) {
			var c Cutter
			last := uint32(1)<<z - 1
			c.look(View{Z: z, X: last, Y: last})
			if got := c.at(pair{x, y}); got != (point{4096, 4096}) {
				t.Errorf("zoom %d: the edge is at %v", z, got)
			}
		}
	}
	if x, y := Project(orb.Point{0, 0}); x != 1<<31 || y != 1<<31 {
		t.Errorf("the middle is at %d, %d", x, y)
	}
	for p, want := range map[orb.Point]bool{
		{180, geo.MaxMercatorLat}: true, {0, 85.06}: false, {180.001, 0}: false, {0, math.NaN()}: false, {math.Inf(1), 0}: false,
	} {
		if OnMap(p) != want {
			t.Errorf("OnMap(%v) = %v", p, !want)
		}
	}
}

func TestViewBox(t *testing.T) {
	for v, want := range map[View]Box{
		{}:                                      {0, 0, worldMax, worldMax},
		{Z: 1, X: 1, Y: 0, Buffer: 4096}:        {0, 0, worldMax, worldMax},
		{Z: 1, X: 1, Y: 1}:                      {1 << 31, 1 << 31, worldMax, worldMax},
		{Z: 2, X: 1, Y: 2, Buffer: 64}:          {1<<30 - 1<<24, 1<<31 - 1<<24, 1<<31 + 1<<24, 3<<30 + 1<<24},
		{Z: 20, X: 5, Y: 7, Buffer: 1}:          {5*4096 - 1, 7*4096 - 1, 6*4096 + 1, 8*4096 + 1},
		{Z: 22, X: 5, Y: 7, Buffer: 1}:          {5*1024 - 1, 7*1024 - 1, 6*1024 + 1, 8*1024 + 1},
		{Z: 22, X: 1<<22 - 1, Y: 0, Buffer: -5}: {worldMax - 1023, 0, worldMax, 1024},
	} {
		if got := v.Box(); got != want {
			t.Errorf("%+v has the box %+v, want %+v", v, got, want)
		}
	}
}

func TestNewSaysWhatIsNotDrawn(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	square := orb.Ring{{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}}
	for name, c := range map[string]struct {
		g     orb.Geometry
		kinds []Kind
		note  string // a part of it
	}{
		"nil":                      {nil, nil, "nothing"},
		"empty polygon":            {orb.Polygon{}, nil, "nothing"},
		"nil ring":                 {orb.Polygon{nil}, nil, "nothing"},
		"empty bound":              {orb.Bound{Min: orb.Point{1, 1}, Max: orb.Point{0, 0}}, nil, "nothing"},
		"square":                   {orb.Polygon{square}, []Kind{Polygon}, ""},
		"ring":                     {square, []Kind{Polygon}, ""},
		"bound":                    {orb.Bound{Max: orb.Point{1, 1}}, []Kind{Polygon}, ""},
		"open ring":                {orb.Polygon{square[:4]}, []Kind{Polygon}, ""},
		"point":                    {orb.Point{120, 37}, []Kind{Point}, ""},
		"NaN point":                {orb.Point{nan, 37}, nil, "no degrees"},
		"polar point":              {orb.Point{0, 89}, nil, "latitude 85.05"},
		"point beyond 180":         {orb.MultiPoint{{181, 0}, {0, 0}}, []Kind{Point}, "longitude 180"},
		"NaN in a ring":            {orb.Polygon{append(orb.Ring{{nan, 0}, {0, inf}, {1e308, 0}}, square...)}, []Kind{Polygon}, "no degrees"},
		"all NaN":                  {orb.Polygon{{{nan, 0}, {nan, 1}, {nan, nan}}}, nil, "no degrees"},
		"polygon over the pole":    {orb.Polygon{{{0, 80}, {10, 80}, {10, 90}, {0, 90}}}, []Kind{Polygon}, "beyond latitude"},
		"polygon over the date":    {orb.Polygon{{{170, 0}, {190, 0}, {190, 10}, {170, 10}, {170, 0}}}, []Kind{Polygon}, "beyond longitude"},
		"polygon at the pole":      {orb.Polygon{{{0, 86}, {10, 86}, {10, 90}}}, nil, "beyond latitude"},
		"line over both":           {orb.LineString{{170, 80}, {190, 90}}, []Kind{Line}, "beyond longitude"},
		"line of one point":        {orb.LineString{{1, 1}, {1, 1}}, nil, "two different"},
		"ring of two points":       {orb.Polygon{{{0, 0}, {1, 1}, {0, 0}}}, nil, "three different"},
		"flat ring":                {orb.Polygon{{{0, 0}, {1, 0}, {2, 0}, {0, 0}}}, nil, "without an area"},
		"flat hole":                {orb.Polygon{square, {{0, 0}, {1, 0}, {0.5, 0}}}, []Kind{Polygon}, "without an area"},
		"holes of nothing":         {orb.Polygon{{}, square}, nil, "nothing"},
		"collection":               {orb.Collection{square, orb.LineString{{0, 0}, {1, 1}}, orb.Collection{orb.Point{1, 1}, nil}, orb.Polygon{square}}, []Kind{Point, Line, Polygon}, ""},
		"collection with a bad":    {orb.Collection{orb.Point{0, 90}, orb.Point{1, 1}}, []Kind{Point}, "latitude"},
		"the world":                {orb.Bound{Min: orb.Point{-180, -90}, Max: orb.Point{180, 90}}, []Kind{Polygon}, "beyond latitude"},
		"far beyond":               {orb.Polygon{{{-1e5, -1e5}, {1e5, -1e5}, {1e5, 1e5}, {-1e5, 1e5}}}, []Kind{Polygon}, "beyond longitude"},
		"a line through NaN":       {orb.LineString{{0, 0}, {nan, nan}, {1, 1}}, []Kind{Line}, "no degrees"},
		"lines, one of them empty": {orb.MultiLineString{{}, {{0, 0}, {1, 1}}}, []Kind{Line}, ""},
	} {
		shapes, note := New(c.g, nil)
		var kinds []Kind
		for i := range shapes {
			kinds = append(kinds, shapes[i].Kind)
		}
		if !slices.Equal(kinds, c.kinds) || !strings.Contains(note, c.note) || (c.note == "") != (note == "") {
			t.Errorf("%s: kinds %v, note %q; want %v, %q", name, kinds, note, c.kinds, c.note)
		}
	}
	for _, g := range orb.AllGeometries {
		if shapes, note := New(g, nil); len(shapes) == 0 && note == "" {
			t.Errorf("%T: nothing, and nothing said", g)
		}
	}
}

func TestNewLeavesTheGeometryAsItWas(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := anything(rt)
		before := fmt.Sprint(g)
		New(g, nil)
		if after := fmt.Sprint(g); before != after {
			rt.Fatalf("%s became %s", before, after)
		}
	})
}

func TestARingIsTheSameWhereverItBegins(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ring := simple(rt, 100)[0]
		ring = ring[:len(ring)-1]
		k := rapid.IntRange(0, len(ring)-1).Draw(rt, "first")
		turned := append(slices.Clone(ring[k:]), ring[:k]...)
		if rapid.Bool().Draw(rt, "backwards") {
			slices.Reverse(turned)
		}
		a, b := one(rt, ring), one(rt, turned)
		if !slices.Equal(a.vertices(), b.vertices()) {
			rt.Fatalf("%v from %d on is another shape", ring, k)
		}
	})
}

func TestTheViewInAPolygonIsABox(t *testing.T) {
	s, _ := New(coast(3, 5000, orb.Point{120.5, 37.3}, 2), nil)
	v := View{Z: 14, X: 13676, Y: 6353, Buffer: 64, Tolerance: 4}
	d, err := read(new(Cutter).Commands(nil, &s[0], &v))
	if err != nil || len(d.paths) != 1 || len(d.paths[0]) != 4 || d.area() != 4224*4224 {
		t.Errorf("it is %v, %v", d, err)
	}
	ring := orb.Polygon{{{100, 20}, {140, 20}, {140, 50}, {100, 50}}, {{110, 30}, {110, 40}, {130, 40}, {130, 30}}}
	s, _ = New(ring, nil)
	if got := new(Cutter).Commands(nil, &s[0], &v); len(got) != 0 {
		t.Errorf("a view in a hole has %v", got)
	}
}

func TestSmallOnesStayVisible(t *testing.T) {
	var c Cutter
	for name, g := range map[string]orb.Geometry{
		"polygon": orb.Polygon{{{120.1, 37.1}, {120.1001, 37.1}, {120.1, 37.1001}}},
		"line":    orb.LineString{{120.1, 37.1}, {120.1001, 37.1}, {120.1, 37.1}},
	} {
		shapes, _ := New(g, nil)
		for z := range uint32(12) {
			if !shapes[0].Small(z) {
				t.Fatalf("%s: not small at zoom %d", name, z)
			}
			at := geo.TileAt(orb.Point{120.1, 37.1}, z)
			d, err := read(c.Commands(nil, &shapes[0], &View{Z: z, X: at.X, Y: at.Y, Tolerance: 4}))
			if err != nil || len(d.paths) != 1 || len(d.paths[0]) < 2 {
				t.Errorf("%s: zoom %d has %v, %v", name, z, d, err)
			}
		}
		if shapes[0].Small(20) {
			t.Errorf("%s: small at zoom 20", name)
		}
	}
}

func TestViewsOfNoTileAreEmpty(t *testing.T) {
	s, _ := New(orb.Bound{Min: orb.Point{-180, -80}, Max: orb.Point{180, 80}}, nil)
	var c Cutter
	for _, v := range []View{{Z: 1, X: 2}, {Z: 1, Y: 2}, {Z: 31}, {Z: math.MaxUint32}, {X: 1}} {
		v.Box()
		if got := c.Commands(nil, &s[0], &v); got != nil {
			t.Errorf("%+v has %v", v, got)
		}
	}
	if got := c.Commands(nil, &Shape{Kind: Polygon}, &View{}); got != nil {
		t.Errorf("no shape has %v", got)
	}
	v := View{Tolerance: math.NaN()}
	if got := c.Commands(nil, &s[0], &v); len(got) == 0 {
		t.Error("a tolerance that is no number draws nothing")
	}
}

func TestLabelIsInside(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := simple(rt, 60)
		speck := orb.Polygon{{{-179, 0}, {-178.99999, 0}, {-179, 0.00001}}}
		s := one(rt, orb.MultiPolygon{speck, p, speck})
		x, y := s.Label()
		if again := *s; func() bool { u, v := again.Label(); return u != x || v != y }() {
			rt.Fatal("another one the second time")
		}
		large := one(rt, p)
		if doubleArea(large.vertices()[:large.partTable()[0].x]) < 1e5 {
			rt.Skip("no larger than the speck")
		}
		in := false
		for _, r := range large.partTable() {
			from := uint32(0)
			if r.y&partExterior == 0 {
				from = large.partTable()[0].x
			}
			for _, c := range cutAt(nil, large.vertices()[from:r.x], float64(y)+0.5) {
				in = in != (c > float64(x))
			}
		}
		if !in {
			rt.Fatalf("%d, %d is outside", x, y)
		}
	})
	for _, g := range []orb.Geometry{orb.Point{120, 37}, orb.MultiPoint{{120, 37}, {1, 2}}, orb.LineString{{0, 0}, {120, 37}, {121, 37}}} {
		s, _ := New(g, nil)
		wantX, wantY := Project(orb.Point{120, 37})
		if x, y := s[0].Label(); x != wantX || y != wantY {
			t.Errorf("the label of %v is at %d, %d", g, x, y)
		}
	}
	if x, y := new(Shape).Label(); x != 0 || y != 0 {
		t.Error("the label of nothing is somewhere")
	}
}

// TestNoToleranceLeavesLessThanATriangle checks that a large tolerance leaves a triangle of a ring, and not nothing or
// the whole ring.
func TestNoToleranceLeavesLessThanATriangle(t *testing.T) {
	shapes, _ := New(coast(4, 100, orb.Point{120.5, 37.3}, 0.02), nil)
	at := geo.TileAt(orb.Point{120.5, 37.3}, 9)
	v := View{Z: at.Z, X: at.X, Y: at.Y, Buffer: 64, Tolerance: 256}
	d, err := read(new(Cutter).Commands(nil, &shapes[0], &v))
	if err != nil || len(d.paths) != 1 || len(d.paths[0]) != 3 || d.area() < 1000 {
		t.Errorf("it is %v, of %v; %v", d.paths, d.area(), err)
	}
}

// spiral returns a line for which a naive algorithm of Douglas and Peucker needs a quadratic number of steps.
func spiral(n int) (l orb.LineString) {
	for i := range n {
		a, r := float64(i)/12, 3*math.Exp(-3*float64(i)/float64(n))
		l = append(l, orb.Point{120 + r*math.Cos(a), 30 + r*math.Sin(a)})
	}
	return l
}

// saw returns another such line; see spiral.
func saw(n int) (l orb.LineString) {
	for i := range n {
		y := 3 * float64(n-i) / float64(n)
		if i%2 == 1 {
			y = -y
		}
		l = append(l, orb.Point{118 + 4*float64(i)/float64(n), 30 + y})
	}
	return l
}

func TestQuadraticLinesKeepThePromise(t *testing.T) {
	for name, l := range map[string]orb.LineString{"spiral": spiral(4000), "saw": saw(4000)} {
		shapes, _ := New(l, nil)
		s := &shapes[0]
		for _, z := range []uint32{3, 5, 8, 10} {
			at := geo.TileAt(orb.Point{120, 30}, z)
			v := View{Z: z, X: at.X, Y: at.Y, Buffer: maxBuffer, Tolerance: 4}
			d, err := read(new(Cutter).Commands(nil, s, &v))
			if err != nil || len(d.paths) != 1 {
				t.Fatalf("%s, zoom %d: %d paths, %v", name, z, len(d.paths), err)
			}
			for i, p := range s.vertices() {
				x, y := exactly(p, v)
				if far := d.distance(x, y); i%7 == 0 && far > 5 {
					t.Fatalf("%s, zoom %d: vertex %d lies %v away", name, z, i, far)
				}
			}
		}
	}
}

// TestIslandsElsewhereAreSkipped checks that islands outside the view are not drawn and that those in the view are.
func TestIslandsElsewhereAreSkipped(t *testing.T) {
	var islands orb.MultiPolygon
	for i := range 400 {
		islands = append(islands, coast(uint64(i), 20, orb.Point{120 + float64(i%20)*0.05, 37 + float64(i/20)*0.05}, 0.01))
	}
	whole, _ := New(islands, nil)
	for _, i := range []int{0, 19, 210, 399} {
		alone, _ := New(islands[i], nil)
		centre := orb.Point{120 + float64(i%20)*0.05, 37 + float64(i/20)*0.05}
		at := geo.TileAt(centre, 14)
		v := View{Z: 14, X: at.X, Y: at.Y, Buffer: 64, Tolerance: 4}
		got, want := new(Cutter).Commands(nil, &whole[0], &v), new(Cutter).Commands(nil, &alone[0], &v)
		if len(want) == 0 || string(got) != string(want) {
			t.Errorf("island %d of many is %v, alone %v", i, got, want)
		}
	}
}

func TestMemory(t *testing.T) {
	if size := unsafe.Sizeof(Shape{}); size != shapeBytes {
		t.Errorf("a shape is %d bytes, not %d", size, shapeBytes)
	}
	s, _ := New(coast(1, 70, orb.Point{120, 37}, 0.01), nil)
	if per := float64(s[0].Bytes()) / float64(s[0].Vertices()); per > 12 {
		t.Errorf("%v bytes a vertex in a ring of %d", per, s[0].Vertices())
	}
	var b Builder
	g := orb.Geometry(coast(2, 70, orb.Point{120, 37}, 0.01))
	if n := testing.AllocsPerRun(100, func() { New(g, &b) }); n > 2 {
		t.Errorf("%v allocations a polygon", n)
	}
}

func TestCuttingDoesNotAllocate(t *testing.T) {
	long, _ := New(coast(5, 3000, orb.Point{120.5, 37.3}, 0.5), nil)
	line, _ := New(orb.LineString(coast(6, 3000, orb.Point{120.5, 37.3}, 0.5)[0]), nil)
	points, _ := New(orb.MultiPoint(coast(7, 3000, orb.Point{120.5, 37.3}, 0.5)[0]), nil)
	var c Cutter
	dst := make([]byte, 0, 1<<20)
	at := geo.TileAt(orb.Point{120.8, 37.3}, 10)
	for _, s := range []*Shape{&long[0], &line[0], &points[0]} {
		for _, v := range []View{{Z: 3, X: 6, Y: 3, Buffer: 64, Tolerance: 4}, {Z: 10, X: at.X, Y: at.Y, Buffer: 64}} {
			if n := testing.AllocsPerRun(20, func() { dst = c.Commands(dst[:0], s, &v) }); n > 0 {
				t.Errorf("kind %d, %+v: %v allocations", s.Kind, v, n)
			}
			if len(dst) == 0 {
				t.Errorf("kind %d, %+v: nothing was drawn", s.Kind, v)
			}
		}
	}
}
