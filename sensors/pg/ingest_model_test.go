package sensorspg_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/sensors"
)

// tables reads the same facts from the tables as the model has.
func tables(t testing.TB, db *stores.Stores) model {
	t.Helper()
	m := model{make(map[modelKey]float64), make(map[int64]modelKey), make(map[modelKey]map[float64]bool)}
	var what string
	var k modelKey
	var at time.Time
	var value float64
	rows, err := db.Pool().Query(t.Context(), `
		select 'observation', datastream_id, ts, value from observation
		union all select 'latest', datastream_id, ts, value from latest
		union all select 'conflict', datastream_id, ts, value from observation_conflict`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = pgx.ForEachRow(rows, []any{&what, &k.Stream, &at, &value}, func() error {
		k.Second = at.Unix()
		switch what {
		case "observation":
			m.Stored[k] = value
		case "latest":
			m.Latest[k.Stream] = k
		default:
			if m.Conflicts[k] == nil {
				m.Conflicts[k] = make(map[float64]bool)
			}
			m.Conflicts[k][value] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// model is the expected content of the tables after any batches in any order.
type model struct {
	Stored    map[modelKey]float64
	Latest    map[int64]modelKey
	Conflicts map[modelKey]map[float64]bool
}

type modelKey struct {
	Stream int64
	Second int64
}

func (m *model) add(b []sensors.Observation) (res sensors.BatchResult) {
	stored, moved := make(map[int64]int), make(map[int64]bool)
	for _, o := range b {
		k := modelKey{o.DatastreamID, o.Time.Unix()}
		had, ok := m.Stored[k]
		switch {
		case !ok:
			m.Stored[k] = o.Value
			res.Stored++
			stored[k.Stream]++
			if l, ok := m.Latest[k.Stream]; !ok || k.Second > l.Second {
				m.Latest[k.Stream], moved[k.Stream] = k, true
			}
		case had == o.Value || m.Conflicts[k][o.Value]:
			res.Duplicates++
		default:
			if m.Conflicts[k] == nil {
				m.Conflicts[k] = make(map[float64]bool)
			}
			m.Conflicts[k][o.Value] = true
			res.Conflicts++
		}
	}
	for stream, n := range stored {
		if !moved[stream] {
			res.Late += n
		}
	}
	return res
}

// After any batches, with repetitions within and between them, the tables agree with the model, and the result of each batch
// is right.
func TestCommitBatchAgainstModel(t *testing.T) {
	db := storetest.NewCity(t, 2)
	ids := storetest.StreamsOf(t, db)
	obs := rapid.Custom(func(rt *rapid.T) sensors.Observation {
		o := storetest.Reading(rapid.SampledFrom(ids).Draw(rt, "stream"), rapid.IntRange(0, 3).Draw(rt, "second"),
			float64(rapid.IntRange(0, 2).Draw(rt, "value")))
		o.Time = o.Time.Add(time.Duration(rapid.IntRange(0, 999).Draw(rt, "ns"))) // less than what is kept
		return o
	})
	rapid.Check(t, func(rt *rapid.T) {
		if _, err := db.Pool().Exec(t.Context(), `truncate observation, latest, observation_conflict, ingest_batch`); err != nil {
			rt.Fatal(err)
		}
		m := model{make(map[modelKey]float64), make(map[int64]modelKey), make(map[modelKey]map[float64]bool)}
		for _, b := range rapid.SliceOfN(rapid.SliceOfN(obs, 0, 8), 1, 4).Draw(rt, "batches") {
			got, err := db.Sensors.CommitBatch(t.Context(), sensors.Batch{Observations: b})
			if err != nil {
				rt.Fatal(err)
			}
			want := m.add(b)
			if want.Seq = got.Seq; (got.Seq != 0) != (want.Stored > 0) {
				rt.Errorf("batch %d with %d new readings", got.Seq, want.Stored)
			}
			if d := cmp.Diff(want, got); d != "" {
				rt.Errorf("result (-want +got):\n%s", d)
			}
		}
		if d := cmp.Diff(m, tables(t, db)); d != "" {
			rt.Errorf("tables (-want +got):\n%s", d)
		}
	})
}
