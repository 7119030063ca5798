package tilespg_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/tiles"
)

// feedStep is one statement of a writer. Each writer has features of its own.
type feedStep struct {
	kind   int // 0, 1 insert; 2 move; 3 another division; 4 another layer; 5 delete
	pick   int
	many   int  // number of features of an insert
	undone bool // in a savepoint that is rolled back
	waits  bool // wait until the reader has read twice more
}

// feedTx is one transaction of a writer.
type feedTx struct {
	byHand bool // as by psql: the triggers also update the entry of the layer; the features stay in their layer
	layer  int
	steps  []feedStep
	fails  bool // rolled back
}

func drawFeedTx(t *rapid.T) feedTx {
	step := rapid.Custom(func(t *rapid.T) feedStep {
		return feedStep{
			kind: rapid.IntRange(0, 5).Draw(t, "kind"), pick: rapid.IntRange(0, 99).Draw(t, "pick"), many: rapid.IntRange(1, 3).Draw(t, "many"),
			undone: rapid.IntRange(0, 4).Draw(t, "undone") == 0, waits: rapid.IntRange(0, 3).Draw(t, "waits") == 0,
		}
	})
	return feedTx{
		byHand: rapid.IntRange(0, 3).Draw(t, "by hand") == 0, layer: rapid.IntRange(0, 1).Draw(t, "layer"),
		steps: rapid.SliceOfN(step, 1, 5).Draw(t, "steps"), fails: rapid.IntRange(0, 3).Draw(t, "fails") == 0,
	}
}

// place is the place of a feature: its layer, and its box and division as text.
type place struct {
	layer         int
	box, division string
}

// feedWriter runs transactions and records their committed changes.
type feedWriter struct {
	db        *stores.Stores
	number    int
	layers    [2]int
	made      int
	features  map[int64]place // as committed, then as they are in the transaction
	committed []string        // what the feed must give, in the words of inWords
	pending   []string
	read      func() // waits for the reader
}

func (w *feedWriter) run(ctx context.Context, tx feedTx) error {
	before := maps.Clone(w.features)
	w.pending = nil
	fails := errors.New("rolled back")
	err := pgx.BeginFunc(ctx, w.db.Pool(), func(t pgx.Tx) error {
		if !tx.byHand {
			if _, err := t.Exec(ctx, `select set_config('onemap.keeps_layer', 'on', true)`); err != nil {
				return err
			}
		}
		for _, s := range tx.steps {
			if err := w.guarded(ctx, t, tx, s); err != nil {
				return err
			}
			if s.waits {
				w.read()
			}
		}
		if tx.fails {
			return fails
		}
		return nil
	})
	if err != nil {
		w.features = before
		if errors.Is(err, fails) {
			return nil
		}
		return err
	}
	w.committed = append(w.committed, w.pending...)
	return nil
}

// guarded runs a step, in a savepoint if the step must be rolled back.
func (w *feedWriter) guarded(ctx context.Context, t pgx.Tx, tx feedTx, s feedStep) error {
	if !s.undone {
		return w.step(ctx, t, tx, s)
	}
	features, pending := maps.Clone(w.features), len(w.pending)
	sub, err := t.Begin(ctx)
	if err != nil {
		return err
	}
	if err := w.step(ctx, sub, tx, s); err != nil {
		return err
	}
	w.features, w.pending = features, w.pending[:pending]
	return sub.Rollback(ctx)
}

func (w *feedWriter) step(ctx context.Context, t pgx.Tx, tx feedTx, s feedStep) error {
	mine := slices.Sorted(maps.Keys(w.features))
	if tx.byHand {
		mine = slices.DeleteFunc(mine, func(id int64) bool { return w.features[id].layer != w.layers[tx.layer] })
	}
	if s.kind < 2 || len(mine) == 0 {
		return w.insert(ctx, t, w.layers[tx.layer], s.many)
	}
	id := mine[s.pick%len(mine)]
	was, is := w.features[id], w.features[id]
	var err error
	switch {
	case s.kind == 2:
		var wkt string
		wkt, is.box = w.newPlace()
		_, err = t.Exec(ctx, `update feature set geom = ST_SetSRID($2::geometry, 4326) where id = $1`, id, wkt)
	case s.kind == 3:
		is.division = fmt.Sprintf("37060%d", s.pick%7)
		_, err = t.Exec(ctx, `update feature set division_code = $2 where id = $1`, id, is.division)
	case s.kind == 4 && !tx.byHand:
		is.layer = w.layers[0] + w.layers[1] - was.layer
		_, err = t.Exec(ctx, `update feature set layer_id = $2 where id = $1`, id, is.layer)
		w.expect(id, was, place{was.layer, "-", ""})
		was = place{is.layer, "-", ""}
	default:
		_, err = t.Exec(ctx, `delete from feature where id = $1`, id)
		w.expect(id, was, place{was.layer, "-", ""})
		delete(w.features, id)
		return err
	}
	w.expect(id, was, is)
	w.features[id] = is
	return err
}

func (w *feedWriter) insert(ctx context.Context, t pgx.Tx, layer, n int) error {
	var keys, wkts []string
	boxes := map[string]string{}
	for range n {
		wkt, box := w.newPlace()
		key := fmt.Sprintf("w%d-%d", w.number, w.made)
		keys, wkts, boxes[key] = append(keys, key), append(wkts, wkt), box
	}
	rows, err := t.Query(ctx, `
		insert into feature (layer_id, source_key, division_code, origin, geom)
		select $1, k, '370602', 'real', ST_SetSRID(g::geometry, 4326) from unnest($2::text[], $3::text[]) x(k, g) returning id, source_key`, layer, keys, wkts)
	if err != nil {
		return err
	}
	var id int64
	var key string
	_, err = pgx.ForEachRow(rows, []any{&id, &key}, func() error {
		is := place{layer, boxes[key], "370602"}
		w.expect(id, place{layer, "-", ""}, is)
		w.features[id] = is
		return nil
	})
	return err
}

func (w *feedWriter) expect(id int64, was, is place) {
	w.pending = append(w.pending, fmt.Sprintf("%d #%d %s %s → %s %s", is.layer, id, was.box, was.division, is.box, is.division))
}

// newPlace returns a line at which no other feature was. Its coordinates are multiples of 1/8 degree, which a float64
// holds exactly.
func (w *feedWriter) newPlace() (wkt, box string) {
	w.made++
	x, y := float64(w.made%1000)/8, float64(w.number*4+w.made/1000)/8
	return fmt.Sprintf("LINESTRING(%g %g, %g %g)", x, y+0.125, x+1, y), storetest.BoxWords(tiles.Box{x, y, x + 1, y + 0.125})
}

// poller reads the feed continuously. It records each mark with the number of changes that it had received until then.
type poller struct {
	*storetest.Follower
	seen  []string
	marks map[tiles.Mark]int

	mu    sync.Mutex
	more  *sync.Cond
	polls int
}

func (p *poller) poll() {
	p.seen = append(p.seen, p.Next()...)
	p.marks[p.Mark] = len(p.seen)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.polls++
	p.more.Broadcast()
}

// wait waits until the reader has read twice more.
func (p *poller) wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for until := p.polls + 2; p.polls < until; {
		p.more.Wait()
	}
}

// Several writers run random transactions, some of which stay open while others commit, and a reader reads at the same
// time. The reader receives every committed change once, with its boxes. From each of its earlier marks it receives
// exactly the later changes. Pruning up to a mark changes nothing for it. After pruning beyond a mark, a reader that
// misses changes gets an error.
func TestFeedGivesEachCommittedChangeOnce(t *testing.T) {
	now := time.Now()
	db, err := stores.Open(t.Context(), stores.Options{URL: storetest.NewURL(t), MaxConns: 8, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	prune := func() {
		now = now.Add(11 * time.Minute)
		if _, err := db.Prune(t.Context(), stores.PrunePolicy{}); err != nil {
			t.Fatal(err)
		}
	}
	prune()
	layers := [2]int{fillPoints(t, db, "one", 0), fillPoints(t, db, "two", 0)}
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		programs := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(drawFeedTx), 1, 4), 1, 4).Draw(rt, "writers")
		p := &poller{Follower: storetest.Follow(t, db), marks: map[tiles.Mark]int{}}
		p.more = sync.NewCond(&p.mu)
		p.marks[p.Mark] = 0
		var writers []*feedWriter
		var running sync.WaitGroup
		for _, program := range programs {
			n++
			w := &feedWriter{db: db, number: n, layers: layers, features: map[int64]place{}, read: p.wait}
			writers = append(writers, w)
			running.Go(func() {
				for _, tx := range program {
					if err := w.run(t.Context(), tx); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { running.Wait(); close(done) }()
		for finished := false; !finished; {
			select {
			case <-done:
				finished = true
			default:
			}
			p.poll()
		}
		var want []string
		for _, w := range writers {
			want = append(want, w.committed...)
		}
		if d := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(p.seen))); d != "" {
			rt.Fatalf("(-committed +given):\n%s", d)
		}
		prune()
		for m, had := range p.marks {
			p.Mark = m
			if d := cmp.Diff(slices.Sorted(slices.Values(p.seen[had:])), append([]string(nil), p.Next()...)); d != "" {
				rt.Fatalf("from the mark %s (-want +given):\n%s", m, d)
			}
		}
		prune()
		for m, had := range p.marks {
			_, err := p.Feed.Since(t.Context(), m, func(tiles.Chunk) error { return nil })
			if had < len(p.seen) && !errors.Is(err, tiles.ErrFeedLost) {
				rt.Fatalf("the mark %s lacks %d changes, which are pruned: %v", m, len(p.seen)-had, err)
			}
		}
		p.Feed.Close()
	})
}
