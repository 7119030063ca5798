package shape

import "math"

// grade is a distance in world units as a byte: a logarithm in quarters of an octave, of the square.
// It is 0 below one unit and never falls as the distance grows, so that what is graded below a
// tolerance is nearer than it.
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

// rootTwo is the mantissa of √2, rounded down.
const rootTwo = 0x6a09e667f3bcc

// span is vertices lo to hi of a chain, whose ends are kept at any tolerance up to grade.
type span struct {
	lo, hi int32
	grade  uint8
}

// rank sets the importance of each vertex of the chain between its ends: the distance of Douglas and
// Peucker at which it is dropped, and never more than that of the vertex which split the chain that
// it lies in. The ends are given nothing. To keep the vertices of a grade and above is then to
// simplify with that tolerance.
//
// The split is at the farthest vertex. When chains have been walked too often (a spiral's are
// quadratic) it is in the middle, with the farthest one's importance: that keeps the promise, too.
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
			continue // nor has any between them more
		}
		at := s.lo + far
		importance[at] = g
		b.spans = append(b.spans, span{s.lo, at, g}, span{at, s.hi, g})
	}
}

// farthest is the vertex between the ends that lies farthest from the segment between them, and the
// square of its distance. The conversions keep every machine from fusing the products, so that all
// come to the same tiles.
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

// rankRing ranks a ring's vertices. Its anchors are its first, the one farthest from that, and the one
// farthest from the line between them: no tolerance leaves less than a triangle. closed is the ring
// with its first vertex once more at the end.
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

// rankLine ranks a line's vertices: its ends are its anchors, and the farthest one where they are one.
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
