package shape

import (
	"cmp"
	"slices"
)

// follow follows the outlines of the inside. It calls each for the exterior of each polygon and then for its holes.
//
// A walk has the same connected inside on its left. It is split into loops at each point that it visits twice, so that no
// loop touches itself. A loop that runs around the inside is an exterior. The other loops are holes in it.
func (m *mender) follow(each func(ring []point, exterior bool)) {
	for _, e := range m.edges {
		switch {
		case e.inOver && !e.inBelow:
			m.outlines = append(m.outlines, outline{a: e.a, b: e.b})
		case e.inBelow && !e.inOver:
			m.outlines = append(m.outlines, outline{a: e.b, b: e.a})
		}
	}
	slices.SortFunc(m.outlines, func(e, f outline) int { return before(e.a, f.a) })
	if m.seen == nil {
		m.seen = map[point]int{}
	}
	var found []polygonOf
	var loose [][]point // holes whose exterior belongs to another walk
	for i := range m.outlines {
		if m.outlines[i].used {
			continue
		}
		var p polygonOf
		for _, loop := range m.loopsFrom(i) {
			if loopArea(loop) > 0 {
				p.exterior = loop
			} else {
				p.holes = append(p.holes, loop)
			}
		}
		if p.exterior == nil {
			loose = append(loose, p.holes...)
			continue
		}
		p.area = loopArea(p.exterior)
		found = append(found, p)
	}
	for _, hole := range loose {
		best := -1
		for i := range found {
			if found[i].holds(hole) && (best < 0 || found[i].area < found[best].area) {
				best = i
			}
		}
		if best >= 0 {
			found[best].holes = append(found[best].holes, hole)
		}
	}
	for _, p := range found {
		each(p.exterior, true)
		for _, hole := range p.holes {
			each(hole, false)
		}
	}
}

// polygonOf is an exterior, its holes, and twice the area of the exterior.
type polygonOf struct {
	exterior []point
	holes    [][]point
	area     int64
}

// holds reports whether a hole lies in the exterior. It tests the first point of the hole that is not on the exterior.
func (p *polygonOf) holds(hole []point) bool {
	for _, at := range hole {
		if !onRing(p.exterior, at) {
			return contains(p.exterior, at)
		}
	}
	return false
}

// onRing reports whether a point lies on an edge of a ring or on its ends. The arithmetic is exact, because coordinates
// are integers.
func onRing(ring []point, p point) bool {
	a := ring[len(ring)-1]
	for _, b := range ring {
		if turn(a, b, p) == 0 && min(a.x, b.x) <= p.x && p.x <= max(a.x, b.x) && min(a.y, b.y) <= p.y && p.y <= max(a.y, b.y) {
			return true
		}
		a = b
	}
	return false
}

// loopsFrom walks along the outlines from the first one until it returns to a used outline. It returns the loops of the
// walk.
func (m *mender) loopsFrom(first int) (loops [][]point) {
	clear(m.seen)
	m.walk = m.walk[:0]
	at := first
	for {
		m.outlines[at].used = true
		m.seen[m.outlines[at].a] = len(m.walk)
		m.walk = append(m.walk, int32(at))
		if from, again := m.seen[m.outlines[at].b]; again {
			loop := make([]point, 0, len(m.walk)-from)
			for _, i := range m.walk[from:] {
				loop = append(loop, m.outlines[i].a)
			}
			for _, p := range loop[1:] {
				delete(m.seen, p)
			}
			delete(m.seen, loop[0])
			m.walk = m.walk[:from]
			loops = append(loops, loop)
		}
		if at = m.next(at); m.outlines[at].used {
			return loops
		}
	}
}

// next returns the outline that follows the outline at and bounds the same inside. Of the outlines that begin at its end,
// it is the first one clockwise, seen with y upwards.
func (m *mender) next(at int) int {
	o := m.outlines[at]
	from, _ := slices.BinarySearchFunc(m.outlines, o.b, func(e outline, p point) int { return before(e.a, p) })
	best := from
	for i := from + 1; i < len(m.outlines) && m.outlines[i].a == o.b; i++ {
		if clockwise(o.b, o.a, m.outlines[i].b, m.outlines[best].b) {
			best = i
		}
	}
	return best
}

// clockwise reports whether, turning clockwise around a point from the direction of back, p comes before q.
func clockwise(around, back, p, q point) bool {
	half := func(to point) int { // -1: first half of the turn, 0: straight ahead or back, 1: second half
		return cmp.Compare(turn(around, back, to), 0)
	}
	if h, g := half(p), half(q); h != g {
		return h < g
	}
	return turn(around, p, q) < 0
}

// loopArea returns twice the area of a ring (shoelace formula). It is positive for a ring that runs around its inside.
func loopArea(ring []point) (area int64) {
	a := ring[len(ring)-1]
	for _, b := range ring {
		area += a.x*b.y - b.x*a.y
		a = b
	}
	return area
}
