package stores_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
)

// Writers run whole transactions, and some fail after they have got a number. A reader that has seen n has seen every event
// that will ever have a number below n.
func TestEventLogHasNoLateComers(t *testing.T) {
	db := storetest.NewCity(t, 1)
	start, err := headOf(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 5 {
		writers.Go(func() {
			for i := range 40 {
				tx, err := db.Pool().Begin(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				_, err = tx.Exec(t.Context(), `select append_event('test', '{}', null, '', '', '{}')`)
				if (w+i)%5 == 0 {
					err = errors.Join(err, tx.Rollback(t.Context()))
				} else {
					err = errors.Join(err, tx.Commit(t.Context()))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { writers.Wait(); close(done) }()
	var seen []int64
	for last, finished := start, false; !finished; {
		select {
		case <-done:
			finished = true
		default:
		}
		page, err := db.Log().EventsAfter(t.Context(), last, 5)
		if err != nil || page.Truncated {
			t.Fatalf("truncated %v, %v", page.Truncated, err)
		}
		es := page.Events
		for _, e := range es {
			seen, last = append(seen, e.Seq), e.Seq
		}
		finished = finished && len(es) == 0
	}
	var all []int64
	err = db.Pool().QueryRow(t.Context(), `select array_agg(seq order by seq) from event_log where seq > $1`, start).Scan(&all)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 5*40*4/5 || !slices.Equal(seen, all) {
		t.Errorf("the reader saw %d events, the log has %d", len(seen), len(all))
	}
}

func headOf(ctx context.Context, db *stores.Stores) (int64, error) {
	_, head, err := db.Log().Head(ctx)
	return head.Seq, err
}

func TestPrunedEventsAreReported(t *testing.T) {
	db := storetest.NewCity(t, 0)
	for range 5 {
		if err := storetest.AppendEvent(t.Context(), db, "test", nil); err != nil {
			t.Fatal(err)
		}
	}
	head, err := headOf(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	report, err := db.Prune(t.Context(), stores.PrunePolicy{Events: time.Nanosecond})
	if err != nil || report.Events != 4 {
		t.Fatalf("pruned: %+v, %v", report, err)
	}
	for after, want := range map[int64]bool{0: true, head - 2: true, head - 1: false, head: false} {
		page, err := db.Log().EventsAfter(t.Context(), after, 10)
		if err != nil || page.Truncated != want {
			t.Errorf("after %d: truncated %v, %v; want %v", after, page.Truncated, err, want)
		}
		if n := min(head-after, 1); int64(len(page.Events)) != n {
			t.Errorf("after %d: %d events, want %d", after, len(page.Events), n)
		}
	}
	if now, err := headOf(t.Context(), db); err != nil || now != head {
		t.Errorf("the head went from %d to %d, %v", head, now, err)
	}
	if r, err := db.Prune(t.Context(), stores.PrunePolicy{Events: time.Nanosecond}); err != nil || r.Events != 0 {
		t.Errorf("pruned again: %+v, %v", r, err)
	}
}

func TestEventFeedWakes(t *testing.T) {
	db := storetest.NewCity(t, 0)
	feed := db.Log().Listen()
	defer feed.Close()
	if err := feed.Wait(t.Context()); err != nil { // once after connecting
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := feed.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("nothing new: %v", err)
	}
	for range 3 { // said while nobody waits: heard with the next wait
		if err := storetest.AppendEvent(t.Context(), db, "test", nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := feed.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	woken := make(chan error)
	go func() { woken <- feed.Wait(t.Context()) }()
	if err := storetest.AppendEvent(t.Context(), db, "test", nil); err != nil {
		t.Fatal(err)
	}
	if err := <-woken; err != nil {
		t.Fatal(err)
	}
}

func TestEventFeedReconnects(t *testing.T) {
	db := storetest.NewCity(t, 0)
	feed := db.Log().Listen()
	defer feed.Close()
	if err := feed.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := storetest.Count(t, db, `
		select count(pg_terminate_backend(pid)) from pg_stat_activity
		where datname = current_database() and query = 'listen onemap_event'`)
	if n != 1 {
		t.Fatalf("%d sessions listen, want 1", n)
	}
	if err := feed.Wait(t.Context()); err == nil {
		t.Error("no error when the connection breaks")
	}
	if err := feed.Wait(t.Context()); err != nil { // connected again: something may have been missed
		t.Fatal(err)
	}
}

func TestFeedEndsWithItsContext(t *testing.T) {
	db := storetest.NewCity(t, 0)
	feed := db.Log().Listen()
	defer feed.Close()
	if err := feed.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- feed.Wait(ctx) }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

// The rules of the scope are written twice, in Go and in SQL, and must agree.
func TestScopeInSQLIsScopeInGo(t *testing.T) {
	db := storetest.NewCity(t, 0)
	code := rapid.SampledFrom([]string{"", "3", "37", "3706", "37060", "370602", "370614", "370602001", "3707", "4", "%", "37_6"})
	rapid.Check(t, func(rt *rapid.T) {
		s := core.Scope{Division: code.Draw(rt, "scope")}
		one, many := code.Draw(rt, "code"), rapid.SliceOfN(code, 0, 3).Draw(rt, "codes")
		if many == nil {
			many = []string{}
		}
		var covers, coversAny bool
		err := db.Pool().QueryRow(t.Context(), `select scope_covers($1, $2), scope_covers_any($1, $3)`, s.Division, one, many).Scan(&covers, &coversAny)
		if err != nil {
			rt.Fatal(err)
		}
		if covers != s.Covers(one) {
			rt.Errorf("scope %q covers %q: %v in SQL, %v in Go", s.Division, one, covers, s.Covers(one))
		}
		if coversAny != s.CoversAny(many) {
			rt.Errorf("scope %q covers any of %q: %v in SQL, %v in Go", s.Division, strings.Join(many, ","), coversAny, s.CoversAny(many))
		}
	})
}

func TestEventComesBackAsWritten(t *testing.T) {
	db := storetest.NewCity(t, 0)
	_, err := db.Pool().Exec(t.Context(), `select append_event('layer.changed', '{370602}', '{observer}', 'risks', 'steward', '{"version": 2}')`)
	if err != nil {
		t.Fatal(err)
	}
	es, err := storetest.EventsAfter(t.Context(), db, 0, 10)
	if err != nil || len(es) != 1 {
		t.Fatalf("events: %+v, %v", es, err)
	}
	e := es[0]
	if e.Kind != "layer.changed" || !slices.Equal(e.Divisions, []string{"370602"}) || !slices.Equal(e.Roles, []core.Role{core.RoleObserver}) ||
		e.Subject != "risks" || e.Actor != "steward" || !json.Valid(e.Payload) || e.At.Location() != time.UTC {
		t.Errorf("event: %+v", e)
	}
}
