package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/bench/kit"
)

// rateBar is the part of the bare program's rate that the server must reach.
const rateBar = 0.75

// rateCase is a closed loop whose rate is compared with that of the bare hook.
type rateCase struct {
	name, title    string
	gateways       bool
	devices        int
	window, values int
	aim            float64 // goal in values per second, reported and not checked
}

func rateCases() []rateCase {
	return []rateCase{
		{name: "devices", title: "1,000 devices, one value", devices: 1000, window: 16, values: 1, aim: 18_000},
		{name: "ten", title: "1,000 devices, arrays of 10", devices: 1000, window: 16, values: 10, aim: 55_000},
		{name: "hundred", title: "1,000 devices, arrays of 100", devices: 1000, window: 2, values: 100, aim: 90_000},
		{name: "gateways", title: "10 gateways, one value", gateways: true, devices: 10, window: 256, values: 1, aim: 18_000},
	}
}

func tableHead() []string {
	return []string{"", "connections × on their way", "msg/s", "values/s", "CPU µs a message: server", "PostgreSQL", "the load", "others' cores", "the rules' cursor at the head after, s"}
}

func (c rateCase) traffic(b *bench) traffic {
	t := traffic{
		window: c.window, values: c.values, warm: seconds(b.o.warm), length: seconds(b.o.Seconds), devices: b.devices[:c.devices],
	}
	if c.gateways {
		t.devices = gateways(b.devices, c.devices)
	}
	return t
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// side is one of the programs that are measured alternately.
type side struct {
	name    string
	subject subject
	db      string
	after   func(context.Context) (time.Duration, error) // waits until the program has no work left
	since   time.Time                                    // older readings are not counted
	runs    []figures
}

// run measures the server and one or two bare hooks, alternately.
func (c rateCase) run(ctx context.Context, b *bench) (err error) {
	if b.o.window > 0 {
		c.window = b.o.window
	}
	ours, err := b.database(ctx, oursDB)
	if err != nil {
		return err
	}
	bare, err := b.database(ctx, bareDB)
	if err != nil {
		return err
	}
	if err := errors.Join(empty(ctx, ours), empty(ctx, bare)); err != nil {
		return err
	}
	s, err := b.startServer(ctx, ours, "--mqtt=127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	sides := []*side{{name: "onemap", subject: subject{s.mqtt, s.PID, b.postgres()}, db: ours, after: s.awaitRules}}
	for _, args := range c.bareArgs(b) {
		hook, err := b.self(ctx, bare, args...)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, hook.Stop()) }()
		sides = append(sides, &side{name: "bare hook", subject: subject{hook.Addr, hook.PID, b.postgres()}, db: bare})
	}
	if err := b.alternate(ctx, sides, c.traffic(b)); err != nil {
		return err
	}
	if err := s.checkAlerts(ctx); err != nil {
		return err
	}
	c.report(b, sides)
	return nil
}

func (c rateCase) bareArgs(b *bench) [][]string {
	args := []string{"-child", "hook", "-values", strconv.Itoa(c.values)}
	if !b.o.latest {
		return [][]string{args}
	}
	return [][]string{args, append(slices.Clip(args), "-newest")}
}

// alternate measures the sides alternately: one run each, then the next run.
func (b *bench) alternate(ctx context.Context, sides []*side, t traffic) error {
	for run := range b.o.Runs {
		for _, s := range sides {
			if err := s.measure(ctx, t); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			f := s.runs[run]
			kit.Say("%s, run %d: %s msg/s, %s values/s; CPU µs a message: server %s, PostgreSQL %s, load %s", s.name, run+1,
				kit.Number(f.rate), kit.Number(f.values), kit.Number(f.server), kit.Number(f.postgres), kit.Number(f.client))
		}
	}
	return nil
}

// measure is one run. Everything that was acknowledged must be in the table: a program that loses data is not fast.
func (s *side) measure(ctx context.Context, t traffic) error {
	before, err := stored(ctx, s.db, s.since)
	if err != nil {
		return err
	}
	if err := settle(ctx, s.db); err != nil {
		return err
	}
	f, err := flood(ctx, s.subject, t)
	if err != nil {
		return err
	}
	if s.after != nil {
		lag, err := s.after(ctx)
		if err != nil {
			return err
		}
		f.lag = lag.Seconds()
	}
	after, err := stored(ctx, s.db, s.since)
	if err != nil {
		return err
	}
	if want := f.messages * uint64(t.values); after-before != want {
		return fmt.Errorf("%d readings were acknowledged, and %d are stored", want, after-before)
	}
	s.runs = append(s.runs, f)
	return nil
}

// checkAlerts returns an error if there is no alert, because the rules have then not worked.
func (s *server) checkAlerts(ctx context.Context) error {
	return connected(ctx, s.db, func(conn *pgx.Conn) error {
		var n int
		if err := conn.QueryRow(ctx, "select count(*) from alert").Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return errors.New("the rules have found nothing")
		}
		return nil
	})
}

func (c rateCase) report(b *bench, sides []*side) {
	on := fmt.Sprintf("%d × %d", c.devices, c.window)
	row(b.r, c.title+": onemap", on, sides[0].runs)
	row(b.r, c.title+": bare hook", on, sides[1].runs)
	rate := func(f figures) float64 { return f.rate }
	b.r.Ratio(c.title+": onemap / bare hook", kit.Ratios(sides[0].runs, sides[1].runs, rate), rateBar)
	if len(sides) > 2 {
		row(b.r, c.title+": bare hook that keeps the newest readings", on, sides[2].runs)
		all := kit.Ratios(sides[0].runs, sides[2].runs, rate)
		b.r.Note("%s: onemap / a bare hook that keeps the newest readings too: %s; median %s.", c.title, kit.Numbers(all), kit.Number(kit.Median(all)))
	}
	values := kit.MedianOf(sides[0].runs, func(f figures) float64 { return f.values })
	b.r.Note("%s: the aim is %s values/s; it is %s.", c.title, kit.Number(c.aim), kit.Number(values))
}

func row(r *kit.Report, name, on string, runs []figures) {
	m := func(get func(figures) float64) string { return kit.Number(kit.MedianOf(runs, get)) }
	r.Row(name, on,
		m(func(f figures) float64 { return f.rate }), m(func(f figures) float64 { return f.values }),
		m(func(f figures) float64 { return f.server }), m(func(f figures) float64 { return f.postgres }), m(func(f figures) float64 { return f.client }),
		m(func(f figures) float64 { return f.others }), m(func(f figures) float64 { return f.lag }))
}
