package memory

import (
	"cmp"
	"math/bits"
	"slices"

	"onemap/internal/core"
	"onemap/tiles/shape"
)

// Query asks for a layer's part of one tile.
type Query struct {
	Z, X, Y uint32
	Labels  bool   // the points for the names of polygons, in place of the features
	Scope   string // of the reader's division, when Judged
	Judged  bool   // only what the scope covers is drawn
	Rules   core.TileRules
	MaxZoom int // the layer's
	Budget  int // bytes that the part may have; 0 is no bound
}

// pixel is the side of one CSS pixel of a tile that is shown 512 pixels wide, in tile units.
const pixel = 8

// grid is a raster of cells in world coordinates; a shift of 0 bits is none.
type grid struct{ shift uint }

func (g grid) on() bool { return g.shift > 0 }

// gridOf is a raster of a cell in tile units at a zoom. Where that is below one world unit, there is none.
func gridOf(cell int, z uint32) grid {
	shift := bits.TrailingZeros(uint(cell)) + 20 - int(z)
	return grid{uint(min(max(shift, 0), 31))}
}

// align widens a box to whole cells.
func (g grid) align(b shape.Box) shape.Box {
	low := uint32(1)<<g.shift - 1
	return shape.Box{X0: b.X0 &^ low, Y0: b.Y0 &^ low, X1: b.X1 | low, Y1: b.Y1 | low}
}

// raster is how a layer is thinned at a zoom, made coarser step by step: each step doubles the cells.
type raster struct {
	dots    grid
	cluster bool
	shapes  grid
	small   uint64 // shapes with a box below it in both directions are thinned; world units
	coarse  bool   // coarser than the rules say
}

// raster returns how the layer is thinned at the zoom of the query. step is how often the part has been found too
// large: each step doubles the sides of the cells, up to a whole tile.
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

// Reach is the box of everything whose picture may change at a zoom when something in the box does.
func Reach(b shape.Box, rules core.TileRules, maxZoom int, z uint32) shape.Box {
	q := Query{Z: z, Rules: rules, MaxZoom: maxZoom}
	r := q.raster(0)
	return r.dots.align(r.shapes.align(b))
}

// worldUnits is a length of tile units at a zoom, at least 1.
func worldUnits(units int, z uint32) uint64 {
	if z <= 20 {
		return uint64(units) << (20 - z)
	}
	return max(1, uint64(units)>>(z-20))
}

// dot is a point to be drawn: one feature, the worst of a cell, or a cluster of many.
type dot struct {
	x, y  uint32
	slot  uint32
	count uint32
	rank  uint8
	many  bool // a cluster: no feature's own
}

// figure is a line or polygon to be drawn.
type figure struct {
	id    int64
	at    uint32
	count uint32
	rank  uint8
}

// judge notes for each division whether the reader may see it.
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

// scanPoints collects the points of a view. Those of the box, its cells, have a say in them.
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
	// The runs are in order and so are the points: each search begins where the last one ended.
	var pos position
	for _, run := range s.runs {
		pos = p.seek(pos, run.from)
		pos = g.walk(p, pos, run.to, box)
	}
	g.flush()
}

// gather draws points one by one, or the points of a cell together: in Morton order they follow each
// other.
type gather struct {
	grid
	s       *Scratch
	l       *Layer
	view    shape.Box
	cluster bool
	judged  bool

	cell       uint64
	n          uint32
	best       dot
	sumX, sumY uint64
}

// walk takes the points from a position up to a Morton code. A run of codes may reach beyond the box, so each
// point is compared with the box. Points of one cell have the same upper bits of their code, and so follow each
// other.
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

// add takes a point into the cell. The worst one stands for the cell; of equally bad ones the one of the lowest
// id, so that every node draws the same.
func (g *gather) add(d dot) {
	if g.n == 0 || d.rank > g.best.rank || (d.rank == g.best.rank && g.l.ids[d.slot] < g.l.ids[g.best.slot]) {
		g.best = d
	}
	g.n++
	g.sumX += uint64(d.x)
	g.sumY += uint64(d.y)
}

// flush draws the cell that has been gathered, when it lies in the view.
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

// scanShapes collects the lines and polygons of a view in the order in which they are drawn.
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

// thin keeps the worst of the small shapes whose middles lie in one cell.
func (s *Scratch) thin(l *Layer, fig figure, r raster, box, view shape.Box) {
	f := &l.forms[fig.at]
	x, y := f.Box.X0+(f.Box.X1-f.Box.X0)/2, f.Box.Y0+(f.Box.Y1-f.Box.Y0)/2
	if x < box.X0 || x > box.X1 || y < box.Y0 || y > box.Y1 {
		if !r.coarse || !f.Box.Overlaps(view) {
			return
		}
		// Small by a coarse measure only: it reaches into the tile, and is judged where it does.
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

// settle brings the shapes into their order: the worst last, then by id.
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
