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

// Options holds the flags that all measuring programs have.
type Options struct {
	Onemap  string  // path of the program to measure
	Runs    int     // number of runs for a median
	Seconds float64 // length of one run

	cases []string // names of all cases
	only  string   // names of the chosen cases, separated by commas; "": all
}

// Case is one measurement of a program.
type Case struct {
	Name string
	Run  func(context.Context) error
}

// Flags returns the flag set of a program with these cases. seconds is the help text of -seconds.
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

// Parse parses the arguments and checks the common flags. It returns flag.ErrHelp for -h.
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
	case o.Runs < 1 || o.Runs > 100 || !(o.Seconds > 0): // false for NaN
		return errors.New("-runs must be 1 to 100, -seconds more than 0")
	}
	return nil
}

// Measure runs the chosen cases in order. If one fails, it continues with the next, unless ctx has ended. It returns the
// joined errors.
func (o *Options) Measure(ctx context.Context, cases []Case) error {
	var failed []error
	for _, c := range cases {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), c.Name) {
			continue
		}
		Say("case %s", c.Name)
		if err := cmp.Or(c.Run(ctx), ctx.Err()); err != nil { // an interrupted case has no result
			Say("case %s: %v", c.Name, err)
			failed = append(failed, fmt.Errorf("case %s: %w", c.Name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// Main runs a program until it ends or receives a signal, and exits with its code.
func Main(run func(ctx context.Context, args []string, out io.Writer) int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout)
	stop()
	os.Exit(code)
}

// Refuse prints an error of the flags and returns the exit code: 2, or 0 after -h.
func Refuse(program string, err error) int {
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
	return 2
}

// Exit prints an error and returns the exit code: 1, or 0 if err is nil.
func Exit(program string, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
	return 1
}
