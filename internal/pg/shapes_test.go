package pg_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"pgregory.net/rapid"

	"onemap/internal/pg"
)

// sameAsCodec compares the loader's decoder with the codec. The codec refuses more, such as parts of several dimensions. What
// the codec accepts is decoded to the same shape, or has no place and is refused: it contains no digit, or a NaN or an
// infinite number.
func sameAsCodec(raw []byte, got orb.Geometry, err error) error {
	want, codec := pg.DecodeEWKB(raw, false)
	text := fmt.Sprintf("%T%v", want, want)
	switch {
	case (err == nil) == (got == nil):
		return fmt.Errorf("both or neither: %v, %w", got, err)
	case codec != nil:
		return nil
	case !strings.ContainsAny(text, "0123456789") || strings.Contains(text, "NaN") || strings.Contains(text, "Inf"):
		if err == nil {
			return fmt.Errorf("%s can be drawn", text)
		}
		return nil
	case err != nil || text != fmt.Sprintf("%T%v", got, got):
		return fmt.Errorf("%v, %w; want %s", got, err, text)
	}
	return nil
}

// The loader's decoder returns what the codec returns, also when its memory is used again.
func TestShapesAreThoseOfTheCodec(t *testing.T) {
	var shapes pg.Shapes
	rapid.Check(t, func(rt *rapid.T) {
		raw, err := pg.MarshalEWKB(drawGeometry(rt, 2))
		if err != nil {
			rt.Fatal(err)
		}
		got, err := shapes.Decode(raw)
		if err := sameAsCodec(raw, got, err); err != nil {
			rt.Error(err)
		}
	})
}

func FuzzShapes(f *testing.F) {
	square := orb.Polygon{{{1, 2}, {4, 2}, {4, 5}, {1, 5}, {1, 2}}}
	for _, g := range []orb.Geometry{
		orb.Point{1, 2}, orb.MultiPoint{{1, 2}}, orb.LineString{{1, 2}, {3, 4}}, orb.MultiLineString{{{1, 2}, {3, 4}}},
		square, orb.MultiPolygon{square, square}, orb.Collection{orb.Point{1, 2}, orb.Collection{square}},
	} {
		raw, err := pg.MarshalEWKB(g)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte{0, 0, 0, 0, 1, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{1, 1, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{1, 8, 0, 0, 0, 0, 0, 0, 0})
	var shapes pg.Shapes
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := shapes.Decode(raw)
		if err := sameAsCodec(raw, got, err); err != nil {
			t.Errorf("%x: %v", raw, err)
		}
	})
}
