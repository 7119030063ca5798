package memory

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"

	"onemap/internal/core"
	"onemap/tiles"
	"onemap/tiles/shape"
)

// tape converts any bytes to values that a loader could return. After its end it returns zeros.
type tape []byte

func (b *tape) byte() byte {
	if len(*b) == 0 {
		return 0
	}
	v := (*b)[0]
	*b = (*b)[1:]
	return v
}

func (b *tape) upTo(n int) int { return int(b.byte()) % (n + 1) }

func (b *tape) bytes(n int) []byte {
	n = min(n, len(*b))
	v := (*b)[:n]
	*b = (*b)[n:]
	return v
}

// number returns a number of degrees in most cases, and any float64 in the others.
func (b *tape) number() float64 {
	if b.upTo(7) == 0 {
		var raw [8]byte
		copy(raw[:], b.bytes(8))
		return math.Float64frombits(binary.LittleEndian.Uint64(raw[:]))
	}
	var raw [4]byte
	copy(raw[:], b.bytes(4))
	return float64(int32(binary.LittleEndian.Uint32(raw[:]))) / (1 << 31) * 200
}

func (b *tape) points() []orb.Point {
	all := make([]orb.Point, b.upTo(9))
	for i := range all {
		all[i] = orb.Point{b.number(), b.number()}
	}
	return all
}

func (b *tape) polygon() orb.Polygon {
	p := make(orb.Polygon, b.upTo(3))
	for i := range p {
		p[i] = b.points()
	}
	return p
}

func (b *tape) geometry(deep int) orb.Geometry {
	switch b.upTo(9) {
	case 0:
		return nil
	case 1, 2:
		return orb.Point{b.number(), b.number()}
	case 3:
		return orb.MultiPoint(b.points())
	case 4:
		return orb.LineString(b.points())
	case 5:
		return orb.MultiLineString{b.points(), b.points()}
	case 6, 7:
		return b.polygon()
	case 8:
		return orb.MultiPolygon{b.polygon(), b.polygon()}
	}
	c := orb.Collection{}
	for n := b.upTo(3); n > 0 && deep > 0; n-- {
		c = append(c, b.geometry(deep-1))
	}
	return c
}

func (b *tape) feature() *tiles.Feature {
	return &tiles.Feature{
		ID: int64(int8(b.byte())), Geometry: b.geometry(3), Division: string(b.bytes(b.upTo(3))), NameZH: b.bytes(b.upTo(200)), NameEN: b.bytes(b.upTo(3)),
		Level: core.Level(b.upTo(4)), Severity: core.Level(b.upTo(4)), Origin: core.Origin(b.bytes(b.upTo(3))),
		Values: [][]byte{b.bytes(b.upTo(5)), b.bytes(b.upTo(5))},
	}
}

func (b *tape) query() Query {
	q := Query{Z: uint32(b.upTo(tiles.MaxZoom)), Labels: b.upTo(3) == 0, Judged: b.upTo(1) == 0, Scope: string(b.bytes(b.upTo(2))), MaxZoom: b.upTo(22)}
	var raw [8]byte
	copy(raw[:], b.bytes(8))
	q.X, q.Y = binary.LittleEndian.Uint32(raw[:])&(1<<q.Z-1), binary.LittleEndian.Uint32(raw[4:])&(1<<q.Z-1)
	if b.upTo(2) == 0 {
		q.Budget = 20 * b.upTo(255)
	}
	buffer := 4 * b.upTo(255)
	q.Rules.Buffer = &buffer
	for _, grid := range []**core.TileGrid{&q.Rules.Thin, &q.Rules.Cluster} {
		if b.upTo(1) == 0 {
			*grid = &core.TileGrid{Cell: 1 << b.upTo(12), ToZoom: b.upTo(22)}
		}
	}
	return q
}

// FuzzRender checks, for any features and any tile, that the tile can be decoded and is within its budget, and that
// nothing is left after all features are deleted.
func FuzzRender(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x01\x01aaaaaaaa\x02\x02bbbbbbbbbbbb\x03\x06ccccccccccccccccccccccccccccccccccccc"))
	f.Add([]byte("\x05\x09\x03\x03\x04\x01\x40\x00\x00\x00\x01\x40\x00\x00\x00\x06\x02\x03\x01\x00\x00\x00\x00\x01\x00\x00\x00\x10"))
	f.Add([]byte("\x00\x01\x00\x00\x00\x00\x00\x00\x00\xf0\x7f\x00\x00\x00\x00\x00\x00\x00\xf8\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := tape(raw)
		var scratch Scratch
		var builder shape.Builder
		l := New(spec("fuzz"), 0)
		loaded := b.upTo(5)
		render := func() {
			q := b.query()
			p := l.Render(q, &scratch)
			if _, err := mvt.Unmarshal(p.Bytes); err != nil {
				t.Fatalf("%+v: %v", q, err)
			}
			if q.Budget > 0 && len(p.Bytes) > q.Budget || p.Shown+p.Left > p.Of {
				t.Fatalf("%+v: %d bytes, %+v", q, len(p.Bytes), p)
			}
		}
		for i := 0; i < 12 && len(b) > 0; i++ {
			if i == loaded {
				l.Ready()
			}
			if i >= loaded {
				render()
			}
			if b.upTo(5) == 0 {
				l.Delete(int64(int8(b.byte())))
				continue
			}
			it := l.Prepare(b.feature(), &builder)
			if _, err := l.Put(&it); err != nil {
				t.Fatal(err)
			}
		}
		if l.loading {
			l.Ready()
		}
		render()
		for id := int64(-128); id < 128; id++ {
			l.Delete(id)
		}
		q := b.query()
		q.Z, q.X, q.Y = 0, 0, 0
		if p := l.Render(q, &scratch); p.Bytes != nil || l.heap != 0 || l.tree.Len() != 0 || l.points.n != 0 || l.labels.n != 0 || len(l.undrawn) != 0 {
			t.Fatalf("something is left: %+v, %+v", p, l.Stats())
		}
		if live := len(l.dict.spans) - 1 - len(l.dict.free); live != 0 {
			t.Fatalf("%d values are left", live)
		}
	})
}
