package shape

// chain is a stretch of a cut ring between two sides of the view: indexes of its first and last point, where these
// are along the view's sides, and whether it has been taken.
type chain struct {
	first, last int
	from, to    int64
	taken       bool
}

// relink makes the one ring that is held, which reaches beyond the view, the rings that it comes to in it: the cut
// leaves sides on each other where the ring leaves the view and comes back. It reports false, and leaves the ring as
// it was, when the result is not known to be valid. Of a ring that was valid before, only what was cut is looked at.
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

// findChains finds the chains of the ring. It reports false when there is none, or when one touches a side of the
// view on its way, where more than its ends must be looked at.
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
				c.chains = append(c.chains, chain{first: -1}) // it began before the first point: its beginning comes last
			}
			last := &c.chains[len(c.chains)-1]
			touches = touches || last.taken
			last.last, last.to, last.taken = i, c.around(p), true
		}
	}
	if len(c.chains) == 0 {
		return true // the ring ends on no side
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
			sum += area
		} else if area < 0 {
			return false
		}
	}
	return sum > 0 && sum == loopArea(ring) // or the ring runs the other way in a part of the view
}

// cutSidesMeet reports whether sides of the rings that end on a side of the view, which the cut has moved, have a
// point in common with others that are not their neighbours.
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

// sideMeets reports whether the side from a to b has a point in common with one that is neither itself nor its
// neighbour: these are those that end in the held points not.
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

func (c *Cutter) onSide(p point) bool {
	return p.x == c.lo || p.x == c.hi || p.y == c.lo || p.y == c.hi
}
