package main

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"onemap/tiles"
)

func TestTheMixedListIsSeededAndWhole(t *testing.T) {
	list, counts := mixedList(1)
	again, _ := mixedList(1)
	other, _ := mixedList(2)
	if len(list) != mixedTiles || !slices.Equal(list, again) || slices.Equal(list, other) {
		t.Errorf("%d tiles (%s), the same again: %t, the same of another seed: %t", len(list), counts, slices.Equal(list, again), slices.Equal(list, other))
	}
	seen := map[tiles.Address]bool{}
	zooms := map[uint32]int{}
	for _, a := range list {
		if seen[a] {
			t.Errorf("%v is there twice", a)
		}
		seen[a] = true
		zooms[a.Z]++
	}
	for z := uint32(8); z <= 10; z++ {
		if zooms[z] != len(tilesOf(z)) {
			t.Errorf("zoom %d: %d of %d", z, zooms[z], len(tilesOf(z)))
		}
	}
	if !strings.HasPrefix(counts, "z8 9, z9 25, z10 72") {
		t.Errorf("counts: %s", counts)
	}
}

func TestScreensLieInsideTheData(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	edges := map[tiles.Address]bool{}
	for range 1000 {
		all := screen(r)
		if len(all) != screenWide*screenHigh {
			t.Fatalf("%d tiles", len(all))
		}
		inside := tilesOf(all[0].Z)
		for _, a := range all {
			if !slices.Contains(inside, a) {
				t.Fatalf("%v is outside", a)
			}
			if a.Z == 10 && (a == inside[0] || a == inside[len(inside)-1]) {
				edges[a] = true
			}
		}
	}
	if len(edges) != 2 {
		t.Errorf("of the first and the last tile of zoom 10 were looked at: %v", edges)
	}
}
