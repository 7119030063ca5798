package sensorspg_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
	sensorspg "onemap/sensors/pg"
)

// fillSeries writes n readings of every datastream directly into the table, one per step. One of them is a single peak.
func fillSeries(t testing.TB, db *stores.Stores, ids []int64, from time.Time, step time.Duration, n int) {
	t.Helper()
	months := from
	for ; months.Before(from.Add(step*time.Duration(n)).AddDate(0, 1, 0)); months = months.AddDate(0, 1, 0) {
		for _, id := range ids { // makes the partitions
			storetest.Commit(t, db, sensors.Observation{DatastreamID: id, Time: months.Add(-time.Millisecond), ReceivedAt: months, QC: sensors.QCGood})
		}
	}
	_, err := db.Pool().Exec(t.Context(), `
		insert into observation (retention, datastream_id, ts, value, qc, time_source, seq, received_at)
		select t.retention, s.id, $2::timestamptz + i * $3::interval, case when i = $4 / 2 then 1000 else sin(i / 700.0) end, 1, 1, i, $2::timestamptz + i * $3::interval
		from generate_series(0, $4::int - 1) i, datastream s join datastream_type t on t.code = s.type where s.id = any($1)`, ids, from, step, n)
	if err != nil {
		t.Fatal(err)
	}
}

func TestChartOfAMonth(t *testing.T) {
	db := storetest.NewCity(t, 2)
	ids := storetest.StreamsOf(t, db)
	levels := []int64{ids[0], ids[2]}
	from := time.Date(2026, 1, 20, 0, 0, 0, 0, time.UTC)
	fillSeries(t, db, levels, from, time.Minute, 30*24*60)
	c, err := db.Sensors.Chart(t.Context(), storetest.CityScope(), levels[0], from, from.AddDate(0, 0, 30), 2000)
	if err != nil {
		t.Fatal(err)
	}
	peak := false
	for _, p := range c.Points {
		peak = peak || p.Value == 1000 && p.Time.Equal(from.Add(15*24*time.Hour))
	}
	if !peak || c.Rows != 30*24*60 || c.Exact || len(c.Points) > 2000 || len(c.Points) < 1500 || c.BucketS <= 60 {
		t.Errorf("%d points of %d rows, exact %t, buckets of %g s, peak %t", len(c.Points), c.Rows, c.Exact, c.BucketS, peak)
	}
	few, err := db.Sensors.Chart(t.Context(), storetest.CityScope(), levels[0], from, from.Add(time.Hour), 2000)
	if err != nil || !few.Exact || len(few.Points) != 60 {
		t.Fatalf("an hour: %d points, %v", len(few.Points), err)
	}
	all, _, err := db.Sensors.Observations(t.Context(), storetest.CityScope(), levels[0], from, from.Add(time.Hour), 100)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(all, few.Points); d != "" {
		t.Errorf("the same hour as a list (-list +chart):\n%s", d)
	}
	if _, err := db.Sensors.Chart(t.Context(), core.Scope{Division: "370614"}, levels[0], from, from.Add(time.Hour), 10); !fault.Is(err, fault.NotFound) {
		t.Errorf("from another county: %v", err)
	}
}

// For any period and number of points, all flagged readings are counted, as in the database.
func TestChartCountsWhatIsFlagged(t *testing.T) {
	db := storetest.NewCity(t, 1)
	id := storetest.StreamsOf(t, db)[0]
	from := time.Date(2026, 1, 20, 0, 0, 0, 0, time.UTC)
	const rows = 3 * 24 * 60
	fillSeries(t, db, []int64{id}, from, time.Minute, rows)
	if _, err := db.Pool().Exec(t.Context(), `
		update observation set qc = case when seq % 5 = 0 then 1 else (array[4, 9, 3, 1])[1 + (hashint8(seq) & 3)] end, time_source = 1 + 2 * (hashint8(seq) >> 2 & 1)
		where datastream_id = $1 and hashint8(seq / 40) % 4 = 0`, id); err != nil { // some stretches of 40
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		begin := from.Add(time.Duration(rapid.IntRange(0, rows-1).Draw(rt, "begin")) * time.Minute)
		end := begin.Add(time.Duration(rapid.IntRange(1, rows).Draw(rt, "seconds")) * 60 * time.Second)
		c, err := db.Sensors.Chart(t.Context(), storetest.CityScope(), id, begin, end, rapid.SampledFrom([]int{4, 7, 30, 300, 2000}).Draw(rt, "points"))
		if err != nil {
			rt.Fatal(err)
		}
		if c.Exact {
			if len(c.Flagged) > 0 {
				rt.Fatalf("every reading is a point, and yet %v", c.Flagged)
			}
			return
		}
		width := time.Duration(math.Round(c.BucketS * float64(time.Second)))
		found, err := db.Pool().Query(t.Context(), `
			select b::bigint, count(*) filter (where qc = 4), count(*) filter (where qc = 9),
				count(*) filter (where qc = 3), count(*) filter (where qc not in (3, 4, 9))
			from observation, floor(extract(epoch from ts - $2) * 1000000000 / $4::bigint) b
			where datastream_id = $1 and ts >= $2 and ts < $3 and (qc in (3, 4, 9) or time_source = 3) group by b order by b`, id, begin, end, int64(width))
		if err != nil {
			rt.Fatal(err)
		}
		want, err := pgx.CollectRows(found, func(row pgx.CollectableRow) (f sensors.Flagged, err error) {
			var bucket int64
			err = row.Scan(&bucket, &f.Bad, &f.Missing, &f.Suspect, &f.Ahead)
			f.Time = begin.Add(time.Duration(bucket) * width)
			return f, err
		})
		if err != nil {
			rt.Fatal(err)
		}
		if d := cmp.Diff(want, c.Flagged, cmpopts.EquateEmpty()); d != "" {
			rt.Fatalf("(-want +got)\n%s", d)
		}
	})
}

func TestChartShowsConflictsOfItsPeriod(t *testing.T) {
	db := storetest.NewCity(t, 1)
	id := storetest.StreamsOf(t, db)[0]
	storetest.Commit(t, db, storetest.Reading(id, 0, 1), storetest.Reading(id, 7200, 2))
	storetest.Commit(t, db, storetest.Reading(id, 0, 5), storetest.Reading(id, 7200, 6))
	c, err := db.Sensors.Chart(t.Context(), storetest.CityScope(), id, storetest.Noon().Add(-time.Hour), storetest.Noon().Add(time.Hour), 100)
	if err != nil || len(c.Conflicts) != 1 || c.Conflicts[0].Value != 5 || c.Conflicts[0].Stored == nil || *c.Conflicts[0].Stored != 1 {
		t.Errorf("%+v, %v", c.Conflicts, err)
	}
}

// A chart reads only the partitions of its period, and of these only the key.
func TestChartReadsOnlyItsMonths(t *testing.T) {
	db := storetest.NewCity(t, 1)
	id := storetest.StreamsOf(t, db)[0]
	from := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	fillSeries(t, db, []int64{id}, from, time.Hour, 24*120)
	if _, err := db.Pool().Exec(t.Context(), `vacuum analyze observation`); err != nil {
		t.Fatal(err)
	}
	for _, plan := range []string{"force_custom_plan", "force_generic_plan"} {
		tx, err := db.Pool().Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), "set local plan_cache_mode = "+plan); err != nil {
			t.Fatal(err)
		}
		rows, err := tx.Query(t.Context(), `explain (analyze, costs off) `+sensorspg.ChartSQL, "standard", id, from.AddDate(0, 1, 0), from.AddDate(0, 2, -10))
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&text, line)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := text.String()
		if !strings.Contains(got, "Index Only Scan") || strings.Count(got, "Heap Fetches: 0") != strings.Count(got, "Heap Fetches") {
			t.Errorf("%s looks rows up in the table:\n%s", plan, got)
		}
		if !strings.Contains(got, "observation_standard_2026_02") || strings.Contains(got, "Seq Scan") || strings.Contains(got, "2026_04") || strings.Contains(got, "Sort") {
			t.Errorf("%s:\n%s", plan, got)
		}
	}
}

// BenchmarkChart reads a month of one series with one reading per minute, among others. The baseline only counts its rows in
// the database.
func BenchmarkChart(b *testing.B) {
	db := storetest.NewCity(b, 10)
	ids := storetest.StreamsOf(b, db)
	from := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	fillSeries(b, db, ids, from, time.Minute, 30*24*60)
	if _, err := db.Pool().Exec(b.Context(), `vacuum analyze observation`); err != nil {
		b.Fatal(err)
	}
	to := from.AddDate(0, 0, 30)
	benchCharts(b, db, ids[0], from, to)
}

// BenchmarkChartOfSeconds is the same for a million rows, one per second.
func BenchmarkChartOfSeconds(b *testing.B) {
	db := storetest.NewCity(b, 1)
	id := storetest.StreamsOf(b, db)[0]
	from := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	const rows = 1_000_000
	fillSeries(b, db, []int64{id}, from, time.Second, rows)
	if _, err := db.Pool().Exec(b.Context(), `vacuum analyze observation`); err != nil {
		b.Fatal(err)
	}
	benchCharts(b, db, id, from, from.Add(rows*time.Second))
}

// benchCharts compares a chart with other ways to get the same points.
func benchCharts(b *testing.B, db *stores.Stores, id int64, from, to time.Time) {
	b.Run("chart", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Sensors.Chart(b.Context(), storetest.CityScope(), id, from, to, 2000); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("counted in SQL", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Pool().Exec(b.Context(), `select count(value) from observation where retention = 'standard' and datastream_id = $1 and ts >= $2 and ts < $3`, id, from, to); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("extremes and their times in SQL", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Pool().Exec(b.Context(), `
				with o as materialized (
					select width_bucket(extract(epoch from ts)::float8, extract(epoch from $2::timestamptz)::float8, extract(epoch from $3::timestamptz)::float8, 899) as b, ts, value
					from observation where retention = 'standard' and datastream_id = $1 and ts >= $2 and ts < $3
				), e as (select b, min(value) as lo, max(value) as hi from o group by b)
				select o.b, o.value, min(o.ts) from o join e on e.b = o.b and (o.value = e.lo or o.value = e.hi) group by o.b, o.value order by 3`,
				id, from, to); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("windowed in SQL", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Pool().Exec(b.Context(), `
				select ts, value from (
					select ts, value, row_number() over (partition by b order by value, ts) as lo, row_number() over (partition by b order by value desc, ts) as hi
					from (
						select width_bucket(extract(epoch from ts)::float8, extract(epoch from $2::timestamptz)::float8, extract(epoch from $3::timestamptz)::float8, 899) as b, ts, value
						from observation where retention = 'standard' and datastream_id = $1 and ts >= $2 and ts < $3
					) o
				) w where lo = 1 or hi = 1 order by ts`,
				id, from, to); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("grouped once in SQL", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Pool().Exec(b.Context(), `
				select min(array[value, extract(epoch from ts)::float8]), max(array[value, extract(epoch from ts)::float8])
				from observation where retention = 'standard' and datastream_id = $1 and ts >= $2 and ts < $3
				group by width_bucket(extract(epoch from ts)::float8, extract(epoch from $2::timestamptz)::float8, extract(epoch from $3::timestamptz)::float8, 899)`,
				id, from, to); err != nil {
				b.Fatal(err)
			}
		}
	})
}
