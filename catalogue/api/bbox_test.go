package catalogueapi

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/paulmach/orb"

	"onemap/internal/fault"
)

func TestParseBBox(t *testing.T) {
	for in, want := range map[string]orb.Bound{
		"121,37,122,38":           {Min: orb.Point{121, 37}, Max: orb.Point{122, 38}},
		" 121.5 , 37 ,121.5, 37 ": {Min: orb.Point{121.5, 37}, Max: orb.Point{121.5, 37}},
		"-180,-90,180,90":         {Min: orb.Point{-180, -90}, Max: orb.Point{180, 90}},
	} {
		got, err := parseBBox(in)
		if err != nil || got == nil || *got != want {
			t.Errorf("parseBBox(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	if got, err := parseBBox(""); got != nil || err != nil {
		t.Errorf("no box: %v, %v", got, err)
	}
	for _, in := range []string{
		"garbage", "1,2,3", "1,2,3,4,5", "a,b,c,d", "121,37,122,", "NaN,37,122,38", "121,37,Inf,38", "121,-Inf,122,38", "1e999,0,0,0",
		"122,37,121,38", "121,38,122,37", "37,121,38,122", "-181,0,0,0", "0,0,0,91", ",,,", "121;37;122;38", "0x1p1,0,2z,3", strings.Repeat("1", 500) + ",1,1,1",
	} {
		_, err := parseBBox(in)
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || e.Kind != fault.Invalid || e.Field != "bbox" {
			t.Errorf("parseBBox(%.30q): %v, want invalid", in, err)
		}
	}
}

func FuzzParseBBox(f *testing.F) {
	f.Add("121,37,122,38")
	f.Add("NaN,,1e400,x")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		b, err := parseBBox(s)
		switch {
		case err != nil:
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("kind %v", fault.KindOf(err))
			}
		case b == nil:
			if s != "" {
				t.Fatal("no box and no error")
			}
		case !(b.Min[0] <= b.Max[0] && b.Min[1] <= b.Max[1]) || math.Abs(b.Min[0]) > 180 || math.Abs(b.Max[1]) > 90:
			t.Fatalf("%v came through", b)
		}
	})
}
