package torture_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// PostgreSQL is stopped in immediate mode under load and started again after the server has noticed.
func TestPostgresKilled(t *testing.T) {
	sideBySide(t)
	s := newStage(t, databaseKillSize(), staging{})
	s.broken(s.pg.kill, func() {
		s.server.away()
		s.pg.start()
	})
	s.finish()
	s.ledger.check("PostgreSQL killed (immediate stop)")
}

// Every process of PostgreSQL is suspended and resumed.
func TestPostgresStalled(t *testing.T) {
	sideBySide(t)
	s := newStage(t, stallSize(), staging{})
	var resume func()
	s.broken(func() { resume = s.pg.stall() }, func() {
		s.starve(s.size.outage)
		resume()
	})
	s.finish()
	s.ledger.check("PostgreSQL stalled (SIGSTOP) for " + s.size.outage.String())
}

// poolConnections is the size of the server's pool in the tests that exhaust it.
const poolConnections = 6

// The server's pool is small, and requests occupy all of it. Then other clients take every connection of PostgreSQL.
func TestConnectionsExhausted(t *testing.T) {
	sideBySide(t)
	s := newStage(t, poolSize(), staging{maxConnections: 30, flags: []string{"--database-max=" + strconv.Itoa(poolConnections)}})
	var release func()
	pool := false
	s.broken(func() {
		if pool = !pool; pool {
			release = s.exhaust()
			return
		}
		release = s.occupy()
	}, func() {
		if !pool {
			s.server.away()
		}
		s.starve(s.size.outage)
		release()
	})
	s.finish()
	s.ledger.check("connections exhausted")
}

// starve waits while nothing can be stored and checks that nothing is acknowledged in that time. Acknowledgements of what was
// committed before may still arrive, but not more than the windows hold.
func (s *stage) starve(d time.Duration) {
	s.t.Helper()
	before := s.acked.Load()
	s.pause(d)
	if n := s.acked.Load() - before; n > int64(s.size.devices*s.size.window) {
		s.t.Errorf("%d messages were acknowledged while nothing could be stored", n)
	}
}

// pause waits while the fault lasts.
func (s *stage) pause(d time.Duration) {
	select {
	case <-s.t.Context().Done():
	case <-time.After(d):
	}
}

// exhaust makes requests that occupy every connection of the server's pool, because they wait for a lock, and as many again
// that wait for a connection. release ends them.
func (s *stage) exhaust() (release func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	conn := s.pg.connect(database)
	if _, err := conn.Exec(ctx, "begin; lock table layer in access exclusive mode"); err != nil {
		s.t.Fatal(err)
	}
	var asking sync.WaitGroup
	for range 2 * poolConnections {
		asking.Go(func() {
			for ctx.Err() == nil {
				s.ask(ctx, "/api/v1/layers")
			}
		})
	}
	watcher := s.pg.connect(database)
	eventually(s.t, "every connection of the server's pool waits for the lock", func() bool {
		var waiting int
		if err := watcher.QueryRow(ctx, `select count(*) from pg_stat_activity where application_name = 'onemap' and wait_event_type = 'Lock'`).Scan(&waiting); err != nil {
			s.t.Fatal(err)
		}
		return waiting == poolConnections
	})
	return func() {
		s.t.Helper()
		cancel()
		if _, err := conn.Exec(s.t.Context(), "rollback"); err != nil {
			s.t.Error(err)
		}
		asking.Wait()
	}
}

// occupy takes every connection of PostgreSQL, including those of the server, until release is called.
func (s *stage) occupy() (release func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	taken, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		s.hog(ctx, taken)
	}()
	select {
	case <-taken:
	case <-time.After(patience):
		s.t.Error("the connections of PostgreSQL cannot be taken")
	}
	return func() {
		cancel()
		<-done
	}
}

// hog opens connections until PostgreSQL refuses more, and terminates the server's, so that the server must open new ones. It
// closes taken when a few times in a row no connection was free and none was the server's.
func (s *stage) hog(ctx context.Context, taken chan<- struct{}) {
	var all []*pgx.Conn
	defer func() {
		for _, c := range all {
			_ = c.Close(context.WithoutCancel(ctx))
		}
	}()
	const sure = 3
	full, alone := false, 0
	for ctx.Err() == nil {
		conn, err := pgx.Connect(ctx, s.pg.URL("postgres"))
		if err == nil {
			all, alone = append(all, conn), 0
			continue
		}
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "53300" { // too many connections
			continue
		}
		var ended int
		err = all[0].QueryRow(ctx, `select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'onemap'`).Scan(&ended)
		if alone++; err != nil || ended > 0 {
			alone = 0
		}
		if !full && alone == sure {
			full = true
			close(taken)
		}
	}
}
