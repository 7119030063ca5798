package sensorspg_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

func TestRedeliveredBatchIsStoredOnce(t *testing.T) {
	db := storetest.NewCity(t, 2)
	ids := storetest.StreamsOf(t, db)
	batch := []sensors.Observation{storetest.Reading(ids[0], 0, 1.5), storetest.Reading(ids[1], 0, 2), storetest.Reading(ids[0], 60, 1.6)}
	first := storetest.Commit(t, db, batch...)
	if first.Stored != 3 || first.Duplicates != 0 || first.Seq == 0 {
		t.Errorf("first delivery: %+v", first)
	}
	again := storetest.Commit(t, db, append(batch, storetest.Reading(ids[2], 0, 7))...)
	if want := (sensors.BatchResult{Seq: again.Seq, Stored: 1, Duplicates: 3}); again != want || again.Seq <= first.Seq {
		t.Errorf("second delivery: %+v, want %+v", again, want)
	}
	if res := storetest.Commit(t, db, batch...); res.Seq != 0 || res.Stored != 0 {
		t.Errorf("nothing new: %+v, want no batch row", res)
	}
	if n := storetest.Count(t, db, `select count(*) from observation`); n != 4 {
		t.Errorf("%d observations, want 4", n)
	}
	if n := storetest.Count(t, db, `select count(*) from observation_conflict`); n != 0 {
		t.Errorf("%d conflicts, want none", n)
	}
	got, err := db.Sensors.BatchesAfter(t.Context(), core.Mark{Seq: 0}, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || len(got[0].Observations) != 3 || len(got[1].Observations) != 1 {
		t.Fatalf("batches: %+v", got)
	}
	want := []sensors.Observation{batch[0], batch[2], batch[1]} // by datastream and time
	for i := range want {
		want[i].TimeSource = 0 // not in a batch
	}
	if d := cmp.Diff(want, got[0].Observations); d != "" {
		t.Errorf("first batch (-want +got):\n%s", d)
	}
}

func TestArrivalOrderIsKeptInSeq(t *testing.T) {
	db := storetest.NewCity(t, 2)
	ids := storetest.StreamsOf(t, db)
	storetest.Commit(t, db, storetest.Reading(ids[3], 60, 1), storetest.Reading(ids[0], 30, 2), storetest.Reading(ids[0], 0, 3))
	var values []float64
	err := db.Pool().QueryRow(t.Context(), `select array_agg(value order by seq) from observation`).Scan(&values)
	if err != nil || !slices.Equal(values, []float64{1, 2, 3}) {
		t.Errorf("by seq: %v, %v", values, err)
	}
}

func TestConflictsAreKeptOnce(t *testing.T) {
	db := storetest.NewCity(t, 1)
	ids := storetest.StreamsOf(t, db)
	res := storetest.Commit(t, db, storetest.Reading(ids[0], 0, 1), storetest.Reading(ids[0], 0, 2), storetest.Reading(ids[0], 0, 1))
	if res.Stored != 1 || res.Conflicts != 1 || res.Duplicates != 1 {
		t.Errorf("in one batch: %+v", res)
	}
	for range 2 {
		res = storetest.Commit(t, db, storetest.Reading(ids[0], 0, 2), storetest.Reading(ids[0], 0, 3))
	}
	if res.Stored != 0 || res.Conflicts != 0 || res.Duplicates != 2 || res.Seq != 0 {
		t.Errorf("the same conflicts again: %+v", res)
	}
	var values []float64
	err := db.Pool().QueryRow(t.Context(), `select array_agg(value order by value) from observation_conflict`).Scan(&values)
	if err != nil || !slices.Equal(values, []float64{2, 3}) {
		t.Errorf("conflicts: %v, %v", values, err)
	}
	if n := storetest.Count(t, db, `select value from observation`); n != 1 {
		t.Errorf("the first value is %d by now, want 1", n)
	}
}

func TestLatestNeverGoesBack(t *testing.T) {
	db := storetest.NewCity(t, 1)
	id := storetest.StreamsOf(t, db)[0]
	storetest.Commit(t, db, storetest.Reading(id, 60, 6), storetest.Reading(id, 120, 12), storetest.Reading(id, 90, 9))
	storetest.Commit(t, db, storetest.Reading(id, 30, 3))
	storetest.Commit(t, db, storetest.Reading(id, 120, 99)) // a conflict changes nothing
	d, err := db.Sensors.Device(t.Context(), storetest.CityScope(), "dev-00")
	if err != nil {
		t.Fatal(err)
	}
	want := storetest.Reading(id, 120, 12)
	if diff := cmp.Diff(&want, d.Streams[0].Latest); diff != "" {
		t.Errorf("latest (-want +got):\n%s", diff)
	}
	if d.Streams[1].Latest != nil {
		t.Errorf("rain has %+v, want nothing", d.Streams[1].Latest)
	}
	if want := storetest.Noon().Add(121 * time.Second); d.LastSeen == nil || !d.LastSeen.Equal(want) {
		t.Errorf("last seen %v, want %v", d.LastSeen, want)
	}
}

func TestStatuses(t *testing.T) {
	db := storetest.NewCity(t, 2)
	at := func(s int) time.Time { return storetest.Noon().Add(time.Duration(s) * time.Second) }
	say := func(ss ...sensors.Status) sensors.BatchResult {
		res, err := db.Sensors.CommitBatch(t.Context(), sensors.Batch{Statuses: ss})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	on := say(sensors.Status{DeviceID: "dev-00", Online: true, At: at(10)}, sensors.Status{DeviceID: "dev-01", Online: true, At: at(10)})
	if on.Seq == 0 {
		t.Error("news make no batch row")
	}
	if res := say(sensors.Status{DeviceID: "dev-00", Online: true, At: at(10)}); res.Seq != 0 {
		t.Errorf("the same again: %+v", res)
	}
	if res := say(sensors.Status{DeviceID: "dev-00", Online: false, At: at(5)}); res.Seq != 0 {
		t.Errorf("an older one: %+v", res)
	}
	if res := say(sensors.Status{DeviceID: "dev-00", Online: false, At: at(0).AddDate(9000, 0, 0)}); res.Unknown != 1 || res.Seq != 0 {
		t.Errorf("of a year that nothing can say: %+v", res)
	}
	if res := say(sensors.Status{DeviceID: "dev-01", Online: false, At: at(20)}, sensors.Status{DeviceID: "no-such", Online: true, At: at(1)}); res.Unknown != 1 || res.Seq == 0 {
		t.Errorf("one known and one not: %+v", res)
	}
	for id, online := range map[string]bool{"dev-00": true, "dev-01": false} {
		d, err := db.Sensors.Device(t.Context(), storetest.CityScope(), id)
		if err != nil || d.Online != online {
			t.Errorf("%s: online %v, %v", id, d.Online, err)
		}
	}
	batches, err := db.Sensors.BatchesAfter(t.Context(), core.Mark{Seq: on.Seq}, 10)
	if err != nil || len(batches) != 1 {
		t.Fatalf("batches: %v, %v", batches, err)
	}
	want := []sensors.Status{{DeviceID: "dev-01", Online: false, At: at(20)}}
	if d := cmp.Diff(want, batches[0].Statuses); d != "" {
		t.Errorf("statuses (-want +got):\n%s", d)
	}
}

func TestPoisonDoesNotLoseTheBatch(t *testing.T) {
	db := storetest.NewCity(t, 1)
	id := storetest.StreamsOf(t, db)[0]
	res, err := db.Sensors.CommitBatch(t.Context(), sensors.Batch{
		Observations: []sensors.Observation{
			storetest.Reading(999_999, 0, 1), storetest.Reading(id, 0, 1),
			{DatastreamID: id, Time: time.Date(1812, 1, 1, 0, 0, 0, 0, time.UTC), ReceivedAt: storetest.Noon()},
			{DatastreamID: id, Time: storetest.Noon().AddDate(40, 0, 0), ReceivedAt: storetest.Noon()},
		},
		Quarantine: []sensors.Quarantined{{
			At: storetest.Noon(), Topic: "a\x00b\xff", Reason: "bad-json", Detail: "nul\x00", Payload: nil, Size: 0,
			Faults: []sensors.Fault{{Field: "v.\x00", Message: fault.NewMessage(sensors.CodeNotNumber, "\x00\xff")}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if res.Stored != 1 || res.Unknown != 3 || res.Seq == 0 {
		t.Errorf("result: %+v", res)
	}
	qs, err := db.Sensors.Quarantine(t.Context(), storetest.PageOf(10, 0))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, q := range qs {
		for _, f := range q.Faults {
			got = append(got, fmt.Sprintf("%s %s %s %v", q.Reason, f.Field, f.Code, f.Params))
		}
	}
	slices.Sort(got)
	want := []string{
		"bad-json v.\uFFFD not-a-number map[found:\uFFFD\uFFFD]",
		"bad-time t time-not-stored map[value:1812-01-01T00:00:00Z]",
		"bad-time t time-not-stored map[value:" + storetest.Noon().AddDate(40, 0, 0).Format(time.RFC3339) + "]",
		"unknown-datastream  no-datastream map[id:999999]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestQuarantineOfBeforeCodesWereKept(t *testing.T) {
	db := storetest.NewCity(t, 1)
	_, err := db.Pool().Exec(t.Context(), `
		insert into quarantine (at, topic, reason, detail, payload, size) values ($1, 't', 'bad-json', 'offset 0: odd', '', 0)`, storetest.Noon())
	if err != nil {
		t.Fatal(err)
	}
	qs, err := db.Sensors.Quarantine(t.Context(), storetest.PageOf(10, 0))
	if err != nil || len(qs) != 1 || len(qs[0].Faults) != 0 || qs[0].Detail != "offset 0: odd" {
		t.Errorf("%+v, %v", qs, err)
	}
}

func TestBackdatedReadingGetsItsPartition(t *testing.T) {
	db := storetest.NewCity(t, 1)
	id := storetest.StreamsOf(t, db)[0]
	old := storetest.Reading(id, 0, 4)
	old.Time = time.Date(1990, 2, 28, 23, 59, 59, 999_999_000, time.UTC)
	if res := storetest.Commit(t, db, old, storetest.Reading(id, 0, 5)); res.Stored != 2 {
		t.Fatalf("result: %+v", res)
	}
	if n := storetest.Count(t, db, `select count(*) from observation_standard_1990_02`); n != 1 {
		t.Errorf("%d rows in the month of 1990, want 1", n)
	}
	if n := storetest.Count(t, db, `select count(*) from pg_class where relname = 'observation_standard_1990_02'
		and 'autovacuum_vacuum_insert_scale_factor=0' = any(reloptions) and 'autovacuum_vacuum_insert_threshold=100000' = any(reloptions)`); n != 1 {
		t.Error("the month of 1990 is not vacuumed as it grows")
	}
}

// Writers need the same months at the same time and do not see each other's caches. Each has a pool with more connections
// than it needs, so that connections of every age write.
func TestPartitionsMadeByManyAtOnce(t *testing.T) {
	const writers, months = 8, 30
	db := storetest.NewCity(t, 1)
	ids := storetest.StreamsOf(t, db)
	url := db.Pool().Config().ConnString()
	var running sync.WaitGroup
	failed := make(chan error, writers*months)
	for w := range writers {
		other, err := stores.Open(t.Context(), stores.Options{URL: url, MaxConns: 4})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(other.Close)
		running.Go(func() {
			for month := range months {
				var obs []sensors.Observation
				for _, id := range ids {
					o := storetest.Reading(id, w, float64(month))
					o.Time = o.Time.AddDate(0, month, 0)
					o.ReceivedAt = o.Time
					obs = append(obs, o)
				}
				if _, err := other.Sensors.CommitBatch(t.Context(), sensors.Batch{Observations: obs}); err != nil {
					failed <- err
				}
			}
		})
	}
	running.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	if n, want := storetest.Count(t, db, `select count(*) from observation`), int64(writers*months*len(ids)); n != want {
		t.Errorf("%d observations, want %d", n, want)
	}
}

// Overlapping batches from several writers: nothing is stored twice, there is no deadlock, and a reader never sees a batch
// appear behind one that it has read.
func TestTailHasNoLateComers(t *testing.T) {
	db := storetest.NewCity(t, 4)
	ids := storetest.StreamsOf(t, db)
	done := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 6 {
		rng := rand.New(rand.NewPCG(1, uint64(w)))
		writers.Go(func() {
			for range 40 {
				var obs []sensors.Observation
				for range 8 {
					obs = append(obs, storetest.Reading(ids[rng.IntN(len(ids))], rng.IntN(60), float64(rng.IntN(2))))
				}
				b := sensors.Batch{Observations: obs, Statuses: []sensors.Status{{
					DeviceID: fmt.Sprintf("dev-%02d", rng.IntN(4)), Online: rng.IntN(2) == 0, At: storetest.Noon().Add(time.Duration(rng.IntN(5)) * time.Second),
				}}}
				if _, err := db.Sensors.CommitBatch(t.Context(), b); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { writers.Wait(); close(done) }()
	var seen []int64
	for last, finished := int64(0), false; !finished; {
		select {
		case <-done:
			finished = true // and one more reading
		default:
		}
		batches, err := db.Sensors.BatchesAfter(t.Context(), core.Mark{Seq: last}, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range batches {
			seen, last = append(seen, b.Seq), b.Seq
		}
		finished = finished && len(batches) == 0
	}
	all, err := db.Sensors.BatchesAfter(t.Context(), core.Mark{Seq: 0}, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	var inTable []int64
	stored := make(map[string]bool)
	for _, b := range all {
		inTable = append(inTable, b.Seq)
		for _, o := range b.Observations {
			key := fmt.Sprint(o.DatastreamID, o.Time)
			if stored[key] {
				t.Errorf("%s is new in two batches", key)
			}
			stored[key] = true
		}
	}
	if !slices.Equal(seen, inTable) {
		t.Errorf("the reader saw %d batches, the table has %d", len(seen), len(inTable))
	}
	if n := storetest.Count(t, db, `select count(*) from observation`); n != int64(len(stored)) {
		t.Errorf("%d observations, %d in batches", n, len(stored))
	}
}

// A writer whose transaction fails leaves an unused number, and readers skip it.
func TestAbortedBatchLeavesAHarmlessGap(t *testing.T) {
	db := storetest.NewCity(t, 1)
	id := storetest.StreamsOf(t, db)[0]
	first := storetest.Commit(t, db, storetest.Reading(id, 0, 1))
	tx, err := db.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var lost int64
	err = tx.QueryRow(t.Context(), `select append_ingest_batch('{1}', '{2026-01-01}', '{1}', '{1}', null, '{2026-01-01}', '[]')`).Scan(&lost)
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := storetest.Commit(t, db, storetest.Reading(id, 60, 1))
	got, err := db.Sensors.BatchesAfter(t.Context(), core.Mark{Seq: first.Seq}, 10)
	if err != nil || len(got) != 1 || got[0].Seq != second.Seq || second.Seq != lost+1 {
		t.Errorf("after a gap at %d: %+v, %v", lost, got, err)
	}
	if head, err := db.Sensors.HeadBatch(t.Context()); err != nil || head.Seq != second.Seq {
		t.Errorf("head %v, %v", head, err)
	}
}

// A datastream is deleted between the lookup and the insert. A writer that keeps the deletion open while the batch is written
// simulates this.
func TestDatastreamDeletedMeanwhile(t *testing.T) {
	db := storetest.NewCity(t, 2)
	ids := storetest.StreamsOf(t, db)
	tx, err := db.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `delete from device where id = 'dev-00'`); err != nil {
		t.Fatal(err)
	}
	result := make(chan sensors.BatchResult)
	go func() {
		res, err := db.Sensors.CommitBatch(t.Context(), sensors.Batch{Observations: []sensors.Observation{storetest.Reading(ids[0], 0, 1), storetest.Reading(ids[2], 0, 2)}})
		if err != nil {
			t.Error(err)
		}
		result <- res
	}()
	waitForLock(t, db)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if res := <-result; res.Stored != 1 || res.Unknown != 1 {
		t.Errorf("result: %+v, want one stored and one in quarantine", res)
	}
	if n := storetest.Count(t, db, `select count(*) from observation`); n != 1 {
		t.Errorf("%d observations, want 1", n)
	}
}

// waitForLock waits until a backend of the test's database waits for a lock.
func waitForLock(t *testing.T, db *stores.Stores) {
	t.Helper()
	for storetest.Count(t, db, `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`) == 0 {
		time.Sleep(5 * time.Millisecond)
	}
}

func TestDatabaseAwayIsUnavailable(t *testing.T) {
	db := storetest.NewCity(t, 1)
	id := storetest.StreamsOf(t, db)[0]
	db.Close()
	_, err := db.Sensors.CommitBatch(t.Context(), sensors.Batch{Observations: []sensors.Observation{storetest.Reading(id, 0, 1)}})
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("error %v, want unavailable", err)
	}
}

// A writer that waits for the batch lock longer than the timeout gets an error, and has stored nothing.
func TestLockTimeoutIsUnavailable(t *testing.T) {
	db := storetest.NewCity(t, 1)
	id := storetest.StreamsOf(t, db)[0]
	if _, err := db.Pool().Exec(t.Context(), `alter function append_ingest_batch set lock_timeout = '50ms'`); err != nil {
		t.Fatal(err)
	}
	tx, err := db.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `select pg_advisory_xact_lock(7043, 2)`); err != nil {
		t.Fatal(err)
	}
	_, err = db.Sensors.CommitBatch(t.Context(), sensors.Batch{Observations: []sensors.Observation{storetest.Reading(id, 0, 1)}})
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("error %v, want unavailable", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := storetest.Count(t, db, `select count(*) from observation`) + storetest.Count(t, db, `select count(*) from latest`); n != 0 {
		t.Errorf("%d rows are left of the batch", n)
	}
	if res := storetest.Commit(t, db, storetest.Reading(id, 0, 1)); res.Stored != 1 {
		t.Errorf("afterwards: %+v", res)
	}
}
