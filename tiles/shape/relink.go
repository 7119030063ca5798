package shape

// chain is a part of a cut ring between two sides of the view. first and last are the indexes of its end points. from and
// to are the positions of these points along the sides of the view. taken marks a chain that is already used.
type chain struct {
	first, last int
	from, to    int64
	taken       bool
}

// relink replaces the one held ring, which extends beyond the view, by the rings that it forms inside the view. After the
// cut, sides of the ring overlap where it leaves the view and returns. relink returns false and restores the ring if the
// result is not known to be valid. If the ring was valid before the cut, it checks only the sides that were cut.
func (c *Cutter) relink() bool {
	if !c.findChains() {
		return false
	}
	linked := len(c.chains) > 1
	if linked {
		c.spare = append(c.spare[:0], c.held...)
		c.release(0)
		linked = c.linkChains(c.spare)
	}
	if linked || len(c.chains) <= 1 {
		if c.starred && !c.cutSidesMeet() || !c.starred && !c.crossing() {
			return true
		}
	}
	if len(c.chains) > 1 {
		c.release(0)
		c.points = append(c.points[:0], c.spare...)
		c.hold(1, true)
	}
	return false
}

// findChains finds the chains of the ring. It returns false if a chain touches a side of the view between its ends,
// because a check of the ends is then not enough, or if the ring has only one incomplete chain.
func (c *Cutter) findChains() bool {
	c.chains = c.chains[:0]
	n := len(c.held)
	on := c.onSide(c.held[n-1])
	touches := false
	for i, p := range c.held { // the sides from i-1 to i that end on a side of the view
		was := on
		on = c.onSide(p)
		if !was && !on {
			continue
		}
		before := i - 1
		if i == 0 {
			before = n - 1
		}
		if was && on && c.alongSide(c.held[before], p) {
			continue
		}
		if was {
			c.chains = append(c.chains, chain{first: before, from: c.around(c.held[before])})
		}
		if on {
			if len(c.chains) == 0 {
				c.chains = append(c.chains, chain{first: -1}) // the chain begins before point 0; its first point is found last
			}
			last := &c.chains[len(c.chains)-1]
			touches = touches || last.taken
			last.last, last.to, last.taken = i, c.around(p), true
		}
	}
	if len(c.chains) == 0 {
		return true // the ring has no chain
	}
	if c.chains[0].first < 0 {
		last := c.chains[len(c.chains)-1]
		if c.chains = c.chains[:len(c.chains)-1]; len(c.chains) == 0 {
			return false
		}
		c.chains[0].first, c.chains[0].from = last.first, last.from
		touches = touches || last.taken
	}
	for i := range c.chains {
		touches = touches || !c.chains[i].taken || i > 0 && c.chains[i].first == c.chains[i-1].last || c.chains[i].first == c.chains[0].last && len(c.chains) > 1
		c.chains[i].taken = false
	}
	return !touches
}

// alongSide reports whether two points lie on one side of the view.
func (c *Cutter) alongSide(a, b point) bool {
	return a.x == b.x && (a.x == c.lo || a.x == c.hi) || a.y == b.y && (a.y == c.lo || a.y == c.hi)
}

// around returns the position of a point along the sides of the view, in tile units. It starts at the corner with the
// lowest coordinates and runs in the direction of an exterior ring.
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

// linkChains holds the rings that the chains form. The end of a chain is connected, along the sides of the view, with the
// next chain that begins there. It returns false if the result is not known to be correct.
func (c *Cutter) linkChains(ring []point) bool {
	side, sum := c.hi-c.lo, int64(0)
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
				return false // the end of one chain and the beginning of the next are the same point, so their order is unknown
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
			sum += area
		} else if area < 0 {
			return false
		}
	}
	// The areas differ if the ring runs in the other direction in a part of the view.
	return sum > 0 && sum == loopArea(ring)
}

// cutSidesMeet reports whether a side of a ring that ends on a side of the view has a point in common with a side that is
// not its neighbour. Only such sides are checked, because the cut has moved only these.
func (c *Cutter) cutSidesMeet() bool {
	from := 0
	for _, r := range c.rings {
		a := c.held[r.end-1]
		on := c.onSide(a)
		for i, b := range c.held[from:r.end] {
			was := on
			on = c.onSide(b)
			if was != on || was && !c.alongSide(a, b) {
				before, behind := from+i-1, from+i+1
				if before < from {
					before = r.end - 1
				}
				if behind == r.end {
					behind = from
				}
				if c.sideMeets(a, b, [3]int{before, from + i, behind}) {
					return true
				}
			}
			a = b
		}
		from = r.end
	}
	return false
}

// sideMeets reports whether the side from a to b has a point in common with another side. It skips the sides that end in
// the held points not: the side itself and its neighbours.
func (c *Cutter) sideMeets(a, b point, not [3]int) bool {
	s := side{a: a, b: b}
	x0, x1, y0, y1 := min(a.x, b.x), max(a.x, b.x), min(a.y, b.y), max(a.y, b.y)
	from := 0
	for _, r := range c.rings {
		p := c.held[r.end-1]
		for i, q := range c.held[from:r.end] {
			away := p.x < x0 && q.x < x0 || p.x > x1 && q.x > x1 || p.y < y0 && q.y < y0 || p.y > y1 && q.y > y1
			if at := from + i; !away && at != not[0] && at != not[1] && at != not[2] && s.meets(&side{a: p, b: q}) {
				return true
			}
			p = q
		}
		from = r.end
	}
	return false
}

// onSide reports whether a point of a clipped ring is on a side of the view.
func (c *Cutter) onSide(p point) bool {
	return p.x == c.lo || p.x == c.hi || p.y == c.lo || p.y == c.hi
}
