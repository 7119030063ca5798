package shape

import "math"

// grade returns the grade of a distance, given the square of the distance in world units. The grade is 0 below one
// unit, and otherwise 1 + 2·log2(square), rounded down, at most mostDrop. A greater distance never has a lower grade.
// So a vertex whose grade is below the grade of a tolerance is nearer than the tolerance.
func grade(square float64) uint8 {
	if !(square >= 1) {
		return 0
	}
	bits := math.Float64bits(square)
	const mantissa = 52
	octaves := int(bits>>mantissa) - 1023
	g := 2*octaves + 1
	if bits&(1<<mantissa-1) >= rootTwo {
		g++
	}
	return uint8(min(g, mostDrop))
}

// rootTwo is the mantissa of √2 as a float64, rounded down.
const rootTwo = 0x6a09e667f3bcc

// span is the range from lo to hi of a chain. Its ends are kept at any tolerance up to grade.
type span struct {
	lo, hi int32
	grade  uint8
}

// rank sets the importance of each vertex between the ends of a chain. It is the grade of the tolerance at which the
// algorithm of Douglas and Peucker drops the vertex, limited to the importance of the vertex at which its chain was
// split. To simplify with a tolerance, a Cutter keeps the vertices whose importance is at least the grade of the
// tolerance. rank does not set the ends.
//
// A chain is split at its farthest vertex. This needs quadratic time for a spiral. After walks times the length of the
// chain, rank therefore splits in the middle and sets the importance of the farthest vertex there. The result keeps
// more vertices than necessary, but never too few.
func (b *Builder) rank(chain []pair, importance []uint8) {
	const walks = 48
	budget := walks * len(chain)
	b.spans = append(b.spans[:0], span{0, int32(len(chain) - 1), mostDrop})
	for len(b.spans) > 0 {
		s := b.spans[len(b.spans)-1]
		b.spans = b.spans[:len(b.spans)-1]
		if s.hi-s.lo < 2 {
			continue
		}
		far, square := farthest(chain[s.lo : s.hi+1])
		if budget -= int(s.hi - s.lo); budget < 0 {
			far = (s.hi - s.lo) / 2
		}
		g := min(grade(square), s.grade)
		if g == 0 {
			continue // no vertex of this span is farther than one world unit
		}
		at := s.lo + far
		importance[at] = g
		b.spans = append(b.spans, span{s.lo, at, g}, span{at, s.hi, g})
	}
}

// farthest returns the vertex of the chain that is farthest from the segment between its ends, and the square of its
// distance. The explicit conversions keep the compiler from fusing multiplication and addition, so that every machine
// makes the same tiles.
func farthest(chain []pair) (at int32, square float64) {
	a, b := chain[0], chain[len(chain)-1]
	dx, dy := float64(b.x)-float64(a.x), float64(b.y)-float64(a.y)
	length := float64(dx*dx) + float64(dy*dy)
	inverse := 0.0
	if length > 0 {
		inverse = 1 / length
	}
	at, square = 1, -1
	for i, p := range chain[1 : len(chain)-1] {
		px, py := float64(p.x)-float64(a.x), float64(p.y)-float64(a.y)
		var d float64
		switch along := float64(px*dx) + float64(py*dy); {
		case along <= 0:
			d = float64(px*px) + float64(py*py)
		case along >= length:
			qx, qy := px-dx, py-dy
			d = float64(qx*qx) + float64(qy*qy)
		default:
			off := float64(px*dy) - float64(py*dx)
			d = off * off * inverse
		}
		if d > square {
			at, square = int32(i+1), d
		}
	}
	return at, square
}

// rankRing sets the importance of the vertices of a ring. closed is the ring with its first vertex again at the end.
// Three vertices are anchors, so that no tolerance leaves less than a triangle: the first one, the one farthest from
// it, and the one farthest from the line between these two.
func (b *Builder) rankRing(closed []pair, importance []uint8) {
	second, _ := farthest(closed)
	last := int32(len(closed) - 1)
	third, most := second, -1.0
	for _, side := range [2]span{{lo: 0, hi: second}, {lo: second, hi: last}} {
		if side.hi-side.lo < 2 {
			continue
		}
		if far, square := farthest(closed[side.lo : side.hi+1]); square > most {
			third, most = side.lo+far, square
		}
	}
	importance[0], importance[second], importance[third] = anchor, anchor, anchor
	from := int32(0)
	for _, to := range [3]int32{min(second, third), max(second, third), last} {
		b.rank(closed[from:to+1], importance[from:to])
		from = to
	}
}

// rankLine sets the importance of the vertices of a line. Its ends are anchors. If both ends are the same point, the
// vertex farthest from it is an anchor too.
func (b *Builder) rankLine(line []pair, importance []uint8) {
	last := len(line) - 1
	importance[0], importance[last] = anchor, anchor
	if line[0] != line[last] {
		b.rank(line, importance)
		return
	}
	far, _ := farthest(line)
	importance[far] = anchor
	b.rank(line[:far+1], importance[:far+1])
	b.rank(line[far:], importance[far:])
}
