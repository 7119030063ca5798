package shape

import (
	"math"
	"slices"

	"github.com/paulmach/orb"
)

// Builder is the scratch of New, for one goroutine at a time. The zero value is ready.
type Builder struct {
	vertices   []pair  // of the shape that is being made
	importance []uint8 // a byte a vertex
	parts      []pair
	ring       []pair      // the ring or line that is being added, in world coordinates
	degrees    []orb.Point // the same while it is cut at the edges of the map
	spans      []span
	found      finding
}

// New makes shapes of a geometry in lon/lat degrees: one for each kind that a collection has, in the
// order of the kinds. note says in words what of it is not drawn or was cut, and is empty when all is
// well; nothing left is no shape and a note. Whatever it is given, it neither fails nor changes it.
//
// Polygons and lines that reach beyond the square of Web Mercator are cut at its edge; points beyond
// it are not drawn. Parts that are nothing to within two centimetres are left out.
func New(g orb.Geometry, b *Builder) (shapes []Shape, note string) {
	if b == nil {
		b = new(Builder)
	}
	b.found = 0
	var made [3]Shape
	n := 0
	for kind := Point; kind <= Polygon; kind++ {
		b.vertices, b.importance, b.parts = b.vertices[:0], b.importance[:0], b.parts[:0]
		b.add(g, kind)
		if len(b.vertices) > 0 {
			made[n] = b.shape(kind)
			n++
		}
	}
	if n == 0 {
		return nil, (b.found | foundNothing).String()
	}
	return slices.Clone(made[:n:n]), b.found.String()
}

// add adds what a geometry has of a kind.
func (b *Builder) add(g orb.Geometry, kind Kind) {
	if c, ok := g.(orb.Collection); ok {
		for _, g := range c {
			b.add(g, kind)
		}
		return
	}
	switch kind {
	case Point:
		b.addPoints(g)
	case Line:
		b.addLines(g)
	case Polygon:
		b.addPolygons(g)
	}
}

// addPoints adds the points of a geometry; other kinds are left to another shape of the same feature.
func (b *Builder) addPoints(g orb.Geometry) {
	switch g := g.(type) {
	case orb.Point:
		b.addPoint(g)
	case orb.MultiPoint:
		for _, p := range g {
			b.addPoint(p)
		}
	}
}

// addLines adds the lines of a geometry.
func (b *Builder) addLines(g orb.Geometry) {
	switch g := g.(type) {
	case orb.LineString:
		b.addLine(g)
	case orb.MultiLineString:
		for _, l := range g {
			b.addLine(l)
		}
	}
}

// addPolygons adds the areas of a geometry. The first ring of a polygon is its exterior, the others are holes.
func (b *Builder) addPolygons(g orb.Geometry) {
	switch g := g.(type) {
	case orb.Ring:
		b.addRing(g, true)
	case orb.Bound:
		if !g.IsEmpty() {
			b.addRing(g.ToRing(), true)
		}
	case orb.Polygon:
		b.addPolygon(g)
	case orb.MultiPolygon:
		for _, p := range g {
			b.addPolygon(p)
		}
	}
}

// addPoint projects a point (lon, lat in degrees). One that Web Mercator cannot show is noted and left out.
func (b *Builder) addPoint(p orb.Point) {
	if !OnMap(p) {
		if finite(p) {
			b.found |= foundPointOff
		} else {
			b.found |= foundNoNumber
		}
		return
	}
	x, y := Project(p)
	b.vertices = append(b.vertices, pair{x, y})
}

// addLine projects a line. What lies beyond the edge of Web Mercator is cut off first, which may leave several
// pieces.
func (b *Builder) addLine(l orb.LineString) {
	if !b.mustTrim(l) {
		b.project(l)
		b.finishLine()
		return
	}
	for _, piece := range b.trimLine(l) {
		b.project(piece)
		b.finishLine()
	}
}

// finishLine adds the line in b.ring.
func (b *Builder) finishLine() {
	switch len(b.ring) {
	case 0:
		return
	case 1:
		b.found |= foundShortLine
		return
	}
	_, importance := b.grow(b.ring)
	b.rankLine(b.ring, importance)
	b.parts = append(b.parts, pair{uint32(len(b.vertices)), 0})
}

// addPolygon adds a polygon: without its first ring it has no others.
func (b *Builder) addPolygon(p orb.Polygon) {
	for i, r := range p {
		if !b.addRing(r, i == 0) && i == 0 {
			return
		}
	}
}

// addRing adds a ring, closed or not, and reports whether anything is left of it.
func (b *Builder) addRing(r orb.Ring, exterior bool) bool {
	if b.mustTrim(r) {
		r = b.trimRing(r)
	}
	b.project(r)
	return b.finishRing(exterior)
}

// finishRing adds the ring in b.ring: an exterior one clockwise as seen on the map, a hole the other
// way; beginning in the west.
func (b *Builder) finishRing(exterior bool) bool {
	r := b.ring
	if n := len(r); n > 1 && r[0] == r[n-1] {
		r = r[:n-1]
	}
	if len(r) < 3 {
		if len(r) > 0 {
			b.found |= foundShortRing
		}
		return false
	}
	area := doubleArea(r)
	if area == 0 {
		b.found |= foundNoArea
		return false
	}
	if (area > 0) != exterior {
		slices.Reverse(r)
	}
	first := 0
	for i, p := range r {
		if p.x < r[first].x || p.x == r[first].x && p.y < r[first].y {
			first = i
		}
	}
	vertices, importance := b.grow(r)
	copy(vertices[copy(vertices, r[first:]):], r[:first])
	closed := append(append(b.ring[:0], vertices...), vertices[0])
	b.ring = closed
	b.rankRing(closed, importance)

	width := math.Abs(area) / 2 / length(closed)
	about := uint32(grade(width * width))
	if exterior {
		about |= partExterior
	}
	b.parts = append(b.parts, pair{uint32(len(b.vertices)), about})
	return true
}

// grow adds the vertices of a part to the shape. It returns the added vertices and their importance, which is zero.
func (b *Builder) grow(part []pair) (vertices []pair, importance []uint8) {
	at := len(b.vertices)
	b.vertices = append(b.vertices, part...)
	b.importance = slices.Grow(b.importance, len(part))[:at+len(part)]
	clear(b.importance[at:])
	return b.vertices[at:], b.importance[at:]
}

// project puts the world coordinates of points that are on the map into b.ring, each once in a row.
func (b *Builder) project(points []orb.Point) {
	b.ring = slices.Grow(b.ring[:0], len(points)+1)
	for _, p := range points {
		x, y := Project(p)
		v := pair{x, y}
		if n := len(b.ring); n == 0 || b.ring[n-1] != v {
			b.ring = append(b.ring, v)
		}
	}
}

// shape makes a shape, of exactly the size that it needs, of what was added.
func (b *Builder) shape(kind Kind) Shape {
	s := Shape{Kind: kind, count: uint32(len(b.vertices)), parts: uint32(len(b.parts)), Box: boxOf(b.vertices)}
	if kind == Point && s.count == 1 {
		return s
	}
	size := int(s.head()) + len(b.vertices)
	if s.count >= longShape {
		size += 2 * ((len(b.vertices) + 1<<chunkBits - 1) >> chunkBits)
	}
	s.data = make([]pair, size)
	copy(s.vertices(), b.vertices)
	if kind != Point {
		packed := s.importance()
		for i, v := range b.importance {
			p := &packed[i>>3]
			if i&4 == 0 {
				p.x |= uint32(v) << (i & 3 * 8)
			} else {
				p.y |= uint32(v) << (i & 3 * 8)
			}
		}
		copy(s.partTable(), b.parts)
	}
	chunks := s.chunks()
	for i := 0; i < len(chunks); i += 2 {
		box := boxOf(b.vertices[i/2<<chunkBits : min((i/2+1)<<chunkBits, len(b.vertices))])
		chunks[i], chunks[i+1] = pair{box.X0, box.Y0}, pair{box.X1, box.Y1}
	}
	return s
}

// boxOf is the smallest box around vertices. Of no vertices it is empty: its lower corner is above its upper one.
func boxOf(vertices []pair) Box {
	b := Box{worldMax, worldMax, 0, 0}
	for _, v := range vertices {
		b.X0, b.X1 = min(b.X0, v.x), max(b.X1, v.x)
		b.Y0, b.Y1 = min(b.Y0, v.y), max(b.Y1, v.y)
	}
	return b
}

// doubleArea is twice a ring's area by the surveyor's formula, in world units squared: positive when
// it runs clockwise as seen on the map. It is zero only when the area is.
func doubleArea(ring []pair) float64 {
	origin := ring[0]
	var rough float64
	var exact int64 // to within whole 2^64
	last := ring[len(ring)-1]
	ax, ay := int64(last.x)-int64(origin.x), int64(last.y)-int64(origin.y)
	for _, p := range ring {
		bx, by := int64(p.x)-int64(origin.x), int64(p.y)-int64(origin.y)
		exact += ax*by - bx*ay
		rough += float64(float64(ax)*float64(by)) - float64(float64(bx)*float64(ay))
		ax, ay = bx, by
	}
	if math.Abs(rough) > 1<<62 {
		return rough
	}
	return float64(exact)
}

// length of a chain, world units.
func length(chain []pair) float64 {
	sum := 0.0
	for i := 1; i < len(chain); i++ {
		dx, dy := float64(chain[i].x)-float64(chain[i-1].x), float64(chain[i].y)-float64(chain[i-1].y)
		sum += math.Sqrt(float64(dx*dx) + float64(dy*dy))
	}
	return sum
}
