package engine

import (
	"github.com/klauspost/compress/gzip"
	"github.com/maypok86/otter/v2"

	"onemap/tiles"
	"onemap/tiles/memory"
)

// layerTileKey is the cache key of a layer's part of a tile. The part is for the readers of one division, or for all
// readers if division is "".
type layerTileKey struct {
	layer    int32
	labels   bool
	tile     tileID
	division string
}

// tileID is the address of a tile in one number: zoom, row, column.
type tileID uint64

// tileOf packs an address into a tileID: 6 bits of zoom, 29 bits of the row, 29 bits of the column. Tiles then sort by
// zoom, row and column.
func tileOf(z, x, y uint32) tileID { return tileID(z)<<58 | tileID(y)<<29 | tileID(x) }

// zxy unpacks a tileID. It is the inverse of tileOf.
func (t tileID) zxy() (z, x, y uint32) {
	return uint32(t >> 58), uint32(t) & (1<<29 - 1), uint32(t>>29) & (1<<29 - 1)
}

// layerTile is a layer's part of a tile.
type layerTile struct {
	memory.Part
	sum uint64 // xxhash of the bytes; it depends only on the content, so it is the same on every node
}

// answerKey is the cache key of a whole tile, compressed or not.
type answerKey struct {
	layers   string
	division string
	tile     tileID
	gzip     bool
}

// answer is a whole tile. It is valid while each of its parts is still in the cache.
type answer struct {
	tiles.Tile
	ask   *layerSet
	parts []usedPart
}

// usedPart is a part of an answer, with its key, so that good can compare it with the part in the cache.
type usedPart struct {
	spec *tiles.Spec
	key  layerTileKey
	blob *layerTile // nil if the zoom is below the layer's MinZoom
}

// The estimated memory of a cache entry without the bytes of its tile, in bytes. Empty tiles thus have a weight.
const (
	layerTileOverhead = 200
	answerOverhead    = 400
)

// newCaches returns the two caches, each with half of the bytes. It returns nil caches if size is below 0.
func newCaches(size int64) (*otter.Cache[layerTileKey, *layerTile], *otter.Cache[answerKey, *answer], error) {
	if size < 0 {
		return nil, nil, nil
	}
	half := uint64(max(size/2, 1))
	blobs, err := otter.New(&otter.Options[layerTileKey, *layerTile]{
		MaximumWeight: half,
		Weigher:       func(_ layerTileKey, b *layerTile) uint32 { return uint32(len(b.Bytes) + layerTileOverhead) },
	})
	if err != nil {
		return nil, nil, err
	}
	answers, err := otter.New(&otter.Options[answerKey, *answer]{
		MaximumWeight: half,
		Weigher:       func(_ answerKey, a *answer) uint32 { return uint32(len(a.Bytes) + answerOverhead) },
	})
	return blobs, answers, err
}

// cachedTile returns a part from the cache, and false if it is not there.
func (e *Engine) cachedTile(k layerTileKey) (*layerTile, bool) {
	if e.blobs == nil {
		return nil, false
	}
	return e.blobs.GetIfPresent(k)
}

// cacheTile puts a part into the cache. The caller holds the read lock of the layer, so no change can happen between
// making the part and caching it.
func (e *Engine) cacheTile(k layerTileKey, b *layerTile) {
	// Contract "tiles are never stale": a change drops the part under the write lock, so it comes either before the
	// part is made or after it is cached.
	if e.blobs != nil {
		e.blobs.Set(k, b)
	}
}

// renderSlot holds the buffers with which one goroutine makes a tile. The number of slots limits how many tiles are
// made at the same time.
type renderSlot struct {
	scratch   memory.Scratch
	gzip      *gzip.Writer
	gzipLarge *gzip.Writer
	packed    writer
}

// largeTile is the size in bytes above which gzip level 2 is used. For such tiles level 2 compresses better and is also
// faster than level 1.
const largeTile = 128 << 10

// writer appends to a buffer that is reused for the next tile.
type writer struct{ b []byte }

// Write implements io.Writer. It returns no error.
func (w *writer) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

// newRenderSlot returns a slot. The engine reuses its slots, because a gzip writer needs much memory.
func newRenderSlot() *renderSlot {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the levels are valid: no error
	large, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed+1)
	return &renderSlot{gzip: w, gzipLarge: large}
}
