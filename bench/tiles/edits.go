package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"onemap/bench/kit"
)

const (
	// The load and the bars of the case edits.
	panners     = 50
	editRate    = 2000.0 // features per second
	freshBarMS  = 1000.0 // ms from the commit until a client has the new tile, p99
	flatBar     = 0.05   // growth during the second half, as a part of the mean
	flatFrom    = 300.0  // shortest run, in seconds, for which growth is checked
	reached     = 0.95   // part of editRate that must be reached
	markedLast  = 100    // number of points that only the probe changes
	giveUpAfter = 5 * time.Second
)

// edits measures tiles under change. A writer changes 2,000 features per second while 50 clients pan. A probe measures the
// time from the commit of a marked edit until the edit is in the tile of a second client.
func (b *bench) edits(ctx context.Context) (err error) {
	db, err := b.standard(ctx)
	if err != nil {
		return err
	}
	s, err := b.startServer(ctx, db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	second, err := s.Login(ctx, loginSecond, b.password)
	if err != nil {
		return err
	}
	w, err := newWriter(ctx, db, b.o.seed)
	if err != nil {
		return err
	}
	defer w.close(ctx)
	p, err := newProbe(ctx, s, second)
	if err != nil {
		return err
	}
	defer p.close(ctx)

	before, err := kit.ReadClocks(s.PID, b.place.Cluster.PID())
	if err != nil {
		return err
	}
	m := &memory{server: s}
	pans := make([]traffic, panners)
	start := time.Now()
	length := time.Duration(b.o.editSeconds * float64(time.Second))
	if err := runEdits(ctx, length, s, w, p, m, pans); err != nil {
		return err
	}
	took := time.Since(start)
	after, err := kit.ReadClocks(s.PID, b.place.Cluster.PID())
	if err != nil {
		return err
	}
	b.noteEdits(took, before, after, w, pans)
	b.checkFresh(p)
	b.checkFlat(m)
	return nil
}

// runEdits runs the writer, the probe, the memory samples and the clients for a time.
func runEdits(ctx context.Context, length time.Duration, s *server, w *writer, p *probe, m *memory, pans []traffic) error {
	m.every = min(max(length/30, time.Second), 10*time.Second)
	group, all := errgroup.WithContext(ctx)
	timed, cancel := context.WithTimeout(all, length)
	defer cancel()
	group.Go(func() error { return w.run(timed) })
	group.Go(func() error { return p.run(all, timed) })
	group.Go(func() error { return m.run(timed) })
	for i := range pans {
		group.Go(func() error { return pan(timed, s.main, uint64(i), &pans[i]) })
	}
	return cmp.Or(group.Wait(), ctx.Err())
}

// noteEdits reports the latencies of clients and writer, the CPU use, and the reached rate.
func (b *bench) noteEdits(took time.Duration, before, after kit.Clocks, w *writer, pans []traffic) {
	var seen []time.Duration
	for _, t := range pans {
		seen = append(seen, t.latencies...)
	}
	slices.Sort(seen)
	slices.Sort(w.took)
	busy := func(from, to time.Duration) string { return kit.Number((to - from).Seconds() / took.Seconds()) }
	b.r.Note("Edits, %.0f s: %d clients panned over %d tiles, p50 %s ms, p99 %s ms; a writer's transaction took p50 %s ms, p99 %s ms; cores busy: server %s, PostgreSQL %s, load %s.",
		took.Seconds(), panners, len(seen), kit.Number(kit.MS(kit.Percentile(seen, 50))), kit.Number(kit.MS(kit.Percentile(seen, 99))),
		kit.Number(kit.MS(kit.Percentile(w.took, 50))), kit.Number(kit.MS(kit.Percentile(w.took, 99))),
		busy(before.Server, after.Server), busy(before.Postgres, after.Postgres), busy(before.Client, after.Client))
	rate := float64(w.features) / w.length.Seconds()
	b.r.Check("edits: features changed a second", fmt.Sprintf("≥ %g", reached*editRate), kit.Number(rate), rate >= reached*editRate)
}

// checkFresh checks how fast edits arrive, and that none is missing (contract "tiles are never stale").
func (b *bench) checkFresh(p *probe) {
	slices.Sort(p.delays)
	worst := 0.0
	if n := len(p.delays); n > 0 {
		worst = kit.MS(p.delays[n-1])
	}
	p99 := kit.MS(kit.Percentile(p.delays, 99))
	b.r.Check("edits: ms from the commit to the tile in a second client's hand", fmt.Sprintf("p99 < %g", freshBarMS),
		fmt.Sprintf("p50 %s, p99 %s, worst %s, of %d", kit.Number(kit.MS(kit.Percentile(p.delays, 50))), kit.Number(p99), kit.Number(worst), len(p.delays)),
		len(p.delays) > 0 && p99 < freshBarMS)
	b.r.Check("edits: tiles that lack the edit after all notices", "0",
		fmt.Sprintf("%d; %d were there at a later notice than the first that covered the tile", len(p.failed), p.later), len(p.failed) == 0)
	for _, f := range p.failed[:min(len(p.failed), 5)] {
		b.r.Note("Missing: %s", f)
	}
}

// checkFlat checks that the memory of the server does not grow.
func (b *bench) checkFlat(m *memory) {
	for _, of := range []struct {
		name   string
		values []float64
	}{{"live heap", m.heap}, {"resident memory", m.rss}} {
		half := len(of.values) / 2
		if half < 2 {
			continue
		}
		x, y := m.at[half:], of.values[half:]
		perSecond := kit.Slope(x, y)
		mean := 0.0
		for _, v := range y {
			mean += v / float64(len(y))
		}
		growth := perSecond * (x[len(x)-1] - x[0]) / mean
		words := fmt.Sprintf("%.1f MiB at the start, %.1f at the end; second half %+.2f MiB a minute, %+.1f %%",
			of.values[0], of.values[len(of.values)-1], perSecond*60, growth*100)
		if b.o.editSeconds < flatFrom {
			b.r.Note("Edits, %s: %s (too short a run to tell).", of.name, words)
			continue
		}
		b.r.Check("edits: growth of the "+of.name+" over the second half", fmt.Sprintf("< %g %%", flatBar*100), words, growth < flatBar)
	}
}

// memory samples the size of the server at intervals, in MiB.
type memory struct {
	server        *server
	every         time.Duration
	at, rss, heap []float64
}

// run samples until ctx ends. The resident size is the operating system's figure; the live heap is the server's own.
func (m *memory) run(ctx context.Context) error {
	start := time.Now()
	tick := time.NewTicker(m.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now, err := kit.StatOf(m.server.PID)
		if err != nil {
			return err
		}
		heap, err := m.server.LiveHeap(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		m.at = append(m.at, time.Since(start).Seconds())
		m.rss = append(m.rss, float64(now.RSS)/(1<<20))
		m.heap = append(m.heap, heap/(1<<20))
		n := len(m.at) - 1
		kit.Say("edits, %.0f s: resident %.1f MiB, live heap %.1f MiB", m.at[n], m.rss[n], m.heap[n])
	}
}
