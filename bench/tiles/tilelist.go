package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"onemap/geo"
	"onemap/tiles"
	"onemap/tiles/testset"
)

// mixedTiles is the number of tiles in the mixed list: all of zooms 8 to 10, and equal shares of zooms 11 to 14. If zoom 11
// has fewer tiles than its share, the deeper zooms get more.
const mixedTiles = 1126

// mixedList returns the tiles in random order, and a text with the number of tiles per zoom. The same seed returns the same
// list.
func mixedList(seed uint64) ([]tiles.Address, string) {
	r := rand.New(rand.NewPCG(seed, 3))
	var list []tiles.Address
	var counts []string
	for z := uint32(8); z <= 14; z++ {
		all := tilesOf(z)
		if z > 10 {
			r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			share := (mixedTiles - len(list)) / int(15-z)
			all = all[:min(len(all), share)]
		}
		list = append(list, all...)
		counts = append(counts, fmt.Sprintf("z%d %d", z, len(all)))
	}
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list, strings.Join(counts, ", ")
}

// tilesOf returns all tiles of a zoom that touch the bounds of the data.
func tilesOf(z uint32) []tiles.Address {
	b := testset.Bound()
	first, last := geo.TileAt(b.LeftTop(), z), geo.TileAt(b.RightBottom(), z)
	var all []tiles.Address
	for y := first.Y; y <= last.Y; y++ {
		for x := first.X; x <= last.X; x++ {
			all = append(all, tiles.Address{Z: z, X: x, Y: y})
		}
	}
	return all
}

// drawn returns n random tiles of a zoom, or all if there are fewer.
func drawn(seed uint64, z uint32, n int) []tiles.Address {
	r := rand.New(rand.NewPCG(seed, 4+uint64(z)))
	all := tilesOf(z)
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(n, len(all))]
}
