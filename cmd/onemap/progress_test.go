package main

import (
	"strings"
	"testing"
	"time"
)

func TestProgress(t *testing.T) {
	now := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		tty  bool
		want []string
		not  string
	}{
		"terminal": {true, []string{"\r\x1b[Kimport [                        ] 0 of 100 kB", "import [============            ] 50 of 100 kB", "import: done in 6s\n", "migrate: done"}, "import …\n"},
		"plain":    {false, []string{"import, 0 of 100 kB\n", "import, 50 of 100 kB\n", "import: done in 6s\n", "migrate …\n"}, "\x1b"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			at := now
			p := &progress{w: &out, tty: c.tty, clock: func() time.Time { return at }}
			p.Show("import, kB", 0, 100)
			p.Show("import, kB", 1, 100) // too soon to be shown
			at = at.Add(6 * time.Second)
			p.Show("import, kB", 50, 100)
			p.Show("migrate", 0, 0)
			p.Done()
			p.Done()
			for _, w := range c.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("%q is not in %q", w, out.String())
				}
			}
			if strings.Contains(out.String(), c.not) || strings.Contains(out.String(), " 1 of 100") {
				t.Errorf("unwanted text in %q", out.String())
			}
		})
	}
}
