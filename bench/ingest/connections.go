package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"onemap/bench/kit"
)

const (
	// The bars of the case connections.
	connectionBarKB = 40.0
	backBar         = 30.0 // s
	storms          = 3
	publishEvery    = time.Minute
)

// connections measures the resident memory per connection. Every device connects, with a last will, and publishes once a
// minute. After that, all connections are cut at once, and the time until all devices are connected again is measured.
func (b *bench) connections(ctx context.Context) (err error) {
	db, err := b.database(ctx, oursDB)
	if err != nil {
		return err
	}
	if err := errors.Join(empty(ctx, db), settle(ctx, db)); err != nil {
		return err
	}
	s, err := b.startServer(ctx, db, "--mqtt=127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	alone, err := b.resident(ctx, s, nil)
	if err != nil {
		return err
	}
	links := make([]*link, len(b.devices))
	for i := range links {
		links[i] = newLink(&b.devices[i], 1, 1)
		links[i].will = true
	}
	defer disconnectAll(links)
	start := time.Now()
	if err := openAll(ctx, s.mqtt, links, 64); err != nil {
		return err
	}
	kit.Say("%d devices are connected after %.1f s", len(links), time.Since(start).Seconds())
	full, err := b.resident(ctx, s, links)
	if err != nil {
		return err
	}
	each := float64(full-alone) / float64(len(links)) / 1024
	b.r.Check(fmt.Sprintf("%d connections: KB of resident memory that each adds", len(links)), fmt.Sprintf("≤ %g", connectionBarKB),
		fmt.Sprintf("%s (%.0f MiB, %.0f MiB without)", kit.Number(each), mib(full), mib(alone)), each <= connectionBarKB)
	return b.storms(ctx, s, links)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// resident lets the devices publish at their pace until the memory of the server is stable, and returns its resident memory
// in bytes. Go's garbage collector runs after two minutes at the latest, and returns freed memory to the kernel slowly.
func (b *bench) resident(ctx context.Context, s *server, links []*link) (int64, error) {
	end := time.Now().Add(seconds(b.o.settle))
	errs := make([]error, len(links))
	var running sync.WaitGroup
	for i, l := range links {
		running.Go(func() { errs[i] = l.keepSlowPace(ctx, time.Duration(i)*publishEvery/time.Duration(len(links)), end) })
	}
	running.Wait()
	if !kit.SleepUntil(ctx, end) {
		return 0, ctx.Err()
	}
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	now, err := kit.StatOf(s.PID)
	kit.Say("%d connections: resident %.1f MiB", len(links), mib(now.RSS))
	return now.RSS, err
}

// keepSlowPace publishes once a minute until end. The devices start at different times.
func (l *link) keepSlowPace(ctx context.Context, after time.Duration, end time.Time) error {
	for at := time.Now().Add(after); at.Before(end); at = at.Add(publishEvery) {
		if !kit.SleepUntil(ctx, at) {
			return ctx.Err()
		}
		if err := l.publish(1, belowValue); err != nil {
			return err
		}
	}
	return nil
}

// storms cuts all connections several times. Each device publishes when it is connected again. At the end, everything that
// was ever acknowledged must be in the table.
func (b *bench) storms(ctx context.Context, s *server, links []*link) error {
	back := make([]float64, storms)
	worst := 0.0
	for i := range back {
		took, failures, err := storm(ctx, s.mqtt, links)
		if err != nil {
			return err
		}
		back[i] = took.Seconds()
		worst = max(worst, back[i])
		kit.Say("%d devices are back after %.1f s, with %d failures on the way", len(links), back[i], failures)
		if err := publishOnce(links); err != nil {
			return err
		}
	}
	b.r.Check(fmt.Sprintf("%d devices cut and reconnecting at once: seconds until all are back", len(links)), fmt.Sprintf("worst ≤ %g", backBar),
		kit.Numbers(back), worst <= backBar)
	want := uint64(0)
	for _, l := range links {
		want += l.sent
	}
	n, err := stored(ctx, s.db, time.Time{})
	if err == nil && n != want {
		err = fmt.Errorf("%d readings were acknowledged, and %d are stored", want, n)
	}
	return err
}

func publishOnce(links []*link) error {
	errs := make([]error, len(links))
	var running sync.WaitGroup
	for i, l := range links {
		running.Go(func() { errs[i] = l.publish(1, belowValue) })
	}
	running.Wait()
	return errors.Join(errs...)
}

// backWithin is the time limit of one storm.
const backWithin = 5 * time.Minute

// storm cuts all links and returns the time until all have a CONNACK. A device that fails tries again after a random pause of
// 0.5 to 1.5 s.
func storm(ctx context.Context, addr string, links []*link) (took time.Duration, failures int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, backWithin)
	defer cancel()
	start := time.Now()
	cutAll(links)
	var failed atomic.Int64
	var last atomic.Pointer[error]
	var running sync.WaitGroup
	for _, l := range links {
		running.Go(func() {
			for {
				err := l.open(ctx, addr)
				if err == nil {
					return
				}
				failed.Add(1)
				last.Store(&err)
				if !kit.SleepUntil(ctx, time.Now().Add(500*time.Millisecond+rand.N(time.Second))) {
					return
				}
			}
		})
	}
	running.Wait()
	took = time.Since(start)
	if ctx.Err() != nil {
		err = fmt.Errorf("not all are back after %v: %w", took.Round(time.Second), ctx.Err())
		if p := last.Load(); p != nil {
			err = errors.Join(err, *p)
		}
	}
	return took, failed.Load(), err
}
