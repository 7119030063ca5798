package shape

import (
	"math"
)

// Kind is the kind of a geometry: MVT's number of it.
type Kind uint8

// The kinds.
const (
	Point   Kind = 1
	Line    Kind = 2
	Polygon Kind = 3
)

// Shape is one feature's geometry of one kind; a multi-geometry is one shape. It does not change.
//
// Its data are one allocation without pointers, in pairs of words, in the order in which they are
// read: eight bytes of importance a pair and the parts, a pair each (lines and polygons); the
// vertices; and for long shapes the boxes of each chunk of 64 vertices, two pairs each. A single
// point is its box alone.
type Shape struct {
	Box  Box
	Kind Kind

	count uint32 // vertices
	parts uint32 // rings of a polygon, strings of a line
	data  []pair
}

// pair is a vertex in world coordinates, or two words of something else.
type pair struct{ x, y uint32 }

const (
	shapeBytes = 56 // of the struct Shape
	pairBytes  = 8

	chunkBits = 6                // vertices of a chunk, as a power of two
	longShape = 2 << chunkBits   // vertices from which a shape has chunks
	anchor    = math.MaxInt8     // importance of a vertex that no tolerance drops
	mostDrop  = math.MaxInt8 - 1 // the highest importance of any other
)

// part is a ring or a string of lines as it stands in the data: x is the index behind its last
// vertex, y carries what follows.
const (
	partExterior = 1 << 8 // the ring begins a polygon
	partWidth    = 1<<8 - 1
)

// head is how many pairs stand before the vertices.
func (s *Shape) head() uint32 {
	if s.Kind == Point {
		return 0
	}
	return (s.count+7)/8 + s.parts
}

// vertices must not be asked of a single point.
func (s *Shape) vertices() []pair {
	at := s.head()
	return s.data[at : at+s.count]
}

func (s *Shape) importance() []pair { return s.data[:(s.count+7)/8] }

func (s *Shape) partTable() []pair {
	at := (s.count + 7) / 8
	return s.data[at : at+s.parts]
}

// chunks is the boxes of the chunks, two pairs each; nil of a short shape.
func (s *Shape) chunks() []pair {
	if s.count < longShape {
		return nil
	}
	return s.data[s.head()+s.count:]
}

// Vertices is how many there are, without the points that close rings.
func (s *Shape) Vertices() int { return int(s.count) }

// Bytes is the memory that the shape takes, the struct itself included.
func (s *Shape) Bytes() int { return shapeBytes + pairBytes*cap(s.data) }

// smallUnits is a pixel of a tile that is shown 512 pixels wide.
const smallUnits = 8

// Small reports whether the shape is under a pixel of 8 tile units, both ways, at zoom z.
func (s *Shape) Small(z uint32) bool {
	z = min(z, 30)
	const limit = smallUnits << unitZoom
	return uint64(s.Box.X1-s.Box.X0)<<z < limit && uint64(s.Box.Y1-s.Box.Y0)<<z < limit
}
