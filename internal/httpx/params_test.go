package httpx

import (
	"math"
	"testing"

	"onemap/internal/fault"
)

func TestIfMatch(t *testing.T) {
	for _, v := range []int64{0, 1, 42, math.MaxInt64} {
		if got, err := IfMatch(ETag(v)); err != nil || got != v {
			t.Errorf("ifMatch(%s) = %d, %v", ETag(v), got, err)
		}
	}
	if _, err := IfMatch(""); !fault.Is(err, fault.PreconditionMissing) {
		t.Errorf("missing: %v", err)
	}
	for _, in := range []string{"1", `"1`, `1"`, `""`, `"a"`, `W/"1"`, `"1", "2"`, "*", `"-1"`, `"99999999999999999999"`, `"1"x`} {
		if _, err := IfMatch(in); !fault.Is(err, fault.Invalid) {
			t.Errorf("ifMatch(%s): %v, want invalid", in, err)
		}
	}
}

func FuzzIfMatch(f *testing.F) {
	f.Add(`"7"`)
	f.Add(`W/"7"`)
	f.Add(`"`)
	f.Fuzz(func(t *testing.T, s string) {
		v, err := IfMatch(s)
		if err == nil && (v < 0 || len(s) < 3) {
			t.Fatalf("%q is version %d", s, v)
		}
	})
}
