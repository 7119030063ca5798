package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"onemap/bench/kit"
)

const (
	// The load and the bar of the case beside.
	greedyDevices = 3
	greedyWindow  = 32                    // unacknowledged publishes, more than the server allows a connection
	greedyValues  = 1200                  // readings per publish, about 60 KiB
	quietEvery    = 20 * time.Millisecond // pause between two publishes of the quiet device
	besideBar     = 5.0
)

// beside measures whether one device can delay another. A quiet device publishes alone, and then beside three devices that
// send batches of 60 KiB as fast as the server accepts them. The bar is the ratio of its two PUBACK times.
func (b *bench) beside(ctx context.Context) (err error) {
	db, err := b.database(ctx, oursDB)
	if err != nil {
		return err
	}
	if err := empty(ctx, db); err != nil {
		return err
	}
	s, err := b.startServer(ctx, db, "--mqtt=127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var runs []besides
	for run := range b.o.Runs {
		one, err := b.besideOnce(ctx, s)
		if err != nil {
			return err
		}
		runs = append(runs, one)
		kit.Say("beside, run %d: %s", run+1, one)
	}
	reportBesides(b.r, runs)
	return nil
}

// besides holds the times of one run, in ms.
type besides struct {
	idle50, idle99 float64 // PUBACK of the quiet device alone
	with50, with99 float64 // the same beside the greedy devices
	greedy         float64 // committed readings per second of the greedy devices
}

// String returns the times as text.
func (r besides) String() string {
	n := kit.Number
	return fmt.Sprintf("alone: PUBACK p50 %s ms, p99 %s; beside: p50 %s, p99 %s; the greedy: %s readings/s",
		n(r.idle50), n(r.idle99), n(r.with50), n(r.with99), n(r.greedy))
}

// besideOnce is one run: the quiet device alone, then beside the greedy ones.
func (b *bench) besideOnce(ctx context.Context, s *server) (r besides, err error) {
	if err := settle(ctx, s.db); err != nil {
		return r, err
	}
	quiet := newLink(&b.devices[0], 1, 1)
	var greedy []*link
	for _, d := range gateways(b.devices, greedyDevices) {
		greedy = append(greedy, newLink(&d, greedyWindow, greedyValues))
	}
	links := append(slices.Clone(greedy), quiet)
	defer disconnectAll(links)
	if err := openAll(ctx, s.mqtt, links, 4); err != nil {
		return r, err
	}
	unhook := context.AfterFunc(ctx, func() { cutAll(links) })
	defer unhook()
	if r.idle50, r.idle99, err = b.quietly(ctx, quiet); err != nil {
		return r, err
	}
	var stop atomic.Bool
	var running sync.WaitGroup
	failed := make([]error, len(greedy))
	before := time.Now()
	for i, l := range greedy {
		running.Go(func() { failed[i] = l.flood(&stop, belowValue) })
	}
	kit.SleepUntil(ctx, before.Add(seconds(b.o.warm)))
	r.with50, r.with99, err = b.quietly(ctx, quiet)
	stop.Store(true)
	running.Wait()
	took := time.Since(before)
	for _, l := range greedy {
		r.greedy += float64(l.acked.Load()*greedyValues) / took.Seconds()
	}
	if _, more := s.awaitRules(ctx); more != nil { // so that the next run starts without a backlog
		err = errors.Join(err, more)
	}
	return r, errors.Join(append(failed, err)...)
}

// quietly publishes one reading after the other and returns the times of their PUBACKs, in ms.
func (b *bench) quietly(ctx context.Context, l *link) (p50, p99 float64, err error) {
	var took []time.Duration
	end := time.Now().Add(seconds(b.o.Seconds))
	for at := time.Now(); at.Before(end); at = later(at.Add(quietEvery), time.Now()) {
		if !kit.SleepUntil(ctx, at) {
			return 0, 0, ctx.Err()
		}
		sent := time.Now()
		if err := l.publish(1, belowValue); err != nil {
			return 0, 0, err
		}
		took = append(took, time.Since(sent))
	}
	slices.Sort(took)
	return kit.MS(kit.Percentile(took, 50)), kit.MS(kit.Percentile(took, 99)), nil
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// reportBesides writes the check of the median PUBACK time, as a ratio to the same device alone in the same run. A ratio
// within one run does not depend on the speed of the machine. The 99th percentiles vary too much for a bar and are only
// noted.
func reportBesides(r *kit.Report, runs []besides) {
	of := func(get func(besides) float64) (string, float64) {
		all := make([]float64, len(runs))
		for i, one := range runs {
			all[i] = get(one)
		}
		return kit.Numbers(all), kit.Median(all)
	}
	_, idle := of(func(one besides) float64 { return one.idle50 })
	_, with := of(func(one besides) float64 { return one.with50 })
	ratios, ratio := of(func(one besides) float64 { return one.with50 / one.idle50 })
	r.Check("a quiet device beside three that send 60 KiB batches: PUBACK p50 / the same alone", fmt.Sprintf("median < %g", besideBar),
		fmt.Sprintf("%s; median %s (%s ms of %s ms)", ratios, kit.Number(ratio), kit.Number(with), kit.Number(idle)), ratio < besideBar)
	_, idle = of(func(one besides) float64 { return one.idle99 })
	_, with = of(func(one besides) float64 { return one.with99 })
	ratios, ratio = of(func(one besides) float64 { return one.with99 / one.idle99 })
	r.Note("a quiet device beside three that send 60 KiB batches: PUBACK p99 / the same alone: %s; median %s (%s ms of %s ms).",
		ratios, kit.Number(ratio), kit.Number(with), kit.Number(idle))
	rates, rate := of(func(one besides) float64 { return one.greedy })
	r.Note("the three meanwhile: %s readings/s; median %s.", rates, kit.Number(rate))
}
