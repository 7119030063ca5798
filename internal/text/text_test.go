package text

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestCut(t *testing.T) {
	for _, c := range []struct {
		s     string
		limit int
		want  string
	}{{"", 0, ""}, {"level", 5, "level"}, {"levels", 5, "level…"}, {"水位站", 6, "水位…"}, {"水位站", 8, "水位…"}, {"水", 2, "…"}} {
		if got := Cut(c.s, c.limit); got != c.want {
			t.Errorf("%q to %d: %q", c.s, c.limit, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s, limit := rapid.String().Draw(t, "s"), rapid.IntRange(0, 20).Draw(t, "limit")
		got := Prefix(s, limit)
		if len(got) > limit || !strings.HasPrefix(s, got) || !utf8.ValidString(got) || len(s) > limit && len(got) < limit-3 {
			t.Errorf("%q to %d: %q", s, limit, got)
		}
	})
}
