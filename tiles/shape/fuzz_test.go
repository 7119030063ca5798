package shape

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/paulmach/orb"
)

// fromBytes makes a geometry from bytes. The first byte is its kind, others begin a part, and a coordinate has eight
// bytes, or two on a coarse raster.
func fromBytes(data []byte) (orb.Geometry, View) {
	take := func() byte {
		if len(data) == 0 {
			return 0
		}
		v := data[0]
		data = data[1:]
		return v
	}
	coordinate := func() float64 {
		var raw [8]byte
		kind := take()
		for i := range 2 + kind&1*6 {
			raw[i] = take()
		}
		if kind&1 == 1 {
			return math.Float64frombits(binary.LittleEndian.Uint64(raw[:]))
		}
		return float64(int16(binary.LittleEndian.Uint16(raw[:]))) / float64(int(1)<<(kind>>1&15))
	}
	z := uint32(take() % 23)
	v := View{Z: z, Buffer: int(take()) * 8, Tolerance: float64(take()) / 4}
	v.X, v.Y = uint32(take())<<z>>8, uint32(take())<<z>>8
	what := take()
	var rings orb.Polygon
	for len(data) > 0 && len(rings) < 20 {
		r := orb.Ring{}
		for range take() % 64 {
			r = append(r, orb.Point{coordinate(), coordinate()})
		}
		rings = append(rings, r)
	}
	switch {
	case what&7 == 0 || len(rings) == 0:
		return rings, v
	case what&7 == 1:
		return orb.LineString(rings[0]), v
	case what&7 == 2:
		return orb.MultiPoint(rings[0]), v
	case what&7 == 3:
		return rings[0], v
	case what&7 == 4:
		return orb.MultiPolygon{rings[:1], rings[1:]}, v
	case what&7 == 5:
		return orb.Collection{rings, orb.LineString(rings[0]), orb.MultiPoint(rings[0])}, v
	}
	m := orb.MultiLineString{}
	for _, r := range rings {
		m = append(m, orb.LineString(r))
	}
	return m, v
}

func FuzzNew(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{8, 8, 16, 213, 99, 0, 4, 2, 120, 0, 2, 37, 0, 2, 121, 0, 2, 37, 0, 2, 121, 0, 2, 38, 0, 2, 120, 0, 2, 38, 0})
	f.Add([]byte{0, 0, 0, 0, 0, 1, 3, 1, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f, 0, 1, 0, 0, 2, 0, 0, 5, 0, 0, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		g, v := fromBytes(data)
		shapes, note := New(g, nil)
		if len(shapes) == 0 && note == "" {
			t.Fatal("nothing is drawn, and nothing said")
		}
		var c Cutter
		for i := range shapes {
			s := &shapes[i]
			s.Label()
			views := []View{v, {}, {Z: 22, X: s.Box.X0 >> 10, Y: s.Box.Y0 >> 10, Buffer: 64, Tolerance: 4}}
			for _, v := range views {
				d, err := read(c.Commands(nil, s, &v))
				if err == nil {
					err = d.check(s.Kind, v)
				}
				if err != nil {
					t.Fatalf("%+v of kind %d: %v", v, s.Kind, err)
				}
			}
			if whole := c.Commands(nil, s, &View{}); s.Kind != Polygon && len(whole) == 0 {
				t.Fatal("nothing in the tile of the world")
			}
		}
	})
}
