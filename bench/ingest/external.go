package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/bench/kit"
)

const (
	// The load of the case external.
	externalPublishers = 10
	externalDevices    = 1000
	externalWindow     = 500
	externalRate       = 25_000 // messages per second of the intended length of a run
	externalPatience   = 3 * time.Minute
)

// reader is a program that reads from its own Mosquitto and commits.
type reader struct {
	name   string
	broker *kit.Child
	db     string
	start  func(context.Context) (pid int, stop func() error, err error)
	runs   []figures
}

// external publishes to Mosquitto and measures the time until everything is committed, alternating with a bare loop.
func (b *bench) external(ctx context.Context) (err error) {
	readers := []*reader{{name: "onemap", db: oursDB}, {name: "bare loop", db: bareDB}}
	for _, r := range readers {
		if r.db, err = b.database(ctx, r.db); err != nil {
			return err
		}
		if err := empty(ctx, r.db); err != nil {
			return err
		}
		if r.broker, err = startMosquitto(ctx, b.place.Dir); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.broker.Stop()) }()
	}
	readers[0].start = func(ctx context.Context) (int, func() error, error) {
		s, err := b.startServer(ctx, readers[0].db, "--mqtt=off", "--broker=mqtt://"+readers[0].broker.Addr, "--broker-client-id=bench")
		if err != nil {
			return 0, nil, err
		}
		return s.PID, func() error {
			_, err := s.awaitRules(ctx)
			return errors.Join(err, s.close())
		}, nil
	}
	readers[1].start = func(ctx context.Context) (int, func() error, error) {
		c, err := b.self(ctx, readers[1].db, "-child", "loop", "-broker", readers[1].broker.Addr)
		if err != nil {
			return 0, nil, err
		}
		return c.PID, c.Stop, nil
	}
	for run := range b.o.Runs {
		for _, r := range readers {
			if err := b.externalRun(ctx, r); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			f := r.runs[run]
			kit.Say("%s from Mosquitto, run %d: %s msg/s; CPU µs a message: server %s, PostgreSQL %s, load %s", r.name, run+1,
				kit.Number(f.rate), kit.Number(f.server), kit.Number(f.postgres), kit.Number(f.client))
		}
	}
	on := fmt.Sprintf("%d × %d", externalPublishers, externalWindow)
	for _, r := range readers {
		row(b.r, "from Mosquitto (which is among the others): "+r.name, on, r.runs)
	}
	b.r.Ratio("from Mosquitto: onemap / bare loop", kit.Ratios(readers[0].runs, readers[1].runs, func(f figures) float64 { return f.rate }), rateBar)
	return nil
}

// externalRun is one run: the time from the first publish until the last one is committed.
func (b *bench) externalRun(ctx context.Context, r *reader) (err error) {
	pid, stop, err := r.start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	links := b.publishers()
	defer disconnectAll(links)
	if err := openAll(ctx, r.broker.Addr, links, externalPublishers); err != nil {
		return err
	}
	last := newLink(b.sentinel(), 1, 1)
	defer disconnectAll([]*link{last})
	if err := last.open(ctx, r.broker.Addr); err != nil {
		return err
	}
	if err := b.awaitFlow(ctx, r, last); err != nil {
		return err
	}
	before, err := stored(ctx, r.db, time.Time{})
	if err != nil {
		return err
	}
	if err := settle(ctx, r.db); err != nil {
		return err
	}
	n := int(externalRate * b.o.Seconds)
	f, err := b.through(ctx, r, pid, links, last, n)
	if err != nil {
		return err
	}
	r.runs = append(r.runs, f)
	return r.allStored(ctx, before+f.messages)
}

// publishers returns links that publish for all devices. The Mosquitto of the benchmark has no access control, so a client
// may publish for any device.
func (b *bench) publishers() []*link {
	links := make([]*link, externalPublishers)
	for i := range links {
		links[i] = newLink(&device{login: login{id: fmt.Sprintf("publisher-%d", i)}}, externalWindow, 1)
		for d := i; d < min(externalDevices, len(b.devices)-mostStreams); d += externalPublishers {
			for _, stream := range b.devices[d].streams {
				links[i].messages = append(links[i].messages, newMessage(b.devices[d].topic, stream, 1))
			}
		}
	}
	return links
}

// sentinel returns a device for which no publisher publishes, with one datastream. Its reading is sent last.
func (b *bench) sentinel() *device {
	return &b.devices[len(b.devices)/mostStreams*mostStreams-mostStreams]
}

// sentinels returns the number of the sentinel's stored readings.
func (b *bench) sentinels(ctx context.Context, conn *pgx.Conn) (n int, err error) {
	err = conn.QueryRow(ctx, `select count(*) from observation where retention = 'standard'
		and datastream_id = (select id from datastream where device_id = $1)`, b.sentinel().id).Scan(&n)
	return n, err
}

// awaitSentinels waits until the sentinel has more than had readings. It calls try between two checks.
func (b *bench) awaitSentinels(ctx context.Context, db string, had int, try func() error) error {
	return connected(ctx, db, func(conn *pgx.Conn) error {
		for limit := time.Now().Add(externalPatience); ; {
			n, err := b.sentinels(ctx, conn)
			if err != nil || n > had {
				return err
			}
			if err := try(); err != nil {
				return err
			}
			if time.Now().After(limit) {
				return errors.New("what was published is not committed")
			}
			if !kit.SleepUntil(ctx, time.Now().Add(5*time.Millisecond)) {
				return ctx.Err()
			}
		}
	})
}

// awaitFlow publishes until a reading is committed: then the subscription is active. It returns when all these readings are
// committed.
func (b *bench) awaitFlow(ctx context.Context, r *reader, last *link) error {
	return connected(ctx, r.db, func(conn *pgx.Conn) error {
		had, err := b.sentinels(ctx, conn)
		if err != nil {
			return err
		}
		next := time.Now()
		if err := b.awaitSentinels(ctx, r.db, had, func() error {
			if time.Now().Before(next) {
				return nil
			}
			next = time.Now().Add(200 * time.Millisecond)
			return last.publish(1, belowValue)
		}); err != nil {
			return err
		}
		if had, err = b.sentinels(ctx, conn); err != nil {
			return err
		}
		return b.settled(ctx, conn, had)
	})
}

// settled waits until the number of the sentinel's readings has not changed for a second.
func (b *bench) settled(ctx context.Context, conn *pgx.Conn, had int) error {
	for since := time.Now(); time.Since(since) < time.Second; {
		n, err := b.sentinels(ctx, conn)
		if err != nil {
			return err
		}
		if n != had {
			had, since = n, time.Now()
		}
		if !kit.SleepUntil(ctx, time.Now().Add(50*time.Millisecond)) {
			return ctx.Err()
		}
	}
	return nil
}

// through publishes n messages and then the sentinel's, and waits until that is committed. The time between is the result.
func (b *bench) through(ctx context.Context, r *reader, pid int, links []*link, last *link, n int) (f figures, err error) {
	var had int
	if err := connected(ctx, r.db, func(conn *pgx.Conn) error {
		had, err = b.sentinels(ctx, conn)
		return err
	}); err != nil {
		return f, err
	}
	s := subject{server: pid, postgres: b.postgres()}
	before, err := progressOf(s, links)
	if err != nil {
		return f, err
	}
	var c crossings
	crossing, cancel := context.WithCancel(ctx)
	defer cancel()
	go c.run(crossing)
	errs := make([]error, len(links))
	var running sync.WaitGroup
	for i, l := range links {
		running.Go(func() { errs[i] = l.publish(n/len(links), c.value) })
	}
	running.Wait()
	if err := errors.Join(append(errs, last.publish(1, belowValue))...); err != nil {
		return f, err
	}
	if err := b.awaitSentinels(ctx, r.db, had, func() error { return nil }); err != nil {
		return f, err
	}
	after, err := progressOf(s, links)
	if err != nil {
		return f, err
	}
	f = newFigures(traffic{values: 1}, before, after)
	f.messages = after.acked - before.acked + 1
	return f, nil
}

// allStored waits for the readings that were committed at the same time as the sentinel's, and checks their number.
func (r *reader) allStored(ctx context.Context, want uint64) error {
	for limit := time.Now().Add(20 * time.Second); ; {
		n, err := stored(ctx, r.db, time.Time{})
		if err != nil || n == want {
			return err
		}
		if n > want || time.Now().After(limit) {
			return fmt.Errorf("%d readings should be stored, and %d are", want, n)
		}
		if !kit.SleepUntil(ctx, time.Now().Add(200*time.Millisecond)) {
			return ctx.Err()
		}
	}
}
