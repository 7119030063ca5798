package tiles

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"onemap/internal/fault"
)

func TestParseAddress(t *testing.T) {
	good := map[[3]string]Address{
		{"0", "0", "0"}:              {0, 0, 0},
		{"9", "427", "198"}:          {9, 427, 198},
		{"22", "4194303", "4194303"}: {22, 4194303, 4194303},
		{"1", "1", "0"}:              {1, 1, 0},
	}
	for in, want := range good {
		if got, err := ParseAddress(in[0], in[1], in[2]); err != nil || got != want {
			t.Errorf("ParseAddress(%v) = %v, %v; want %v", in, got, err, want)
		}
	}
	bad := map[[3]string]string{
		{"23", "0", "0"}: "z", {"-1", "0", "0"}: "z", {"", "0", "0"}: "z", {"x", "0", "0"}: "z", {"1e1", "0", "0"}: "z",
		{"4294967296", "0", "0"}: "z", {"0", "1", "0"}: "x", {"3", "8", "0"}: "x", {"3", "07", "0"}: "x", {"3", "+1", "0"}: "x",
		{"3", "0", "8"}: "y", {"3", "0", "-1"}: "y", {"3", "0", "1.5"}: "y", {"3", "0", "{y}"}: "y", {"3", "0", " 1"}: "y",
		{"22", "4194304", "0"}: "x", {"3", "0", strings.Repeat("9", 500)}: "y",
	}
	for in, field := range bad {
		_, err := ParseAddress(in[0], in[1], in[2])
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || e.Kind != fault.Invalid || e.Field != field {
			t.Errorf("ParseAddress(%v): %v, want invalid of %s", in, err, field)
		}
		if len(e.Error()) > 200 {
			t.Errorf("the error repeats all that was sent: %d bytes", len(e.Error()))
		}
	}
}

func TestParseLayers(t *testing.T) {
	for in, want := range map[string][]string{
		"land":                        {"land"},
		"sea,land,a_1":                {"sea", "land", "a_1"},
		many(MaxLayers):               strings.Split(many(MaxLayers), ","),
		"a" + strings.Repeat("b", 62): {"a" + strings.Repeat("b", 62)},
	} {
		got, err := ParseLayers(in)
		if err != nil {
			t.Errorf("ParseLayers(%q): %v", in, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ParseLayers(%q): %s", in, diff)
		}
	}
	for _, in := range []string{
		"", ",", "a,", ",a", "a,,b", "a,b,a", "A", "1a", "_a", "a b", "a-b", "land;drop table feature", "land' or '1'='1",
		"land)--", "../etc/passwd", "a\x00", "a\n", "图层", "a" + strings.Repeat("b", 63), many(MaxLayers + 1), strings.Repeat(",", 1<<20),
	} {
		_, err := ParseLayers(in)
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || e.Kind != fault.Invalid || e.Field != "layers" {
			t.Errorf("ParseLayers(%.40q): %v, want invalid", in, err)
		}
	}
}

// many is n different names.
func many(n int) string {
	var names []string
	for i := range n {
		names = append(names, "l"+strings.Repeat("x", i))
	}
	return strings.Join(names, ",")
}

func FuzzParseAddress(f *testing.F) {
	f.Add("9", "427", "198")
	f.Add("22", "4194303", "0")
	f.Add("-1", "007", "1e9")
	f.Add("", "{x}", "99999999999999999999")
	f.Fuzz(func(t *testing.T, z, x, y string) {
		a, err := ParseAddress(z, x, y)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("kind %v", fault.KindOf(err))
			}
			return
		}
		if a.Z > MaxZoom || a.X >= 1<<a.Z || a.Y >= 1<<a.Z {
			t.Fatalf("%v lies outside the world", a)
		}
	})
}

func FuzzParseLayers(f *testing.F) {
	f.Add("sea,land")
	f.Add("a,a")
	f.Add("'; drop table layer; --")
	f.Fuzz(func(t *testing.T, s string) {
		names, err := ParseLayers(s)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("kind %v", fault.KindOf(err))
			}
			return
		}
		if len(names) < 1 || len(names) > MaxLayers || strings.Join(names, ",") != s {
			t.Fatalf("%q became %q", s, names)
		}
	})
}
