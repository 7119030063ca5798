package sensorspg_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/backfill"
	sensorspg "onemap/sensors/pg"
)

// openBackfill starts or continues an import of the name.
func openBackfill(t testing.TB, db *stores.Stores, name string) (*sensorspg.Backfill, backfill.State) {
	t.Helper()
	in, st, err := db.Sensors.OpenBackfill(t.Context(), sha256.Sum256([]byte(name)), name, false)
	if err != nil {
		t.Fatal(err)
	}
	return in, st
}

// backfillAll imports readings as one chunk of a new file.
func backfillAll(t testing.TB, db *stores.Stores, obs ...sensors.Observation) backfill.Counts {
	t.Helper()
	in, _ := openBackfill(t, db, fmt.Sprint(rand.Int64()))
	defer in.Close()
	sum, gone, err := in.Write(t.Context(), backfill.Chunk{Observations: obs}, backfill.Counts{})
	if err != nil || len(gone) > 0 {
		t.Fatalf("gone %v, error %v", gone, err)
	}
	return sum
}

// Imported readings that are newer than the latest are handled like live ones; older ones are only stored.
func TestBackfilledNewsReachesTheRules(t *testing.T) {
	db := storetest.NewCityAt(t, 1, func() time.Time { return storetest.Reading(0, 180, 0).Time }) // the intervals are a minute: silence is three
	ids := storetest.StreamsOf(t, db)
	before := storetest.Commit(t, db, storetest.Reading(ids[0], 100, 1))
	sum := backfillAll(t, db, storetest.Reading(ids[0], 50, 2), storetest.Reading(ids[0], 200, 4), storetest.Reading(ids[0], 150, 3), storetest.Reading(ids[1], 10, 5))
	if sum.Stored != 4 || sum.Late != 1 || sum.History != 0 || sum.Duplicates+sum.Conflicts != 0 {
		t.Errorf("counts: %+v", sum)
	}
	got, err := db.Sensors.BatchesAfter(t.Context(), core.Mark{Seq: before.Seq}, 10)
	if err != nil || len(got) != 1 {
		t.Fatalf("batches %+v, error %v; want one", got, err)
	}
	want := []sensors.Observation{storetest.Reading(ids[0], 150, 3), storetest.Reading(ids[0], 200, 4), storetest.Reading(ids[1], 10, 5)}
	for i := range want {
		want[i].TimeSource, want[i].ReceivedAt = 0, want[i].Time // a file is no sign of life: received at its own time
	}
	if d := cmp.Diff(want, got[0].Observations); d != "" {
		t.Errorf("what the rules see (-want +got):\n%s", d)
	}
	if n := storetest.Count(t, db, `select value from latest where datastream_id = $1`, ids[0]); n != 4 {
		t.Errorf("the latest is %d, want 4", n)
	}
	if n := storetest.Count(t, db, `select count(*) from observation where received_at = $1`, want[0].Time); n != 0 {
		t.Error("the table does not say when the readings came")
	}
	if sum := backfillAll(t, db, storetest.Reading(ids[0], 60, 1)); sum.Late != 1 {
		t.Errorf("an old one: %+v", sum)
	}
	if more, err := db.Sensors.BatchesAfter(t.Context(), core.Mark{Seq: got[0].Seq}, 10); err != nil || len(more) != 0 {
		t.Errorf("an old reading made a batch: %+v, %v", more, err)
	}
}

// A reading that is so old that its datastream would be stale is history. It may become the latest, but the rules do not
// evaluate it, and presence treats the datastream as silent since then.
func TestBackfilledHistoryIsNotJudged(t *testing.T) {
	now := storetest.Reading(0, 3600, 0).Time
	db := storetest.NewCityAt(t, 1, func() time.Time { return now })
	ids := storetest.StreamsOf(t, db)
	before := storetest.Commit(t, db, storetest.Reading(ids[1], 0, 1))
	// three intervals of a minute, and not a second more
	sum := backfillAll(t, db, storetest.Reading(ids[0], 0, 1), storetest.Reading(ids[0], 3420, 2), storetest.Reading(ids[1], -60, 3), storetest.Reading(ids[1], 3000, 4))
	if sum.Stored != 4 || sum.History != 3 || sum.Late != 1 {
		t.Errorf("counts: %+v", sum)
	}
	if got, err := db.Sensors.BatchesAfter(t.Context(), core.Mark{Seq: before.Seq}, 10); err != nil || len(got) != 0 {
		t.Errorf("the rules are told of history: %+v, %v", got, err)
	}
	for at, id := range map[int]int64{3420: ids[0], 3000: ids[1]} {
		if n := storetest.Count(t, db, `select count(*) from latest where datastream_id = $1 and ts = $2 and received_at = $2`, id, storetest.Reading(0, at, 0).Time); n != 1 {
			t.Errorf("the latest of datastream %d is not its newest reading, received at its own time", id)
		}
	}
	r, err := db.Sensors.CheckStale(t.Context(), sensors.StaleCheck{Node: "a", ListeningSince: now.AddDate(0, 0, -1)})
	if err != nil || r.Stale != 2 || r.Offline != 1 {
		t.Errorf("presence: %+v, %v; want both datastreams silent and their device off line", r, err)
	}
	if sum := backfillAll(t, db, storetest.Reading(ids[0], 3421, 5)); sum.History != 0 || sum.Late != 0 {
		t.Errorf("a second younger: %+v", sum)
	}
	got, err := db.Sensors.BatchesAfter(t.Context(), core.Mark{Seq: before.Seq}, 10)
	if err != nil || len(got) != 1 || len(got[0].Observations) != 1 || got[0].Observations[0].Value != 5 {
		t.Errorf("batches %+v, error %v; want the young reading alone", got, err)
	}
	if r, err = db.Sensors.CheckStale(t.Context(), sensors.StaleCheck{Node: "a", ListeningSince: now.AddDate(0, 0, -1)}); err != nil || r.Stale != 1 || r.Offline != 0 {
		t.Errorf("presence after that: %+v, %v", r, err)
	}
}

// A latest reading that cannot be evaluated does not hide other readings from the rules.
func TestBackfillBehindABadReading(t *testing.T) {
	db := storetest.NewCityAt(t, 1, func() time.Time { return storetest.Reading(0, 180, 0).Time })
	id := storetest.StreamsOf(t, db)[0]
	bad := storetest.Reading(id, 100, 1e6)
	bad.QC = sensors.QCBad
	before := storetest.Commit(t, db, bad)
	if sum := backfillAll(t, db, storetest.Reading(id, 50, 2)); sum.Stored != 1 || sum.Late != 1 {
		t.Errorf("counts: %+v", sum)
	}
	got, err := db.Sensors.BatchesAfter(t.Context(), core.Mark{Seq: before.Seq}, 10)
	if err != nil || len(got) != 1 || got[0].Observations[0].Value != 2 {
		t.Errorf("batches %+v, error %v; want the reading in one", got, err)
	}
	if n := storetest.Count(t, db, `select value from latest where datastream_id = $1`, id); n != 1_000_000 {
		t.Errorf("the latest is %d; it went back", n)
	}
}

func TestBackfillDuplicatesAndConflicts(t *testing.T) {
	db := storetest.NewCity(t, 1)
	ids := storetest.StreamsOf(t, db)
	storetest.Commit(t, db, storetest.Reading(ids[0], 0, 1), storetest.Reading(ids[0], 60, 2))
	file := []sensors.Observation{
		storetest.Reading(ids[0], 0, 1), storetest.Reading(ids[0], 60, 2.5), storetest.Reading(ids[0], 120, 3), storetest.Reading(ids[0], 120, 3),
		storetest.Reading(ids[0], 120, 3.5), storetest.Reading(ids[1], 0, 7),
	}
	if sum := backfillAll(t, db, file...); sum.Stored != 2 || sum.Duplicates != 2 || sum.Conflicts != 2 {
		t.Errorf("counts: %+v", sum)
	}
	if sum := backfillAll(t, db, file...); sum.Stored != 0 || sum.Duplicates != 6 || sum.Conflicts != 0 {
		t.Errorf("once more: %+v", sum)
	}
	var values []float64
	err := db.Pool().QueryRow(t.Context(), `select array_agg(value order by value) from observation_conflict`).Scan(&values)
	if err != nil || !slices.Equal(values, []float64{2.5, 3.5}) {
		t.Errorf("conflicts: %v, %v", values, err)
	}
	err = db.Pool().QueryRow(t.Context(), `select array_agg(value order by datastream_id, ts) from observation`).Scan(&values)
	if err != nil || !slices.Equal(values, []float64{1, 2, 3, 7}) {
		t.Errorf("observations: %v, %v", values, err)
	}
}

// One file is imported by one process at a time, and its progress is stored.
func TestBackfillIsResumedAndAlone(t *testing.T) {
	db := storetest.NewCity(t, 1)
	id := storetest.StreamsOf(t, db)[0]
	in, st := openBackfill(t, db, "file")
	if st.Position != (backfill.Position{}) || st.FinishedAt != nil {
		t.Errorf("a new file: %+v", st)
	}
	if _, _, err := db.Sensors.OpenBackfill(t.Context(), sha256.Sum256([]byte("file")), "file", false); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second process: %v, want a conflict", err)
	}
	end := backfill.Position{Offset: 100, Line: 3}
	sum, _, err := in.Write(t.Context(), backfill.Chunk{
		Observations: []sensors.Observation{storetest.Reading(id, 0, 1)}, End: end, RejectsBytes: 55,
		Counts: backfill.Counts{Records: 2, Refused: map[string]int64{"bad-time": 1}},
	}, st.Counts)
	if err != nil {
		t.Fatal(err)
	}
	in.Close()
	in, st = openBackfill(t, db, "file")
	if st.Position != end || st.RejectsBytes != 55 || st.FinishedAt != nil || !cmp.Equal(st.Counts, sum) || sum.Stored != 1 || sum.Refused["bad-time"] != 1 {
		t.Errorf("gone on with: %+v, want %+v", st, sum)
	}
	if _, _, err := in.Write(t.Context(), backfill.Chunk{End: end, Finished: true}, st.Counts); err != nil {
		t.Fatal(err)
	}
	in.Close()
	in, st = openBackfill(t, db, "file")
	in.Close()
	if st.FinishedAt == nil {
		t.Error("it is not finished")
	}
	in, st, err = db.Sensors.OpenBackfill(t.Context(), sha256.Sum256([]byte("file")), "file", true)
	if err != nil || st.FinishedAt != nil || st.Position != (backfill.Position{}) || st.Counts.Stored != 0 {
		t.Errorf("again: %+v, %v", st, err)
	}
	in.Close()
}

// A datastream that is deleted in the meantime is returned, and nothing of the chunk is stored.
func TestBackfillOfADeletedDatastream(t *testing.T) {
	db := storetest.NewCity(t, 2)
	ids := storetest.StreamsOf(t, db)
	in, _ := openBackfill(t, db, "file")
	defer in.Close()
	write := func(at int) []int64 {
		_, gone, err := in.Write(t.Context(), backfill.Chunk{Observations: []sensors.Observation{storetest.Reading(ids[0], at, 1), storetest.Reading(ids[2], at, 1)}}, backfill.Counts{})
		if err != nil {
			t.Fatal(err)
		}
		return gone
	}
	if gone := write(100); len(gone) != 0 {
		t.Fatalf("gone: %v", gone)
	}
	if _, err := db.Pool().Exec(t.Context(), `delete from datastream where id = $1`, ids[2]); err != nil {
		t.Fatal(err)
	}
	if gone := write(50); !slices.Equal(gone, []int64{ids[2]}) {
		t.Errorf("gone: %v, want %d", gone, ids[2])
	}
	if n := storetest.Count(t, db, `select count(*) from observation where ts < $1`, storetest.Reading(0, 60, 0).Time); n != 0 {
		t.Errorf("%d readings are stored of a chunk that was not", n)
	}
}

// sample is a reading in the form for comparison.
type sample struct {
	ID    int64
	At    time.Time
	Value float64
}

// mixture creates readings of few datastreams, times and values, and keeps them.
type mixture struct {
	ids  []int64
	mu   sync.Mutex
	sent map[sample]bool
}

func (m *mixture) draw(r *rand.Rand, n int) []sensors.Observation {
	obs := make([]sensors.Observation, n)
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range obs {
		o := storetest.Reading(m.ids[r.IntN(len(m.ids))], r.IntN(4000)*20, float64(r.IntN(3)))
		obs[i], m.sent[sample{o.DatastreamID, o.Time, o.Value}] = o, true
	}
	return obs
}

// commitUntil commits batches on a node.
func (m *mixture) commitUntil(t *testing.T, stop <-chan struct{}, node *stores.Stores, r *rand.Rand) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		if _, err := node.Sensors.CommitBatch(t.Context(), sensors.Batch{Observations: m.draw(r, 1+r.IntN(200))}); err != nil {
			t.Error(err)
			return
		}
	}
}

// imports writes chunks of an import and checks that each reading is counted.
func (m *mixture) imports(t *testing.T, node *stores.Stores, chunks, perChunk int) {
	in, _, err := node.Sensors.OpenBackfill(t.Context(), sha256.Sum256([]byte("file")), "file", false)
	if err != nil {
		t.Error(err)
		return
	}
	defer in.Close()
	r := rand.New(rand.NewPCG(7, 7))
	var sum backfill.Counts
	for range chunks {
		if sum, _, err = in.Write(t.Context(), backfill.Chunk{Observations: m.draw(r, perChunk)}, sum); err != nil {
			t.Errorf("import: %v", err)
			return
		}
	}
	if all := sum.Stored + sum.Duplicates + sum.Conflicts; all != int64(chunks*perChunk) {
		t.Errorf("%d of %d readings are counted: %+v", all, chunks*perChunk, sum)
	}
}

// keptOf returns all stored values, as readings or as conflicts.
func keptOf(t *testing.T, db *stores.Stores) map[sample]bool {
	t.Helper()
	rows, err := db.Pool().Query(t.Context(), `select datastream_id, ts, value from observation union all select datastream_id, ts, value from observation_conflict`)
	if err != nil {
		t.Fatal(err)
	}
	kept := map[sample]bool{}
	var v sample
	_, err = pgx.ForEachRow(rows, []any{&v.ID, &v.At, &v.Value}, func() error {
		v.At = v.At.UTC()
		if kept[v] {
			t.Errorf("%+v is kept twice", v)
		}
		kept[v] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// An import and two nodes write the same datastreams, times and partly the same keys at the same time. No writer fails, each
// key is stored once with one of its values, every other value is a conflict, and the rules have seen all readings that are
// not late.
func TestBackfillBesideTwoNodes(t *testing.T) {
	url := storetest.NewURL(t)
	nodes := make([]*stores.Stores, 3)
	for i := range nodes {
		o := stores.Options{URL: url, MaxConns: 6}
		if i == 2 {
			o.Clock = func() time.Time { return storetest.Noon().AddDate(0, 0, 1) }
		}
		db, err := stores.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		nodes[i] = db
	}
	storetest.FillCity(t, nodes[0], 10)
	if _, err := nodes[0].Pool().Exec(t.Context(), `update datastream set interval_s = 86400`); err != nil { // nothing is history
		t.Fatal(err)
	}
	m := &mixture{ids: storetest.StreamsOf(t, nodes[0]), sent: map[sample]bool{}}
	var live sync.WaitGroup
	stop := make(chan struct{})
	for n := range 2 {
		for w := range 2 {
			live.Go(func() { m.commitUntil(t, stop, nodes[n], rand.New(rand.NewPCG(uint64(n), uint64(w)))) })
		}
	}
	m.imports(t, nodes[2], 12, 1500)
	close(stop)
	live.Wait()

	if kept := keptOf(t, nodes[0]); !maps.Equal(m.sent, kept) {
		t.Errorf("what was sent is not what is kept: %d, %d", len(m.sent), len(kept))
	}
	seen := storetest.Count(t, nodes[0], `
		with told as (select b.seq, u.id, u.ts from ingest_batch b, unnest(b.datastream_ids, b.times) as u (id, ts))
		select count(*) from observation o
		where not exists (select from told t where t.id = o.datastream_id and t.ts >= o.ts)`)
	stale := storetest.Count(t, nodes[0], `
		select count(*) from latest l where l.ts <> (select max(o.ts) from observation o where o.datastream_id = l.datastream_id)`)
	if seen != 0 || stale != 0 {
		t.Errorf("%d readings are newer than all that the rules were told; %d latest readings are not the newest", seen, stale)
	}
}
