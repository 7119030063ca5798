package shape

import "slices"

// chain is a stretch of a cut ring between two sides of the view: indexes of its first and last point, where these
// are along the view's sides, and whether it has been taken.
type chain struct {
	first, last int
	from, to    int64
	taken       bool
}

// relink makes the one ring that is held, which was valid before it was cut, the rings that it comes to in the
// view: the cut leaves sides on each other where the ring leaves the view and comes back. It reports false, and
// leaves the ring as it was, when the result is not known to be valid.
func (c *Cutter) relink() bool {
	if !c.findChains() {
		return false
	}
	if len(c.chains) > 1 {
		whole := append(c.spare[:0], c.held...)
		c.spare = whole
		c.release(0)
		if !c.linkChains(whole) {
			c.release(0)
			c.points = append(c.points[:0], whole...)
			c.hold(1, true)
			return false
		}
	}
	if c.cutSidesMeet() {
		return false
	}
	return true
}

// findChains finds the chains of the ring. It reports false when there is none.
func (c *Cutter) findChains() bool {
	c.chains = c.chains[:0]
	n := len(c.held)
	start := -1
	for i := range n {
		if c.alongSide(c.held[i], c.held[(i+1)%n]) {
			start = i + 1 // a chain begins behind a side of the view
			break
		}
	}
	if start < 0 {
		return true // it touches no side along a line
	}
	open := false
	for k := range n {
		i := (start + k) % n
		along := c.alongSide(c.held[i], c.held[(i+1)%n])
		if !along && !open {
			c.chains = append(c.chains, chain{first: i, from: c.around(c.held[i])})
		}
		if open = !along; open {
			last := &c.chains[len(c.chains)-1]
			last.last = (i + 1) % n
			last.to = c.around(c.held[last.last])
		}
	}
	return len(c.chains) > 0
}

// alongSide reports whether two points lie on one side of the view.
func (c *Cutter) alongSide(a, b point) bool {
	return a.x == b.x && (a.x == c.lo || a.x == c.hi) || a.y == b.y && (a.y == c.lo || a.y == c.hi)
}

// around is how far along the view's sides a point on them is, from the corner of the lowest coordinates and in the
// direction of an exterior.
func (c *Cutter) around(p point) int64 {
	side := c.hi - c.lo
	switch {
	case p.y == c.lo && p.x < c.hi:
		return p.x - c.lo
	case p.x == c.hi && p.y < c.hi:
		return side + p.y - c.lo
	case p.y == c.hi && p.x > c.lo:
		return 2*side + c.hi - p.x
	default:
		return 3*side + c.hi - p.y
	}
}

// linkChains holds the rings that the chains make: each goes on, along the sides of the view, in the chain that
// begins next.
func (c *Cutter) linkChains(ring []point) bool {
	side := c.hi - c.lo
	corners := [4]point{{c.lo, c.lo}, {c.hi, c.lo}, {c.hi, c.hi}, {c.lo, c.hi}}
	for i := range c.chains {
		if c.chains[i].taken {
			continue
		}
		c.points = c.points[:0]
		for at := i; !c.chains[at].taken; {
			one := &c.chains[at]
			one.taken = true
			for k := one.first; ; k = (k + 1) % len(ring) {
				c.points = append(c.points, ring[k])
				if k == one.last {
					break
				}
			}
			next, far := 0, int64(1)<<62
			for j := range c.chains {
				if d := ((c.chains[j].from-one.to)%(4*side) + 4*side) % (4 * side); d < far {
					next, far = j, d
				}
			}
			if far == 0 {
				return false // it is not told apart where one ends and the other begins
			}
			for corner := one.to/side + 1; corner*side < one.to+far; corner++ {
				c.points = append(c.points, corners[corner%4])
			}
			at = next
			if c.chains[at].taken && at != i {
				return false
			}
		}
		var area int64
		if c.points, area = tidy(c.points); area > 0 {
			c.hold(area, true)
		} else if area < 0 {
			return false
		}
	}
	return len(c.rings) > 0
}

// cutSidesMeet reports whether sides of the rings that end on a side of the view, which the cut has made or moved,
// have a point in common with others that are not their neighbours.
func (c *Cutter) cutSidesMeet() bool {
	c.sides = slices.Grow(c.sides[:0], len(c.held))
	c.order = c.order[:0]
	from := 0
	for _, r := range c.rings {
		a := c.held[r.end-1]
		for i, b := range c.held[from:r.end] {
			s := side{a: a, b: b, y0: min(a.y, b.y), y1: max(a.y, b.y), next: int32(from + i + 1)}
			if b.x < a.x {
				s.a, s.b = b, a
			}
			if from+i+1 == r.end {
				s.next = int32(from)
			}
			if c.onSide(a) || c.onSide(b) {
				c.order = append(c.order, uint64(from+i))
			}
			c.sides = append(c.sides, s)
			a = b
		}
		from = r.end
	}
	for _, at := range c.order {
		s := &c.sides[at]
		for i := range c.sides {
			o := &c.sides[i]
			if o.y0 <= s.y1 && s.y0 <= o.y1 && o.a.x <= s.b.x && s.a.x <= o.b.x &&
				uint64(i) != at && s.next != int32(i) && o.next != int32(at) && s.meets(o) {
				return true
			}
		}
	}
	return false
}

func (c *Cutter) onSide(p point) bool {
	return p.x == c.lo || p.x == c.hi || p.y == c.lo || p.y == c.hi
}
