package errs_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"onemap/internal/errs"
)

func TestKindOfIsTheOutermost(t *testing.T) {
	inner := errs.Wrap(errs.Unavailable, io.ErrUnexpectedEOF, "the database is away")
	for name, c := range map[string]struct {
		err  error
		want errs.Kind
	}{
		"nothing classified": {io.EOF, errs.Internal},
		"classified":         {inner, errs.Unavailable},
		"wrapped":            {fmt.Errorf("read the rules: %w", inner), errs.Unavailable},
		"classified anew":    {errs.Wrap(errs.NotFound, inner, "no such rule"), errs.NotFound},
		"nil":                {nil, errs.Internal},
	} {
		if got := errs.KindOf(c.err); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if !errors.Is(inner, io.ErrUnexpectedEOF) || errs.Wrap(errs.Invalid, nil, "x") != nil || errs.Is(nil, errs.Internal) {
		t.Error("the cause is lost, or nil is not nil")
	}
}

func TestMessagesNameTheField(t *testing.T) {
	err := errs.InvalidField("thresholds[1].clear", "must lie below raise (%g)", 3.5)
	if got := err.Error(); got != "thresholds[1].clear: must lie below raise (3.5)" {
		t.Error(got)
	}
	if got := errs.Wrap(errs.Invalid, io.EOF, "").Error(); got != "EOF" {
		t.Error(got)
	}
}

func TestEveryKindHasAName(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range errs.Kinds() {
		if name := k.String(); seen[name] || strings.HasPrefix(name, "kind(") {
			t.Errorf("kind %d is called %q", k, name)
		}
		seen[k.String()] = true
	}
	if len(seen) != 11 || !strings.HasPrefix(errs.Kind(99).String(), "kind(") {
		t.Errorf("%d kinds", len(seen))
	}
}
