package fault_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"onemap/internal/fault"
)

func TestKindOfIsTheOutermost(t *testing.T) {
	inner := fault.Wrap(fault.Unavailable, io.ErrUnexpectedEOF, "the database is away")
	for name, c := range map[string]struct {
		err  error
		want fault.Kind
	}{
		"nothing classified": {io.EOF, fault.Internal},
		"classified":         {inner, fault.Unavailable},
		"wrapped":            {fmt.Errorf("read the rules: %w", inner), fault.Unavailable},
		"classified anew":    {fault.Wrap(fault.NotFound, inner, "no such rule"), fault.NotFound},
		"nil":                {nil, fault.Internal},
	} {
		if got := fault.KindOf(c.err); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if !errors.Is(inner, io.ErrUnexpectedEOF) || fault.Wrap(fault.Invalid, nil, "x") != nil || fault.Is(nil, fault.Internal) {
		t.Error("the cause is lost, or nil is not nil")
	}
}

func TestMessagesNameTheField(t *testing.T) {
	err := fault.InvalidField("thresholds[1].clear", "must lie below raise (%g)", 3.5)
	if got := err.Error(); got != "thresholds[1].clear: must lie below raise (3.5)" {
		t.Error(got)
	}
	if got := fault.Wrap(fault.Invalid, io.EOF, "").Error(); got != "EOF" {
		t.Error(got)
	}
}

func TestEveryKindHasAName(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range fault.Kinds() {
		if name := k.String(); seen[name] || strings.HasPrefix(name, "kind(") {
			t.Errorf("kind %d is called %q", k, name)
		}
		seen[k.String()] = true
	}
	if len(seen) != 11 || !strings.HasPrefix(fault.Kind(99).String(), "kind(") {
		t.Errorf("%d kinds", len(seen))
	}
}
