package sensorspg_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"onemap/internal/app/stores/storetest"
	"onemap/sensors"
	sensorspg "onemap/sensors/pg"
)

func refused(device string, at time.Time, n int) []sensors.Quarantined {
	out := make([]sensors.Quarantined, n)
	for i := range out {
		q := sensors.Quarantined{At: at, DeviceID: device, Topic: "t", Payload: []byte("{"), Size: 10}
		f := sensors.OneFault(sensors.ReasonBadJSON, "", sensors.CodeJSONTrailing, i)
		out[i] = f.Quarantine(q)
	}
	return out
}

// A device that floods the quarantine has its rows of the minute and one row that counts the rest. Another device has its own
// rows.
func TestQuarantineHasABudget(t *testing.T) {
	db := storetest.NewCity(t, 2)
	put := func(qs ...sensors.Quarantined) sensors.BatchResult {
		t.Helper()
		res, err := db.Sensors.CommitBatch(t.Context(), sensors.Batch{Quarantine: qs})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	if res := put(refused("dev-00", storetest.Noon(), 200)...); res.Beyond != 140 {
		t.Errorf("beyond the budget are %d, want 140", res.Beyond)
	}
	for range 10 {
		put(refused("dev-00", storetest.Noon().Add(30*time.Second), 100)...)
	}
	if res := put(refused("dev-01", storetest.Noon(), 5)...); res.Beyond != 0 {
		t.Errorf("another device: %+v", res)
	}
	put(refused("dev-00", storetest.Noon().Add(time.Minute), 61)...)
	qs, err := db.Sensors.Quarantine(t.Context(), storetest.PageOf(1000, 0))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	var sums []string
	for _, q := range qs {
		if q.More == 0 {
			rows[q.DeviceID]++
			continue
		}
		sums = append(sums, fmt.Sprintf("%s +%v: %d, %d bytes, %s, %d faults, %s", q.DeviceID, q.At.Sub(storetest.Noon()), q.More, q.MoreBytes, q.Reason, len(q.Faults), q.Faults[0].Code))
		if !strings.HasPrefix(q.Detail, fmt.Sprintf("%d more in this minute, %d bytes in all", q.More, q.MoreBytes)) {
			t.Errorf("the row says %q", q.Detail)
		}
	}
	want := []string{
		"dev-00 +1m0s: 1, 10 bytes, bad-json, 2 faults, more-in-minute",
		"dev-00 +0s: 1140, 11400 bytes, bad-json, 2 faults, more-in-minute",
	}
	if rows["dev-00"] != 120 || rows["dev-01"] != 5 || !slices.Equal(sums, want) {
		t.Errorf("rows %v, sums %v", rows, sums)
	}
}

// Unregistered senders share one budget, whatever their names, and all devices together have one too.
func TestQuarantineBudgetOfAll(t *testing.T) {
	db := storetest.NewCity(t, 1)
	var qs []sensors.Quarantined
	for i := range 200 {
		q := refused(fmt.Sprint("made-up-", i), storetest.Noon(), 1)[0]
		q.Reason = sensors.ReasonUnknownDevice
		qs = append(qs, q)
	}
	for i := range 500 { // of 50 each, 25,000 in all
		qs = append(qs, refused(fmt.Sprint("dev-", i), storetest.Noon(), 50)...)
	}
	res, err := db.Sensors.CommitBatch(t.Context(), sensors.Batch{Quarantine: qs})
	if err != nil {
		t.Fatal(err)
	}
	n := storetest.Count(t, db, `select count(*) from quarantine where more = 0`)
	if n < 20_000 || n > 20_500 || int64(res.Beyond)+n != int64(len(qs)) {
		t.Errorf("%d rows and %d beyond of %d", n, res.Beyond, len(qs))
	}
	if n := storetest.Count(t, db, `select count(distinct device_id) from quarantine where device_id like 'dev-%' and more = 0`); n != 500 {
		t.Errorf("%d devices have a row, want all 500", n)
	}
	if n := storetest.Count(t, db, `select count(*) from quarantine where device_id like 'made-up%'`); n != 60 {
		t.Errorf("strangers have %d rows, want 60", n)
	}
}

// When the quarantine is full, the oldest rows of the device with most rows are deleted.
func TestQuarantineShares(t *testing.T) {
	db := storetest.NewCity(t, 3)
	_, err := db.Pool().Exec(t.Context(), `
		insert into quarantine (at, device_id, topic, reason, detail, payload, size)
		select now() - make_interval(secs => case device when 'dev-00' then 5000 - n else 10000 - n end), device, '', 'bad-json', n::text, '', 0
		from (values ('dev-00', 900), ('dev-01', 20), ('ghost', 60), ('ghost2', 60)) as d (device, rows), generate_series(1, rows) n`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := db.Sensors.PruneQuarantine(t.Context(), sensorspg.ReadingsPolicy{QuarantineRows: 300})
	if err != nil || got != 740 {
		t.Errorf("pruned %d, %v", got, err)
	}
	for device, want := range map[string]int64{"dev-00": 160, "dev-01": 20, "ghost": 60, "ghost2": 60} {
		if n := storetest.Count(t, db, `select count(*) from quarantine where device_id = '`+device+`'`); n != want {
			t.Errorf("%s has %d rows left, want %d", device, n, want)
		}
	}
	if n := storetest.Count(t, db, `select min(detail::int) from quarantine where device_id = 'dev-00'`); n != 741 {
		t.Errorf("the oldest that is left of dev-00 is %d, want 741", n)
	}
	if got, err := db.Sensors.PruneQuarantine(t.Context(), sensorspg.ReadingsPolicy{QuarantineRows: 100}); err != nil || got != 200 {
		t.Errorf("pruned %d more, %v", got, err)
	}
	if n := storetest.Count(t, db, `select count(*) from quarantine where device_id = 'dev-01'`); n != 20 {
		t.Errorf("dev-01 has %d rows left, want its 20", n)
	}
}

func TestShareOf(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		counts := rapid.SliceOfN(rapid.IntRange(1, 1000), 1, 20).Draw(rt, "counts")
		most := rapid.IntRange(1, 5000).Draw(rt, "most")
		kept := func(share int) (sum int) {
			for _, n := range counts {
				sum += min(n, share)
			}
			return sum
		}
		all := kept(1 << 30)
		share := sensorspg.ShareOf(append([]int(nil), counts...), most)
		if got := kept(share); got > most || all > most && kept(share+1) <= most {
			rt.Errorf("%d each keep %d of at most %d", share, got, most)
		}
	})
}

// A device with a wrong clock causes the partitions of a year and no more. Times near the receipt are never refused.
func TestMonthsOfADeviceAreBounded(t *testing.T) {
	db := storetest.NewCity(t, 2)
	ids := storetest.StreamsOf(t, db)
	before := storetest.Count(t, db, `select count(*) from pg_class where relname ~ '^observation_[a-z]+_[0-9]{4}_[0-9]{2}$'`)
	var obs []sensors.Observation
	for month := range 100 {
		o := storetest.Reading(ids[0], 0, float64(month))
		o.Time = o.ReceivedAt.AddDate(0, -month, -13)
		obs = append(obs, o)
	}
	res := storetest.Commit(t, db, obs...)
	if made := storetest.Count(t, db, `select count(*) from pg_class where relname ~ '^observation_[a-z]+_[0-9]{4}_[0-9]{2}$'`) - before; made > 12+3 || made < 12 {
		t.Errorf("%d months were made", made)
	}
	if res.Stored < 13 || res.Stored > 15 || res.Stored+res.Unknown != 100 {
		t.Errorf("%+v", res)
	}
	if n := storetest.Count(t, db, `select count(*) from quarantine where more = 0 and faults->0->>'code' = 'month-not-opened'`); n != 60 {
		t.Errorf("%d rows say so, want the budget of 60", n)
	}
	other := storetest.Reading(ids[2], 0, 1)
	other.Time = other.ReceivedAt.AddDate(-5, 0, 0)
	if res := storetest.Commit(t, db, other); res.Stored != 1 {
		t.Errorf("another device: %+v", res)
	}
	if res := storetest.Commit(t, db, storetest.Reading(ids[0], 3600, 1)); res.Stored != 1 {
		t.Errorf("what is of now: %+v", res)
	}
}

// Only some of the other values of one reading are kept.
func TestConflictsOfAReadingAreBounded(t *testing.T) {
	db := storetest.NewCity(t, 1)
	id := storetest.StreamsOf(t, db)[0]
	storetest.Commit(t, db, storetest.Reading(id, 0, 0))
	for round := range 3 {
		var obs []sensors.Observation
		for n := range 10 {
			obs = append(obs, storetest.Reading(id, 0, float64(1+10*round+n)))
		}
		storetest.Commit(t, db, obs...)
	}
	if n := storetest.Count(t, db, `select count(*) from observation_conflict`); n != 16 {
		t.Errorf("%d values are kept, want 16", n)
	}
}

// A month that is dropped while a writer has it in its cache is created again, and every session sees it.
func TestAMonthDroppedBehindTheBack(t *testing.T) {
	db := storetest.NewCity(t, 1)
	id := storetest.StreamsOf(t, db)[0]
	for n := range 5 {
		if res := storetest.Commit(t, db, storetest.Reading(id, n, 1)); res.Stored != 1 {
			t.Fatalf("%+v", res)
		}
		if _, err := db.Pool().Exec(t.Context(), `drop table observation_standard_2026_03`); err != nil {
			t.Fatal(err)
		}
	}
	if n := storetest.Count(t, db, `select count(*) from observation`); n != 0 {
		t.Errorf("%d are left", n)
	}
}
