package shape

import "math"

// clipRing clips the ring in c.points at the given sides of the view, one after the other. Source: Sutherland and
// Hodgman, "Reentrant polygon clipping" (1974).
func (c *Cutter) clipRing(sides uint8) {
	for side := uint8(left); side <= bottom && len(c.points) > 0; side <<= 1 {
		if sides&side == 0 {
			continue
		}
		switch side {
		case left:
			c.spare = clipX(c.spare[:0], c.points, c.lo, -1)
		case right:
			c.spare = clipX(c.spare[:0], c.points, c.hi, 1)
		case top:
			c.spare = clipY(c.spare[:0], c.points, c.lo, -1)
		case bottom:
			c.spare = clipY(c.spare[:0], c.points, c.hi, 1)
		}
		c.points, c.spare = c.spare, c.points
	}
}

// clipX appends the part of the ring with x <= limit if sign is 1, or with x >= limit if sign is -1.
func clipX(dst, ring []point, limit, sign int64) []point {
	a := ring[len(ring)-1]
	in := sign*(limit-a.x) >= 0
	for _, b := range ring {
		was := in
		in = sign*(limit-b.x) >= 0
		if in != was {
			dst = append(dst, point{limit, cross(a.y, b.y, limit-a.x, b.x-a.x)})
		}
		if in {
			dst = append(dst, b)
		}
		a = b
	}
	return dst
}

// clipY is clipX for y.
func clipY(dst, ring []point, limit, sign int64) []point {
	a := ring[len(ring)-1]
	in := sign*(limit-a.y) >= 0
	for _, b := range ring {
		was := in
		in = sign*(limit-b.y) >= 0
		if in != was {
			dst = append(dst, point{cross(a.x, b.x, limit-a.y, b.y-a.y), limit})
		}
		if in {
			dst = append(dst, b)
		}
		a = b
	}
	return dst
}

// cross returns the coordinate at the fraction part/whole of the way from a to b, rounded to the nearest unit. The
// numbers may be as large as 2^34; the error of the product is then below 2^-17 of a unit. A half is rounded up, no
// matter at which end the segment begins.
func cross(a, b, part, whole int64) int64 {
	return a + int64(math.Floor(float64(b-a)*float64(part)/float64(whole)+0.5))
}

// tidy removes, in place, the points of a ring that draw nothing: repeated points, the ends of spikes, and points on
// the straight line between their neighbours. A ring that has only such points becomes empty. area is twice the area of
// the ring by the shoelace formula, in square tile units, positive if the ring is clockwise on the map. The removed
// points do not change it.
func tidy(ring []point) (tidied []point, area int64) {
	if len(ring) < 3 {
		return ring[:0], 0
	}
	n := 0
	var a point
	b := ring[len(ring)-1] // the last two that are left, once there are two
	for _, p := range ring {
		area += b.x*p.y - p.x*b.y
		switch {
		case n >= 2 && straight(a, b, p):
			for n--; n >= 2 && straight(ring[n-2], ring[n-1], p); {
				n--
			}
			if n > 1 || ring[0] != p {
				a = ring[n-1]
				ring[n] = p
				n++
			}
		case n == 1 && b == p:
		default:
			a = b
			ring[n] = p
			n++
		}
		b = p
	}
	return tidyEnds(ring[:n]), area
}

// tidyEnds does the work of tidy where the end of a ring meets its beginning.
func tidyEnds(ring []point) []point {
	for len(ring) >= 3 {
		switch last := len(ring) - 1; {
		case straight(ring[last-1], ring[last], ring[0]):
			ring = ring[:last]
		case straight(ring[last], ring[0], ring[1]):
			ring = ring[1:]
		default:
			return ring
		}
	}
	return ring[:0]
}

// straight reports whether a, b and c are on one straight line, so that b draws nothing. It is exact for differences up
// to 2^31.
func straight(a, b, c point) bool {
	return (b.x-a.x)*(c.y-b.y) == (b.y-a.y)*(c.x-b.x)
}
