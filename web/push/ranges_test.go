package push

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"onemap/tiles"
)

// span is a range in the order of the wire.
func span(z, x0, y0, x1, y1 uint32) tiles.Range {
	return tiles.Range{Z: z, X0: x0, Y0: y0, X1: x1, Y1: y1}
}

// covered is the set of tiles of ranges.
func covered(ranges []tiles.Range) map[tiles.Address]bool {
	set := make(map[tiles.Address]bool)
	for _, r := range ranges {
		if r.Z > tiles.MaxZoom {
			continue
		}
		last := uint32(1)<<r.Z - 1
		for x := r.X0; x <= min(r.X1, last); x++ {
			for y := r.Y0; y <= min(r.Y1, last); y++ {
				set[tiles.Address{Z: r.Z, X: x, Y: y}] = true
			}
		}
	}
	return set
}

func TestUnite(t *testing.T) {
	for _, c := range []struct {
		name        string
		given, want []tiles.Range
	}{
		{"none", nil, []tiles.Range{}},
		{"equal", []tiles.Range{span(5, 1, 2, 3, 4), span(5, 1, 2, 3, 4)}, []tiles.Range{span(5, 1, 2, 3, 4)}},
		{"beside", []tiles.Range{span(5, 4, 2, 5, 3), span(5, 1, 2, 3, 3)}, []tiles.Range{span(5, 1, 2, 5, 3)}},
		{"below", []tiles.Range{span(5, 1, 2, 3, 3), span(5, 1, 4, 3, 9)}, []tiles.Range{span(5, 1, 2, 3, 9)}},
		{"inside", []tiles.Range{span(5, 0, 0, 9, 9), span(5, 3, 3, 4, 4)}, []tiles.Range{span(5, 0, 0, 9, 9)}},
		{"four make one", []tiles.Range{span(9, 1, 1, 1, 1), span(9, 2, 2, 2, 2), span(9, 2, 1, 2, 1), span(9, 1, 2, 1, 2)}, []tiles.Range{span(9, 1, 1, 2, 2)}},
		{"a cross stays two", []tiles.Range{span(5, 4, 0, 4, 9), span(5, 0, 4, 9, 4)}, []tiles.Range{span(5, 4, 0, 4, 9), span(5, 0, 4, 9, 4)}},
		{"zooms are apart", []tiles.Range{span(6, 1, 1, 1, 1), span(5, 1, 1, 1, 1)}, []tiles.Range{span(5, 1, 1, 1, 1), span(6, 1, 1, 1, 1)}},
		{"corners do not touch", []tiles.Range{span(5, 1, 1, 1, 1), span(5, 2, 2, 2, 2)}, []tiles.Range{span(5, 1, 1, 1, 1), span(5, 2, 2, 2, 2)}},
		{"the edge of the world", []tiles.Range{span(1, 1, 0, 7, 7), span(1, 2, 0, 3, 1), span(2, 3, 3, 1, 3), span(23, 0, 0, 1, 1)}, []tiles.Range{span(1, 1, 0, 1, 1)}},
		{"the deepest", []tiles.Range{span(22, 1<<22-1, 0, 1<<32-1, 1<<32-1)}, []tiles.Range{span(22, 1<<22-1, 0, 1<<22-1, 1<<22-1)}},
	} {
		got, coarsened := unite(slices.Clone(c.given))
		if diff := gocmp.Diff(c.want, got); diff != "" || coarsened != 0 {
			t.Errorf("%s: %d coarsened, %s", c.name, coarsened, diff)
		}
	}
}

// scattered are n ranges of any zoom down to the deepest, at most four tiles high and wide, some of
// them over the edge of the world. Drawn one by one they would rarely be many different ones.
func scattered(seed uint64, deepest uint32, n int) []tiles.Range {
	rnd := rand.New(rand.NewPCG(seed, 0))
	ranges := make([]tiles.Range, n)
	for i := range ranges {
		z := rnd.Uint32N(deepest + 1)
		x, y := rnd.Uint32N(1<<z+1), rnd.Uint32N(1<<z+1)
		ranges[i] = span(z, x, y, x+rnd.Uint32N(4), y+rnd.Uint32N(4))
	}
	return ranges
}

// TestUniteCovers: every tile that was given is covered; no other one while the bound allows it, and
// none outside what bounds the given ones of its zoom in any case.
func TestUniteCovers(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		given := scattered(
			rapid.Uint64().Draw(rt, "seed"), rapid.Uint32Range(0, 7).Draw(rt, "deepest"),
			rapid.SampledFrom([]int{0, 1, 2, 3, 9, 30, maxRanges, maxRanges + 1, 150, 400}).Draw(rt, "n"),
		)
		want := covered(given)
		different := len(distinct(inWorld(slices.Clone(given))))

		got, coarsened := unite(slices.Clone(given))
		if len(got) > min(maxRanges, different) {
			rt.Fatalf("%d ranges of %d", len(got), different)
		}
		if !slices.IsSortedFunc(got, compareRanges) {
			rt.Errorf("%v is not in order", got)
		}
		if different <= maxRanges && coarsened != 0 {
			rt.Errorf("%d of %d were coarsened", coarsened, different)
		}
		is := covered(got)
		for a := range want {
			if !is[a] {
				rt.Fatalf("%v is not covered by %v", a, got)
			}
		}
		if coarsened == 0 && len(is) != len(want) {
			rt.Errorf("%d tiles are covered, %d were given", len(is), len(want))
		}
		for a := range is {
			if !within(a, inWorld(slices.Clone(given))) {
				rt.Errorf("%v is outside all that was given", a)
			}
		}
	})
}

// within reports whether a tile lies in what bounds the ranges of its zoom.
func within(a tiles.Address, ranges []tiles.Range) bool {
	ranges = slices.DeleteFunc(ranges, func(r tiles.Range) bool { return r.Z != a.Z })
	if len(ranges) == 0 {
		return false
	}
	b := boundsOf(ranges)
	return b.X0 <= a.X && a.X <= b.X1 && b.Y0 <= a.Y && a.Y <= b.Y1
}

// TestUniteMany: a full field of tiles is one range; very many that are scattered stay within the
// bound, and each zoom keeps to its own.
func TestUniteMany(t *testing.T) {
	var field []tiles.Range
	for i := range uint32(1600) {
		x, y := 13_600+i*7%40, 6400+i/40 // each row in another order
		field = append(field, span(14, x, y, x, y))
	}
	got, coarsened := unite(field)
	if diff := gocmp.Diff([]tiles.Range{span(14, 13_600, 6400, 13_639, 6439)}, got); diff != "" || coarsened != 0 {
		t.Errorf("%d coarsened, %s", coarsened, diff)
	}

	var apart []tiles.Range
	for i := range uint32(maxRanges) {
		apart = append(apart, span(14, 3*i, 5, 3*i+1, 5))
	}
	if got, coarsened := unite(slices.Clone(apart)); !slices.Equal(got, apart) || coarsened != 0 {
		t.Errorf("as many as there may be have become %d", len(got))
	}
	if got, coarsened := unite(append(apart, span(13, 0, 0, 0, 0))); len(got) >= maxRanges || coarsened == 0 {
		t.Errorf("one more than there may be have become %d", len(got))
	}

	var many []tiles.Range
	for i := range uint32(3 * maxSwept) {
		x, y := 54_000+i*7919%997, 25_000+i*104_729%991
		many = append(many, span(16, x, y, x+1, y+1), span(8, 213, 98, 214, 98))
	}
	want := covered(many)
	got, coarsened = unite(many)
	if len(got) > maxRanges || coarsened < 2*maxSwept {
		t.Errorf("%d ranges, %d coarsened", len(got), coarsened)
	}
	if got[0] != span(8, 213, 98, 214, 98) {
		t.Errorf("zoom 8 is %v", got[0])
	}
	is := covered(got)
	for a := range want {
		if !is[a] {
			t.Fatalf("%v is not covered", a)
		}
	}
	deepest := slices.MaxFunc(got, func(a, b tiles.Range) int { return cmp.Compare(a.X1, b.X1) })
	if deepest.X1 > 54_997 {
		t.Errorf("%v is beyond what was given", deepest)
	}
}
