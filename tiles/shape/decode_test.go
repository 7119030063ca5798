package shape

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"
)

// drawn is the result of a strict reader of commands: one path for each MoveTo, and whether it was closed.
type drawn struct {
	paths  [][]point
	closed []bool
}

// read decodes geometry commands of MVT 2.1, section 4.3.
func read(data []byte) (d drawn, err error) {
	var at point
	next := func() uint32 {
		v, n := binary.Uvarint(data)
		if n <= 0 || v > 1<<32-1 {
			err = fmt.Errorf("a varint is cut off or too long")
			data = nil
			return 0
		}
		data = data[n:]
		return uint32(v)
	}
	unzigzag := func(v uint32) int64 { return int64(v>>1) ^ -int64(v&1) }
	for len(data) > 0 && err == nil {
		header := next()
		id, count := header&7, header>>3
		switch {
		case count == 0:
			return d, fmt.Errorf("command %d has no count", id)
		case id == closePath:
			if n := len(d.closed); count != 1 || n == 0 || d.closed[n-1] {
				return d, fmt.Errorf("a ClosePath closes nothing")
			}
			d.closed[len(d.closed)-1] = true
			continue
		case id == lineTo:
			if n := len(d.closed); n == 0 || d.closed[n-1] {
				return d, fmt.Errorf("a LineTo without a MoveTo")
			}
		case id != moveTo:
			return d, fmt.Errorf("command %d", id)
		default:
			d.paths, d.closed = append(d.paths, nil), append(d.closed, false)
		}
		last := len(d.paths) - 1
		for range count {
			at.x += unzigzag(next())
			at.y += unzigzag(next())
			d.paths[last] = append(d.paths[last], at)
		}
	}
	return d, err
}

// check checks the drawn paths against the rules of MVT 2.1 and of this package.
func (d drawn) check(kind Kind, v View) error {
	lo, hi := -v.buffer(), 4096+v.buffer()
	exterior := false
	for i, path := range d.paths {
		for j, p := range path {
			if p.x < lo || p.y < lo || p.x > hi || p.y > hi {
				if kind != Line || p.x > hi+1 {
					return fmt.Errorf("path %d: %v is outside the view", i, p)
				}
			}
			if kind != Polygon && j > 0 && path[j-1] == p {
				return fmt.Errorf("path %d repeats %v", i, p)
			}
		}
		switch {
		case d.closed[i] != (kind == Polygon):
			return fmt.Errorf("path %d is closed: %v", i, d.closed[i])
		case kind == Point && len(d.paths) > 1:
			return fmt.Errorf("points in %d commands", len(d.paths))
		case kind == Line && len(path) < 2:
			return fmt.Errorf("a line of %d points", len(path))
		case kind == Polygon:
			area := surveyor(path)
			if area > 0 {
				exterior = true
			}
			if err := checkRing(path); err != nil {
				return fmt.Errorf("ring %d %v: %w", i, path, err)
			}
			if !exterior {
				return fmt.Errorf("ring %d is a hole without an exterior", i)
			}
		}
	}
	return nil
}

func checkRing(r []point) error {
	n := len(r)
	if n < 3 {
		return fmt.Errorf("%d points", n)
	}
	for i, b := range r {
		a, c := r[(i+n-1)%n], r[(i+1)%n]
		if a == b {
			return fmt.Errorf("%v is repeated", a)
		}
		if (b.x-a.x)*(c.y-b.y)-(b.y-a.y)*(c.x-b.x) == 0 {
			return fmt.Errorf("%v lies straight between its neighbours, or at the end of a spike", b)
		}
	}
	if surveyor(r) == 0 {
		return fmt.Errorf("no area")
	}
	return nil
}

// surveyor returns twice the area of a ring by the shoelace formula, positive if it is clockwise on the screen.
func surveyor(r []point) (sum int64) {
	for i, a := range r {
		b := r[(i+1)%len(r)]
		sum += a.x*b.y - b.x*a.y
	}
	return sum
}

// area returns the area of all rings minus the holes, in square tile units.
func (d drawn) area() float64 {
	var sum int64
	for _, r := range d.paths {
		sum += surveyor(r)
	}
	return float64(sum) / 2
}

// contains reports whether a point is inside, by the winding number of all rings together.
func (d drawn) contains(x, y float64) bool {
	in := false
	for _, r := range d.paths {
		for i, a := range r {
			b := r[(i+1)%len(r)]
			ay, by := float64(a.y), float64(b.y)
			if (ay < y) != (by < y) && float64(a.x)+(y-ay)/(by-ay)*float64(b.x-a.x) > x {
				in = !in
			}
		}
	}
	return in
}

// distance returns the distance of a point from the outlines.
func (d drawn) distance(x, y float64) float64 {
	near := 1e300
	for i, r := range d.paths {
		for j := range r {
			if j+1 == len(r) && !d.closed[i] {
				break
			}
			a, b := r[j], r[(j+1)%len(r)]
			near = min(near, toSegment(x, y, float64(a.x), float64(a.y), float64(b.x), float64(b.y)))
		}
	}
	return near
}

// independently decodes commands with the decoder of orb, in a tile of one feature.
func independently(t testing.TB, kind Kind, commands []byte) orb.Geometry {
	t.Helper()
	field := func(dst []byte, number int, value []byte) []byte {
		dst = binary.AppendUvarint(dst, uint64(number)<<3|2)
		dst = binary.AppendUvarint(dst, uint64(len(value)))
		return append(dst, value...)
	}
	feature := []byte{1 << 3, 7, 3 << 3, byte(kind)}
	feature = field(feature, 4, commands)
	layer := field(nil, 1, []byte("shape"))
	layer = field(layer, 2, feature)
	layer = append(layer, 15<<3, 2, 5<<3, 0x80, 0x20)
	layers, err := mvt.Unmarshal(field(nil, 3, layer))
	if err != nil {
		t.Fatalf("an independent decoder refuses %v: %v", commands, err)
	}
	return layers[0].Features[0].Geometry
}
