package main

import (
	"testing"

	"onemap/tiles"
)

func TestFramesCover(t *testing.T) {
	const ranges = `{"type":"tiles","all":false,"layers":[
		{"layer":"points","ranges":[[12,10,20,11,21],[13,24,40,24,40]]},{"layer":"polygons","all":true}]}`
	for _, c := range []struct {
		text, layer string
		tile        tiles.Address
		want        bool
	}{
		{ranges, "points", tiles.Address{Z: 12, X: 11, Y: 21}, true},
		{ranges, "points", tiles.Address{Z: 12, X: 12, Y: 21}, false},
		{ranges, "points", tiles.Address{Z: 12, X: 11, Y: 22}, false},
		{ranges, "points", tiles.Address{Z: 12, X: 9, Y: 20}, false},
		{ranges, "points", tiles.Address{Z: 13, X: 24, Y: 40}, true},
		{ranges, "points", tiles.Address{Z: 13, X: 20, Y: 40}, false}, // its ancestor is in, but its own zoom is told
		{ranges, "points", tiles.Address{Z: 14, X: 49, Y: 81}, true},  // deeper than told
		{ranges, "points", tiles.Address{Z: 14, X: 50, Y: 81}, false},
		{ranges, "points", tiles.Address{Z: 11, X: 5, Y: 10}, false},
		{ranges, "polygons", tiles.Address{Z: 3, X: 1, Y: 1}, true},
		{ranges, "others", tiles.Address{Z: 12, X: 10, Y: 20}, false},
		{`{"type":"tiles","all":true,"layers":[]}`, "others", tiles.Address{}, true},
		{`{"type":"hb","all":true}`, "points", tiles.Address{}, false},
	} {
		f, err := parseFrame([]byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.covers(c.layer, c.tile); got != c.want {
			t.Errorf("%s %v: %t", c.layer, c.tile, got)
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte(`{"type":"tiles","all":false,"layers":[{"layer":"points","ranges":[[4294967295,1,2,3,4]]}]}`), uint32(14), uint32(5), uint32(6))
	f.Fuzz(func(_ *testing.T, text []byte, z, x, y uint32) {
		if parsed, err := parseFrame(text); err == nil {
			parsed.covers("points", tiles.Address{Z: z, X: x, Y: y})
		}
	})
}
