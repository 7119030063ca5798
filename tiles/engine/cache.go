package engine

import (
	"github.com/klauspost/compress/gzip"
	"github.com/maypok86/otter/v2"

	"onemap/tiles"
	"onemap/tiles/memory"
)

// blobKey names a layer's part of a tile for the readers of a division; empty is for everybody.
type layerTileKey struct {
	layer    int32
	labels   bool
	tile     tileID
	division string
}

// tileID is a tile in one number: zoom, row, column.
type tileID uint64

// tileOf packs an address: 6 bits of zoom, 29 of the row, 29 of the column. So tiles sort by zoom, then by row,
// then by column.
func tileOf(z, x, y uint32) tileID { return tileID(z)<<58 | tileID(y)<<29 | tileID(x) }

// zxy is the opposite of tileOf.
func (t tileID) zxy() (z, x, y uint32) {
	return uint32(t >> 58), uint32(t) & (1<<29 - 1), uint32(t>>29) & (1<<29 - 1)
}

// blob is a layer's part of a tile.
type layerTile struct {
	memory.Part
	sum uint64 // xxhash of the bytes: of the content alone, so the same on every node
}

// answerKey names a whole tile in the form in which it is sent.
type answerKey struct {
	layers   string
	division string
	tile     tileID
	gzip     bool
}

// answer is a whole tile, good as long as each of its parts is the one in the cache.
type answer struct {
	tiles.Tile
	ask   *layerSet
	parts []usedPart
}

// usedPart is a part that went into an answer, with what it takes to see whether it is still the one in the cache.
type usedPart struct {
	spec *tiles.Spec
	key  layerTileKey
	blob *layerTile // nil: the layer is not drawn at this zoom
}

const (
	layerTileOverhead = 200 // bytes beside the tile's own, near enough
	answerOverhead    = 400
)

// newCaches makes the two caches, with half of the bytes each. It returns none when the size is below 0.
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

// cachedTile returns a part from the cache.
func (e *Engine) cachedTile(k layerTileKey) (*layerTile, bool) {
	if e.blobs == nil {
		return nil, false
	}
	return e.blobs.GetIfPresent(k)
}

// cacheTile puts a part into the cache. The caller holds the read lock of its layer, so no change comes between the
// making and the keeping.
func (e *Engine) cacheTile(k layerTileKey, b *layerTile) {
	if e.blobs != nil {
		e.blobs.Set(k, b)
	}
}

// renderSlot is what one goroutine needs to make a tile. Their number bounds how many are made at once.
type renderSlot struct {
	scratch   memory.Scratch
	gzip      *gzip.Writer
	gzipLarge *gzip.Writer
	packed    writer
}

// largeTile is from how many bytes on the second level of compression is not only tighter but also
// faster than the first: there is more to be found than it costs to look for it.
const largeTile = 128 << 10

// writer collects bytes in a buffer that is used again.
type writer struct{ b []byte }

// Write appends.
func (w *writer) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

// newTurn makes the scratch of one goroutine. It is kept for the life of the engine, because a gzip writer is large.
func newRenderSlot() *renderSlot {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the levels are valid: no error
	large, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed+1)
	return &renderSlot{gzip: w, gzipLarge: large}
}
