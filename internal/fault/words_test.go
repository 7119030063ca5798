package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"onemap/internal/fault"
)

const (
	codeOffset fault.Code = "offset: offset {offset}: {want} expected, {found} found"
	codeTime   fault.Code = "time: {value} is not an RFC 3339 time"
	codeParts  fault.Code = "parts: has {n} parts below {root}, not the 3 of division/device/kind"
	codePlain  fault.Code = "plain: missing"
)

func TestEveryTokenHasWords(t *testing.T) {
	for _, word := range fault.Tokens() {
		if word.English() == "" {
			t.Errorf("the token %s has no words", word)
		}
	}
}

func TestNewMessage(t *testing.T) {
	got := fault.NewMessage(codeOffset, 5, "'{'", fault.TheEnd)
	want := map[string]string{"offset": "5", "want": "'{'", "found": "end"}
	if diff := cmp.Diff(want, got.Params); diff != "" || got.Code != "offset" {
		t.Errorf("%s: %s", got.Code, diff)
	}
	if got.String() != "offset 5: '{' expected, the end found" {
		t.Error(got)
	}
	if got := fault.NewMessage(codeTime, "{offset}").String(); got != "{offset} is not an RFC 3339 time" {
		t.Error("a value was taken for a name: " + got)
	}
	if got := fault.NewMessage(codePlain); got.Params != nil || got.String() != "missing" {
		t.Errorf("%+v", got)
	}
}

func TestMessageOf(t *testing.T) {
	refused := fault.InvalidCode("topic", codeParts, 2, "a/")
	if got := refused.Error(); got != "topic: has 2 parts below a/, not the 3 of division/device/kind" || !fault.Is(refused, fault.Invalid) {
		t.Error(got)
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"its own":          {refused, "parts"},
		"of what it wraps": {fmt.Errorf("read: %w", fault.Wrap(fault.Invalid, refused, "no topic")), "parts"},
		"none":             {fault.InvalidField("a", "is odd"), "other"},
		"not classified":   {io.EOF, "other"},
		"joined":           {errors.Join(io.EOF, refused), "parts"},
	} {
		if got := fault.MessageOf(c.err); got.Code != c.want {
			t.Errorf("%s: %s", name, got.Code)
		}
	}
	if got := fault.MessageOf(io.EOF).String(); got != "EOF" {
		t.Error(got)
	}
}
