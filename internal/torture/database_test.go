package torture_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// PostgreSQL is stopped at once under load, and started again when the server has noticed.
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

// Every process of PostgreSQL stands still, and goes on.
func TestPostgresStalled(t *testing.T) {
	sideBySide(t)
	s := newStage(t, stallSize(), staging{})
	var resume func()
	s.broken(func() { resume = s.pg.stall() }, func() {
		s.pause(s.size.outage)
		resume()
	})
	s.finish()
	s.ledger.check("PostgreSQL stalled (SIGSTOP) for " + s.size.outage.String())
}

// The server may open few connections, and then others take all that PostgreSQL has.
func TestConnectionsExhausted(t *testing.T) {
	sideBySide(t)
	s := newStage(t, poolSize(), staging{maxConnections: 30, flags: []string{"--database-max=6"}})
	var release func()
	s.broken(func() { release = s.occupy() }, func() {
		s.server.away()
		s.pause(s.size.outage)
		release()
	})
	s.finish()
	s.ledger.check("connections exhausted")
}

// pause lets what is broken stay broken.
func (s *stage) pause(d time.Duration) {
	select {
	case <-s.t.Context().Done():
	case <-time.After(d):
	}
}

// occupy takes every connection of PostgreSQL, also those of the server, and keeps them until it is told to
// release them.
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

// hog opens connections while there are any, and ends the server's so that it has to ask for new ones.
func (s *stage) hog(ctx context.Context, taken chan<- struct{}) {
	var all []*pgx.Conn
	defer func() {
		for _, c := range all {
			_ = c.Close(context.WithoutCancel(ctx))
		}
	}()
	for full := false; ctx.Err() == nil; {
		conn, err := pgx.Connect(ctx, s.pg.URL("postgres"))
		if err == nil {
			all = append(all, conn)
			continue
		}
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "53300" { // too many connections
			continue
		}
		if !full {
			full = true
			close(taken)
		}
		_, _ = all[0].Exec(ctx, `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'onemap'`)
	}
}
