package shape

import (
	"math"
	"math/big"
	"testing"

	"github.com/paulmach/orb"
	"pgregory.net/rapid"

	"onemap/geo"
)

// worldPolygon returns a polygon of world coordinates: the exterior, then the holes.
func worldPolygon(rings ...[]pair) *Shape {
	var b Builder
	for i, r := range rings {
		b.ring = append(b.ring[:0], r...)
		b.finishRing(i == 0)
	}
	s := b.shape(Polygon)
	return &s
}

func worldBox(x0, y0, x1, y1 uint32) []pair { return []pair{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}} }

// drawIn reads the commands of a new cutter and checks them against the rules.
func drawIn(t *testing.T, s *Shape, v View) drawn {
	t.Helper()
	d, err := read(new(Cutter).Commands(nil, s, &v))
	if err == nil {
		err = d.check(s.Kind, v)
	}
	if err != nil {
		t.Errorf("%+v of %v: %v", v, s.data, err)
	}
	return d
}

// TestRoundToOdd checks that the last bit is set if the value was not exact, so that a value near a half differs from
// the half.
func TestRoundToOdd(t *testing.T) {
	for _, z := range []int{0, 5, 12, 18} {
		unit := math.Ldexp(1, -12-z)
		for _, k := range []float64{0, 1, 7, 4094} {
			tie := (k + 0.5) * unit
			if x := toOdd(tie); float64(x) != tie*worldSide {
				t.Errorf("zoom %d: %v is exact, and is %d", z, tie, x)
			}
			for _, off := range []float64{-1, 1} {
				v := tie + off*math.Ldexp(1, -40)
				if x := toOdd(v); x&1 == 0 || math.Abs(float64(x)-v*worldSide) >= 1 {
					t.Errorf("zoom %d: %v is %d", z, v, x)
				}
			}
		}
	}
}

// TestCross compares the crossing with an edge with exact arithmetic, from both ends.
func TestCross(t *testing.T) {
	for _, c := range [][5]int64{
		{-1 << 34, 1 << 34, 1 << 33, 1 << 34, 0},
		{1<<34 - 1, -1 << 34, 1<<34 - 1, 1<<34 - 1, -1 << 34},
		{0, 1 << 34, 3, 4, 3 << 32},
		{0, 3, 1, 2, 2}, {3, 0, 1, 2, 2}, {0, -3, 1, 2, -1}, {-3, 0, 1, 2, -1},
	} {
		if got := cross(c[0], c[1], c[2], c[3]); got != c[4] {
			t.Errorf("%d of %d from %d to %d is %d, want %d", c[2], c[3], c[0], c[1], got, c[4])
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		most := int64(1) << rapid.IntRange(3, 34).Draw(rt, "bits")
		a, b := rapid.Int64Range(-most, most).Draw(rt, "a"), rapid.Int64Range(-most, most).Draw(rt, "b")
		whole := rapid.Int64Range(1, most).Draw(rt, "whole")
		part := rapid.Int64Range(0, whole).Draw(rt, "part")
		got := cross(a, b, part, whole)
		if back := cross(b, a, part-whole, -whole); back != got {
			rt.Fatalf("from a to b %d, from b to a %d", got, back)
		}
		exact := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(b-a), big.NewInt(part)), big.NewInt(whole))
		exact.Add(exact, new(big.Rat).SetInt64(a))
		off, _ := exact.Sub(exact, new(big.Rat).SetInt64(got)).Float64()
		if math.Abs(off) > 0.5+1e-4 {
			rt.Fatalf("%d of %d from %d to %d is %d, %v off", part, whole, a, b, got, off)
		}
	})
}

// TestBeyondTheUnitZoom checks that nothing is outside the view at zooms at which a tile unit is smaller than a world
// unit.
func TestBeyondTheUnitZoom(t *testing.T) {
	for z := uint32(20); z <= 24; z++ {
		v := View{Z: z, X: 1 << (z - 1), Y: 1 << (z - 1), Buffer: 1}
		b := v.Box()
		for d := range uint32(9) {
			drawIn(t, worldPolygon(worldBox(b.X0+d-4, b.Y0+d-4, b.X1+4-d, b.Y1+4-d)), v)
			drawIn(t, worldPolygon(worldBox(b.X0+10, b.Y0+10, b.X0+d-4+30, b.Y1+4-d)), v)
			drawIn(t, &Shape{Kind: Point, count: 1, Box: Box{b.X0 + d, b.Y0 + d, b.X0 + d, b.Y0 + d}}, v)
			drawIn(t, &Shape{Kind: Point, count: 1, Box: Box{b.X1 - d, b.Y1 - d, b.X1 - d, b.Y1 - d}}, v)
		}
	}
}

// TestFromEdgeToEdge cuts shapes as wide as the world up to zoom 22, at which the world is 2^34 units wide.
func TestFromEdgeToEdge(t *testing.T) {
	diamond := worldPolygon([]pair{{1 << 31, 0}, {worldMax, 1 << 31}, {1 << 31, worldMax}, {0, 1 << 31}})
	for z := uint32(1); z <= 22; z++ {
		n := uint32(1) << z
		d := drawIn(t, diamond, View{Z: z, X: n / 4, Y: n/4 - min(1, n/4)})
		if inside := drawIn(t, diamond, View{Z: z, X: n / 2, Y: n / 2}).area(); z > 1 && inside != 4096*4096 {
			t.Errorf("zoom %d: the tile in the middle has %v", z, inside)
		}
		if z < 2 {
			continue
		}
		// The side from the west to the north passes through the corner of this tile.
		if area := d.area(); area != 0 && area != 4096*4096/2 {
			t.Errorf("zoom %d: beside the side lies %v", z, area)
		}
		on := drawIn(t, diamond, View{Z: z, X: n / 4, Y: n/4 - 1 + n&1})
		if math.Abs(on.area()-d.area()) > 0 {
			t.Errorf("zoom %d: %v and %v", z, on.area(), d.area())
		}
	}
	line, _ := New(orb.LineString{{-180, -85}, {180, 85}}, nil)
	for z := uint32(0); z <= 22; z++ {
		if d := drawIn(t, &line[0], View{Z: z, X: 1 << z / 2, Y: 1 << z / 2, Buffer: 64}); len(d.paths) != 1 {
			t.Errorf("zoom %d: the line is %v", z, d)
		}
	}
}

// TestALineComesInPieces checks that a line that leaves the view and returns is drawn in pieces.
func TestALineComesInPieces(t *testing.T) {
	at := geo.Tile{Z: 10, X: 854, Y: 397}
	b := at.Bound()
	w, h := b.Max[0]-b.Min[0], b.Max[1]-b.Min[1]
	on := func(x, y float64) orb.Point { return orb.Point{b.Min[0] + x*w, b.Max[1] - y*h} }
	shapes, _ := New(orb.LineString{on(0.1, 0.5), on(0.2, 1.5), on(0.8, 1.5), on(0.9, 0.5), on(0.95, 0.4)}, nil)
	d := drawIn(t, &shapes[0], View{Z: at.Z, X: at.X, Y: at.Y})
	if len(d.paths) != 2 || len(d.paths[0]) != 2 || len(d.paths[1]) != 3 {
		t.Fatalf("it is %v", d.paths)
	}
	if a, b := d.paths[0][1], d.paths[1][0]; a.y != 4096 || b.y != 4096 || a.x < 600 || a.x > 640 || b.x < 3450 || b.x > 3500 {
		t.Errorf("it leaves at %v and comes back at %v", a, b)
	}
}

// TestTheOtherLoop cuts a ring that crosses itself in a view that has only the loop with the opposite direction.
func TestTheOtherLoop(t *testing.T) {
	const mid = 1 << 31
	v := View{Z: 8, X: 128, Y: 128}
	loops := []pair{{mid - 9<<22, mid}, {mid + 3<<22, mid + 8<<20}, {mid + 3<<22, mid + 4<<20}, {mid - 9<<22, mid + 12<<20}}
	if d := drawIn(t, worldPolygon(loops), v); len(d.paths) != 1 || d.area() <= 0 {
		t.Errorf("as an exterior it is %v", d.paths)
	}
	d := drawIn(t, worldPolygon(worldBox(mid-1<<27, mid-1<<27, mid+1<<27, mid+1<<27), loops), v)
	if len(d.paths) != 2 || surveyor(d.paths[1]) >= 0 {
		t.Errorf("as a hole it is %v", d.paths)
	}
}

// TestLoopsThatCancelOut checks that both loops of a ring that crosses itself are drawn, even if their areas add up to
// zero after rounding.
func TestLoopsThatCancelOut(t *testing.T) {
	const mid = 1<<31 + 1<<20
	s := worldPolygon([]pair{{mid - 1<<19, mid}, {mid + 1<<19, mid + 1<<19 + 9}, {mid + 1<<19, mid - 9}, {mid - 1<<19, mid + 1<<19}})
	if d := drawIn(t, s, View{Z: 10, X: 512, Y: 512}); len(d.paths) != 2 || d.area() < 1e5 {
		t.Errorf("it is %v", d.paths)
	}
}

// TestLabelIsInTheWidestPlace checks that a label is in the wider of two arms, and beside a hole.
func TestLabelIsInTheWidestPlace(t *testing.T) {
	arms := []pair{{0, 0}, {1000, 0}, {1000, 790}, {2000, 790}, {2000, 0}, {4000, 0}, {4000, 800}, {0, 800}}
	if x, y := worldPolygon(arms).Label(); x != 3000 || y != 400 {
		t.Errorf("of arms it is at %d, %d", x, y)
	}
	if x, y := worldPolygon(worldBox(0, 0, 800, 800), worldBox(100, 10, 500, 790)).Label(); x != 650 || y != 400 {
		t.Errorf("beside a hole it is at %d, %d", x, y)
	}
}
