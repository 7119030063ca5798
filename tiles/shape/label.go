package shape

import (
	"math"
	"slices"
)

// Label returns a point for the name of the shape, in world coordinates. For a polygon it is a point inside its largest
// part, for a line the middle vertex of the longest string, and for points the first one. The same shape always has the
// same label.
func (s *Shape) Label() (x, y uint32) {
	switch {
	case s.count == 0:
		return 0, 0
	case s.Kind == Polygon:
		return s.labelPolygon()
	case s.Kind == Line:
		return s.labelLine()
	case s.count == 1:
		return s.Box.X0, s.Box.Y0
	default:
		return s.vertices()[0].x, s.vertices()[0].y
	}
}

// labelLine returns the middle vertex of the longest string, by its length in world units.
func (s *Shape) labelLine() (x, y uint32) {
	var from uint32
	longest, middle := -1.0, s.vertices()[0]
	for _, part := range s.partTable() {
		if l := length(s.vertices()[from:part.x]); l > longest {
			longest, middle = l, s.vertices()[(from+part.x)/2]
		}
		from = part.x
	}
	return middle.x, middle.y
}

// labelPolygon crosses the largest part with seven horizontal lines and returns the middle of the widest section
// inside. This point is inside a polygon of any form. A centroid may be outside.
func (s *Shape) labelPolygon() (x, y uint32) {
	rings := s.largest()
	box := boxOf(s.vertices()[rings[0].from:rings[0].end])
	var crossings []float64
	widest := -1.0
	x, y = s.vertices()[rings[0].from].x, s.vertices()[rings[0].from].y
	const lines = 8
	for _, i := range [lines - 1]int{4, 3, 5, 2, 6, 1, 7} { // the middle line first, so that it wins if widths are equal
		at := box.Y0 + uint32(uint64(box.Y1-box.Y0)*uint64(i)/lines)
		crossings = crossings[:0]
		for _, r := range rings {
			crossings = cutAt(crossings, s.vertices()[r.from:r.end], float64(at)+0.5)
		}
		slices.Sort(crossings)
		for j := 1; j < len(crossings); j += 2 {
			if w := crossings[j] - crossings[j-1]; w > widest {
				widest = w
				x, y = uint32(math.Round((crossings[j]+crossings[j-1])/2)), at
			}
		}
	}
	return x, y
}

// stretch is the range of the vertices of one ring; end is excluded.
type stretch struct{ from, end uint32 }

// largest returns the rings of the polygon whose exterior has the largest area, the exterior first.
func (s *Shape) largest() []stretch {
	table := s.partTable()
	most, best := -1.0, 0
	var from uint32
	begins := make([]uint32, len(table))
	for i, part := range table {
		begins[i] = from
		if part.y&partExterior != 0 {
			if area := math.Abs(doubleArea(s.vertices()[from:part.x])); area > most {
				most, best = area, i
			}
		}
		from = part.x
	}
	rings := []stretch{{begins[best], table[best].x}}
	for i := best + 1; i < len(table) && table[i].y&partExterior == 0; i++ {
		rings = append(rings, stretch{begins[i], table[i].x})
	}
	return rings
}

// cutAt appends the x coordinates at which a horizontal line crosses a ring. The line must not pass through a vertex;
// labelPolygon ensures this with a y between two integers.
func cutAt(crossings []float64, ring []pair, y float64) []float64 {
	a := ring[len(ring)-1]
	for _, b := range ring {
		ay, by := float64(a.y), float64(b.y)
		if (ay < y) != (by < y) {
			t := (y - ay) / (by - ay)
			crossings = append(crossings, float64(a.x)+float64(t*(float64(b.x)-float64(a.x))))
		}
		a = b
	}
	return crossings
}
