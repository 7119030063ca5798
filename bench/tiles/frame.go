package main

import (
	"encoding/json"
	"fmt"

	"onemap/tiles"
)

// frame holds the used members of a frame of docs/push-protocol.md.
type frame struct {
	Type   string       `json:"type"`
	All    bool         `json:"all"`
	Layers []frameLayer `json:"layers"`
}

type frameLayer struct {
	Layer  string      `json:"layer"`
	All    bool        `json:"all"`
	Ranges [][5]uint32 `json:"ranges"` // zoom, first column, first row, last column, last row
}

// parseFrame decodes the members that the benchmark needs; others are ignored.
func parseFrame(text []byte) (frame, error) {
	var f frame
	if err := json.Unmarshal(text, &f); err != nil {
		return f, fmt.Errorf("a frame: %w", err)
	}
	return f, nil
}

// covers reports whether a client must fetch the tile again. A tile deeper than the deepest zoom of its layer in the frame is
// covered if its ancestor at that zoom is.
func (f frame) covers(layer string, a tiles.Address) bool {
	if f.Type != "tiles" {
		return false
	}
	if f.All {
		return true
	}
	for _, l := range f.Layers {
		if l.Layer == layer && l.covers(a) {
			return true
		}
	}
	return false
}

// covers reports whether the layer's ranges contain the tile. Ranges name tiles only down to a deepest zoom; a deeper tile is
// covered if its ancestor at that zoom is.
func (l frameLayer) covers(a tiles.Address) bool {
	if l.All {
		return true
	}
	deepest := uint32(0)
	for _, r := range l.Ranges {
		deepest = max(deepest, r[0])
	}
	if a.Z > deepest {
		up := a.Z - deepest
		a = tiles.Address{Z: deepest, X: a.X >> up, Y: a.Y >> up}
	}
	for _, r := range l.Ranges {
		if r[0] == a.Z && a.X >= r[1] && a.Y >= r[2] && a.X <= r[3] && a.Y <= r[4] {
			return true
		}
	}
	return false
}
