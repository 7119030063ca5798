package api

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

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

func TestPeriod(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	at := func(h int) time.Time { return now.Add(time.Duration(h) * time.Hour) }
	for _, c := range []struct{ from, to, wantFrom, wantTo time.Time }{
		{time.Time{}, time.Time{}, at(-6), now},
		{at(-1), time.Time{}, at(-1), now},
		{time.Time{}, at(-10), at(-16), at(-10)},
		{at(-3), at(-2), at(-3), at(-2)},
	} {
		from, to, err := period(c.from, c.to, now)
		if err != nil || !from.Equal(c.wantFrom) || !to.Equal(c.wantTo) {
			t.Errorf("period(%v, %v) = %v, %v, %v", c.from, c.to, from, to, err)
		}
	}
	for _, c := range []struct{ from, to time.Time }{
		{at(1), now}, {now, now}, {at(1), time.Time{}}, {time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), now}, {now, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if _, _, err := period(c.from, c.to, now); !fault.Is(err, fault.Invalid) {
			t.Errorf("period(%v, %v): %v, want invalid", c.from, c.to, err)
		}
	}
}

func TestIfMatch(t *testing.T) {
	for _, v := range []int64{0, 1, 42, math.MaxInt64} {
		if got, err := ifMatch(etag(v)); err != nil || got != v {
			t.Errorf("ifMatch(%s) = %d, %v", etag(v), got, err)
		}
	}
	if _, err := ifMatch(""); !fault.Is(err, fault.PreconditionMissing) {
		t.Errorf("missing: %v", err)
	}
	for _, in := range []string{"1", `"1`, `1"`, `""`, `"a"`, `W/"1"`, `"1", "2"`, "*", `"-1"`, `"99999999999999999999"`, `"1"x`} {
		if _, err := ifMatch(in); !fault.Is(err, fault.Invalid) {
			t.Errorf("ifMatch(%s): %v, want invalid", in, err)
		}
	}
}

func FuzzIfMatch(f *testing.F) {
	f.Add(`"7"`)
	f.Add(`W/"7"`)
	f.Add(`"`)
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ifMatch(s)
		if err == nil && (v < 0 || len(s) < 3) {
			t.Fatalf("%q is version %d", s, v)
		}
	})
}
