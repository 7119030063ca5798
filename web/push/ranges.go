package push

import (
	"cmp"
	"slices"

	"onemap/tiles"
)

const (
	// maxRanges is the largest number of ranges of a layer in one frame. It is greater than the number of zooms, so that
	// at least one range per zoom always fits.
	maxRanges = 64
	// maxSwept is the largest number of ranges of one zoom that are united exactly. The cost of sweep can grow with the
	// square of this number.
	maxSwept = 2048
)

// unite returns at most maxRanges ranges that cover every given tile, ordered by zoom, row and column. It merges equal,
// overlapping and adjacent ranges; the result never has more ranges than there are different given ones. If that is
// enough, the result covers no other tile. If not, the zooms with the most ranges are covered with coarser blocks, which
// stay within the bounds of the given ranges of the zoom. coarsened is the number of ranges that were merged into such
// blocks. Parts outside the world are dropped. unite modifies the given slice.
func unite(given []tiles.Range) (ranges []tiles.Range, coarsened int) {
	given = distinct(inWorld(given))
	var zooms []*zoomRanges
	total := 0
	for len(given) > 0 {
		n := 1
		for n < len(given) && given[n].Z == given[0].Z {
			n++
		}
		z := &zoomRanges{ranges: given[:n:n], bounds: boundsOf(given[:n])}
		for len(z.ranges) > maxSwept {
			coarsened += z.coarsen()
		}
		z.unite()
		zooms = append(zooms, z)
		total += len(z.ranges)
		given = given[n:]
	}
	for total > maxRanges {
		z := slices.MaxFunc(zooms, func(a, b *zoomRanges) int { return cmp.Compare(len(a.ranges), len(b.ranges)) })
		before := len(z.ranges)
		z.coarsen()
		z.unite()
		coarsened += before - len(z.ranges)
		total -= before - len(z.ranges)
	}
	ranges = make([]tiles.Range, 0, total)
	for _, z := range zooms {
		ranges = append(ranges, z.ranges...)
	}
	return ranges, coarsened
}

// zoomRanges holds the ranges of one zoom, in order.
type zoomRanges struct {
	ranges []tiles.Range
	bounds tiles.Range // bounds of the given ranges
	block  uint32      // log2 of the side of the blocks, in tiles
}

// coarsen doubles the side of the blocks and returns how many ranges became equal to others. When the block is as large as
// the world, one range is left.
func (z *zoomRanges) coarsen() (fewer int) {
	before := len(z.ranges)
	z.block++
	inside := uint32(1)<<z.block - 1
	for i, r := range z.ranges {
		z.ranges[i] = tiles.Range{
			Z: r.Z, X0: max(r.X0&^inside, z.bounds.X0), Y0: max(r.Y0&^inside, z.bounds.Y0),
			X1: min(r.X1|inside, z.bounds.X1), Y1: min(r.Y1|inside, z.bounds.Y1),
		}
	}
	z.ranges = distinct(z.ranges)
	return before - len(z.ranges)
}

// unite replaces the ranges with fewer ones that cover the same tiles, if sweep finds fewer.
func (z *zoomRanges) unite() {
	if swept := sweep(z.ranges); len(swept) < len(z.ranges) {
		z.ranges = swept
	}
}

// sweep returns disjoint ranges that cover the tiles of the given ranges of one zoom, which are in order. It goes down
// through the rows at which a range begins or ends, unites the ranges in each strip, and extends a range of the strip
// above downwards if it has the same columns.
func sweep(ranges []tiles.Range) []tiles.Range {
	var done, growing, active []tiles.Range
	next := 0
	edges := rowEdges(ranges)
	for i := range len(edges) - 1 {
		top, bottom := edges[i], edges[i+1]-1
		active = slices.DeleteFunc(active, func(r tiles.Range) bool { return r.Y1 < top })
		for ; next < len(ranges) && ranges[next].Y0 == top; next++ {
			active = append(active, ranges[next])
		}
		var ended []tiles.Range
		growing, ended = grow(growing, strip(active, top, bottom))
		done = append(done, ended...)
	}
	done = append(done, growing...)
	slices.SortFunc(done, compareRanges)
	return done
}

// rowEdges returns, in ascending order, the rows at which a range begins and the rows directly after the end of a range.
func rowEdges(ranges []tiles.Range) []uint32 {
	edges := make([]uint32, 0, 2*len(ranges))
	for _, r := range ranges {
		edges = append(edges, r.Y0, r.Y1+1)
	}
	slices.Sort(edges)
	return slices.Compact(edges)
}

// strip returns the union of ranges within the rows top to bottom, from west to east. Each range must span all of these
// rows. It reorders the ranges.
func strip(ranges []tiles.Range, top, bottom uint32) []tiles.Range {
	slices.SortFunc(ranges, func(a, b tiles.Range) int { return cmp.Compare(a.X0, b.X0) })
	var row []tiles.Range
	for _, r := range ranges {
		if n := len(row); n > 0 && r.X0 <= row[n-1].X1+1 {
			row[n-1].X1 = max(row[n-1].X1, r.X1)
			continue
		}
		row = append(row, tiles.Range{Z: r.Z, X0: r.X0, Y0: top, X1: r.X1, Y1: bottom})
	}
	return row
}

// grow joins a strip to the ranges directly above it. A range above with the same columns continues in the strip; the
// others have ended. Both inputs are ordered from west to east.
func grow(above, row []tiles.Range) (growing, ended []tiles.Range) {
	i := 0
	for _, r := range row {
		for ; i < len(above) && above[i].X0 < r.X0; i++ {
			ended = append(ended, above[i])
		}
		if i < len(above) && above[i].X0 == r.X0 && above[i].X1 == r.X1 {
			r.Y0 = above[i].Y0
			i++
		}
		growing = append(growing, r)
	}
	return growing, append(ended, above[i:]...)
}

// inWorld clips ranges at the edge of the world and drops those that contain no tile. It reuses the given slice.
func inWorld(ranges []tiles.Range) []tiles.Range {
	kept := ranges[:0]
	for _, r := range ranges {
		if r.Z > tiles.MaxZoom {
			continue
		}
		last := uint32(1)<<r.Z - 1
		r.X1, r.Y1 = min(r.X1, last), min(r.Y1, last)
		if r.X0 <= r.X1 && r.Y0 <= r.Y1 {
			kept = append(kept, r)
		}
	}
	return kept
}

// distinct sorts ranges and removes duplicates.
func distinct(ranges []tiles.Range) []tiles.Range {
	slices.SortFunc(ranges, compareRanges)
	return slices.Compact(ranges)
}

// compareRanges compares ranges by zoom, row and column.
func compareRanges(a, b tiles.Range) int {
	return cmp.Or(
		cmp.Compare(a.Z, b.Z), cmp.Compare(a.Y0, b.Y0), cmp.Compare(a.X0, b.X0),
		cmp.Compare(a.Y1, b.Y1), cmp.Compare(a.X1, b.X1),
	)
}

// boundsOf returns the smallest range that contains all ranges of one zoom. There must be at least one.
func boundsOf(ranges []tiles.Range) tiles.Range {
	b := ranges[0]
	for _, r := range ranges[1:] {
		b.X0, b.Y0 = min(b.X0, r.X0), min(b.Y0, r.Y0)
		b.X1, b.Y1 = max(b.X1, r.X1), max(b.Y1, r.Y1)
	}
	return b
}
