package kit

import (
	"context"
	"errors"
	"flag"
	"io"
	"slices"
	"strings"
	"testing"
)

// parsed returns the options that a program with the cases a, b and c reads from its arguments.
func parsed(args ...string) (Options, error) {
	var o Options
	f := o.Flags("test", "help", []Case{{Name: "a"}, {Name: "b"}, {Name: "c"}})
	f.SetOutput(io.Discard)
	return o, o.Parse(f, args)
}

func TestFlagsOfEveryProgram(t *testing.T) {
	if o, err := parsed("-onemap", "x", "-runs", "3", "-seconds", "0.5", "-only", "c,a"); err != nil || o.Onemap != "x" || o.Runs != 3 || o.Seconds != 0.5 {
		t.Errorf("%+v, %v", o, err)
	}
	for _, bad := range []string{"x", "-only=a,x", "-only=a,", "-runs=0", "-runs=101", "-seconds=0", "-seconds=NaN", "-other"} {
		if _, err := parsed(bad); err == nil || Refuse("test", err) != 2 {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := parsed("-h"); !errors.Is(err, flag.ErrHelp) || Refuse("test", err) != 0 {
		t.Errorf("-h: %v", err)
	}
}

func TestTheCasesThatWereAskedForAreMeasured(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	failure := errors.New("no disk")
	var ran []string
	cases := func(at string, then func() error) (all []Case) {
		for _, name := range []string{"a", "b", "c"} {
			all = append(all, Case{name, func(context.Context) error {
				if ran = append(ran, name); name == at {
					return then()
				}
				return nil
			}})
		}
		return all
	}
	fails := func() error { return failure }
	ends := func() error { cancel(); return nil }
	for _, c := range []struct {
		only string
		all  []Case
		ran  string
		want error
	}{
		{"", cases("", nil), "a b c", nil},
		{"c,a", cases("", nil), "a c", nil},
		{"b", cases("b", fails), "b", failure},
		{"", cases("a", fails), "a b c", failure},
		{"", cases("b", ends), "a b", context.Canceled},
	} {
		o, err := parsed("-only", c.only)
		if err != nil {
			t.Fatal(err)
		}
		ran = nil
		if err := o.Measure(ctx, c.all); !errors.Is(err, c.want) || (err != nil && !strings.HasPrefix(err.Error(), "case ")) {
			t.Errorf("-only %q: %v, want %v", c.only, err, c.want)
		}
		if want := strings.Fields(c.ran); !slices.Equal(ran, want) {
			t.Errorf("-only %q ran %v, want %v", c.only, ran, want)
		}
	}
}

func TestAMissedBarIsExitCode1(t *testing.T) {
	failure := errors.New("no disk")
	for _, c := range []struct {
		reached bool
		failed  error
		code    int
		words   string
	}{{true, nil, 0, ""}, {false, nil, 1, "a bar was missed: rate"}, {true, failure, 1, "no disk"}, {false, failure, 1, "no disk"}} {
		r := &Report{}
		r.Check("rate", "≥ 1", "0", c.reached)
		var out strings.Builder
		err := r.Conclude(&out, c.failed)
		if code := Exit("test", err); code != c.code || (err != nil && err.Error() != c.words) {
			t.Errorf("reached %t, %v: exit code %d of %v", c.reached, c.failed, code, err)
		}
		if !strings.Contains(out.String(), "| rate | ≥ 1 | 0 |") {
			t.Errorf("printed %q", out.String())
		}
	}
}
