package shape

import (
	"math/bits"
	"slices"

	"onemap/internal/core"
)

// Cutter cuts shapes into tiles. It holds one goroutine's scratch; the zero value is ready.
type Cutter struct {
	view   View // the view for which the fields from valid to unit are set
	valid  bool
	world  Box
	up     uint  // left shift from world coordinates to tile units at zooms deeper than unitZoom
	down   uint  // right shift from world coordinates to tile units at the other zooms
	biasX  int64 // added between the two shifts: half a unit for rounding, minus the corner of the tile
	biasY  int64
	lo, hi int64  // the ends of the buffer, in tile units
	keep   uint64 // see keeping
	unit   float64

	points []point // the part that is being cut
	spare  []point
	pen    pen
	last   quad // the last box that was drawn, so that it is not drawn twice

	held    []point // the polygons that are being drawn
	rings   []heldRing
	sides   []side
	order   []uint64
	boxes   []ringBox
	chains  []chain
	starred bool // of the one ring that is drawn: whether star found it valid, before it was cut if cut is set
	cut     bool
	mender  *mender
}

// point is a vertex in tile units from the tile's corner.
type point struct{ x, y int64 }

// Commands appends the geometry commands of the shape in the view to dst, in the encoding of a packed field. It appends
// nothing if no part of the shape is in the view.
//
// A polygon in the output is always valid by OGC Simple Features. If simplification or rounding makes its rings cross or
// touch along a line, Commands repairs it; the number of its parts may then change. It has the winding and the order of
// rings of MVT 2.1, no repeated point, no point on the straight line between its neighbours, and no ring without area.
// A part that would vanish by simplification or rounding is drawn at least one unit wide. Commands allocates only dst
// and its scratch.
func (c *Cutter) Commands(dst []byte, s *Shape, v *View) []byte {
	if c.view != *v || !c.valid {
		c.look(*v)
	}
	if !c.valid || s.count == 0 || !s.Box.Overlaps(c.world) {
		return dst
	}
	c.pen = pen{dst: dst}
	sides := s.Box.past(c.world)
	if c.up > 0 {
		sides = everySide // the box of the view, in world units, is larger than the view
	}
	switch s.Kind {
	case Point:
		c.drawPoints(s, sides)
	case Line:
		c.drawLines(s, sides)
	case Polygon:
		c.drawPolygons(s, sides)
	}
	dst, c.pen.dst = c.pen.dst, nil
	return dst
}

// look sets the view and computes the values that depend on it.
func (c *Cutter) look(v View) {
	c.view, c.valid = v, v.valid()
	if !c.valid {
		return
	}
	c.world = v.Box()
	c.up, c.down = 0, 0
	half := int64(0)
	if v.Z < unitZoom {
		c.down = uint(unitZoom - v.Z)
		half = 1 << (c.down - 1)
	} else {
		c.up = uint(v.Z - unitZoom)
	}
	c.biasX = half - int64(v.X)<<extentBits<<c.down
	c.biasY = half - int64(v.Y)<<extentBits<<c.down
	c.lo, c.hi = -v.buffer(), core.TileExtent+v.buffer()
	c.unit = float64(uint64(1)<<c.down) / float64(uint64(1)<<c.up)
	c.keep = keepAll
	if v.Tolerance > 0 {
		t := v.Tolerance * c.unit
		c.keep = keeping(grade(t * t))
	}
}

// at returns a vertex in tile units, rounded to the nearest unit; a half is rounded up.
func (c *Cutter) at(v pair) point {
	return point{
		(edge(v.x)<<(c.up&63) + c.biasX) >> (c.down & 63),
		(edge(v.y)<<(c.up&63) + c.biasY) >> (c.down & 63),
	}
}

// edge returns a world coordinate as an int64. It returns 2^32 for the largest coordinate, which stands for the edge of
// the world.
func edge(v uint32) int64 {
	w := int64(v)
	return w + (w+1)>>32
}

// keepAll keeps every vertex.
const keepAll = 0x8080808080808080

// keeping returns the number to add to eight bytes of importance at once. The high bit of each byte of the sum is then
// set if its importance is at least grade. A byte of importance is at most 127, so no byte overflows into the next.
func keeping(grade uint8) uint64 { return (128 - uint64(grade)) * 0x0101010101010101 }

// kept returns a mask for the vertices 8·word to 8·word+7. The high bit of a byte is set if its vertex is kept and its
// index is in [from, end).
func kept(importance []pair, word, from, end uint32, keep uint64) uint64 {
	p := importance[word]
	m := (uint64(p.x) | uint64(p.y)<<32) + keep
	m &= keepAll
	if first := word << 3; first < from {
		m &= ^uint64(0) << (from & 7 * 8)
	}
	if end-word<<3 < 8 {
		m &= 1<<(end&7*8) - 1
	}
	return m
}

// gather puts the kept vertices from, …, end-1 of the shape into c.points. If a chunk lies completely beyond one of the
// given sides, it takes only the first and the last vertex of the chunk. The result inside the view is the same.
func (c *Cutter) gather(s *Shape, from, end uint32, keep uint64, sides uint8) {
	c.points = slices.Grow(c.points[:0], int(end-from)+1)
	boxes := s.chunks()
	if sides == 0 || boxes == nil {
		c.take(s, from, end, keep)
		return
	}
	var away uint8 // the sides beyond which all vertices after the last taken one lie
	var behind uint32
	held := false // true while the vertex behind is not taken yet
	for a := from; a < end; {
		chunk := a >> chunkBits
		b := min((chunk+1)<<chunkBits, end)
		beyond := boxAt(boxes, int(chunk)).beyond(c.world) & sides
		if beyond == 0 {
			if held {
				c.points = append(c.points, c.at(s.vertices()[behind]))
			}
			c.take(s, a, b, keep)
			away, held = 0, false
		} else if first, last, some := ends(s, a, b, keep); some {
			if away&beyond == 0 {
				if held {
					c.points = append(c.points, c.at(s.vertices()[behind]))
				}
				c.points = append(c.points, c.at(s.vertices()[first]))
				away, held = beyond, first != last
			} else {
				away, held = away&beyond, true
			}
			behind = last
		}
		a = b
	}
	if held {
		c.points = append(c.points, c.at(s.vertices()[behind]))
	}
}

// elsewhere reports whether all vertices from to end-1 are known to lie beyond the same side.
func (c *Cutter) elsewhere(s *Shape, from, end uint32, sides uint8) bool {
	boxes := s.chunks()
	if boxes == nil {
		return false
	}
	for chunk := from >> chunkBits; chunk<<chunkBits < end && sides != 0; chunk++ {
		sides &= boxAt(boxes, int(chunk)).beyond(c.world)
	}
	return sides != 0
}

// take appends the kept vertices a to b-1 to c.points. The caller has reserved the capacity.
func (c *Cutter) take(s *Shape, a, b uint32, keep uint64) {
	vertices, importance := s.vertices(), s.importance()
	biasX, biasY, up, down := c.biasX, c.biasY, c.up&63, c.down&63
	n := len(c.points)
	points := c.points[:n+int(b-a)]
	for word := a >> 3; word<<3 < b; word++ {
		for m := kept(importance, word, a, b, keep); m != 0; m &= m - 1 {
			v := vertices[word<<3+uint32(bits.TrailingZeros64(m))>>3]
			points[n] = point{(edge(v.x)<<up + biasX) >> down, (edge(v.y)<<up + biasY) >> down} // at, by hand
			n++
		}
	}
	c.points = points[:n]
}

// ends returns the first and the last kept vertex of a to b-1. some is false if none of them is kept.
func ends(s *Shape, a, b uint32, keep uint64) (first, last uint32, some bool) {
	importance := s.importance()
	for word := a >> 3; word<<3 < b; word++ {
		m := kept(importance, word, a, b, keep)
		if m == 0 {
			continue
		}
		if !some {
			first, some = word<<3+uint32(bits.TrailingZeros64(m))>>3, true
		}
		last = word<<3 + uint32(bits.Len64(m)-1)>>3
	}
	return first, last, some
}

// drawPoints draws the points in the view. It draws consecutive equal points once.
func (c *Cutter) drawPoints(s *Shape, sides uint8) {
	c.points = c.points[:0]
	if s.count == 1 {
		c.addPoint(pair{s.Box.X0, s.Box.Y0}, sides)
		c.pen.points(c.points)
		return
	}
	points, boxes := s.vertices(), s.chunks()
	for from := 0; from < len(points); from += 1 << chunkBits {
		if boxes != nil && boxAt(boxes, from>>chunkBits).beyond(c.world)&sides != 0 {
			continue
		}
		for _, v := range points[from:min(from+1<<chunkBits, len(points))] {
			c.addPoint(v, sides)
		}
	}
	c.pen.points(c.points)
}

// addPoint adds a point to c.points, unless it is outside the buffer or equal to the last point. It checks the buffer only
// if sides is not 0.
func (c *Cutter) addPoint(v pair, sides uint8) {
	p := c.at(v)
	if sides != 0 && (p.x < c.lo || p.x > c.hi || p.y < c.lo || p.y > c.hi) {
		return
	}
	if n := len(c.points); n == 0 || c.points[n-1] != p {
		c.points = append(c.points, p)
	}
}

// boxAt returns the box of a chunk.
func boxAt(boxes []pair, chunk int) Box {
	lo, hi := boxes[2*chunk], boxes[2*chunk+1]
	return Box{lo.x, lo.y, hi.x, hi.y}
}
