package tilespg_test

import (
	"errors"
	"testing"
	"time"

	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/tiles"
)

func TestFeedIsPruned(t *testing.T) {
	now := time.Now()
	url := storetest.NewURL(t)
	db, err := stores.Open(t.Context(), stores.Options{URL: url, MaxConns: 6, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	storetest.ImportOK(t, db, storetest.Tanks())
	layer := int(storetest.Count(t, db, `select id from layer`))
	write := func(key string) { insertByHand(t, db.Pool(), layer, key, "", "POINT(121 37)") }
	prune := func(later time.Duration, want int64) {
		t.Helper()
		now = now.Add(later)
		r, err := db.Prune(t.Context(), stores.PrunePolicy{})
		if err != nil || r.Changes != want {
			t.Fatalf("pruned %d changes, want %d: %v", r.Changes, want, err)
		}
	}
	first := storetest.Follow(t, db)
	write("a")
	second := storetest.Follow(t, db)
	prune(0, 0) // it looks
	third := storetest.Follow(t, db)
	write("b")
	prune(9*time.Minute, 0)
	prune(2*time.Minute, 2) // the import's entry, and a
	// The second reader has read all deleted changes. The feed is lost for it anyway, because the database only knows that
	// some transaction ended after its mark.
	for name, c := range map[string]struct {
		of   *storetest.Follower
		lost bool
		n    int
	}{"before all": {first, true, 0}, "after the first": {second, true, 0}, "after the look": {third, false, 1}} {
		n := 0
		_, err := c.of.Feed.Since(t.Context(), c.of.Mark, func(c tiles.Chunk) error { n += len(c.Changes); return nil })
		if errors.Is(err, tiles.ErrFeedLost) != c.lost || n != c.n {
			t.Errorf("a mark %s: %d changes, %v", name, n, err)
		}
	}
	// A transaction that is open while other changes are pruned.
	tx, err := db.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	insertByHand(t, tx, layer, "open", "", "POINT(121 37)")
	waiting := storetest.Follow(t, db)
	prune(time.Hour, 1) // b
	prune(time.Hour, 0)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	prune(time.Hour, 0) // what its last run did not see stays
	if n := len(waiting.Next()); n != 1 {
		t.Errorf("the open one's change: %d", n)
	}
	prune(time.Hour, 1)
	// A dump from another cluster has rows with transaction numbers of the future, and the horizon of that cluster.
	storetest.Exec(t, db, `insert into feature_change (xid, layer_id, kind) values ('4611686018427387904', $1, 'whole')`, layer)
	storetest.Exec(t, db, `update change_horizon set epoch = 'elsewhere', gone = '4611686018427387905:4611686018427387905:'`)
	restored := storetest.Follow(t, db)
	restored.Want("what a dump brought")
	prune(time.Hour, 0)
	restored.Want("and then")
	prune(time.Hour, 1)
	restored.Want("and after it")
}
