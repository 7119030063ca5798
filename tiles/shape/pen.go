package shape

import "slices"

// pen writes geometry commands of MVT 2.1, section 4.3. A command is an integer. Its parameters are differences to the
// last point, zigzag-encoded. All are varints.
type pen struct {
	dst  []byte
	x, y int64 // the last point
}

const (
	moveTo    = 1
	lineTo    = 2
	closePath = 7

	// The largest sizes: five bytes for a header, and three for a coordinate, because coordinates of a view are within
	// ±2^18.
	headerBytes = 5
	pointBytes  = 2 * 3
)

// points writes one MoveTo with all points. It writes nothing if there are none.
func (p *pen) points(points []point) {
	if len(points) > 0 {
		p.command(moveTo, points)
	}
}

// line writes a line of at least two points.
func (p *pen) line(points []point) {
	p.command(moveTo, points[:1])
	p.command(lineTo, points[1:])
}

// ring writes a closed ring of at least three points.
func (p *pen) ring(points []point) {
	p.line(points)
	p.dst = append(p.dst, 1<<3|closePath)
}

// command writes a command with its points. The header is the number of points times 8 plus the id of the command. Most
// differences fit into one byte, so this case has a fast path.
func (p *pen) command(id uint32, points []point) {
	at := len(p.dst)
	p.dst = slices.Grow(p.dst, headerBytes+pointBytes*len(points))
	buf := p.dst[:cap(p.dst)]
	at = putVarint(buf, at, uint32(len(points))<<3|id)
	x, y := p.x, p.y
	for _, to := range points {
		dx, dy := zigzag(to.x-x), zigzag(to.y-y)
		if dx|dy < 0x80 {
			buf[at], buf[at+1] = byte(dx), byte(dy)
			at += 2
		} else {
			at = putVarint(buf, at, dx)
			at = putVarint(buf, at, dy)
		}
		x, y = to.x, to.y
	}
	p.x, p.y, p.dst = x, y, buf[:at]
}

// zigzag encodes a signed number as an unsigned one, so that small numbers stay small: 0, -1, 1, -2 become 0, 1, 2, 3.
func zigzag(d int64) uint32 { return uint32(d<<1 ^ d>>63) }

// putVarint writes a number as a varint, seven bits in each byte, the lowest first. It returns the index after it. The
// buffer must be large enough.
func putVarint(buf []byte, at int, v uint32) int {
	for v >= 0x80 {
		buf[at] = byte(v) | 0x80
		v >>= 7
		at++
	}
	buf[at] = byte(v)
	return at + 1
}
