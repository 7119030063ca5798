package app_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/demo/pgcluster"
	"onemap/internal/app"
	"onemap/internal/pg"
)

// BenchmarkImportObservations imports two million readings into one month's partition, on a cluster with fsync on: once in
// the order of a file of all stations (by time), and once station after station. The baseline is a bare CopyFrom of the same
// rows into the same partition. Run it with -benchtime 1x.
func BenchmarkImportObservations(b *testing.B) {
	const streams, times = 100, 20_000
	dir := demoDir(b)
	server, err := pgcluster.Start(b.Context(), pgcluster.Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Stop(b.Context()) //nolint:errcheck // its folder is removed
	url := server.URL("bench")
	if err := errors.Join(server.EnsureDatabase(b.Context(), "bench"), pg.Migrate(b.Context(), url, nil)); err != nil {
		b.Fatal(err)
	}
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context()) //nolint:errcheck // a test's writer
	fill(b, conn, streams)
	from := time.Now().UTC().AddDate(0, 0, -15)
	from = time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC)
	at := func(i int) time.Time { return from.Add(time.Duration(i) * time.Minute) }
	empty := func() {
		if _, err := conn.Exec(b.Context(), `truncate observation, observation_conflict, latest, ingest_batch, observation_import; checkpoint`); err != nil {
			b.Fatal(err)
		}
	}
	byTime := benchFile(b, "time.csv", streams*times, at, func(i int) (int, int) { return i % streams, i / streams })
	byStream := benchFile(b, "stream.csv", streams*times, at, func(i int) (int, int) { return i / times, i % times })
	run := func(path string, o app.BackfillOptions) func(*testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				if !o.Again {
					empty()
				}
				b.StartTimer()
				o.Path = path
				if r, err := importReadings(b.Context(), url, o); err != nil || r.Rows != streams*times {
					b.Fatalf("%+v, %v", r, err)
				}
			}
			b.ReportMetric(float64(b.N)*streams*times/b.Elapsed().Seconds(), "rows/s")
		}
	}
	b.Run("news by time", run(byTime, app.BackfillOptions{}))
	b.Run("the same again", run(byTime, app.BackfillOptions{Again: true}))
	b.Run("news by station", run(byStream, app.BackfillOptions{}))
	empty()
	late(b, conn)
	b.Run("late by time", func(b *testing.B) {
		for b.Loop() {
			if r, err := importReadings(b.Context(), url, app.BackfillOptions{Path: byTime}); err != nil || r.State.Counts.Late != streams*times {
				b.Fatalf("%+v, %v", r, err)
			}
		}
		b.ReportMetric(streams*times/b.Elapsed().Seconds(), "rows/s")
	})
	b.Run("bare CopyFrom", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			empty()
			b.StartTimer()
			bareCopy(b, conn, streams, times, at)
		}
		b.ReportMetric(float64(b.N)*streams*times/b.Elapsed().Seconds(), "rows/s")
	})
}

// benchFile writes a CSV of the given number of readings; of returns the datastream and the time of each.
func benchFile(b *testing.B, name string, rows int, at func(int) time.Time, of func(i int) (stream, time int)) string {
	path := filepath.Join(b.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(f)
	_, _ = w.WriteString(head) // Flush gives the error
	for i := range rows {
		s, n := of(i)
		_, _ = fmt.Fprintf(w, "dev-%d,level,%s,%s\n", s, at(n).Format(time.RFC3339), strconv.FormatFloat(float64(i%2500)/100, 'f', 2, 64))
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		b.Fatal(err)
	}
	return path
}

// fill creates devices with one datastream each, numbered from 1.
func fill(b *testing.B, conn *pgx.Conn, devices int) {
	for _, sql := range []string{
		`insert into hazard_type (code, title_zh, title_en, sector, cap_category, radius_m) values ('flood', '洪水', '', 'natural_disaster', 'Met', 2000)`,
		`insert into datastream_type (code, title_zh, title_en, unit, symbol, hazard_type, gross_min, gross_max) values ('level', '水位', '', 'm', 'm', 'flood', -5, 30)`,
		`insert into device (id, division_code, name_zh, hazard_type, geom, secret_sha256, origin)
			select 'dev-' || i, '370602', '演示', 'flood', 'srid=4326;point(121.4 37.5)', '', 'synthetic' from generate_series(0, ` + strconv.Itoa(devices-1) + `) i`,
		`insert into datastream (device_id, name, type) select id, 'level', 'level' from device order by substr(id, 5)::int`,
	} {
		if _, err := conn.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
}

// late stores a reading of the present time for every datastream, so that older readings are late.
func late(b *testing.B, conn *pgx.Conn) {
	if _, err := conn.Exec(b.Context(), `insert into latest select id, now(), 0, 1, 1, now() from datastream`); err != nil {
		b.Fatal(err)
	}
}

// bareCopy writes the rows with pgx's CopyFrom, 20,000 in a transaction, and does nothing else.
func bareCopy(b *testing.B, conn *pgx.Conn, streams, times int, at func(int) time.Time) {
	const chunk = 20_000
	now, partition := time.Now(), "observation_standard_"+at(0).Format("2006_01")
	columns := []string{"retention", "datastream_id", "ts", "value", "qc", "time_source", "seq", "received_at"}
	for begin := 0; begin < streams*times; begin += chunk {
		src := pgx.CopyFromSlice(chunk, func(i int) ([]any, error) {
			i += begin
			return []any{"standard", int64(i%streams + 1), at(i / streams), float64(i%2500) / 100, int16(1), int16(1), int64(i), now}, nil
		})
		if _, err := conn.CopyFrom(b.Context(), pgx.Identifier{partition}, columns, src); err != nil {
			b.Fatal(err)
		}
	}
}
