package shape

import (
	"math"
	"slices"

	"github.com/paulmach/orb"
)

// Builder is the working memory of New. Only one goroutine may use it at a time. The zero value is ready to use.
type Builder struct {
	vertices   []pair      // of the current shape
	importance []uint8     // one byte for each vertex
	parts      []pair      // table of parts
	ring       []pair      // the current ring or line, in world coordinates
	degrees    []orb.Point // the current ring or line in degrees, while it is cut at the edges of the map
	spans      []span      // stack of rank
	found      finding
}

// New returns the shapes of a geometry in degrees, [lon, lat]. It returns one shape for each kind in the geometry, in
// the order of the kinds. note describes what is not drawn or was cut off, and is empty if everything is drawn. If
// nothing can be drawn, New returns no shape and a note. It accepts every geometry, never fails and does not change g.
// b may be nil.
//
// Polygons and lines are cut at the edge of the square of Web Mercator. Points outside it are not drawn. Rings and
// lines of less than about two centimetres, which vanish in world coordinates, are left out.
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

// add adds the parts of a geometry that have the kind. It ignores other kinds, because each kind is a shape of its own.
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

// addPoints adds the points of a geometry.
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

// addPolygons adds the polygons of a geometry. The first ring of a polygon is its exterior, the others are holes.
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

// addPoint projects and adds a point [lon, lat] in degrees. It leaves out a point outside Web Mercator and notes this.
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

// addLine projects and adds a line. It first cuts the line at the edge of Web Mercator, which may result in several
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

// finishLine adds the line in b.ring. It leaves out a line of one point and notes this.
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

// addPolygon adds a polygon. If nothing is left of its exterior, it leaves out the holes too.
func (b *Builder) addPolygon(p orb.Polygon) {
	for i, r := range p {
		if !b.addRing(r, i == 0) && i == 0 {
			return
		}
	}
}

// addRing adds a ring, closed or not. It reports whether something is left of the ring.
func (b *Builder) addRing(r orb.Ring, exterior bool) bool {
	if b.mustTrim(r) {
		r = b.trimRing(r)
	}
	b.project(r)
	return b.finishRing(exterior)
}

// finishRing adds the ring in b.ring and reports whether it has an area. An exterior ring becomes clockwise on the map
// and a hole counter-clockwise, as MVT requires. The ring begins at its westernmost vertex, so that the same ring
// always results in the same shape.
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

// project stores the world coordinates of points on the map in b.ring. It drops a point that is equal to the one before.
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

// shape returns a shape of the parts that were added. It allocates exactly the needed memory.
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

// boxOf returns the smallest box around vertices. Without vertices the box is empty: its lower corner is above its
// upper one.
func boxOf(vertices []pair) Box {
	b := Box{worldMax, worldMax, 0, 0}
	for _, v := range vertices {
		b.X0, b.X1 = min(b.X0, v.x), max(b.X1, v.x)
		b.Y0, b.Y1 = min(b.Y0, v.y), max(b.Y1, v.y)
	}
	return b
}

// doubleArea returns twice the area of a ring by the shoelace formula, in square world units. It is positive for a ring
// that runs clockwise on the map (y to the south), and zero only if the area is zero. exact may overflow for a large
// ring, so for large results rough is returned, whose error is relatively small.
func doubleArea(ring []pair) float64 {
	origin := ring[0]
	var rough float64
	var exact int64 // modulo 2^64
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

// length returns the length of a chain in world units. The explicit conversions keep the compiler from fusing
// multiplication and addition, so that every machine computes the same result.
func length(chain []pair) float64 {
	sum := 0.0
	for i := 1; i < len(chain); i++ {
		dx, dy := float64(chain[i].x)-float64(chain[i-1].x), float64(chain[i].y)-float64(chain[i-1].y)
		sum += math.Sqrt(float64(dx*dx) + float64(dy*dy))
	}
	return sum
}
