package sensorspg_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/sensors"
)

// A clock that is ahead and is then corrected: the readings are stored at their times, and the present continues by the time
// of receipt.
func TestAClockThatRanAheadDoesNotHideWhatFollows(t *testing.T) {
	db := storetest.NewCity(t, 1)
	id := storetest.StreamsOf(t, db)[0]
	ahead := func(seconds int, v float64, n int) sensors.Observation {
		o := storetest.Reading(id, 3600+seconds, v)
		o.ReceivedAt, o.TimeSource = storetest.Noon().Add(time.Duration(seconds)*time.Second), sensors.TimeWrong
		o.Now = o.ReceivedAt.Add(time.Duration(n) * time.Microsecond)
		return o
	}
	// the later one was sent first
	first := storetest.Commit(t, db, ahead(20, 2, 0), ahead(10, 3, 1+10_000_000))
	right := storetest.Reading(id, 60, 4)
	second := storetest.Commit(t, db, right)
	got, err := db.Sensors.BatchesAfter(t.Context(), core.Mark{Seq: first.Seq - 1}, 10)
	if err != nil || len(got) != 2 || got[1].Seq != second.Seq {
		t.Fatalf("batches: %+v, %v", got, err)
	}
	var values []float64
	last := time.Time{}
	for _, b := range got {
		for _, o := range b.Observations {
			if !o.Time.After(last) {
				t.Errorf("%v comes after %v", o.Time, last)
			}
			values, last = append(values, o.Value), o.Time
		}
	}
	if d := cmp.Diff([]float64{2, 3, 4}, values); d != "" {
		t.Errorf("in the present (-want +got):\n%s", d)
	}
	d, err := db.Sensors.Device(t.Context(), storetest.CityScope(), "dev-00")
	if err != nil || d.Streams[0].Latest == nil || d.Streams[0].Latest.Value != 4 {
		t.Errorf("latest: %+v, %v", d.Streams[0].Latest, err)
	}
	if n := storetest.Count(t, db, `select count(*) from observation where time_source = 3 and ts > '2026-03-14 13:00:00Z'`); n != 2 {
		t.Errorf("%d readings in their own places, want 2", n)
	}
}

// The batches that a node keeps in memory agree with the table, and another node's batches between them are not skipped.
func TestOwnBatchesAreReadAsOthersReadThem(t *testing.T) {
	url := storetest.NewURL(t)
	open := func() *stores.Stores {
		db, err := stores.Open(t.Context(), stores.Options{URL: url, MaxConns: 4})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		return db
	}
	one, two := open(), open()
	storetest.FillCity(t, one, 2)
	ids := storetest.StreamsOf(t, one)
	for i := range 12 {
		db := one
		if i%3 == 2 {
			db = two
		}
		ahead, without := storetest.Reading(ids[1], 900+i, 0), storetest.Reading(ids[2], i, 0)
		ahead.TimeSource, ahead.ReceivedAt, ahead.Now = sensors.TimeWrong, storetest.Noon().Add(time.Duration(i)*time.Second), storetest.Noon().Add(time.Duration(i)*time.Second)
		without.TimeSource, without.QC = sensors.TimeReceipt, sensors.QCBad
		storetest.Commit(t, db, storetest.Reading(ids[0], i, float64(i)), ahead, without)
		if i%4 == 3 { // the other way of writing a batch
			storetest.Commit(t, db, storetest.Reading(ids[0], i, float64(i)), without, ahead, storetest.Reading(ids[3], i, 1))
		}
	}
	third := open() // remembers nothing
	want, err := third.Sensors.BatchesAfter(t.Context(), core.Mark{Seq: 0}, 100)
	if err != nil || len(want) != 15 {
		t.Fatalf("%d batches, %v", len(want), err)
	}
	first := want[0].Observations
	for i, c := range []struct {
		qc     sensors.QC
		source sensors.TimeSource
	}{{sensors.QCGood, 0}, {sensors.QCGood, sensors.TimeWrong}, {sensors.QCBad, sensors.TimeReceipt}} {
		if o := first[i]; o.QC != c.qc || o.TimeSource != c.source {
			t.Errorf("the batch says %+v, want the flag %d and the source %d", o, c.qc, c.source)
		}
	}
	for name, db := range map[string]*stores.Stores{"one": one, "two": two} {
		var got []sensors.Committed
		for after := int64(0); ; {
			more, err := db.Sensors.BatchesAfter(t.Context(), core.Mark{Seq: after}, 5)
			if err != nil {
				t.Fatal(err)
			}
			if len(more) == 0 {
				break
			}
			got, after = append(got, more...), more[len(more)-1].Seq
		}
		for i := range got {
			got[i].At = want[min(i, len(want)-1)].At // told by the statement, not by the row
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// A device is deleted after the lookup of its datastream: the batch is stored without it.
func TestADatastreamThatIsRememberedAndGone(t *testing.T) {
	db := storetest.NewCity(t, 2)
	ids := storetest.StreamsOf(t, db)
	storetest.Commit(t, db, storetest.Reading(ids[0], 0, 1), storetest.Reading(ids[2], 0, 1))
	if _, err := db.Pool().Exec(t.Context(), `delete from device where id = 'dev-00'`); err != nil {
		t.Fatal(err)
	}
	res := storetest.Commit(t, db, storetest.Reading(ids[0], 60, 2), storetest.Reading(ids[2], 60, 2))
	if res.Stored != 1 || res.Unknown != 1 {
		t.Errorf("%+v, want one stored and one unknown", res)
	}
	if n := storetest.Count(t, db, `select count(*) from quarantine where reason = 'unknown-datastream'`); n != 1 {
		t.Errorf("%d in quarantine, want 1", n)
	}
}

// TestRegistryLoadedWhileReadingsCome tests that the cache of datastreams is cleared at each change of the registry, also
// while a batch is being planned, and that no reading of an existing datastream goes to quarantine.
func TestRegistryLoadedWhileReadingsCome(t *testing.T) {
	db := storetest.NewCity(t, 2)
	ids := storetest.StreamsOf(t, db)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := db.Sensors.LoadRegistry(t.Context()); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for i := range 300 {
		for _, batch := range [][]sensors.Observation{
			{storetest.Reading(ids[0], 2*i, 1)}, {storetest.Reading(ids[0], 2*i+1, 1), storetest.Reading(ids[1], i, 1), storetest.Reading(ids[2], i, 1)},
		} {
			res, err := db.Sensors.CommitBatch(t.Context(), sensors.Batch{Observations: batch})
			if err != nil || res.Unknown != 0 || res.Stored != len(batch) {
				t.Fatalf("batch %d: %+v, %v", i, res, err)
			}
		}
	}
	close(stop)
	<-stopped
}
