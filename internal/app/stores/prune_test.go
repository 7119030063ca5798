package stores_test

import (
	"slices"
	"testing"
	"time"

	authpg "onemap/auth/pg"
	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/sensors"
	sensorspg "onemap/sensors/pg"
)

func TestPruneKeepsWhatIsNeeded(t *testing.T) {
	db := storetest.NewCity(t, 1)
	id := storetest.StreamsOf(t, db)[0]
	var seqs []int64
	for i := range 5 {
		seqs = append(seqs, storetest.Commit(t, db, storetest.Reading(id, i, 1)).Seq)
	}
	if _, err := db.Pool().Exec(t.Context(), `update rule_cursor set seq = $1`, seqs[2]); err != nil {
		t.Fatal(err)
	}
	acc := storetest.NewAccount(t, db, "someone", core.RoleObserver, "3706")
	storetest.NewSession(t, db, acc.ID, "ended long ago, by the clock of today")
	var qs []sensors.Quarantined
	for range 10 {
		qs = append(qs, sensors.Quarantined{At: time.Now(), Reason: "bad-json", Payload: []byte("{")})
	}
	qs[0].At = time.Now().AddDate(0, -2, 0)
	if _, err := db.Sensors.CommitBatch(t.Context(), sensors.Batch{Quarantine: qs}); err != nil {
		t.Fatal(err)
	}
	got, err := db.Prune(t.Context(), stores.PrunePolicy{Readings: sensorspg.ReadingsPolicy{Batches: time.Nanosecond, QuarantineRows: 6}, Logins: authpg.LoginsPolicy{Sessions: time.Nanosecond}})
	if err != nil {
		t.Fatal(err)
	}
	if got.Batches != 3 || got.Quarantine != 4 {
		t.Errorf("pruned: %+v; want the 3 batches that the rules have seen, and 4 of the quarantine", got)
	}
	batches, err := db.Sensors.BatchesAfter(t.Context(), core.Mark{Seq: seqs[2]}, 10)
	if err != nil || len(batches) != 2 {
		t.Errorf("batches behind the cursor: %v, %v", batches, err)
	}
	if n := storetest.Count(t, db, `select count(*) from quarantine where at > now() - interval '1 day'`); n != 6 {
		t.Errorf("%d rows in quarantine, want 6", n)
	}
	if _, err := db.Pool().Exec(t.Context(), `update rule_cursor set seq = $1`, seqs[4]); err != nil {
		t.Fatal(err)
	}
	if got, err = db.Prune(t.Context(), stores.PrunePolicy{Readings: sensorspg.ReadingsPolicy{Batches: time.Nanosecond}}); err != nil || got.Batches != 1 {
		t.Errorf("pruned: %+v, %v; want all but the newest batch", got, err)
	}
	if head, err := db.Sensors.HeadBatch(t.Context()); err != nil || head.Seq != seqs[4] {
		t.Errorf("head %v, %v; want %d", head, err, seqs[4])
	}
}

func TestPruneDropsPastMonths(t *testing.T) {
	url := storetest.NewURL(t)
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	db, err := stores.Open(t.Context(), stores.Options{URL: url, MaxConns: 4, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	storetest.FillCity(t, db, 1)
	ids := storetest.StreamsOf(t, db) // level is kept 24 months, rain 3
	for _, id := range ids {
		for _, month := range []int{-28, -24, -1, 0} { // from March 2026
			o := storetest.Reading(id, 0, 1)
			o.Time = o.Time.AddDate(0, month, 0)
			storetest.Commit(t, db, o)
		}
	}
	other, err := stores.Open(t.Context(), stores.Options{URL: url, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	storetest.Commit(t, other, storetest.Reading(ids[1], 1, 1)) // and remembers the month
	got, err := db.Prune(t.Context(), stores.PrunePolicy{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"observation_short_2023_11", "observation_short_2024_03", "observation_short_2026_02", "observation_short_2026_03",
		"observation_standard_2023_11", "observation_standard_2024_03",
	}
	if !slices.Equal(got.Partitions, want) {
		t.Errorf("dropped %v, want %v", got.Partitions, want)
	}
	var coming int64 = 6 // this and the next month of three classes
	if n := storetest.Count(t, db, `select count(*) from pg_class where relname ~ '^observation_[a-z]+_2026_0[78]$'`); n != coming {
		t.Errorf("%d partitions of the coming months, want %d", n, coming)
	}
	// readings of a dropped month are stored when they are sent again, by a node whose cache still has the month
	if res := storetest.Commit(t, other, storetest.Reading(ids[1], 0, 1)); res.Stored != 1 {
		t.Errorf("a reading of a dropped month: %+v", res)
	}
}
