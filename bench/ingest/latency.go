package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"onemap/bench/kit"
)

const (
	// The load and the bars of the case latency.
	latencyDevices  = 1000 // devices, each publishes once a second
	latencyClients  = 100
	loneCommitsEach = 300
	loneCommitPause = 20 * time.Millisecond
	pubackBar       = 2.0   // in units of a lone commit
	stateBarMS      = 250.0 // p99
	stateWithin     = 20 * time.Second
)

// latency publishes 1,000 messages per second at an even pace, independent of the acknowledgements (an open loop). It
// measures the time of the acknowledgement, and the time until the frame with the reading has reached each of 100 clients.
func (b *bench) latency(ctx context.Context) (err error) {
	ours, err := b.database(ctx, oursDB)
	if err != nil {
		return err
	}
	bare, err := b.database(ctx, bareDB)
	if err != nil {
		return err
	}
	if err := errors.Join(empty(ctx, ours), empty(ctx, bare), settle(ctx, ours)); err != nil {
		return err
	}
	s, err := b.startServer(ctx, ours, "--mqtt=127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	receivers := make([]*receiver, latencyClients)
	for i := range receivers {
		receivers[i] = &receiver{}
		w, err := watch(ctx, s.main, fmt.Sprintf("benchingest-%05d", i), receivers[i].handle)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, w.close()) }()
	}
	var all []delays
	for run := range b.o.Runs {
		alone, err := singleCommits(ctx, bare, 0, func(n int) bool { return n == loneCommitsEach })
		if err != nil {
			return err
		}
		var beside []time.Duration
		var ended atomic.Bool
		var running errgroup.Group
		running.Go(func() (err error) {
			beside, err = singleCommits(ctx, bare, loneCommitPause, func(int) bool { return ended.Load() })
			return err
		})
		d, err := b.pace(ctx, s, receivers)
		ended.Store(true)
		if err := cmp.Or(err, running.Wait()); err != nil {
			return err
		}
		d.commit, d.beside = median(alone), median(beside)
		all = append(all, d)
		kit.Say("latency, run %d: %s", run+1, d)
	}
	reportDelays(b.r, all)
	return nil
}

// median sorts the times and returns their median in ms.
func median(took []time.Duration) float64 {
	slices.Sort(took)
	return kit.MS(kit.Percentile(took, 50))
}

// delays holds the results of one run, in ms.
type delays struct {
	commit             float64 // median of a lone commit without other load
	beside             float64 // the same during the messages
	ack50, ack99       float64
	state50, state99   float64
	published, carried int // published readings; readings received by all clients together
}

// String returns the results as text.
func (d delays) String() string {
	n := kit.Number
	return fmt.Sprintf("a lone commit %s ms, %s beside the messages; PUBACK p50 %s, p99 %s; state p50 %s, p99 %s; %d published, %d of %d seen",
		n(d.commit), n(d.beside), n(d.ack50), n(d.ack99), n(d.state50), n(d.state99), d.published, d.carried, d.published*latencyClients)
}

// reportDelays writes two checks: the PUBACK time as a ratio to a lone commit in the same run, because a PUBACK waits for a
// commit, and the time to the state frame in ms.
func reportDelays(r *kit.Report, all []delays) {
	of := func(get func(delays) float64) (string, float64) {
		values := make([]float64, len(all))
		for i, d := range all {
			values[i] = get(d)
		}
		return kit.Numbers(values), kit.Median(values)
	}
	_, ack := of(func(d delays) float64 { return d.ack50 })
	against := func(commit func(delays) float64) (text string, ratio float64) {
		ratios, ratio := of(func(d delays) float64 { return d.ack50 / commit(d) })
		_, took := of(commit)
		return fmt.Sprintf("%s; median %s (%s ms of %s ms)", ratios, kit.Number(ratio), kit.Number(ack), kit.Number(took)), ratio
	}
	text, ratio := against(func(d delays) float64 { return d.beside })
	r.Check("1,000 msg/s: PUBACK p50 / a lone commit beside the messages", fmt.Sprintf("median ≤ %g", pubackBar), text, ratio <= pubackBar)
	text, _ = against(func(d delays) float64 { return d.commit })
	r.Note("1,000 msg/s: PUBACK p50 / a lone commit while nothing else goes on: %s.", text)
	tails, tail := of(func(d delays) float64 { return d.ack99 })
	r.Note("1,000 msg/s: PUBACK p99 %s ms; median %s.", tails, kit.Number(tail))
	tails, tail = of(func(d delays) float64 { return d.state99 })
	_, middle := of(func(d delays) float64 { return d.state50 })
	r.Check(fmt.Sprintf("1,000 msg/s: ms from the publish to the state frame, %d clients", latencyClients), fmt.Sprintf("p99 ≤ %g", stateBarMS),
		fmt.Sprintf("p99 %s; median %s (p50 %s)", tails, kit.Number(tail), kit.Number(middle)), tail <= stateBarMS)
}

// pace is one run. Every reading must be in the table and must have reached every client.
func (b *bench) pace(ctx context.Context, s *server, receivers []*receiver) (d delays, err error) {
	since := time.Now()
	links := make([]*link, min(latencyDevices, len(b.devices)))
	for i := range links {
		links[i] = newLink(&b.devices[i], 1, 1)
	}
	defer disconnectAll(links)
	if err := openAll(ctx, s.mqtt, links, 64); err != nil {
		return d, err
	}
	for _, e := range receivers {
		e.begin()
	}
	took := make([][]time.Duration, len(links))
	errs := make([]error, len(links))
	start := time.Now().Add(50 * time.Millisecond)
	end := start.Add(seconds(b.o.warm + b.o.Seconds))
	var running sync.WaitGroup
	for i, l := range links {
		running.Go(func() {
			first := start.Add(time.Duration(i) * time.Second / time.Duration(len(links)))
			took[i], errs[i] = l.keepPace(ctx, first, end)
		})
	}
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		return d, err
	}
	counted := slices.Concat(took...)
	slices.Sort(counted)
	d.published = len(counted)
	d.ack50, d.ack99 = kit.MS(kit.Percentile(counted, 50)), kit.MS(kit.Percentile(counted, 99))
	n, err := stored(ctx, s.db, since)
	if err != nil {
		return d, err
	}
	if n != uint64(d.published) {
		return d, fmt.Errorf("%d readings were acknowledged, and %d are stored", d.published, n)
	}
	return d, d.awaitFrames(ctx, s, receivers)
}

// keepPace publishes once a second from first to end.
func (l *link) keepPace(ctx context.Context, first, end time.Time) (took []time.Duration, err error) {
	for at := first; at.Before(end); at = at.Add(time.Second) {
		if !kit.SleepUntil(ctx, at) {
			return took, ctx.Err()
		}
		sent := time.Now()
		if err := l.publish(1, belowValue); err != nil {
			return took, err
		}
		took = append(took, time.Since(sent))
	}
	return took, nil
}

// awaitFrames waits until every client has received every reading.
func (d *delays) awaitFrames(ctx context.Context, s *server, receivers []*receiver) error {
	limit := time.Now().Add(stateWithin)
	for {
		d.carried = 0
		for _, e := range receivers {
			d.carried += e.count()
		}
		if d.carried >= d.published*len(receivers) || time.Now().After(limit) {
			break
		}
		if !kit.SleepUntil(ctx, time.Now().Add(50*time.Millisecond)) {
			return ctx.Err()
		}
	}
	var all []time.Duration
	for i, e := range receivers {
		if n := e.count(); n != d.published {
			return fmt.Errorf("client %d has seen %d of %d readings: %s", i, n, d.published, s.Stderr())
		}
		all = append(all, e.end()...)
	}
	slices.Sort(all)
	d.state50, d.state99 = kit.MS(kit.Percentile(all, 50)), kit.MS(kit.Percentile(all, 99))
	return nil
}

// receiver records when a client receives readings that were published since begin.
type receiver struct {
	mu    sync.Mutex
	since time.Time
	took  []time.Duration
}

func (e *receiver) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.since, e.took = time.Now().Truncate(time.Microsecond), nil
}

func (e *receiver) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.took)
}

func (e *receiver) end() []time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.took
}

// handle handles a frame.
func (e *receiver) handle(frame []byte, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	eachReading(frame, func(t time.Time) {
		if !t.Before(e.since) {
			e.took = append(e.took, at.Sub(t))
		}
	})
}

// eachReading calls each with the times of the readings in a state frame. It searches the text instead of decoding JSON,
// because decoding the frames of a hundred clients would cost more than the rest of the load.
func eachReading(frame []byte, each func(time.Time)) {
	if !bytes.Contains(frame[:min(len(frame), 64)], []byte(`"type":"state"`)) {
		return
	}
	for {
		_, after, found := bytes.Cut(frame, []byte(`"t":"`))
		if !found {
			return
		}
		text, rest, _ := bytes.Cut(after, []byte(`"`))
		if t, err := time.Parse(time.RFC3339Nano, string(text)); err == nil {
			each(t)
		}
		frame = rest
	}
}
