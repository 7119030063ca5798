package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"onemap/bench/kit"
)

// subject is whom a load is sent to, and whose processor time it costs.
type subject struct {
	addr             string // of the broker
	server, postgres int    // process ids
}

// traffic is one run of a load.
type traffic struct {
	devices        []device
	window, values int
	warm, length   time.Duration
}

// figures are those of one run, or the medians of several. Times of processors are µs a message.
type figures struct {
	rate                     float64 // messages committed and acknowledged a second
	values                   float64 // readings a second
	server, postgres, client float64
	others                   float64 // processors that others kept busy meanwhile
	lag                      float64 // s, how long after the end the rules had seen all
	messages                 uint64  // all that were sent, and acknowledged
}

// drainWithin is how long the last acknowledgements may take.
const drainWithin = time.Minute

// crossEvery is how often a value beyond the threshold is sent.
const crossEvery = time.Second

// crossings hands out values: one beyond the threshold now and then.
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
		return alarm
	}
	return calm
}

// flood sends a load in a closed loop and measures the part after the warming up.
func flood(ctx context.Context, s subject, t traffic) (figures, error) {
	links := make([]*link, len(t.devices))
	for i := range links {
		links[i] = newLink(&t.devices[i], t.window, t.values)
	}
	defer leaveAll(links)
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
				cancel(err) // the first counts
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

// moment is how far a load is.
type moment struct {
	at     time.Time
	clocks kit.Clocks
	acked  uint64
}

func look(s subject, links []*link) (m moment, err error) {
	if m.clocks, err = kit.ReadClocks(s.server, s.postgres); err != nil {
		return m, err
	}
	m.at = time.Now()
	for _, l := range links {
		m.acked += l.acked.Load()
	}
	return m, nil
}

// span waits for the warming up and then as long as is to be measured, and looks at both ends.
func span(ctx context.Context, s subject, t traffic, links []*link) (before, after moment, err error) {
	start := time.Now()
	if !kit.SleepUntil(ctx, start.Add(t.warm)) {
		return before, after, context.Cause(ctx)
	}
	if before, err = look(s, links); err != nil {
		return before, after, err
	}
	if !kit.SleepUntil(ctx, start.Add(t.warm+t.length)) {
		return before, after, context.Cause(ctx)
	}
	after, err = look(s, links)
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
