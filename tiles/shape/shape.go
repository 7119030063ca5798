package shape

import (
	"math"
)

// Kind is the kind of a geometry. The values are those of GeomType in MVT.
type Kind uint8

// The kinds.
const (
	Point   Kind = 1
	Line    Kind = 2
	Polygon Kind = 3
)

// Shape is the geometry of a feature of one kind. A multi geometry is one shape. A Shape does not change after New.
//
// Its data are one allocation without pointers. They are pairs of words in the order in which a Cutter reads them:
//
//   - for lines and polygons, the importance of the vertices, eight bytes in each pair;
//   - for lines and polygons, the table of parts, one pair each (see partExterior);
//   - the vertices, one pair each;
//   - for shapes of at least longShape vertices, the box of each chunk of 64 vertices, two pairs each.
//
// A single point has no data; its box has its coordinates.
type Shape struct {
	Box  Box
	Kind Kind

	count uint32 // number of vertices
	parts uint32 // number of rings of a polygon, or of strings of a line
	data  []pair
}

// pair is a vertex in world coordinates, or two words with another meaning.
type pair struct{ x, y uint32 }

const (
	shapeBytes = 56 // size of the struct Shape
	pairBytes  = 8

	chunkBits = 6                // a chunk has 2^6 = 64 vertices
	longShape = 2 << chunkBits   // number of vertices from which a shape has boxes of chunks
	anchor    = math.MaxInt8     // importance of a vertex that is never dropped
	mostDrop  = math.MaxInt8 - 1 // largest importance of any other vertex
)

// A part is a ring of a polygon or a string of a line. Its entry in the table of parts has in x the index after its last
// vertex. For a ring, y has the bits below.
const (
	partExterior = 1 << 8   // the ring is the exterior of a polygon; the holes follow it
	partWidth    = 1<<8 - 1 // grade of the mean width of the ring, which is its area divided by its length
)

// head returns the number of pairs before the vertices.
func (s *Shape) head() uint32 {
	if s.Kind == Point {
		return 0
	}
	return (s.count+7)/8 + s.parts
}

// vertices returns the vertices. It must not be called for a single point, which has no data.
func (s *Shape) vertices() []pair {
	at := s.head()
	return s.data[at : at+s.count]
}

// importance returns the importance of the vertices, one byte each, eight in a pair.
func (s *Shape) importance() []pair { return s.data[:(s.count+7)/8] }

// partTable returns the table of parts.
func (s *Shape) partTable() []pair {
	at := (s.count + 7) / 8
	return s.data[at : at+s.parts]
}

// chunks returns the boxes of the chunks, two pairs each, and nil for a short shape.
func (s *Shape) chunks() []pair {
	if s.count < longShape {
		return nil
	}
	return s.data[s.head()+s.count:]
}

// Vertices returns the number of vertices, without the points that close rings.
func (s *Shape) Vertices() int { return int(s.count) }

// Bytes returns the memory of the shape, including the struct.
func (s *Shape) Bytes() int { return shapeBytes + pairBytes*cap(s.data) }

// smallUnits is one pixel in tile units, for a tile that is shown 512 pixels wide.
const smallUnits = 8

// Small reports whether the box of the shape is smaller than one pixel (8 tile units) in both directions at zoom z.
func (s *Shape) Small(z uint32) bool {
	z = min(z, 30)
	const limit = smallUnits << unitZoom
	return uint64(s.Box.X1-s.Box.X0)<<z < limit && uint64(s.Box.Y1-s.Box.Y0)<<z < limit
}
