package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"onemap/bench/kit"
)

// subject is the target of a load, with the processes whose CPU time is measured.
type subject struct {
	addr             string // address of the broker
	server, postgres int    // process ids
}

// traffic describes one run of a load.
type traffic struct {
	devices        []device
	window, values int
	warm, length   time.Duration
}

// figures holds the results of one run, or the medians of several runs. CPU times are in µs per message.
type figures struct {
	rate                     float64 // committed and acknowledged messages per second
	values                   float64 // readings per second
	server, postgres, client float64
	others                   float64 // CPUs that other processes kept busy
	lag                      float64 // seconds from the end until the rules had evaluated everything
	messages                 uint64  // all messages that were sent and acknowledged
}

// drainWithin is the time limit for the last acknowledgements.
const drainWithin = time.Minute

// crossEvery is the interval of values beyond the threshold.
const crossEvery = time.Second

// crossings returns the values to send: normally below the threshold, and one beyond it at each interval. So the rules have
// work during the measurement.
type crossings struct{ due atomic.Bool }

func (c *crossings) run(ctx context.Context) {
	tick := time.NewTicker(crossEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.due.Store(true)
		case <-ctx.Done():
			return
		}
	}
}

func (c *crossings) value() string {
	if c.due.Load() && c.due.CompareAndSwap(true, false) {
		return aboveThreshold
	}
	return belowThreshold
}

// flood runs a closed loop and measures the part after the warm-up.
func flood(ctx context.Context, s subject, t traffic) (figures, error) {
	links := make([]*link, len(t.devices))
	for i := range links {
		links[i] = newLink(&t.devices[i], t.window, t.values)
	}
	defer disconnectAll(links)
	if err := openAll(ctx, s.addr, links, 64); err != nil {
		return figures{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	unhook := context.AfterFunc(ctx, func() { cutAll(links) })
	defer unhook()

	var c crossings
	go c.run(ctx)
	var stop atomic.Bool
	var running sync.WaitGroup
	for _, l := range links {
		running.Go(func() {
			if err := l.flood(&stop, c.value); err != nil {
				cancel(err) // only the first cause is kept
			}
		})
	}
	before, after, err := span(ctx, s, t, links)
	stop.Store(true)
	late := time.AfterFunc(drainWithin, func() { cancel(context.DeadlineExceeded) })
	running.Wait()
	late.Stop()
	if cause := context.Cause(ctx); cause != nil {
		return figures{}, cause
	}
	if err != nil {
		return figures{}, err
	}
	f := newFigures(t, before, after)
	for _, l := range links {
		f.messages += l.sent
	}
	return f, nil
}

// moment is the state of a load at one time.
type moment struct {
	at     time.Time
	clocks kit.Clocks
	acked  uint64
}

func progressOf(s subject, links []*link) (m moment, err error) {
	if m.clocks, err = kit.ReadClocks(s.server, s.postgres); err != nil {
		return m, err
	}
	m.at = time.Now()
	for _, l := range links {
		m.acked += l.acked.Load()
	}
	return m, nil
}

// span waits for the warm-up and for the measured time, and returns the state at both ends of the latter.
func span(ctx context.Context, s subject, t traffic, links []*link) (before, after moment, err error) {
	start := time.Now()
	if !kit.SleepUntil(ctx, start.Add(t.warm)) {
		return before, after, context.Cause(ctx)
	}
	if before, err = progressOf(s, links); err != nil {
		return before, after, err
	}
	if !kit.SleepUntil(ctx, start.Add(t.warm+t.length)) {
		return before, after, context.Cause(ctx)
	}
	after, err = progressOf(s, links)
	return before, after, err
}

func newFigures(t traffic, before, after moment) figures {
	n := float64(after.acked - before.acked)
	took := after.at.Sub(before.at)
	spent := after.clocks.Since(before.clocks)
	each := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) / max(n, 1) }
	return figures{
		rate: n / took.Seconds(), values: n * float64(t.values) / took.Seconds(),
		server: each(spent.Server), postgres: each(spent.Postgres), client: each(spent.Client), others: spent.Others(took),
	}
}
