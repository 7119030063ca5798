package memory

import (
	"cmp"
	"math/bits"
	"slices"

	"onemap/internal/core"
	"onemap/tiles/shape"
)

// Query describes a layer's part of one tile.
type Query struct {
	Z, X, Y uint32
	Labels  bool   // draw the points for the names of polygons instead of the features
	Scope   string // division code of the reader's scope; used if Judged
	Judged  bool   // draw only features that the scope covers
	Rules   core.TileRules
	MaxZoom int // of the layer
	Budget  int // largest size of the part in bytes; 0: no limit
}

// pixel is the side of one CSS pixel in tile units: 4096 units for a tile that is shown 512 pixels wide.
const pixel = 8

// grid divides the world into square cells with sides of 2^shift world units. A shift of 0 means that there are no
// cells.
type grid struct{ shift uint }

// on reports whether the grid has cells.
func (g grid) on() bool { return g.shift > 0 }

// gridOf returns the grid whose cells have a side of cell tile units at a zoom. cell must be a power of two. A tile
// unit is 2^(20-z) world units. If a cell would be smaller than two world units, there is no grid.
func gridOf(cell int, z uint32) grid {
	shift := bits.TrailingZeros(uint(cell)) + 20 - int(z)
	return grid{uint(min(max(shift, 0), 31))}
}

// align extends a box to whole cells.
func (g grid) align(b shape.Box) shape.Box {
	low := uint32(1)<<g.shift - 1
	return shape.Box{X0: b.X0 &^ low, Y0: b.Y0 &^ low, X1: b.X1 | low, Y1: b.Y1 | low}
}

// raster states how a layer is thinned at a zoom.
type raster struct {
	dots    grid   // one point, or one cluster, for each cell
	cluster bool   // points of a cell become a cluster
	shapes  grid   // one small shape for each cell
	small   uint64 // a shape is small if its box is smaller than this in both directions; world units
	coarse  bool   // coarser than the rules state
}

// raster returns how the layer is thinned at the zoom of the query. step is the number of times that the part was too
// large. Each step doubles the sides of the cells, up to a whole tile.
func (q *Query) raster(step int) raster {
	thin, cluster := q.Rules.Thinning(q.MaxZoom), q.Rules.Clustering()
	coarser := func(cell int) grid { return gridOf(min(cell<<step, core.TileExtent), q.Z) }
	r := raster{coarse: step > 0}
	switch z := int(q.Z); {
	case thin.At(z):
		r.dots = coarser(thin.Cell)
	case step > 0:
		r.dots = coarser(pixel)
	}
	r.shapes, r.small = r.dots, worldUnits(pixel<<step, q.Z)
	if cluster.At(int(q.Z)) && !q.Labels {
		r.dots, r.cluster = coarser(cluster.Cell), true
	}
	return r
}

// Reach returns the box in which the picture of a tile may change at a zoom if a feature in the box b changes. It is
// larger than b, because a feature can decide which other feature of its cell is drawn.
func Reach(b shape.Box, rules core.TileRules, maxZoom int, z uint32) shape.Box {
	q := Query{Z: z, Rules: rules, MaxZoom: maxZoom}
	r := q.raster(0)
	return r.dots.align(r.shapes.align(b))
}

// worldUnits converts a length in tile units at a zoom to world units. The result is at least 1.
func worldUnits(units int, z uint32) uint64 {
	if z <= 20 {
		return uint64(units) << (20 - z)
	}
	return max(1, uint64(units)>>(z-20))
}

// dot is a point to be drawn: one feature, the worst feature of a cell, or a cluster of several features.
type dot struct {
	x, y  uint32
	slot  uint32
	count uint32 // number of features that it represents
	rank  uint8
	many  bool // a cluster
}

// figure is a line or polygon to be drawn.
type figure struct {
	id    int64
	at    uint32 // index of forms
	count uint32 // number of features that it represents
	rank  uint8
}

// judge computes, for each division of the layer, whether the scope of the reader covers it. A layer has few divisions
// and many features, so this is faster than a check for each feature.
func (s *Scratch) judge(l *Layer, q *Query) {
	s.allowed = s.allowed[:0]
	if !q.Judged {
		return
	}
	scope := core.Scope{Division: q.Scope}
	for _, code := range l.areas.codes {
		s.allowed = append(s.allowed, scope.Covers(code))
	}
}

// scanPoints collects the points of a view. box is the view extended to whole cells: its points decide together which
// point of a cell is drawn, so that two neighbouring tiles draw the same one.
func (s *Scratch) scanPoints(l *Layer, q *Query, view, box shape.Box, r raster) {
	p := &l.points
	if q.Labels {
		p = &l.labels
	}
	if p.n == 0 {
		return
	}
	s.runs = cover(s.runs[:0], box.X0, box.Y0, box.X1, box.Y1, min(uint(q.Z)+4, 32))
	g := gather{s: s, l: l, view: view, grid: r.dots, cluster: r.cluster, judged: q.Judged}
	// Runs and points are sorted in the same order, so each search begins where the last one ended.
	var pos position
	for _, run := range s.runs {
		pos = p.seek(pos, run.from)
		pos = g.walk(p, pos, run.to, box)
	}
	g.flush()
}

// gather collects points one by one, or the points of a cell together, which are next to each other in Morton order.
type gather struct {
	grid
	s       *Scratch
	l       *Layer
	view    shape.Box
	cluster bool
	judged  bool

	cell       uint64 // the current cell: the upper bits of the Morton codes of its points
	n          uint32 // number of its points so far
	best       dot    // its worst point so far
	sumX, sumY uint64 // sums of the coordinates, for the place of a cluster
}

// walk collects the points from a position up to a Morton code and returns the position after them. A run of codes may
// extend beyond the box, so walk compares each point with the box.
func (g *gather) walk(p *points, pos position, to uint64, box shape.Box) position {
	for ; pos.at < len(p.blocks); pos = (position{pos.at + 1, 0}) {
		b := &p.blocks[pos.at]
		for ; pos.in < len(b.keys); pos.in++ {
			key := b.keys[pos.in]
			if key > to {
				return pos
			}
			slot := b.slots[pos.in]
			x, y := g.l.x[slot], g.l.y[slot]
			if x < box.X0 || x > box.X1 || y < box.Y0 || y > box.Y1 || (g.judged && !g.s.allowed[g.l.where[slot]]) {
				continue
			}
			d := dot{x: x, y: y, slot: slot, count: 1, rank: g.l.ranks[slot] >> 4}
			if !g.on() {
				g.s.dots = append(g.s.dots, d)
				continue
			}
			if cell := key >> (2 * g.shift); g.n == 0 || cell != g.cell {
				g.flush()
				g.cell = cell
			}
			g.add(d)
		}
	}
	return pos
}

// add adds a point to the current cell. The point with the worst level represents the cell. Of several, it is the one
// with the lowest id, so that every node draws the same tile.
func (g *gather) add(d dot) {
	if g.n == 0 || d.rank > g.best.rank || (d.rank == g.best.rank && g.l.ids[d.slot] < g.l.ids[g.best.slot]) {
		g.best = d
	}
	g.n++
	g.sumX += uint64(d.x)
	g.sumY += uint64(d.y)
}

// flush ends the current cell and adds its point or cluster to the dots if it is in the view. A cluster is at the mean
// of its points.
func (g *gather) flush() {
	if g.n == 0 {
		return
	}
	d := g.best
	d.count = g.n
	if g.cluster && g.n > 1 {
		d.many = true
		d.x, d.y = uint32(g.sumX/uint64(g.n)), uint32(g.sumY/uint64(g.n))
	}
	if v := g.view; d.x >= v.X0 && d.x <= v.X1 && d.y >= v.Y0 && d.y <= v.Y1 {
		g.s.dots = append(g.s.dots, d)
	}
	g.n, g.sumX, g.sumY = 0, 0, 0
}

// scanShapes collects the lines and polygons of a view in the order of drawing. box is the view extended to whole cells.
func (s *Scratch) scanShapes(l *Layer, q *Query, view, box shape.Box, r raster) {
	if q.Labels || l.tree.Len() == 0 {
		return
	}
	s.found = s.found[:0]
	low, high := corners(box)
	l.tree.Search(low, high, func(_, _ [2]float32, at uint32) bool {
		s.found = append(s.found, at)
		return true
	})
	// The tree returns shapes in no fixed order, so thin and settle decide only by level and id.
	s.cells.clear()
	for _, at := range s.found {
		f := &l.forms[at]
		if q.Judged && !s.allowed[l.where[f.slot]] {
			continue
		}
		fig := figure{id: l.ids[f.slot], at: at, count: 1, rank: l.ranks[f.slot] >> 4}
		if r.shapes.on() && uint64(f.Box.X1-f.Box.X0) < r.small && uint64(f.Box.Y1-f.Box.Y0) < r.small {
			s.thin(l, fig, r, box, view)
			continue
		}
		if f.Box.Overlaps(view) {
			s.figures = append(s.figures, fig)
		}
	}
	s.settle(l, view)
}

// thin keeps one of the small shapes whose centres are in the same cell: the one with the worst level, then the lowest
// id.
func (s *Scratch) thin(l *Layer, fig figure, r raster, box, view shape.Box) {
	f := &l.forms[fig.at]
	x, y := f.Box.X0+(f.Box.X1-f.Box.X0)/2, f.Box.Y0+(f.Box.Y1-f.Box.Y0)/2
	if x < box.X0 || x > box.X1 || y < box.Y0 || y > box.Y1 {
		if !r.coarse || !f.Box.Overlaps(view) {
			return
		}
		// With coarse cells a small shape can extend into the view from outside the box. Its centre is then moved to the edge
		// of the box, so that it is not lost.
		x, y = min(max(x, box.X0), box.X1), min(max(y, box.Y0), box.Y1)
	}
	at, there := s.cells.at(uint64(x>>r.shapes.shift)<<32|uint64(y>>r.shapes.shift), uint32(len(s.small)))
	if !there {
		s.small = append(s.small, fig)
		return
	}
	old := &s.small[at]
	count := old.count + 1
	if fig.rank > old.rank || (fig.rank == old.rank && (fig.id < old.id || (fig.id == old.id && f.Kind < l.forms[old.at].Kind))) {
		*old = fig
	}
	old.count = count
}

// settle adds the thinned shapes in the view and sorts all shapes in the order of drawing: by level, the worst last,
// then by id.
func (s *Scratch) settle(l *Layer, view shape.Box) {
	for _, fig := range s.small {
		if l.forms[fig.at].Box.Overlaps(view) {
			s.figures = append(s.figures, fig)
		}
	}
	s.small = s.small[:0]
	slices.SortFunc(s.figures, func(a, b figure) int {
		switch {
		case a.rank != b.rank:
			return int(a.rank) - int(b.rank)
		case a.id != b.id:
			return cmp.Compare(a.id, b.id)
		default:
			return int(l.forms[a.at].Kind) - int(l.forms[b.at].Kind)
		}
	})
}
