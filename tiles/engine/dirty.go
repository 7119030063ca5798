package engine

import (
	"cmp"
	"maps"
	"slices"

	"onemap/internal/core"
	"onemap/tiles"
	"onemap/tiles/memory"
	"onemap/tiles/shape"
)

// manyTiles is the largest number of tiles of one place and zoom that are listed one by one. A larger number is kept as
// a range, and the whole cache is searched for it.
const manyTiles = 256

// dirty holds the tiles that are out of date, by the division whose readers see the change. If the layer is not by
// division, all tiles have the division "".
type dirty struct {
	spec  *tiles.Spec
	tiles map[string]map[tileID]struct{}
	wide  map[string][]tiles.Range // ranges of more than manyTiles, of large features at deep zooms
}

// drop finds the tiles that the changed places touch and removes them from the cache. The caller holds the write lock of
// the layer.
func (e *Engine) drop(l *layer, places []memory.Extent) dirty {
	spec := l.spec.Load()
	d := dirty{spec: spec, tiles: map[string]map[tileID]struct{}{}, wide: map[string][]tiles.Range{}}
	// Clients usually overzoom the deepest tiles of the layer. Some clients request deeper tiles, so these are dropped too.
	deepest := max(l.deepest.Load(), uint32(spec.MaxZoom))
	for _, p := range places {
		d.add(p, deepest)
	}
	if e.blobs == nil {
		return d
	}
	scopes := l.knownScopes()
	for division, set := range d.tiles {
		for _, scope := range scopes {
			if byDivision(spec) && !(core.Scope{Division: scope}).Covers(division) {
				continue
			}
			// The labels of a layer have their own part in the same tile.
			for t := range set {
				e.blobs.Invalidate(layerTileKey{int32(l.id), false, t, scope})
				e.blobs.Invalidate(layerTileKey{int32(l.id), true, t, scope})
			}
		}
	}
	if len(d.wide) > 0 {
		e.sweep(func(k layerTileKey) bool { return k.layer == int32(l.id) && d.covers(k.tile) })
	}
	return d
}

// dropAll removes every part of a layer from the cache. The caller holds the write lock of the layer.
func (e *Engine) dropAll(l *layer) {
	e.sweep(func(k layerTileKey) bool { return k.layer == int32(l.id) })
}

// sweep checks every key of the cache and removes the keys for which gone returns true. It is for changes that touch too
// many tiles to list them.
func (e *Engine) sweep(gone func(layerTileKey) bool) {
	if e.blobs == nil {
		return
	}
	for k := range e.blobs.Keys() {
		if gone(k) {
			e.blobs.Invalidate(k)
		}
	}
}

// add adds the tiles of all zooms that may show a part of the place.
func (d *dirty) add(p memory.Extent, deepest uint32) {
	division := ""
	if byDivision(d.spec) {
		division = p.Division
	}
	set := d.tiles[division]
	if set == nil {
		set = map[tileID]struct{}{}
		d.tiles[division] = set
	}
	for z := uint32(max(d.spec.MinZoom, 0)); z <= deepest; z++ {
		r := touched(memory.Reach(p.Box, d.spec.Rules, d.spec.MaxZoom, z), d.spec.Rules.BufferUnits(), z)
		if uint64(r.X1-r.X0+1)*uint64(r.Y1-r.Y0+1) > manyTiles {
			d.wide[division] = append(d.wide[division], r)
			continue
		}
		for y := r.Y0; y <= r.Y1; y++ {
			for x := r.X0; x <= r.X1; x++ {
				set[tileOf(z, x, y)] = struct{}{}
			}
		}
	}
}

// touched returns the tiles of a zoom whose area, with the buffer, overlaps the box. Units of buffer: tile units.
func touched(b shape.Box, buffer int, z uint32) tiles.Range {
	// reach is in world units. A tile unit is 2^20 world units at zoom 0, and half as many at each deeper zoom.
	reach := uint64(buffer+pixels) << 20 >> z
	low := func(v uint32) uint32 { return uint32((uint64(v) - min(uint64(v), reach)) >> (32 - z)) }
	high := func(v uint32) uint32 { return uint32(min(uint64(v)+reach, 1<<32-1) >> (32 - z)) }
	return tiles.Range{Z: z, X0: low(b.X0), Y0: low(b.Y0), X1: high(b.X1), Y1: high(b.Y1)}
}

// pixels is the distance, in tile units, by which the drawing of a feature may exceed its box. Small features are drawn
// larger than they are.
const pixels = 8

// covers reports whether a tile lies in one of the wide ranges of any division. It may drop more tiles than necessary;
// that costs time and is never wrong.
func (d *dirty) covers(t tileID) bool {
	z, x, y := t.zxy()
	for _, ranges := range d.wide {
		for _, r := range ranges {
			if r.Z == z && x >= r.X0 && x <= r.X1 && y >= r.Y0 && y <= r.Y1 {
				return true
			}
		}
	}
	return false
}

// notices returns the notices for the tiles that clients may have: the tiles of the layer's own zooms.
func (d *dirty) notices() []tiles.Notice {
	var all []tiles.Notice
	for _, division := range slices.Sorted(maps.Keys(d.tiles)) {
		ranges := runs(d.tiles[division], uint32(d.spec.MaxZoom))
		for _, r := range d.wide[division] {
			if r.Z <= uint32(d.spec.MaxZoom) {
				ranges = append(ranges, r)
			}
		}
		if len(ranges) > 0 {
			all = append(all, tiles.Notice{Layer: d.spec.Name, Audience: d.spec.Audience, Division: division, Ranges: ranges})
		}
	}
	return all
}

// runs joins adjacent tiles of a row into ranges, and equal ranges of adjacent rows into rectangles.
func runs(set map[tileID]struct{}, maxZoom uint32) []tiles.Range {
	all := slices.Sorted(maps.Keys(set)) // by zoom, row, column
	var out []tiles.Range
	for _, t := range all {
		z, x, y := t.zxy()
		if z > maxZoom {
			break
		}
		if n := len(out); n > 0 {
			if r := &out[n-1]; r.Z == z && r.Y0 == y && r.X1+1 == x {
				r.X1 = x
				continue
			}
		}
		out = append(out, tiles.Range{Z: z, X0: x, Y0: y, X1: x, Y1: y})
	}
	return joinRows(out)
}

// joinRows joins ranges of the same columns in adjacent rows.
func joinRows(rows []tiles.Range) []tiles.Range {
	slices.SortFunc(rows, func(a, b tiles.Range) int {
		return cmp.Or(cmp.Compare(a.Z, b.Z), cmp.Compare(a.X0, b.X0), cmp.Compare(a.X1, b.X1), cmp.Compare(a.Y0, b.Y0))
	})
	var out []tiles.Range
	for _, r := range rows {
		if n := len(out); n > 0 {
			if last := &out[n-1]; last.Z == r.Z && last.X0 == r.X0 && last.X1 == r.X1 && last.Y1+1 == r.Y0 {
				last.Y1 = r.Y1
				continue
			}
		}
		out = append(out, r)
	}
	return out
}
