package engine_test

import (
	"testing"

	"onemap/internal/core"
	"onemap/tiles"
	"onemap/tiles/engine"
)

// BenchmarkTile is a tile of 5,000 points and 500 polygons, from the cache and made each time, with the
// reference, the database's ST_AsMVT, as the baseline of the same run.
func BenchmarkTile(b *testing.B) {
	db := newBase(b)
	importOK(b, db, layerOf("bench", core.Audience{Kind: core.AudiencePublic}, core.TileRules{}), seeded(b, 1, 5000, 500)...)
	a := address(120.7, 37.4, 9)
	run := func(name string, o engine.Options, gzip bool) {
		n := start(b, db, o, nil)
		b.Run(name, func(b *testing.B) {
			size := 0
			b.ReportAllocs()
			for b.Loop() {
				t, err := n.engine.Tile(b.Context(), city, tiles.Request{Layers: "bench", Address: a, Gzip: gzip})
				if err != nil {
					b.Fatal(err)
				}
				size = len(t.Bytes)
			}
			b.ReportMetric(float64(size), "bytes")
		})
	}
	run("cached", engine.Options{}, true)
	run("made", engine.Options{CacheBytes: -1}, false)
	run("made-gzip", engine.Options{CacheBytes: -1}, true)
	b.Run("ST_AsMVT", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Tiles.Tile(b.Context(), city, []string{"bench"}, a); err != nil {
				b.Fatal(err)
			}
		}
	})
}
