package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/jackc/pgx/v5"

	"onemap/bench/kit"
)

// The two databases with the same content.
const (
	oursDB = "ours"
	bareDB = "bare"
)

// bench holds the common state of the cases.
type bench struct {
	o        options
	r        *kit.Report
	place    *kit.Place
	password string
	devices  []device
	prepared map[string]bool // names of the databases that are filled
}

func newBench(ctx context.Context, o options, r *kit.Report) (*bench, error) {
	if _, err := os.Stat(o.Onemap); err != nil && o.cpuprofile == "" {
		return nil, fmt.Errorf("-onemap: %w", err)
	}
	b := &bench{o: o, r: r, password: rand.Text(), devices: newDevices(o.devices), prepared: map[string]bool{}}
	r.Head = tableHead()
	r.Note("%s. %d devices with 1 to %d datastreams are registered, and a rule for them; a value beyond its threshold comes once a second.",
		kit.Machine(), o.devices, mostStreams)
	r.Note("Medians of %d runs of %g s, after %g s that do not count, by turns with the bare program. CPU of PostgreSQL is that of the postmaster and all its children.",
		o.Runs, o.Seconds, o.warm)
	var err error
	b.place, err = kit.NewPlace(ctx, "benchingest")
	return b, err
}

// postgres returns the process id of PostgreSQL. It returns 0 if PostgreSQL does not belong to the benchmark.
func (b *bench) postgres() int {
	if b.place == nil {
		return 0
	}
	return b.place.Cluster.PID()
}

// database returns the URL of a database with all devices. It creates and fills the database at the first call.
func (b *bench) database(ctx context.Context, name string) (string, error) {
	url := b.place.Cluster.URL(name)
	if b.prepared[name] {
		return url, nil
	}
	start := time.Now()
	if err := b.place.Cluster.EnsureDatabase(ctx, name); err != nil {
		return "", err
	}
	if err := prepare(ctx, url, b.devices, b.password); err != nil {
		return "", err
	}
	kit.Say("prepared the database %s in %.1f s", name, time.Since(start).Seconds())
	b.prepared[name] = true
	return url, nil
}

// empty deletes all readings, so that each case starts in the same state.
func empty(ctx context.Context, url string) error {
	return connected(ctx, url, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "truncate observation, latest, ingest_batch")
		return err
	})
}

// settle writes dirty pages to the disk, so that a run does not pay for the writes of an earlier run.
func settle(ctx context.Context, url string) error {
	return connected(ctx, url, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "checkpoint")
		return err
	})
}

// stored returns the number of readings since a time.
func stored(ctx context.Context, url string, since time.Time) (n uint64, err error) {
	err = connected(ctx, url, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "select count(*) from observation where ts >= $1", since).Scan(&n)
	})
	return n, err
}

// server is a running onemap with a client that follows the push.
type server struct {
	*kit.Server
	db    string // URL of the database
	mqtt  string // host:port
	main  *kit.Session
	watch *watcher
}

// startServer starts the server with additional flags, logs in, and follows the push, so that live state is part of the
// measured work.
func (b *bench) startServer(ctx context.Context, db string, flags ...string) (*server, error) {
	started, err := b.launch(ctx, db, flags...)
	if err != nil {
		return nil, err
	}
	s := &server{Server: started, db: db}
	if len(s.Addrs) > 1 {
		s.mqtt = s.Addrs[1]
	}
	if s.main, err = s.Login(ctx, userName, b.password); err == nil {
		s.watch, err = watch(ctx, s.main, "benchingest-watcher", func([]byte, time.Time) {})
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// launch starts the program of -onemap or, with -cpuprofile, the server that is built into this program.
func (b *bench) launch(ctx context.Context, db string, flags ...string) (*kit.Server, error) {
	if b.o.cpuprofile == "" {
		return kit.StartServer(ctx, b.o.Onemap, db, flags...)
	}
	args := []string{"-child", "server", "-cpuprofile", b.o.cpuprofile}
	for _, f := range flags {
		if broker, ok := strings.CutPrefix(f, "--broker=mqtt://"); ok {
			args = append(args, "-broker", broker)
		}
	}
	c, err := b.self(ctx, db, args...)
	if err != nil {
		return nil, err
	}
	s := kit.NewServer(c)
	if err := s.AwaitReady(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// self starts this program as a child with another role.
func (b *bench) self(ctx context.Context, db string, args ...string) (*kit.Child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	return kit.StartChild(ctx, []string{databaseEnv + "=" + db}, program, args...)
}

// close stops the server. It returns an error if the server has disconnected the client of the push before.
func (s *server) close() error { return errors.Join(s.watch.close(), s.Stop()) }

// watcher is a client of the push protocol that reads all frames.
type watcher struct {
	conn  *websocket.Conn
	ended chan struct{}
	err   error // valid after ended
}

// watch connects a client and calls each for every frame, with the time at which it was read.
func watch(ctx context.Context, s *kit.Session, client string, each func(frame []byte, at time.Time)) (*watcher, error) {
	conn, err := kit.DialPush(ctx, s, client)
	if err != nil {
		return nil, err
	}
	w := &watcher{conn: conn, ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		for {
			var frame []byte
			if frame, w.err = kit.ReadFrame(conn); w.err != nil {
				return
			}
			each(frame, time.Now())
		}
	}()
	return w, nil
}

func (w *watcher) close() error {
	select {
	case <-w.ended:
		return fmt.Errorf("the one who watched was let go: %w", w.err)
	default:
	}
	err := w.conn.Close()
	<-w.ended
	return err
}

// awaitRules waits until the rules have evaluated every committed batch, and returns the time that this took.
func (s *server) awaitRules(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	err := connected(ctx, s.db, func(conn *pgx.Conn) error {
		return s.Eventually(ctx, "the rules have seen all", func() (all bool, err error) {
			err = conn.QueryRow(ctx, `select (select seq from rule_cursor) >= coalesce((select max(seq) from ingest_batch), 0)`).Scan(&all)
			return all, err
		})
	})
	return time.Since(start), err
}
