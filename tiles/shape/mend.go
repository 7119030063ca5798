package shape

import (
	"cmp"
	"slices"
)

// mend repairs the held rings. It repairs each polygon separately. If the results then cross or overlap each other, it
// repairs all of them together.
func (c *Cutter) mend() {
	if c.mender == nil {
		c.mender = new(mender)
	}
	points, rings := slices.Clone(c.held), slices.Clone(c.rings)
	c.release(0)
	polygons, from := 0, 0
	for i := 0; i < len(rings); polygons++ {
		end := i + 1
		for end < len(rings) && !rings[end].exterior {
			end++
		}
		c.mendPolygon(points, rings[i:end], from)
		i, from = end, rings[end-1].end
	}
	if polygons == 1 || c.sound() {
		return
	}
	c.mender.reset()
	from = 0
	for _, r := range c.rings {
		c.mender.add(c.held[from:r.end], false)
		from = r.end
	}
	c.release(0)
	c.mender.polygons(c.holdMended)
}

// mendPolygon repairs a polygon and holds the resulting rings. Its first ring begins at points[from]. If nothing is
// left of the polygon, it tries again with the holes moved by one unit, and then draws a unit square, so that the
// polygon does not vanish.
func (c *Cutter) mendPolygon(points []point, rings []heldRing, from int) {
	before := len(c.rings)
	exterior := points[from:rings[0].end]
	if len(rings) == 1 && star(exterior, mean(exterior)) {
		c.points = append(c.points[:0], exterior...)
		c.hold(1, true)
		return
	}
	for aside := int64(0); aside <= 1 && len(c.rings) == before; aside++ {
		c.mender.reset()
		at := from
		for i, r := range rings {
			c.points = append(c.points[:0], points[at:r.end]...)
			if i > 0 {
				for j := range c.points {
					c.points[j].x += aside
					c.points[j].y += aside
				}
			}
			c.mender.add(c.points, i > 0)
			at = r.end
		}
		c.mender.polygons(c.holdMended)
	}
	if len(c.rings) == before {
		x, y := min(exterior[0].x, c.hi-1), min(exterior[0].y, c.hi-1)
		c.points = append(c.points[:0], point{x, y}, point{x + 1, y}, point{x + 1, y + 1}, point{x, y + 1})
		c.hold(1, true)
	}
}

// holdMended tidies and holds a ring that the mender has made.
func (c *Cutter) holdMended(ring []point, exterior bool) {
	var area int64
	c.points, area = tidy(append(c.points[:0], ring...))
	c.hold(area, exterior)
}

// mender makes valid polygons of rings that cross or touch. It works in three steps:
//
//   - split: it splits the sides at their crossings, rounded to tile units by snap rounding (Hobby, "Practical segment
//     intersection with finite precision output", 1999). After that, sides meet only at their ends.
//   - wind: a sweep finds which side of each edge is inside.
//   - follow: it follows the outlines of the inside.
//
// A place is inside if an exterior runs around it, in any direction and any number of times, and no hole does.
type mender struct {
	sides    []side
	order    []uint64 // keys of the sides, sorted by their smallest x
	holes    []bool   // by side: it is part of a hole
	forward  []bool   // by side: the ring runs from a to b
	hot      []point  // ends of sides and rounded crossings
	on       []point  // hot points on the side that is being split
	edges    []edgeOf
	active   []int32 // edges that the sweep line crosses
	begins   []int32 // edges that begin at the current point of the sweep
	outlines []outline
	walk     []int32       // outlines of the current walk; see loopsFrom
	seen     map[point]int // index in walk of the outline that begins at a point
}

// edgeOf is an edge that no other edge crosses. a is before b, by x and then by y. ext and hole are the winding numbers
// of exteriors and holes just below the edge. extUp and holeUp are added to get the numbers just above it.
type edgeOf struct {
	a, b            point
	ext, hole       int32
	extUp, holeUp   int32
	inBelow, inOver bool // the place below or above the edge is inside
}

// outline is an edge with the inside on its left.
type outline struct {
	a, b point
	used bool
}

// before orders points by x, then by y.
func before(a, b point) int {
	if n := cmp.Compare(a.x, b.x); n != 0 {
		return n
	}
	return cmp.Compare(a.y, b.y)
}

// add adds the sides of a ring, each with its ends in the order of before.
func (m *mender) add(ring []point, hole bool) {
	a := ring[len(ring)-1]
	for _, b := range ring {
		s := side{a: a, b: b, y0: min(a.y, b.y), y1: max(a.y, b.y)}
		forward := before(a, b) < 0
		if !forward {
			s.a, s.b = b, a
		}
		m.order = append(m.order, orderKey(s.a.x, len(m.sides)))
		m.sides, m.holes, m.forward = append(m.sides, s), append(m.holes, hole), append(m.forward, forward)
		m.hot = append(m.hot, a)
		a = b
	}
}

// reset removes all sides. The memory is reused.
func (m *mender) reset() {
	m.sides, m.order, m.holes, m.forward = m.sides[:0], m.order[:0], m.holes[:0], m.forward[:0]
	m.hot, m.edges, m.outlines = m.hot[:0], m.edges[:0], m.outlines[:0]
}

// polygons calls each for the rings of the resulting valid polygons: for the exterior of a polygon and then for its
// holes.
func (m *mender) polygons(each func(ring []point, exterior bool)) {
	m.split()
	m.wind()
	m.follow(each)
}

// split splits the sides at the hot points and merges equal edges. A hot point is an end of a side or a rounded
// crossing. A side is split at each hot point whose unit square it crosses.
func (m *mender) split() {
	slices.Sort(m.order)
	for i, key := range m.order {
		s := &m.sides[uint32(key)]
		last := orderKey(s.b.x+1, 0)
		for _, other := range m.order[i+1:] {
			if other >= last {
				break
			}
			if o := &m.sides[uint32(other)]; o.y0 <= s.y1 && s.y0 <= o.y1 {
				if p, ok := crossAt(s, o); ok {
					m.hot = append(m.hot, p)
				}
			}
		}
	}
	slices.SortFunc(m.hot, before)
	m.hot = slices.Compact(m.hot)
	for i := range m.sides {
		m.splitSide(i)
	}
	slices.SortFunc(m.edges, func(e, f edgeOf) int {
		if n := before(e.a, f.a); n != 0 {
			return n
		}
		return before(e.b, f.b)
	})
	n := 0
	for _, e := range m.edges {
		if n > 0 && m.edges[n-1].a == e.a && m.edges[n-1].b == e.b {
			m.edges[n-1].extUp += e.extUp
			m.edges[n-1].holeUp += e.holeUp
			continue
		}
		if n > 0 && m.edges[n-1].extUp == 0 && m.edges[n-1].holeUp == 0 {
			n-- // both sides of this edge have the same winding numbers, so it is no outline
		}
		m.edges[n] = e
		n++
	}
	if n > 0 && m.edges[n-1].extUp == 0 && m.edges[n-1].holeUp == 0 {
		n--
	}
	m.edges = m.edges[:n]
}

// crossAt returns the point at which two sides cross between their ends, rounded to the nearest unit, a half up. It
// returns false if they do not. The arithmetic is exact.
func crossAt(s, o *side) (point, bool) {
	d, e := point{s.b.x - s.a.x, s.b.y - s.a.y}, point{o.b.x - o.a.x, o.b.y - o.a.y}
	whole := d.x*e.y - d.y*e.x
	part := (o.a.x-s.a.x)*e.y - (o.a.y-s.a.y)*e.x
	other := (o.a.x-s.a.x)*d.y - (o.a.y-s.a.y)*d.x
	if whole < 0 {
		whole, part, other = -whole, -part, -other
	}
	if part <= 0 || part >= whole || other <= 0 || other >= whole {
		return point{}, false
	}
	round := func(length int64) int64 { // coordinates are below 2^18, so no product is above 2^57
		return floorDiv(2*part*length+whole, 2*whole)
	}
	return point{s.a.x + round(d.x), s.a.y + round(d.y)}, true
}

// floorDiv divides by a positive number and rounds down.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// splitSide splits a side at the hot points on it and adds the resulting edges.
func (m *mender) splitSide(i int) {
	s := &m.sides[i]
	dx, dy := s.b.x-s.a.x, s.b.y-s.a.y
	m.on = m.on[:0]
	from, _ := slices.BinarySearchFunc(m.hot, point{s.a.x, s.y0}, before)
	for _, h := range m.hot[from:] {
		if h.x > s.b.x {
			break
		}
		if h.y < s.y0 || h.y > s.y1 {
			continue
		}
		// The unit square of a hot point includes only its lower left corner, so that squares do not overlap.
		off, reach := 2*(dx*(h.y-s.a.y)-dy*(h.x-s.a.x)), max(dx, -dx)+max(dy, -dy)
		if max(off, -off) < reach || max(off, -off) == reach && off == dx-dy {
			m.on = append(m.on, h)
		}
	}
	way := int64(1)
	if dy < 0 {
		way = -1
	}
	slices.SortFunc(m.on, func(g, h point) int { return cmp.Compare(g.x+way*g.y, h.x+way*h.y) })
	for j := 1; j < len(m.on); j++ {
		e := edgeOf{a: m.on[j-1], b: m.on[j]}
		up := int32(1)
		if !m.forward[i] {
			up = -1
		}
		if before(e.a, e.b) > 0 {
			e.a, e.b, up = e.b, e.a, -up
		}
		if m.holes[i] {
			e.holeUp = up
		} else {
			e.extUp = up
		}
		m.edges = append(m.edges, e)
	}
}

// wind computes the winding numbers of each edge by a sweep from left to right. active has the edges that the sweep line
// crosses, from bottom to top.
func (m *mender) wind() {
	m.active = m.active[:0]
	for i := 0; i < len(m.edges); {
		at := m.edges[i].a
		m.end(at)
		place := m.above(at)
		first := i
		for i < len(m.edges) && m.edges[i].a == at {
			i++
		}
		m.begins = m.begins[:0]
		for j := first; j < i; j++ {
			m.begins = append(m.begins, int32(j))
		}
		slices.SortFunc(m.begins, func(e, f int32) int { return cmp.Compare(0, turn(at, m.edges[e].b, m.edges[f].b)) })
		var ext, hole int32
		if place > 0 {
			under := &m.edges[m.active[place-1]]
			ext, hole = under.ext+under.extUp, under.hole+under.holeUp
		}
		for _, j := range m.begins {
			e := &m.edges[j]
			e.ext, e.hole = ext, hole
			ext, hole = ext+e.extUp, hole+e.holeUp
			e.inBelow, e.inOver = inside(e.ext, e.hole), inside(ext, hole)
		}
		m.active = slices.Insert(m.active, place, m.begins...)
	}
}

// inside reports whether a place with these winding numbers is inside.
func inside(ext, hole int32) bool { return ext != 0 && hole == 0 }

// end removes the edges from the sweep line that end at or before a point.
func (m *mender) end(at point) {
	m.active = slices.DeleteFunc(m.active, func(i int32) bool { return before(m.edges[i].b, at) <= 0 })
}

// above returns the number of active edges below a point, which is the place in active for edges that begin there.
func (m *mender) above(at point) int {
	n, _ := slices.BinarySearchFunc(m.active, at, func(i int32, at point) int {
		return cmp.Compare(0, turn(m.edges[i].a, m.edges[i].b, at))
	})
	return n
}
