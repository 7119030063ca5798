package servertest

import (
	"fmt"
	"strings"
	"testing"
)

// Wrong is a request that must be refused, with the expected problem.
type Wrong struct {
	Name    string
	Account string
	Method  string
	Path    string
	Body    any
	Headers []string
	Status  int
	Field   string // field of the problem
}

// Refuse sends each request and checks how it is refused.
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

// Members returns n different members of a JSON object.
func Members(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"m%d":0`, i)
	}
	return strings.Join(all, ",")
}
