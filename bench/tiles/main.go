// Command benchtiles measures the tiles of `onemap serve` in normal use: a child process on a private PostgreSQL cluster with
// fsync on, a logged-in session, and HTTP on the loopback interface with keep-alive and gzip. It prints a table in markdown.
// The exit code is 1 if a bar is missed.
package main

import (
	"context"
	"errors"
	"io"

	"onemap/bench/kit"
)

const program = "benchtiles"

// options holds the flags.
type options struct {
	kit.Options
	points      int
	polygons    int
	seed        uint64
	editSeconds float64
	bare        string
}

// cases returns all cases. b is nil if only their names are needed.
func cases(b *bench) []kit.Case {
	return []kit.Case{
		{Name: "cold", Run: b.cold}, {Name: "cached", Run: b.cached}, {Name: "herd", Run: b.herd},
		{Name: "edits", Run: b.edits}, {Name: "large", Run: b.large}, {Name: "writers", Run: b.writers},
	}
}

func main() { kit.Main(run) }

// run is the program. It returns 0 if every bar was reached, 1 if one was missed or an error occurred, and 2 for a wrong
// flag.
func run(ctx context.Context, args []string, out io.Writer) int {
	o, err := parse(args)
	if err != nil {
		return kit.Refuse(program, err)
	}
	if o.bare != "" {
		return kit.Exit(program, serveBare(ctx, o.bare, out))
	}
	r := &report{}
	return kit.Exit(program, r.Conclude(out, measureAll(ctx, o, r)))
}

// parse reads the flags and checks their ranges. A comparison is negated where NaN must be refused.
func parse(args []string) (options, error) {
	var o options
	f := o.Flags(program, "seconds of load a run; whole rounds of the list of tiles are finished", cases(nil))
	f.IntVar(&o.points, "points", 200_000, "points of the data set; the large one has five times as many")
	f.IntVar(&o.polygons, "polygons", 20_000, "polygons of the data set; the large one has five times as many")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the data and of the lists of tiles")
	f.Float64Var(&o.editSeconds, "edit-seconds", 600, "seconds of the case edits")
	f.StringVar(&o.bare, "bare", "", "serve the answers of this file and nothing else: the handler that the case cached is set against")
	if err := o.Parse(f, args); err != nil {
		return o, err
	}
	switch {
	case o.points < 1000 || o.polygons < 100:
		return o, errors.New("-points must be at least 1000 and -polygons at least 100")
	case !(o.editSeconds > 0): // false for NaN
		return o, errors.New("-edit-seconds must be more than 0")
	}
	return o, nil
}

func measureAll(ctx context.Context, o options, r *report) error {
	b, err := newBench(ctx, o, r)
	if err != nil {
		return err
	}
	return errors.Join(o.Measure(ctx, cases(b)), b.place.Close(ctx))
}
