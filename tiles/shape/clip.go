package shape

import "math"

// clipRing cuts the ring in c.points at the sides of the view, one after the other (Sutherland and
// Hodgman, 1974).
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

// clipX appends what of the ring lies where x is at most the limit, or at least when sign is -1.
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

// clipY is clipX in y.
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

// cross is where one goes from a to b has got to after part of whole, rounded to the nearest. The
// numbers may be as large as 2^34: the product's error is less than 2^-17 of a unit. Half rounds up
// from both ends alike.
func cross(a, b, part, whole int64) int64 {
	return a + int64(math.Floor(float64(b-a)*float64(part)/float64(whole)+0.5))
}

// tidy takes the ring's points out that draw nothing, in place: repeated ones, ends of spikes, and
// those on the straight line between their neighbours. Nothing is left of a ring that is only such.
// area is twice the ring's, by the surveyor's formula in tile units squared, positive clockwise: what
// is taken out has none.
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

// tidyEnds tidies a ring where its end meets its beginning.
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

// straight reports whether b draws nothing between a and c. Differences of up to 2^31 are exact.
func straight(a, b, c point) bool {
	return (b.x-a.x)*(c.y-b.y) == (b.y-a.y)*(c.x-b.x)
}
