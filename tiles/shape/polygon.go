package shape

import "slices"

// quad is a box in tile units.
type quad struct{ x0, y0, x1, y1 int64 }

// drawPolygons draws the polygons of a shape.
func (c *Cutter) drawPolygons(s *Shape, sides uint8) {
	c.last = quad{}
	c.starred, c.cut = false, false
	c.release(0)
	if s.Small(c.view.Z) {
		c.drawQuad(s.Box)
		c.finish()
		return
	}
	var from uint32
	before := 0 // number of held rings when the current polygon began
	drawn := false
	for _, part := range s.partTable() {
		if part.y&partExterior != 0 {
			before = len(c.rings)
			drawn = c.drawExterior(s, from, part, sides)
		} else if drawn {
			if area := c.cutRing(s, from, part.x, c.keep, sides); c.fills(area) {
				c.release(before)
				drawn = false // the whole view is inside the hole, so nothing of the polygon is visible
			} else if len(c.points) > 0 {
				c.hold(area, false)
			}
		}
		from = part.x
	}
	c.finish()
}

// cutRing simplifies, rounds, clips and tidies a ring into c.points. It returns twice the area of the result. For a
// shape of one ring it also tests whether the ring is a star (see star), which proves that the ring is valid.
func (c *Cutter) cutRing(s *Shape, from, end uint32, keep uint64, sides uint8) int64 {
	c.gather(s, from, end, keep, sides)
	alone := s.parts == 1
	middle := c.at(s.Box.middle())
	// If the centre is inside the view, the ring is tested after the cut, because the cut keeps a star a star. Otherwise
	// it is tested before the cut, with its centre outside the view.
	outside := sides != 0 && (middle.x <= c.lo || middle.x >= c.hi || middle.y <= c.lo || middle.y >= c.hi)
	c.starred = alone && outside && len(c.points) > 0 && star(c.points, middle)
	c.clipRing(sides)
	var area int64
	c.points, area = tidy(c.points)
	if alone && !outside && len(c.points) > 0 {
		c.starred = star(c.points, middle)
	}
	c.cut = sides != 0 && (outside || !c.starred)
	return area
}

// fills reports whether a ring with this double area covers the whole view.
func (c *Cutter) fills(area int64) bool {
	side := c.hi - c.lo
	return max(area, -area) == 2*side*side
}

// drawExterior draws an exterior ring and reports whether its holes must be drawn too. If the ring vanishes by
// simplification, it draws the ring without simplification. If it vanishes by rounding, it draws the ring one unit
// wide.
func (c *Cutter) drawExterior(s *Shape, from uint32, part pair, sides uint8) bool {
	if c.elsewhere(s, from, part.x, sides) {
		return false
	}
	if area := c.cutRing(s, from, part.x, c.keep, sides); len(c.points) > 0 {
		c.hold(area, true)
		return true
	}
	if sides != 0 && !c.thin(part) {
		return false // the ring is too wide to vanish, so it is not in the view
	}
	if c.keep != keepAll {
		if area := c.cutRing(s, from, part.x, keepAll, sides); len(c.points) > 0 {
			c.hold(area, true)
			return true
		}
	}
	c.drawRibbon(s, from, part.x)
	return false
}

// thin reports whether simplification and rounding can make the whole ring vanish: its mean width is not greater than
// the distance by which they can move its sides.
func (c *Cutter) thin(part pair) bool {
	const rounding = 2
	reach := (max(c.view.Tolerance, 0) + rounding) * c.unit
	return part.y&partWidth <= uint32(grade(reach*reach))
}

// drawRibbon draws a ring that has no area in tile units, as a ribbon of one unit: from its first vertex to the vertex
// farthest from it, and back beside this line. If both are the same point, it draws the box of the ring. It draws
// nothing outside the view.
func (c *Cutter) drawRibbon(s *Shape, from, end uint32) {
	other := from + farFromFirst(s.vertices()[from:end])
	a, b := c.at(s.vertices()[from]), c.at(s.vertices()[other])
	if a == b {
		c.drawQuad(boxOf(s.vertices()[from:end]))
		return
	}
	aside := point{0, 1}
	if max(a.x-b.x, b.x-a.x) < max(a.y-b.y, b.y-a.y) {
		aside = point{1, 0}
	}
	c.starred, c.cut = false, false
	for range 2 { // the second time on the other side, if the first side is outside the view
		c.gather(s, from, other+1, c.keep, everySide)
		for _, p := range slices.Backward(c.points) {
			c.points = append(c.points, point{p.x + aside.x, p.y + aside.y})
		}
		c.clipRing(everySide)
		ring, area := tidy(c.points)
		if c.points = ring; len(ring) > 0 {
			c.hold(area, true)
			return
		}
		aside = point{-aside.x, -aside.y}
	}
}

// farFromFirst returns the index of the vertex that is farthest from the first one.
func farFromFirst(ring []pair) (far uint32) {
	most := 0.0
	for i, p := range ring {
		dx, dy := float64(p.x)-float64(ring[0].x), float64(p.y)-float64(ring[0].y)
		if d := float64(dx*dx) + float64(dy*dy); d > most {
			far, most = uint32(i), d
		}
	}
	return far
}

// drawQuad draws the part of a box in the view, at least one unit wide and high. It does not draw the same box twice in
// a row.
func (c *Cutter) drawQuad(b Box) {
	lo, hi := c.at(pair{b.X0, b.Y0}), c.at(pair{b.X1, b.Y1})
	cell := c.cell(pair{b.X0, b.Y0})
	if lo.x == hi.x {
		lo.x, hi.x = cell.x, cell.x+1
	}
	if lo.y == hi.y {
		lo.y, hi.y = cell.y, cell.y+1
	}
	q := quad{max(lo.x, c.lo), max(lo.y, c.lo), min(hi.x, c.hi), min(hi.y, c.hi)}
	if q.x0 >= q.x1 || q.y0 >= q.y1 || q == c.last {
		return
	}
	c.last = q
	c.points = append(c.points[:0], point{q.x0, q.y0}, point{q.x1, q.y0}, point{q.x1, q.y1}, point{q.x0, q.y1})
	c.hold(1, true)
}

// cell returns the corner with the lowest coordinates of the unit square that contains a vertex.
func (c *Cutter) cell(v pair) point {
	half := int64(1) << c.down >> 1
	return point{
		(int64(v.x)<<c.up + c.biasX - half) >> c.down,
		(int64(v.y)<<c.up + c.biasY - half) >> c.down,
	}
}
