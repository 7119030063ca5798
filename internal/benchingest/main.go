// Command benchingest measures `onemap serve` as devices use it, over a private PostgreSQL cluster with
// fsync on, with rules and live state at work, and sets it against bare programs that commit the same
// rows. It prints tables in markdown and ends by itself, with exit code 1 when a bar is missed.
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
	onemap     string
	runs       int
	seconds    float64
	warm       float64
	devices    int
	rows       float64
	settle     float64
	latest     bool
	window     int
	only       string
	cpuprofile string
	child      string // what to be instead of the benchmark
	bare       bareOptions
}

// databaseEnv tells a child its database.
const databaseEnv = "BENCHINGEST_DATABASE"

// benchCase is one of what can be measured.
type benchCase struct {
	name string
	run  func(context.Context, *bench) error
}

func cases() []benchCase {
	var all []benchCase
	for _, c := range rateCases() {
		all = append(all, benchCase{c.name, c.run})
	}
	return append(all, benchCase{"latency", latency}, benchCase{"external", external}, benchCase{"connections", connections}, benchCase{"big", big})
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
		fmt.Fprintln(os.Stderr, "benchingest:", err)
		return 2
	}
	if o.child != "" {
		err = beChild(ctx, o, out)
	} else {
		r := &benchkit.Report{}
		if err = measureAll(ctx, o, r); err == nil && r.Missed() {
			err = errors.New("a bar was missed: " + strings.Join(r.MissedBars(), "; "))
		}
		r.Print(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchingest:", err)
		return 1
	}
	return 0
}

// beChild is what the benchmark starts this program as.
func beChild(ctx context.Context, o options, out io.Writer) error {
	o.bare.database = os.Getenv(databaseEnv)
	switch o.child {
	case "hook":
		return serveBare(ctx, o.bare, out)
	case "loop":
		return loopBare(ctx, o.bare, out)
	case "server":
		return serveProfiled(ctx, o, out)
	}
	return fmt.Errorf("-child %q is unknown", o.child)
}

func parse(args []string) (options, error) {
	var o options
	var names, only []string
	for _, c := range cases() {
		names = append(names, c.name)
	}
	f := flag.NewFlagSet("benchingest", flag.ContinueOnError)
	f.StringVar(&o.onemap, "onemap", "bin/onemap", "the program to measure")
	f.IntVar(&o.runs, "runs", 5, "runs that a median is taken of")
	f.Float64Var(&o.seconds, "seconds", 5, "seconds of load that are measured a run")
	f.Float64Var(&o.warm, "warm", 1.5, "seconds of load before that")
	f.IntVar(&o.devices, "devices", 15_000, "devices that are registered, and that connect in the case connections")
	f.Float64Var(&o.rows, "rows", 100e6, "stored observations of the case big")
	f.Float64Var(&o.settle, "settle", 130, "seconds in which the server comes to rest in the case connections, before and after the devices connect")
	f.BoolVar(&o.latest, "latest", true, "measure also a bare hook that keeps the newest readings, for the table alone")
	f.IntVar(&o.window, "window", 0, "publishes of a connection on their way, in the cases of rates; 0: as each case has it")
	f.StringVar(&o.only, "only", "", "some cases alone, with commas between: "+strings.Join(names, ", "))
	f.StringVar(&o.cpuprofile, "cpuprofile", "", "measure the server that is built into this program instead of -onemap, and keep its profile here")
	f.StringVar(&o.child, "child", "", "used by the program itself: be a bare hook, a bare loop or a server")
	f.IntVar(&o.bare.values, "values", 1, "with -child: rows a publish")
	f.StringVar(&o.bare.broker, "broker", "", "with -child: the broker to read from, host:port")
	f.BoolVar(&o.bare.latest, "newest", false, "with -child: keep the newest readings too")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.only != "" {
		only = strings.Split(o.only, ",")
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unknown argument %q", f.Arg(0))
	case slices.ContainsFunc(only, func(c string) bool { return !slices.Contains(names, c) }):
		return o, fmt.Errorf("-only %q: the cases are %s", o.only, strings.Join(names, ", "))
	case o.runs < 1 || o.runs > 100 || !(o.seconds > 0) || !(o.warm >= 0):
		return o, errors.New("-runs must be 1 to 100, -seconds more than 0, -warm at least 0")
	case o.devices < 1000 || o.devices > 19_000:
		return o, errors.New("-devices must be 1000 to 19000")
	case o.window < 0 || o.window > 60_000:
		return o, errors.New("-window must be 0 to 60000")
	case !(o.settle > 0):
		return o, errors.New("-settle must be more than 0")
	case !(o.rows >= 1e6 && o.rows <= 1e9): // NaN neither
		return o, errors.New("-rows must be 1e6 to 1e9")
	case o.bare.values < 1 || o.bare.values > bareBatch:
		return o, fmt.Errorf("-values must be 1 to %d", bareBatch)
	}
	return o, nil
}

func measureAll(ctx context.Context, o options, r *benchkit.Report) error {
	b, err := newBench(ctx, o, r)
	if err != nil {
		return err
	}
	var failed []error
	for _, c := range cases() {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), c.name) {
			continue
		}
		benchkit.Say("case %s", c.name)
		if err := cmp.Or(c.run(ctx, b), ctx.Err()); err != nil { // a case that was cut short has measured nothing
			benchkit.Say("case %s: %v", c.name, err)
			failed = append(failed, fmt.Errorf("case %s: %w", c.name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(append(failed, b.place.Close(ctx))...)
}
