// Package tiles serves the risk map as Mapbox Vector Tiles 2.1. A Source makes the bytes; the
// service around it checks the address, compresses, and gives the content its ETag.
package tiles

import (
	"context"

	"onemap/internal/core"
)

// Address is a tile of the Web Mercator pyramid, y from the north.
type Address struct{ Z, X, Y uint32 }

// MaxZoom is the deepest zoom that is served.
const MaxZoom = 22

// LayerInfo is what a TileJSON says of one layer.
type LayerInfo struct {
	Name        string
	Title       core.Text
	MinZoom     int
	MaxZoom     int
	Version     int64
	BBox        []float64 // west, south, east, north; nil when empty
	Attribution string
	Fields      map[string]string // name → type words of TileJSON: String, Number, Boolean
}

// Source makes tiles. The scope's rules are the source's: a feature that the scope does not cover
// is not in the bytes; a layer that it may not know is errs.Forbidden, an unknown one errs.NotFound.
type Source interface {
	// Describe gives the layers in the order asked for.
	Describe(ctx context.Context, s core.Scope, layers []string) ([]LayerInfo, error)
	// Tile is the concatenation of the layers' MVT blobs, uncompressed; empty when nothing is there.
	Tile(ctx context.Context, s core.Scope, layers []string, a Address) ([]byte, error)
}
