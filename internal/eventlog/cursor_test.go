package eventlog_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/pg"
)

func newLog(t *testing.T) (*eventlog.Log, *pg.Pool) {
	t.Helper()
	pool, err := pg.Open(t.Context(), pg.Options{URL: storetest.NewURL(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return eventlog.New(pool, nil), pool
}

func appendTo(t *testing.T, pool *pg.Pool, n int) {
	t.Helper()
	for range n {
		err := pool.InTx(t.Context(), func(tx pgx.Tx) error {
			_, err := eventlog.Append(t.Context(), tx, core.Event{Kind: "test", Payload: []byte(`{}`)})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestCursorsShareTheWork: several nodes with the same cursor, some of whose transactions fail, process each event once and
// in the order of the log. A second cursor is not disturbed.
func TestCursorsShareTheWork(t *testing.T) {
	log, pool := newLog(t)
	if _, err := pool.Exec(t.Context(), `create table done (n bigint generated always as identity, name text, seq bigint)`); err != nil {
		t.Fatal(err)
	}
	appendTo(t, pool, 3)
	step := func(name string, limit, node int) (int, error) {
		return log.Cursor(name).Next(t.Context(), limit, func(ctx context.Context, tx pgx.Tx, events []core.Event) error {
			for _, e := range events {
				if _, err := tx.Exec(ctx, `insert into done (name, seq) values ($1, $2)`, name, e.Seq); err != nil {
					return err
				}
			}
			if node > 0 && events[0].Seq%3 == int64(node) { // each node fails at other events
				return errors.New("this node fails")
			}
			return nil
		})
	}
	for _, name := range []string{"channel.one", "channel.two"} {
		if n, err := step(name, 10, 0); n != 0 || err != nil {
			t.Fatalf("a new cursor begins at the end: %d, %v", n, err)
		}
	}
	var nodes sync.WaitGroup
	done := make(chan struct{})
	for node := range 3 {
		nodes.Go(func() {
			for {
				n, err := step("channel.one", 4, node)
				if err == nil && n == 0 {
					select {
					case <-done:
						return
					case <-time.After(time.Millisecond):
					}
				}
			}
		})
	}
	appendTo(t, pool, 60)
	close(done)
	nodes.Wait()
	for {
		n, err := step("channel.two", 7, 0)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	var want []int64
	if err := pool.QueryRow(t.Context(), `select array_agg(seq order by seq) from event_log where seq > 3`).Scan(&want); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"channel.one", "channel.two"} {
		var got []int64
		if err := pool.QueryRow(t.Context(), `select array_agg(seq order by n) from done where name = $1`, name).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if len(want) != 60 || !slices.Equal(got, want) {
			t.Errorf("%s did %v, want %v", name, got, want)
		}
	}
}

// TestACursorBehindAGap: the reader gets an error when events were pruned or the log was restored, and nothing is processed
// until it resets.
func TestACursorBehindAGap(t *testing.T) {
	for name, gap := range map[string]string{
		"pruned":   `with h as (update event_horizon set seq = 4, id = (select id from event_log where seq = 4)) delete from event_log where seq <= 4`,
		"put back": `alter table event_log disable trigger user; update event_log set id = gen_random_uuid(); alter table event_log enable trigger user`,
		"restored": `update event_cursor set epoch = 'of another database'`,
	} {
		t.Run(name, func(t *testing.T) {
			log, pool := newLog(t)
			c := log.Cursor("channel")
			next := func() (int, error) {
				return c.Next(t.Context(), 10, func(context.Context, pgx.Tx, []core.Event) error { return nil })
			}
			appendTo(t, pool, 1)
			if _, err := next(); err != nil {
				t.Fatal(err)
			}
			appendTo(t, pool, 4)
			if _, err := pool.Exec(t.Context(), gap); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if n, err := next(); !errors.Is(err, eventlog.ErrGap) || n != 0 {
					t.Fatalf("%d events, %v", n, err)
				}
			}
			if err := c.Reset(t.Context()); err != nil {
				t.Fatal(err)
			}
			appendTo(t, pool, 2)
			if n, err := next(); n != 2 || err != nil {
				t.Errorf("after the reset %d events, %v", n, err)
			}
		})
	}
}
