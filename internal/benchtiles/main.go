// Command benchtiles measures `onemap serve` as it is used: a child process over a private PostgreSQL
// cluster with fsync on, logged in, over loopback HTTP with keep-alive and gzip. It prints a table in
// markdown and ends by itself, with exit code 1 when a bar is missed.
package main

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

	"onemap/internal/benchkit"
)

// options are the flags.
type options struct {
	onemap      string
	points      int
	polygons    int
	seed        uint64
	runs        int
	seconds     float64
	editSeconds float64
	only        string
	bare        string
}

// benchCase is one of what can be measured.
type benchCase struct {
	name string
	run  func(context.Context, *bench) error
}

func cases() []benchCase {
	return []benchCase{{"cold", cold}, {"cached", cached}, {"herd", herd}, {"edits", edits}, {"large", large}, {"writers", writers}}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout)
	stop()
	os.Exit(code)
}

// run is the program; 0 is that every bar was reached, 1 that one was missed or something failed, 2 a
// wrong flag.
func run(ctx context.Context, args []string, out io.Writer) int {
	o, err := parse(args)
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		fmt.Fprintln(os.Stderr, "benchtiles:", err)
		return 2
	}
	if o.bare != "" {
		err = serveBare(ctx, o.bare, out)
		if err != nil {
			fmt.Fprintln(os.Stderr, "benchtiles:", err)
			return 1
		}
		return 0
	}
	r := &report{}
	err = measureAll(ctx, o, r)
	r.print(out)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "benchtiles:", err)
		return 1
	case r.Missed():
		return 1
	}
	return 0
}

func parse(args []string) (options, error) {
	var o options
	var names []string
	for _, c := range cases() {
		names = append(names, c.name)
	}
	f := flag.NewFlagSet("benchtiles", flag.ContinueOnError)
	f.StringVar(&o.onemap, "onemap", "bin/onemap", "the program to measure")
	f.IntVar(&o.points, "points", 200_000, "points of the data set; the large one has five times as many")
	f.IntVar(&o.polygons, "polygons", 20_000, "polygons of the data set; the large one has five times as many")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the data and of the lists of tiles")
	f.IntVar(&o.runs, "runs", 5, "runs that a median is taken of")
	f.Float64Var(&o.seconds, "seconds", 5, "seconds of load a run; whole rounds of the list of tiles are finished")
	f.Float64Var(&o.editSeconds, "edit-seconds", 600, "seconds of the case edits")
	f.StringVar(&o.only, "only", "", "one case alone: "+strings.Join(names, ", "))
	f.StringVar(&o.bare, "bare", "", "serve the answers of this file and nothing else: the handler that the case cached is set against")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unknown argument %q", f.Arg(0))
	case o.only != "" && !slices.Contains(names, o.only):
		return o, fmt.Errorf("-only %q is none of %s", o.only, strings.Join(names, ", "))
	case o.points < 1000 || o.polygons < 100:
		return o, errors.New("-points must be at least 1000 and -polygons at least 100")
	case o.runs < 1 || o.runs > 100 || o.seconds <= 0 || o.editSeconds <= 0:
		return o, errors.New("-runs must be 1 to 100, -seconds and -edit-seconds more than 0")
	}
	return o, nil
}

func measureAll(ctx context.Context, o options, r *report) error {
	b, err := newBench(ctx, o, r)
	if err != nil {
		return err
	}
	for _, c := range cases() {
		if o.only != "" && o.only != c.name {
			continue
		}
		benchkit.Say("case %s", c.name)
		if err = cmp.Or(c.run(ctx, b), ctx.Err()); err != nil { // a case that was cut short has measured nothing
			err = fmt.Errorf("case %s: %w", c.name, err)
			break
		}
	}
	return errors.Join(err, b.place.Close(ctx))
}
