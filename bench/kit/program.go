package kit

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// Options are the flags that every measuring program has.
type Options struct {
	Onemap  string  // the program to measure
	Runs    int     // that a median is taken of
	Seconds float64 // of load, a run

	cases []string // all there are
	only  string   // some of them, with commas between
}

// Case is one of what a program can measure.
type Case struct {
	Name string
	Run  func(context.Context) error
}

// Flags begins the flags of a program that can measure the cases; seconds is its help for -seconds.
func (o *Options) Flags(program, seconds string, cases []Case) *flag.FlagSet {
	o.cases = nil
	for _, c := range cases {
		o.cases = append(o.cases, c.Name)
	}
	f := flag.NewFlagSet(program, flag.ContinueOnError)
	f.StringVar(&o.Onemap, "onemap", "bin/onemap", "the program to measure")
	f.IntVar(&o.Runs, "runs", 5, "runs that a median is taken of")
	f.Float64Var(&o.Seconds, "seconds", 5, seconds)
	f.StringVar(&o.only, "only", "", "some cases alone, with commas between: "+strings.Join(o.cases, ", "))
	return f
}

// Parse reads the arguments, and checks the flags that every program has. flag.ErrHelp is that -h was
// asked for.
func (o *Options) Parse(f *flag.FlagSet, args []string) error {
	if err := f.Parse(args); err != nil {
		return err
	}
	unknown := func(name string) bool { return !slices.Contains(o.cases, name) }
	switch {
	case f.NArg() > 0:
		return fmt.Errorf("unknown argument %q", f.Arg(0))
	case o.only != "" && slices.ContainsFunc(strings.Split(o.only, ","), unknown):
		return fmt.Errorf("-only %q: the cases are %s", o.only, strings.Join(o.cases, ", "))
	case o.Runs < 1 || o.Runs > 100 || !(o.Seconds > 0): // NaN neither
		return errors.New("-runs must be 1 to 100, -seconds more than 0")
	}
	return nil
}

// Measure runs the cases that were asked for, in order. After one that fails the others still have their
// turn, unless ctx has ended.
func (o *Options) Measure(ctx context.Context, cases []Case) error {
	var failed []error
	for _, c := range cases {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), c.Name) {
			continue
		}
		Say("case %s", c.Name)
		if err := cmp.Or(c.Run(ctx), ctx.Err()); err != nil { // a case that was cut short has measured nothing
			Say("case %s: %v", c.Name, err)
			failed = append(failed, fmt.Errorf("case %s: %w", c.Name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// Main runs a program until it is done, or is told to stop, and exits with its code.
func Main(run func(ctx context.Context, args []string, out io.Writer) int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout)
	stop()
	os.Exit(code)
}

// Refuse says what is wrong with the flags, and gives the exit code: 2, or 0 of -h.
func Refuse(program string, err error) int {
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
	return 2
}

// Exit says what has failed, and gives the exit code: 1, or 0 of nothing.
func Exit(program string, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
	return 1
}
