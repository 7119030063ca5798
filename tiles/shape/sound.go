package shape

import "slices"

// heldRing is a ring of the polygons that are being drawn. Its points are in Cutter.held, from the end of the ring
// before it to end.
type heldRing struct {
	end      int
	exterior bool
}

// hold appends the ring in c.points to the held rings, in the direction of an exterior or a hole. area is twice its
// area. The rings are held until the shape is complete, because only then can they be checked against each other.
func (c *Cutter) hold(area int64, exterior bool) {
	if (area > 0) != exterior {
		slices.Reverse(c.points)
	}
	c.held = append(c.held, c.points...)
	c.rings = append(c.rings, heldRing{len(c.held), exterior})
}

// release removes the held rings after the first rings ones.
func (c *Cutter) release(rings int) {
	c.rings = c.rings[:rings]
	end := 0
	if rings > 0 {
		end = c.rings[rings-1].end
	}
	c.held = c.held[:end]
}

// finish writes the held rings. If simplification or rounding has made them cross or touch, it repairs them first.
func (c *Cutter) finish() {
	if len(c.rings) > 0 && !c.sound() {
		c.mend()
	}
	from := 0
	for _, r := range c.rings {
		c.pen.ring(c.held[from:r.end])
		from = r.end
	}
}

// sound reports whether the held rings are known to be valid by OGC Simple Features: no ring crosses or touches itself
// or another ring, each hole is inside its exterior, and no exterior is inside another one. Two rings that touch in one
// point may be valid, but sound then returns false, because it does not examine this case. For a single ring it may
// replace the rings; see relink.
func (c *Cutter) sound() bool {
	if len(c.rings) == 1 {
		switch {
		case c.starred && !c.cut, !c.starred && star(c.held, mean(c.held)):
			return true
		case c.cut && c.relink():
			return true
		}
	}
	return !c.crossing() && (len(c.rings) == 1 || !c.misplaced())
}

// mean returns the mean of the points of a ring, rounded towards zero.
func mean(ring []point) (sum point) {
	for _, p := range ring {
		sum.x += p.x
		sum.y += p.y
	}
	n := int64(len(ring))
	return point{sum.x / n, sum.y / n}
}

// star reports whether the whole outline of a ring is visible from a point (the ring is star-shaped) and runs around it
// once in the direction of an exterior. Such a ring does not cross or touch itself. This test takes linear time.
func star(ring []point, from point) bool {
	cx, cy := from.x, from.y
	last := ring[len(ring)-1]
	ax, ay := last.x-cx, last.y-cy
	turns := 0
	for _, p := range ring {
		bx, by := p.x-cx, p.y-cy
		if ax*by-ay*bx <= 0 {
			if ax == bx && ay == by {
				continue // a repeated point
			}
			return false
		}
		if ay < 0 && by >= 0 {
			turns++
		}
		ax, ay = bx, by
	}
	return turns == 1
}

// side is a side of a ring, in the form of the sweep: a is not to the right of b.
type side struct {
	a, b   point
	y0, y1 int64 // smallest and largest y
	next   int32 // index of the next side of its ring
}

// listSides lists the sides of the held rings in c.sides, and their keys in c.order: the smallest x and the index of
// each.
func (c *Cutter) listSides() {
	c.sides, c.order = slices.Grow(c.sides[:0], len(c.held)), slices.Grow(c.order[:0], len(c.held))
	from := 0
	for _, r := range c.rings {
		a := c.held[r.end-1]
		for i, b := range c.held[from:r.end] {
			s := side{a: a, b: b, next: int32(from + i + 1)}
			if b.x < a.x {
				s.a, s.b = b, a
			}
			s.y0, s.y1 = min(a.y, b.y), max(a.y, b.y)
			if from+i+1 == r.end {
				s.next = int32(from)
			}
			c.sides = append(c.sides, s)
			c.order = append(c.order, orderKey(s.a.x, from+i))
			a = b
		}
		from = r.end
	}
}

// fewSides is the number of sides up to which it is faster to test all pairs than to sort the sides.
const fewSides = 48

// pairsMeet does the test of crossing by comparing all pairs of sides.
func (c *Cutter) pairsMeet() bool {
	for i := range c.sides {
		s := &c.sides[i]
		for j := i + 1; j < len(c.sides); j++ {
			o := &c.sides[j]
			if o.y0 <= s.y1 && s.y0 <= o.y1 && o.a.x <= s.b.x && s.a.x <= o.b.x &&
				s.next != int32(j) && o.next != int32(i) && s.meets(o) {
				return true
			}
		}
	}
	return false
}

// orderKey returns a key that sorts by x, then by index. The offset makes a negative x positive.
func orderKey(x int64, index int) uint64 { return uint64(x+1<<20)<<32 | uint64(index) }

// crossing reports whether two sides that are not neighbours in their ring have a point in common. It sorts the sides
// by their smallest x and compares each side only with the sides that begin before it ends.
func (c *Cutter) crossing() bool {
	c.listSides()
	if len(c.sides) <= fewSides {
		return c.pairsMeet()
	}
	slices.Sort(c.order)
	for i, key := range c.order {
		at := int32(uint32(key))
		s := &c.sides[at]
		last := orderKey(s.b.x+1, 0)
		for _, other := range c.order[i+1:] {
			if other >= last {
				break
			}
			o := &c.sides[uint32(other)]
			if o.y0 <= s.y1 && s.y0 <= o.y1 && s.next != int32(uint32(other)) && o.next != at && s.meets(o) {
				return true
			}
		}
	}
	return false
}

// meets reports whether two sides have a point in common. The caller has checked that their boxes overlap.
func (s *side) meets(o *side) bool {
	return !apart(turn(s.a, s.b, o.a), turn(s.a, s.b, o.b)) && !apart(turn(o.a, o.b, s.a), turn(o.a, o.b, s.b))
}

// apart reports whether two points are on the same side of a line and not on the line. t and u are the results of turn
// for the points.
func apart(t, u int64) bool { return t > 0 && u > 0 || t < 0 && u < 0 }

// turn returns a positive number if c is to the left of the line from a to b (with y upwards), a negative one if it is
// to the right, and 0 if it is on the line.
func turn(a, b, c point) int64 { return (b.x-a.x)*(c.y-a.y) - (b.y-a.y)*(c.x-a.x) }

// misplaced reports whether a hole is outside its exterior or inside another hole of it, or whether an exterior is
// inside another one. The rings must not meet, so that one point of a ring decides for the whole ring.
func (c *Cutter) misplaced() bool {
	c.boxes, c.order = c.boxes[:0], c.order[:0]
	from, exterior := 0, -1
	for i, r := range c.rings {
		ring := c.held[from:r.end]
		b := ringBox{quad: quadOf(ring), ring: ring, exterior: r.exterior}
		if r.exterior {
			exterior = i
		} else if !contains(c.boxes[exterior].ring, ring[0]) {
			return true
		}
		b.polygon = exterior
		c.boxes = append(c.boxes, b)
		c.order = append(c.order, orderKey(b.x0, i))
		from = r.end
	}
	slices.Sort(c.order)
	for i, key := range c.order {
		a := &c.boxes[uint32(key)]
		for _, other := range c.order[i+1:] {
			b := &c.boxes[uint32(other)]
			if b.x0 > a.x1 {
				break
			}
			alike := a.exterior && b.exterior || !a.exterior && !b.exterior && a.polygon == b.polygon
			if alike && a.y0 <= b.y1 && b.y0 <= a.y1 && (contains(a.ring, b.ring[0]) || contains(b.ring, a.ring[0])) {
				return true
			}
		}
	}
	return false
}

// ringBox is a ring with its box. polygon is the index of its exterior.
type ringBox struct {
	quad
	ring     []point
	exterior bool
	polygon  int
}

// quadOf returns the smallest box around a ring, which must have at least one point.
func quadOf(ring []point) quad {
	q := quad{ring[0].x, ring[0].y, ring[0].x, ring[0].y}
	for _, p := range ring {
		q.x0, q.y0, q.x1, q.y1 = min(q.x0, p.x), min(q.y0, p.y), max(q.x1, p.x), max(q.y1, p.y)
	}
	return q
}

// contains reports whether a point is inside a ring (even-odd rule). The point must not be on the ring.
func contains(ring []point, p point) bool {
	in := false
	a := ring[len(ring)-1]
	for _, b := range ring {
		if (a.y > p.y) != (b.y > p.y) && (turn(a, b, p) > 0) == (b.y > a.y) {
			in = !in
		}
		a = b
	}
	return in
}
