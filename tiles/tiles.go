// Package tiles serves the risk map as Mapbox Vector Tiles 2.1. This package defines the types: requests and tiles, the
// interfaces that the engine needs of a store, and the notices that it sends. tiles/engine serves tiles from memory and
// follows the changes, tiles/memory holds a layer and makes its part of a tile, tiles/shape is the geometry. A Source is
// the database with ST_AsMVT. It is the reference, and makes the tiles of layers that are too large for memory.
package tiles

import (
	"context"
	"strings"

	"onemap/geo"
	"onemap/internal/core"
)

// Address is a tile of the Web Mercator pyramid, y from the north.
type Address struct{ Z, X, Y uint32 }

// MaxZoom is the deepest zoom that is served.
const MaxZoom = geo.MaxTileServed

// Request asks for one tile.
type Request struct {
	Layers  string // names joined by commas, as ParseLayers reads them
	Address Address
	Gzip    bool   // the client takes gzip
	IfNone  string // the client's If-None-Match, as it was sent
}

// Tile is one tile, ready to be sent.
type Tile struct {
	Bytes       []byte // empty when nothing is there, or NotModified
	Gzip        bool   // Bytes are compressed
	ETag        string // of the content, whatever its compression; the same on every node
	NotModified bool   // the client has it already
	Thinned     string // the layers that were over their budget of bytes and made coarser, in words
}

// Matches is If-None-Match: a list of tags compared weakly (RFC 9110, 13.1.2), or *.
func Matches(header, tag string) bool {
	if header == "" {
		return false
	}
	tag = strings.TrimPrefix(tag, "W/")
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}

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
// is not in the bytes; a layer that it may not know is fault.Forbidden, an unknown one fault.NotFound.
type Source interface {
	// Describe returns the layers in the order asked for.
	Describe(ctx context.Context, s core.Scope, layers []string) ([]LayerInfo, error)
	// Tile is the concatenation of the layers' MVT blobs, uncompressed; empty when nothing is there.
	Tile(ctx context.Context, s core.Scope, layers []string, a Address) ([]byte, error)
}
