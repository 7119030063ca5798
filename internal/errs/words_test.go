package errs_test

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"onemap/internal/errs"
)

func TestEveryCodeHasANameAndASentence(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	seen := map[string]errs.Code{}
	for _, c := range errs.Codes() {
		if !name.MatchString(c.String()) || c.English() == "" {
			t.Errorf("code %d is called %q: %q", c, c, c.English())
		}
		if other, ok := seen[c.String()]; ok {
			t.Errorf("%d and %d are both called %s", other, c, c)
		}
		seen[c.String()] = c
	}
	for _, term := range errs.Terms() {
		if term.English() == "" {
			t.Errorf("the term %s has no words", term)
		}
	}
}

func TestSay(t *testing.T) {
	got := errs.Say(errs.JSONExpected, 5, "'{'", errs.TheEnd)
	want := map[string]string{"offset": "5", "want": "'{'", "found": "end"}
	if diff := cmp.Diff(want, got.Params); diff != "" || got.Code != "json-expected" {
		t.Errorf("%s: %s", got.Code, diff)
	}
	if got.String() != "offset 5: '{' expected, the end found" {
		t.Error(got)
	}
	if got := errs.Say(errs.NoTime, "{offset}").String(); got != "{offset} is not an RFC 3339 time" {
		t.Error("a value was taken for a name: " + got)
	}
	if got := errs.Say(errs.Missing); got.Params != nil || got.String() != "missing" {
		t.Errorf("%+v", got)
	}
}

func TestSaidOf(t *testing.T) {
	refused := errs.Refuse("topic", errs.TopicParts, 2, "a/")
	if got := refused.Error(); got != "topic: has 2 parts below a/, not the 3 of division/device/kind" || !errs.Is(refused, errs.Invalid) {
		t.Error(got)
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"its own":          {refused, "topic-parts"},
		"of what it wraps": {fmt.Errorf("read: %w", errs.Wrap(errs.Invalid, refused, "no topic")), "topic-parts"},
		"none":             {errs.InvalidField("a", "is odd"), "other"},
		"not classified":   {io.EOF, "other"},
		"joined":           {errors.Join(io.EOF, refused), "topic-parts"},
	} {
		if got := errs.SaidOf(c.err); got.Code != c.want {
			t.Errorf("%s: %s", name, got.Code)
		}
	}
	if got := errs.SaidOf(io.EOF).String(); got != "EOF" {
		t.Error(got)
	}
}
