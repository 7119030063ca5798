package geo_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"onemap/geo"
	"onemap/internal/fault"
)

func TestParseDivision(t *testing.T) {
	good := map[string]string{
		"370602000000": "370602", "370602": "370602", " 370602 ": "370602", "3706": "3706", "370600": "3706",
		"370600000000": "3706", "370000": "37", "37": "37", "370602001": "370602001", "370602001000": "370602001",
		"370602001001": "370602001001", "370602000": "370602", "441900003": "441900003", "441900003000": "441900003",
		"820000": "82", "469001": "469001",
	}
	for in, want := range good {
		if got, err := geo.ParseDivision(in); err != nil || got != want {
			t.Errorf("ParseDivision(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "3", "370", "37060", "3706020", "37060200", "37060200100", "3706020000000", "37o602", "００", "990000",
		"000000", "370002", "370602000001", "-37060", "3７0602", strings.Repeat("3", 500), "37060\n",
	} {
		if got, err := geo.ParseDivision(in); !fault.Is(err, fault.Invalid) || got != "" {
			t.Errorf("ParseDivision(%q) = %q, %v; want an error of kind invalid", in, got, err)
		}
	}
}

func TestDivisionLevels(t *testing.T) {
	for code, want := range map[string]struct {
		level          geo.DivisionLevel
		parent, county string
	}{
		"37":           {geo.LevelProvince, "", ""},
		"3706":         {geo.LevelPrefecture, "37", ""},
		"370602":       {geo.LevelCounty, "3706", "370602"},
		"370602001":    {geo.LevelTown, "370602", "370602"},
		"370602001001": {geo.LevelVillage, "370602001", "370602"},
		"441900003":    {geo.LevelTown, "4419", "441900"},
		"":             {0, "", ""},
		"370":          {0, "", ""},
	} {
		if l, p, c := geo.LevelOfDivision(code), geo.ParentDivision(code), geo.CountyOfDivision(code); l != want.level || p != want.parent || c != want.county {
			t.Errorf("%q: level %d, parent %q, county %q; want %+v", code, l, p, c, want)
		}
	}
}

func TestPaddingIsUndone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.StringMatching(`37(0[1-9]([0-9][1-9]([0-9]{2}[1-9]([0-9]{2}[1-9])?)?)?)?`).Draw(t, "code")
		padded := geo.PadDivision(code)
		if len(padded) != 12 {
			t.Fatalf("%q padded is %q", code, padded)
		}
		got, err := geo.ParseDivision(padded)
		if err != nil || got != code {
			t.Fatalf("ParseDivision(%q) = %q, %v; want %q", padded, got, err, code)
		}
		if p := geo.ParentDivision(code); p != "" && (!strings.HasPrefix(code, p) || geo.LevelOfDivision(p) != geo.LevelOfDivision(code)-1) {
			t.Fatalf("the parent of %q is %q", code, p)
		}
	})
}

func FuzzParseDivision(f *testing.F) {
	for _, s := range []string{"370602000000", "3706", "37", "441900003", "", "370002", "99"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		code, err := geo.ParseDivision(s)
		if err != nil {
			return
		}
		again, err := geo.ParseDivision(code)
		if err != nil || again != code || geo.LevelOfDivision(code) == 0 {
			t.Fatalf("%q gives %q, which gives %q, %v", s, code, again, err)
		}
	})
}
