// Command benchingest measures the ingest of `onemap serve`, on a private PostgreSQL cluster with fsync on, with rules and
// live state active. It compares the server with bare programs that commit the same rows. It prints tables in markdown. The
// exit code is 1 if a bar is missed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"onemap/bench/kit"
)

const program = "benchingest"

// options holds the flags.
type options struct {
	kit.Options
	warm       float64
	devices    int
	rows       float64
	settle     float64
	latest     bool
	window     int
	cpuprofile string
	child      string // role of this process if it is a child of the benchmark
	bare       bareOptions
}

// databaseEnv is the environment variable with the database of a child.
const databaseEnv = "BENCHINGEST_DATABASE"

// cases returns all cases. b is nil if only their names are needed.
func cases(b *bench) []kit.Case {
	var all []kit.Case
	for _, c := range rateCases() {
		all = append(all, kit.Case{Name: c.name, Run: func(ctx context.Context) error { return c.run(ctx, b) }})
	}
	return append(all,
		kit.Case{Name: "latency", Run: b.latency}, kit.Case{Name: "beside", Run: b.beside},
		kit.Case{Name: "external", Run: b.external},
		kit.Case{Name: "connections", Run: b.connections}, kit.Case{Name: "big", Run: b.big})
}

func main() { kit.Main(run) }

// run is the program. It returns 0 if every bar was reached, 1 if one was missed or an error occurred, and 2 for a wrong
// flag.
func run(ctx context.Context, args []string, out io.Writer) int {
	o, err := parse(args)
	if err != nil {
		return kit.Refuse(program, err)
	}
	if o.child != "" {
		return kit.Exit(program, beChild(ctx, o, out))
	}
	r := &kit.Report{}
	return kit.Exit(program, r.Conclude(out, measureAll(ctx, o, r)))
}

// beChild runs this program in the role of a child of the benchmark.
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

// parse reads the flags and checks their ranges. A comparison is negated where NaN must be refused.
func parse(args []string) (options, error) {
	var o options
	f := o.Flags(program, "seconds of load that are measured a run", cases(nil))
	f.Float64Var(&o.warm, "warm", 1.5, "seconds of load before that")
	f.IntVar(&o.devices, "devices", 15_000, "devices that are registered, and that connect in the case connections")
	f.Float64Var(&o.rows, "rows", 100e6, "stored observations of the case big")
	f.Float64Var(&o.settle, "settle", 130, "seconds in which the server comes to rest in the case connections, before and after the devices connect")
	f.BoolVar(&o.latest, "latest", true, "measure also a bare hook that keeps the newest readings, for the table alone")
	f.IntVar(&o.window, "window", 0, "publishes of a connection on their way, in the cases of rates; 0: as each case has it")
	f.StringVar(&o.cpuprofile, "cpuprofile", "", "measure the server that is built into this program instead of -onemap, and keep its profile here")
	f.StringVar(&o.child, "child", "", "used by the program itself: be a bare hook, a bare loop or a server")
	f.IntVar(&o.bare.values, "values", 1, "with -child: rows a publish")
	f.StringVar(&o.bare.broker, "broker", "", "with -child: the broker to read from, host:port")
	f.BoolVar(&o.bare.latest, "newest", false, "with -child: keep the newest readings too")
	if err := o.Parse(f, args); err != nil {
		return o, err
	}
	switch {
	case !(o.warm >= 0): // false for NaN
		return o, errors.New("-warm must be at least 0")
	case o.devices < 1000 || o.devices > 19_000:
		return o, errors.New("-devices must be 1000 to 19000")
	case o.window < 0 || o.window > 60_000:
		return o, errors.New("-window must be 0 to 60000")
	case !(o.settle > 0):
		return o, errors.New("-settle must be more than 0")
	case !(o.rows >= 1e6 && o.rows <= 1e9):
		return o, errors.New("-rows must be 1e6 to 1e9")
	case o.bare.values < 1 || o.bare.values > bareBatch:
		return o, fmt.Errorf("-values must be 1 to %d", bareBatch)
	}
	return o, nil
}

func measureAll(ctx context.Context, o options, r *kit.Report) error {
	b, err := newBench(ctx, o, r)
	if err != nil {
		return err
	}
	return errors.Join(o.Measure(ctx, cases(b)), b.place.Close(ctx))
}
