package core

import (
	"math/bits"

	"onemap/internal/fault"
)

// TileExtent is the number of units on a tile's side. Source: MVT 2.1, extent.
const TileExtent = 4096

// TileRules defines how a layer is drawn into tiles. The catalogue stores it as JSON. A member that is missing has its
// default. Lengths are in tile units: 4,096 per side, so 8 units are one CSS pixel of a tile that is shown 512 pixels wide.
type TileRules struct {
	Severity string    `json:"severity,omitempty" doc:"Numeric field whose values 1 (worst) to 4 order the features; empty is their level"`
	Simplify *float64  `json:"simplify,omitempty" doc:"How far a simplified line may lie beside the true one, in tile units of 1/4096; 0 is not at all. Default 4"`
	Thin     *TileGrid `json:"thin,omitempty" doc:"Where only the worst feature of each cell is drawn, with the count of all; a cell of 0 is nowhere. Default: cells of 16 units, below the layer's deepest zoom"`
	Cluster  *TileGrid `json:"cluster,omitempty" doc:"Where points of a cell are drawn as one, at their mean, with count and worst level. Default: nowhere"`
	Buffer   *int      `json:"buffer,omitempty" doc:"Units around the tile that are drawn too. Default 64"`
	Source   string    `json:"source,omitempty" enum:",memory,database" doc:"Where tiles are made: in memory, or by the database for a layer too large for it; empty chooses by size"`
}

// TileGrid is a grid of square cells, aligned to the world, for all zooms up to ToZoom.
type TileGrid struct {
	Cell   int `json:"cell" doc:"Side of a cell in tile units: a power of two to 4096, or 0"`
	ToZoom int `json:"to_zoom" doc:"The deepest zoom at which it holds"`
}

// The sources of a layer's tiles.
const (
	TileSourceMemory   = "memory"
	TileSourceDatabase = "database"
)

const (
	defaultSimplify = 4.0
	defaultThinCell = 16 // two CSS pixels, the size of the smallest symbol
	defaultBuffer   = 64
)

// The largest values that the rules of a layer may have.
const (
	MaxSimplify   = 256  // tile units
	MaxTileBuffer = 1024 // tile units
	MaxGridZoom   = 22
)

// Tolerance returns Simplify or its default, in tile units.
func (r TileRules) Tolerance() float64 {
	if r.Simplify == nil {
		return defaultSimplify
	}
	return *r.Simplify
}

// Thinning returns Thin or its default for a layer whose largest zoom is maxZoom.
func (r TileRules) Thinning(maxZoom int) TileGrid {
	if r.Thin == nil {
		return TileGrid{Cell: defaultThinCell, ToZoom: maxZoom - 1}
	}
	return *r.Thin
}

// Clustering returns Cluster, or a grid that applies at no zoom.
func (r TileRules) Clustering() TileGrid {
	if r.Cluster == nil {
		return TileGrid{}
	}
	return *r.Cluster
}

// At reports whether the grid applies at a zoom.
func (g TileGrid) At(zoom int) bool { return g.Cell > 0 && zoom <= g.ToZoom }

// BufferUnits returns Buffer or its default, in tile units.
func (r TileRules) BufferUnits() int {
	if r.Buffer == nil {
		return defaultBuffer
	}
	return *r.Buffer
}

// Check returns an error of kind fault.Invalid if a rule is not valid. Its field is the JSON name.
func (r TileRules) Check() error {
	if t := r.Tolerance(); !(t >= 0 && t <= MaxSimplify) { // false for NaN too
		return fault.InvalidCode("simplify", fault.CodeOutOfRange, t, 0, MaxSimplify)
	}
	if b := r.BufferUnits(); b < 0 || b > MaxTileBuffer {
		return fault.InvalidCode("buffer", fault.CodeOutOfRange, b, 0, MaxTileBuffer)
	}
	for _, g := range []struct {
		field string
		grid  *TileGrid
	}{{"thin", r.Thin}, {"cluster", r.Cluster}} {
		if g.grid == nil {
			continue
		}
		if c := g.grid.Cell; c < 0 || c > TileExtent || bits.OnesCount(uint(c)) > 1 {
			return fault.InvalidCode(g.field+".cell", CodeCellSize, c, TileExtent)
		}
		if z := g.grid.ToZoom; z < 0 || z > MaxGridZoom {
			return fault.InvalidCode(g.field+".to_zoom", fault.CodeOutOfRange, z, 0, MaxGridZoom)
		}
	}
	switch r.Source {
	case "", TileSourceMemory, TileSourceDatabase:
		return nil
	}
	return fault.InvalidField("source", "%q is none of memory, database", r.Source)
}
