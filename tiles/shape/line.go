package shape

import (
	"math"
	"slices"
)

// drawLines draws the lines of a shape. If every string in the view is reduced to a point, it draws a line of one unit
// at one of these points, so that the feature does not vanish.
func (c *Cutter) drawLines(s *Shape, sides uint8) {
	start := len(c.pen.dst)
	mark := c.cell(s.vertices()[0])
	if s.Small(c.view.Z) {
		c.points = append(c.points[:0], c.at(s.vertices()[0]), c.at(s.vertices()[s.count-1]))
		c.strokes(sides)
	} else {
		var from uint32
		for _, part := range s.partTable() {
			c.gather(s, from, part.x, c.keep, sides)
			c.points = slices.Compact(c.points)
			if len(c.points) > 1 {
				c.strokes(sides)
			} else if cell := c.cell(s.vertices()[from]); c.sees(cell) {
				mark = cell
			}
			from = part.x
		}
	}
	if len(c.pen.dst) == start && c.sees(mark) {
		c.points = append(c.points[:0], mark, point{mark.x + 1, mark.y})
		c.pen.line(c.points)
	}
}

// sees reports whether a line of one unit to the right of p is in the view.
func (c *Cutter) sees(p point) bool {
	return p.x >= c.lo && p.x < c.hi && p.y >= c.lo && p.y <= c.hi
}

// strokes draws the pieces of the string in c.points that are in the view. If the view contains the whole string (sides
// is 0), it is drawn without clipping.
func (c *Cutter) strokes(sides uint8) {
	if sides == 0 {
		if c.points[0] != c.points[1] || len(c.points) > 2 {
			c.pen.line(c.points)
		}
		return
	}
	piece := c.spare[:0]
	flush := func() {
		if len(piece) > 1 {
			c.pen.line(piece)
		}
		piece = piece[:0]
	}
	for i := 1; i < len(c.points); i++ {
		a, b, seen := c.stroke(c.points[i-1], c.points[i])
		if !seen {
			continue
		}
		if len(piece) > 0 && piece[len(piece)-1] != a {
			flush()
		}
		if len(piece) == 0 {
			piece = append(piece, a)
		}
		if a != b {
			piece = append(piece, b)
		}
	}
	flush()
	c.spare = piece
}

// stroke returns the part of the segment from a to b that is in the view, rounded to tile units. seen is false if there
// is none. Source: Liang and Barsky, "A new concept and method for line clipping" (1984).
func (c *Cutter) stroke(a, b point) (from, to point, seen bool) {
	dx, dy := float64(b.x-a.x), float64(b.y-a.y)
	in, out := 0.0, 1.0
	for _, side := range [4]struct{ towards, room float64 }{
		{-dx, float64(a.x - c.lo)}, {dx, float64(c.hi - a.x)},
		{-dy, float64(a.y - c.lo)}, {dy, float64(c.hi - a.y)},
	} {
		switch {
		case side.towards < 0:
			in = max(in, side.room/side.towards)
		case side.towards > 0:
			out = min(out, side.room/side.towards)
		case side.room < 0:
			return a, b, false
		}
	}
	if in > out {
		return a, b, false
	}
	along := func(t float64) point {
		return point{
			min(max(a.x+int64(math.Floor(float64(t*dx)+0.5)), c.lo), c.hi),
			min(max(a.y+int64(math.Floor(float64(t*dy)+0.5)), c.lo), c.hi),
		}
	}
	from, to = a, b
	if in > 0 {
		from = along(in)
	}
	if out < 1 {
		to = along(out)
	}
	return from, to, true
}
