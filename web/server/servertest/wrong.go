package servertest

import (
	"fmt"
	"strings"
	"testing"
)

// Wrong is one request that must be refused, and how.
type Wrong struct {
	Name    string
	Account string
	Method  string
	Path    string
	Body    any
	Headers []string
	Status  int
	Field   string // of the problem
}

// Refuse sends each request and looks at how it is refused.
func (w *World) Refuse(t *testing.T, cases []Wrong) {
	t.Helper()
	for _, c := range cases {
		a := w.Send(c.Account, c.Method, c.Path, c.Body, c.Headers...)
		if a.Status != c.Status {
			t.Errorf("%s: %d, want %d: %.200s", c.Name, a.Status, c.Status, a.Body)
			continue
		}
		p := a.Problem(t)
		if p.Field != c.Field {
			t.Errorf("%s: the field %q (%s), want %q", c.Name, p.Field, p.Detail, c.Field)
		}
		if p.Detail == "" {
			t.Errorf("%s: no detail: %s", c.Name, a.Body)
		}
		if len(a.Body) > 2000 {
			t.Errorf("%s: the refusal repeats what was sent: %d bytes", c.Name, len(a.Body))
		}
	}
}

// Members are so many different members of an object.
func Members(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"m%d":0`, i)
	}
	return strings.Join(all, ",")
}
