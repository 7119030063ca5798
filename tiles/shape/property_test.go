package shape

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/clip"
	"github.com/paulmach/orb/planar"
	"pgregory.net/rapid"
)

func TestWhatIsDrawnIsValid(t *testing.T) {
	var b Builder
	var c Cutter
	rapid.Check(t, func(rt *rapid.T) {
		shapes, note := New(anything(rt), &b)
		if len(shapes) == 0 && note == "" {
			rt.Fatal("nothing is drawn, and nothing said")
		}
		for i := range shapes {
			s := &shapes[i]
			for range 4 {
				v := viewOf(rt, s, 22)
				data := c.Commands([]byte("before"), s, &v)
				if string(data[:6]) != "before" {
					rt.Fatal("what stood before is gone")
				}
				data = data[6:]
				if again := new(Cutter).Commands(nil, s, &v); !bytes.Equal(data, again) {
					rt.Fatalf("%+v: a used cutter draws %v, a new one %v", v, data, again)
				}
				d, err := read(data)
				if err == nil {
					err = d.check(s.Kind, v)
				}
				if err != nil {
					rt.Fatalf("%+v of kind %d: %v", v, s.Kind, err)
				}
				if len(data) == 0 {
					continue
				}
				if !s.Box.Overlaps(v.Box()) {
					rt.Fatalf("%+v: something is drawn outside the view's box", v)
				}
				agree(rt, t, s.Kind, d, independently(t, s.Kind, data))
			}
		}
	})
}

// rings counts the rings with a direction: 1 is clockwise, -1 is counter-clockwise.
func (d drawn) rings(way int64) (n int) {
	for _, r := range d.paths {
		if surveyor(r)*way > 0 {
			n++
		}
	}
	return n
}

// agree checks that the strict reader and the independent decoder have the same result.
func agree(rt *rapid.T, t *testing.T, kind Kind, d drawn, g orb.Geometry) {
	t.Helper()
	points, want := 0, 0
	for _, p := range d.paths {
		want += len(p)
	}
	switch g := g.(type) {
	case orb.Point:
		points = 1
	case orb.MultiPoint:
		points = len(g)
	case orb.LineString:
		points = len(g)
	case orb.MultiLineString:
		for _, l := range g {
			points += len(l)
		}
	case orb.Polygon:
		for _, r := range g {
			points += len(r) - 1
		}
	case orb.MultiPolygon:
		for _, p := range g {
			for _, r := range p {
				points += len(r) - 1
			}
		}
		if len(g) != d.rings(1) {
			rt.Fatalf("an independent decoder finds %d polygons, want %d", len(g), d.rings(1))
		}
	}
	if points != want {
		rt.Fatalf("an independent decoder finds %d points in %T of kind %d, want %d", points, g, kind, want)
	}
}

// simple draws a polygon that does not cross itself, inside the map.
func simple(t *rapid.T, most int) orb.Polygon {
	centre := orb.Point{rapid.Float64Range(-150, 150).Draw(t, "lon"), rapid.Float64Range(-70, 70).Draw(t, "lat")}
	radius := math.Pow(10, rapid.Float64Range(-4, 1.1).Draw(t, "size"))
	outer := starRing(t, centre, radius, most)
	if !rapid.Bool().Draw(t, "hole") {
		return orb.Polygon{outer}
	}
	hole := make(orb.Ring, 0, len(outer))
	shrink := rapid.Float64Range(0.1, 0.9).Draw(t, "shrink")
	for _, p := range outer {
		hole = append(hole, orb.Point{centre[0] + (p[0]-centre[0])*shrink, centre[1] + (p[1]-centre[1])*shrink})
	}
	hole.Reverse()
	return orb.Polygon{outer, hole}
}

// exactArea returns the area of a polygon in a view, in square tile units, and the length of the outlines in and near
// the view. It uses an independent clipper on the projected polygon.
func exactArea(p orb.Polygon, v View) (area, around float64) {
	side := math.Exp2(float64(12 + v.Z))
	buffer := float64(v.Buffer)
	bound := orb.Bound{Min: orb.Point{-buffer, -buffer}, Max: orb.Point{4096 + buffer, 4096 + buffer}}
	for i, r := range p {
		flat := make(orb.Ring, 0, len(r))
		for _, q := range r {
			flat = append(flat, orb.Point{
				(q[0]+180)/360*side - float64(v.X)*4096,
				(1-math.Asinh(math.Tan(q[1]*math.Pi/180))/math.Pi)/2*side - float64(v.Y)*4096,
			})
		}
		flat = clip.Ring(bound, flat)
		if len(flat) == 0 {
			continue
		}
		if a := math.Abs(planar.Area(flat)); i == 0 {
			area += a
		} else {
			area -= a
		}
		around += planar.Length(flat)
	}
	return area, around
}

func TestAreasAreThoseOfTheProjectedPolygon(t *testing.T) {
	seen := 0
	rapid.Check(t, func(rt *rapid.T) {
		p := simple(rt, 120)
		s := one(rt, p)
		v := viewOf(rt, s, 18)
		v.Tolerance = 0
		if s.Small(v.Z) {
			rt.Skip("small ones are boxes")
		}
		want, around := exactArea(p, v)
		got := cut(rt, s, v).area()
		if diff := math.Abs(got - want); diff > max(want/1000, around+1) {
			rt.Fatalf("%+v: area %v, want %v within its outline of %v", v, got, want, around)
		}
		if want > 100 {
			seen++
		}
	})
	if seen < 10 {
		t.Fatalf("only %d polygons had an area worth comparing", seen)
	}
}

func TestChildrenCoverWhatTheirParentDoes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := simple(rt, 80)
		s := one(rt, p)
		v := viewOf(rt, s, 16)
		v.Buffer, v.Tolerance = 0, 0
		parent := cut(rt, s, v)
		if s.Small(v.Z) || s.Small(v.Z+1) {
			rt.Skip("small ones are boxes")
		}
		_, around := exactArea(p, v)
		sum := 0.0
		for i := range uint32(4) {
			sum += cut(rt, s, View{Z: v.Z + 1, X: v.X*2 + i&1, Y: v.Y*2 + i>>1}).area() / 4
		}
		if diff := math.Abs(sum - parent.area()); diff > 1.5*around+2 {
			rt.Fatalf("%+v: the parent has %v, its children %v together, with an outline of %v", v, parent.area(), sum, around)
		}
	})
}

// TestNoPolygonVanishes checks that at least one tile shows a polygon, at every zoom at which its box touches few tiles.
func TestNoPolygonVanishes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := one(rt, anyPolygon(rt)[:1]) // a hole may take all of it
		buffer := rapid.SampledFrom([]int{0, 64}).Draw(rt, "buffer")
		tolerance := rapid.SampledFrom([]float64{0, 4, 256}).Draw(rt, "tolerance")
		var c Cutter
		for z := uint32(0); z <= 22; z++ {
			tiles := tilesOf(s.Box, z, 64)
			shown := tiles == nil
			for _, at := range tiles {
				shown = shown || len(c.Commands(nil, s, &View{Z: z, X: at[0], Y: at[1], Buffer: buffer, Tolerance: tolerance})) > 0
			}
			if !shown {
				rt.Fatalf("zoom %d: in none of the tiles %v; box %+v", z, tiles, s.Box)
			}
		}
	})
}

// TestSimplifiedLinesLieNear checks that every vertex of the shape is within the tolerance of the drawn line, and that
// the drawn line has only vertices of the shape.
func TestSimplifiedLinesLieNear(t *testing.T) {
	dropped := 0
	rapid.Check(t, func(rt *rapid.T) {
		var g orb.Geometry = simple(rt, 400)[:1]
		if rapid.Bool().Draw(rt, "line") {
			g = orb.LineString(simple(rt, 400)[0])
		}
		s := one(rt, g)
		v := View{Z: rapid.Uint32Range(0, 18).Draw(rt, "z"), Tolerance: rapid.Float64Range(0, 64).Draw(rt, "tolerance"), Buffer: maxBuffer}
		v.X, v.Y = s.vertices()[0].x>>(32-max(v.Z, 1)), s.vertices()[0].y>>(32-max(v.Z, 1))
		if v.Z == 0 {
			v.X, v.Y = 0, 0
		}
		if s.Small(v.Z) || s.Box.past(v.Box()) != 0 {
			rt.Skip("small or cut")
		}
		var d drawn
		if d = cut(rt, s, v); s.Kind == Polygon { // before spikes are taken off, which go farther
			var c Cutter
			c.look(v)
			c.gather(s, 0, s.count, c.keep, 0)
			d = drawn{[][]point{c.points}, []bool{true}}
		}
		if len(d.paths) != 1 {
			rt.Fatalf("%+v: %d paths", v, len(d.paths))
		}
		dropped += int(s.count) - len(d.paths[0])
		for _, p := range s.vertices() {
			x, y := exactly(p, v)
			if far := d.distance(x, y); far > v.Tolerance+1 {
				rt.Fatalf("%+v: a vertex lies %v from what is drawn of %d vertices with %v", v, far, s.count, d.paths[0])
			}
		}
	})
	if dropped < 100 {
		t.Fatalf("only %d vertices were dropped in all: nothing was shown", dropped)
	}
}

// TestNeighboursAgree checks that neighbouring tiles draw a line through the same vertices where their views overlap.
func TestNeighboursAgree(t *testing.T) {
	met := 0
	rapid.Check(t, func(rt *rapid.T) {
		s := one(rt, orb.LineString(simple(rt, 400)[0]))
		v := viewOf(rt, s, 18)
		v.Buffer = 1024
		if v.X+1 >= 1<<v.Z || s.Small(v.Z) {
			rt.Skip("no neighbour")
		}
		w := v
		w.X++
		inner := func(d drawn, shift int64) map[point]bool {
			set := map[point]bool{}
			for _, path := range d.paths {
				for _, p := range path {
					p.x += shift
					if p.x > 4096-1024 && p.x < 4096+1024 && p.y > -1024 && p.y < 4096+1024 {
						set[p] = true
					}
				}
			}
			return set
		}
		a, b := inner(cut(rt, s, v), 0), inner(cut(rt, s, w), 4096)
		met += len(a)
		for p := range a {
			if !b[p] {
				rt.Fatalf("%+v draws through %v, its neighbour does not", v, p)
			}
		}
		if len(a) != len(b) {
			rt.Fatalf("%+v draws %d vertices, its neighbour %d", v, len(a), len(b))
		}
	})
	if met < 20 {
		t.Fatalf("only %d vertices met", met)
	}
}

// TestSkippedChunksDrawTheSame compares a cut that skips chunks with a cut that does not.
func TestSkippedChunksDrawTheSame(t *testing.T) {
	skipped := 0
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		s := one(rt, coast(seed, rapid.IntRange(longShape, 3000).Draw(rt, "n"), orb.Point{120.5, 37.3}, 0.5))
		v := viewOf(rt, s, 14)
		v.Z = max(v.Z, 6)
		at := s.vertices()[seed%uint64(s.count)]
		v.X, v.Y = at.x>>(32-v.Z), at.y>>(32-v.Z)
		sides := s.Box.past(v.Box())
		var c Cutter
		c.look(v)
		whole := func(skip uint8) (d drawn, gathered int) {
			c.gather(s, 0, s.count, c.keep, skip)
			gathered = len(c.points)
			c.clipRing(sides)
			ring, _ := tidy(c.points)
			d.paths = append(d.paths, slices.Clone(ring))
			d.closed = []bool{true}
			return d, gathered
		}
		fast, few := whole(sides)
		slow, many := whole(0)
		skipped += many - few
		if fast.area() != slow.area() {
			rt.Fatalf("%+v: area %v with chunks skipped, %v without", v, fast.area(), slow.area())
		}
		for i := range 40 {
			for j := range 40 {
				x, y := float64(i)*102+0.5, float64(j)*102+0.5
				if fast.contains(x, y) != slow.contains(x, y) {
					rt.Fatalf("%+v: %v, %v is inside of one only", v, x, y)
				}
			}
		}
	})
	if skipped < 1000 {
		t.Fatalf("only %d vertices were skipped in all", skipped)
	}
}
