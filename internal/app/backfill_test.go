package app_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"onemap/internal/app/stores"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"onemap/internal/app"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/backfill"
)

// importFrom is the first time in the tests' files.
var importFrom = time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -20)

// row is one line of a test's CSV.
func row(device string, second int, value any) string {
	return fmt.Sprintf("%s,level,%s,%v\n", device, importFrom.Add(time.Duration(second)*time.Second).Format(time.RFC3339), value)
}

const head = "device,datastream,t,v\n"

func textFile(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func importReadings(ctx context.Context, url string, o app.BackfillOptions) (app.BackfillReport, error) {
	o.Synthetic = true
	return app.ImportObservations(ctx, url, o, slog.New(slog.DiscardHandler))
}

// stored returns every stored reading as "device second value", and every conflict with a "!".
func stored(t testing.TB, url string) map[string]int {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx) //nolint:errcheck // a test's reader
	rows, err := conn.Query(ctx, `
		select s.device_id, o.ts, o.value, o.mark from (
			select datastream_id, ts, value, '' as mark from observation
			union all select datastream_id, ts, value, '!' from observation_conflict) o
		join datastream s on s.id = o.datastream_id`)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]int{}
	var device, mark string
	var at time.Time
	var value float64
	_, err = pgx.ForEachRow(rows, []any{&device, &at, &value, &mark}, func() error {
		all[fmt.Sprintf("%s %d %g%s", device, int(at.Sub(importFrom).Seconds()), value, mark)]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A file with a fault of each kind: valid lines are stored, faulty lines are in the file of rejects with their line numbers,
// and everything is counted. The same file again changes nothing; with force it is read again and every reading is a
// duplicate.
func TestImportObservations(t *testing.T) {
	url, _ := seededDatabase(t, 2)
	text := head + row("dev-0", 0, 1) + row("dev-0", 60, 2) + row("dev-0", 60, 2) + row("dev-0", 60, 2.5) +
		row("nobody", 0, 1) + row("dev-1", 0, "1.5m") + row("dev-1", 0, "NaN") + row("dev-1", 60, 99) + "dev-1,level,yesterday,1\n" + row("dev-1", -9*366*86400, 1) + row("dev-1", 0, 4)
	path := textFile(t, "a.csv", text)
	r, err := importReadings(t.Context(), url, app.BackfillOptions{Path: path, ChunkRows: 2})
	if err != nil {
		t.Fatal(err)
	}
	want := backfill.Counts{
		Records: 11, Stored: 4, Late: 1, History: 3, Duplicates: 1, Conflicts: 1, Bad: 1, Missing: 1,
		Refused: map[string]int64{backfill.ReasonNoDevice: 1, backfill.ReasonBadValue: 1, backfill.ReasonBadTime: 1, backfill.ReasonExpired: 1},
	}
	if d := cmp.Diff(want, r.State.Counts); d != "" || !r.Finished || r.Already || r.Resumed != 0 {
		t.Errorf("report %+v (-want +got):\n%s", r, d)
	}
	have := map[string]int{"dev-0 0 1": 1, "dev-0 60 2": 1, "dev-0 60 2.5!": 1, "dev-1 60 99": 1, "dev-1 0 4": 1}
	if d := cmp.Diff(have, stored(t, url)); d != "" {
		t.Errorf("stored (-want +got):\n%s", d)
	}
	rejects, err := os.ReadFile(path + ".rejects.csv")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(rejects)), "\n")
	for i, begin := range []string{"line,reason,", "6,unknown-device,", "7,bad-value,", "10,bad-time,", "11,expired,"} {
		if len(lines) != 5 || !strings.HasPrefix(lines[i], begin) {
			t.Fatalf("rejects:\n%s", rejects)
		}
	}
	for _, force := range []bool{false, true} { // four were refused, which is reason enough
		r, err = importReadings(t.Context(), url, app.BackfillOptions{Path: path, Again: force})
		if err != nil || r.Already || r.State.Counts.Duplicates != 6 || r.State.Counts.Stored+r.State.Counts.Conflicts != 0 || (r.Before == 4) == force {
			t.Errorf("once more, by force %v: %+v, %v", force, r, err)
		}
	}
	again, err := os.ReadFile(path + ".rejects.csv")
	if err != nil || !bytes.Equal(again, rejects) {
		t.Errorf("the rejects of the second time:\n%s%v", again, err)
	}
	if d := cmp.Diff(have, stored(t, url)); d != "" {
		t.Errorf("stored after that (-want +got):\n%s", d)
	}
}

// A file is finished when all of its lines are stored. A file with a line of an unknown device is read again after the device
// is created, and not a third time.
func TestImportObservationsOnceTheDeviceIsThere(t *testing.T) {
	url, _ := seededDatabase(t, 1)
	db, err := stores.Open(t.Context(), stores.Options{URL: url, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	path := textFile(t, "a.csv", head+row("late", 0, 1)+row("dev-0", 0, 2))
	report := func(want app.BackfillReport) {
		t.Helper()
		r, err := importReadings(t.Context(), url, app.BackfillOptions{Path: path})
		if err != nil || !r.Finished || r.Before != want.Before || r.Already != want.Already {
			t.Errorf("%+v, %v; want %+v", r, err, want)
		}
	}
	report(app.BackfillReport{})
	_, err = db.Sensors.CreateDevice(t.Context(), sensors.Device{
		ID: "late", Division: "370602", Name: core.Text{ZH: "水位站"}, HazardType: "flood", Lon: 121.4, Lat: 37.5,
		Origin: core.OriginSynthetic, Source: "test", Enabled: true, Streams: []sensors.Datastream{{Name: "level", Type: "water_level"}},
	}, sensors.HashSecret("secret"), "test")
	if err != nil {
		t.Fatal(err)
	}
	report(app.BackfillReport{Before: 1})
	report(app.BackfillReport{Already: true})
	if d := cmp.Diff(map[string]int{"late 0 1": 1, "dev-0 0 2": 1}, stored(t, url)); d != "" {
		t.Errorf("stored (-want +got):\n%s", d)
	}
}

// gzip, standard input, NDJSON in the devices' format and a given time zone all store the same rows.
func TestImportObservationsInOtherClothes(t *testing.T) {
	text := head + row("dev-0", 0, 1) + row("dev-0", 60, 2)
	want := map[string]int{"dev-0 0 1": 1, "dev-0 60 2": 1}
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	zone := time.FixedZone("east", 8*3600)
	local := strings.NewReplacer("T", " ", "Z", "")
	noZone := head + "dev-0,level," + local.Replace(importFrom.In(zone).Format("2006-01-02T15:04:05")) + ",1\ndev-0,level," + importFrom.Add(time.Minute).Format(time.RFC3339) + ",2\n"
	lines := fmt.Sprintf("{\"device\":\"dev-0\",\"t\":%q,\"v\":{\"level\":1}}\n{\"device\":\"dev-0\",\"datastream\":\"level\",\"t\":%q,\"v\":2}\n",
		importFrom.Format(time.RFC3339), importFrom.Add(time.Minute).Format(time.RFC3339))
	for name, o := range map[string]app.BackfillOptions{
		"gzip":   {Path: textFile(t, "a.csv.gz", zipped.String())},
		"stdin":  {Path: "-", Stdin: strings.NewReader(text), Rejects: filepath.Join(t.TempDir(), "rejects")},
		"ndjson": {Path: textFile(t, "a.ndjson", lines)},
		"zone":   {Path: textFile(t, "b.csv", noZone), Read: backfill.Options{Zone: zone}},
	} {
		url, _ := seededDatabase(t, 1)
		r, err := importReadings(t.Context(), url, o)
		if err != nil || r.State.Counts.Stored != 2 || r.State.Counts.RefusedAll() != 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if d := cmp.Diff(want, stored(t, url)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// A case that a person must decide stops the import with an error that names the flag or the line; what was committed before
// stays.
func TestImportObservationsStops(t *testing.T) {
	url, _ := seededDatabase(t, 1)
	good := row("dev-0", 0, 1)
	for name, c := range map[string]struct {
		text     string
		o        app.BackfillOptions
		real     bool
		field    string
		contains string
	}{
		"strict":         {head + good + row("nobody", 0, 1), app.BackfillOptions{Strict: true}, false, "line 3", "nobody"},
		"no zone":        {head + "dev-0,level,2026-03-14 12:00,1\n", app.BackfillOptions{}, false, "--zone", "line 2"},
		"synthetic":      {head + good, app.BackfillOptions{}, true, "--synthetic", "dev-0"},
		"GBK":            {"\xc9\xe8\xb1\xb8,t,v\n", app.BackfillOptions{}, false, "line 1", "there are: 设备"},
		"epochs":         {head + "dev-0,level,1763596800000,1\n", app.BackfillOptions{}, false, "--epoch", "line 2"},
		"chunk":          {head, app.BackfillOptions{ChunkRows: 1e6}, false, "--chunk", "50000"},
		"truncated gzip": {"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b", app.BackfillOptions{}, false, "", "unexpected EOF"},
	} {
		c.o.Path = textFile(t, "a.csv", c.text)
		run := importReadings
		if c.real {
			run = func(ctx context.Context, url string, o app.BackfillOptions) (app.BackfillReport, error) {
				return app.ImportObservations(ctx, url, o, slog.New(slog.DiscardHandler))
			}
		}
		r, err := run(t.Context(), url, c.o)
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || e.Kind != fault.Invalid || e.Field != c.field || !strings.Contains(err.Error(), c.contains) || r.Finished {
			t.Errorf("%s: error %v (%+v), want field %q and %q", name, err, r, c.field, c.contains)
		}
	}
	if d := cmp.Diff(map[string]int{"dev-0 0 1": 1}, stored(t, url)); d != "" {
		t.Errorf("stored (-want +got):\n%s", d)
	}
}

// plainImport is the model of the test: an import into a map, line by line.
type plainImport struct {
	values  map[string]int // by device and second
	stored  map[string]int // as stored gives it
	counts  backfill.Counts
	refused int64
}

// take adds a reading.
func (p *plainImport) take(device string, second, value int) {
	p.counts.Records++
	key := fmt.Sprintf("%s %d", device, second)
	conflict := fmt.Sprintf("%s %d!", key, value)
	switch old, ok := p.values[key]; {
	case !ok:
		p.values[key] = value
		p.stored[fmt.Sprintf("%s %d", key, value)] = 1
		p.counts.Stored++
	case old != value && p.stored[conflict] == 0:
		p.stored[conflict] = 1
		p.counts.Conflicts++
	default:
		p.counts.Duplicates++
	}
}

// refuse counts a line that is not a reading.
func (p *plainImport) refuse() {
	p.counts.Records++
	p.refused++
}

// drawnFile returns a CSV of n lines and the expected result of its import.
func drawnFile(rt *rapid.T, lines int) (string, *plainImport) {
	p := &plainImport{values: map[string]int{}, stored: map[string]int{}}
	var text strings.Builder
	text.WriteString(head)
	for range lines {
		if rapid.IntRange(0, 9).Draw(rt, "bad") == 0 {
			p.refuse()
			text.WriteString(rapid.SampledFrom([]string{row("nobody", 0, 1), row("dev-0", 0, "x"), "dev-0,\"level\n", "a,b\n", "dev-0,level,2026,1\n"}).Draw(rt, "line"))
			continue
		}
		device := fmt.Sprintf("dev-%d", rapid.SampledFrom([]int{0, 1, 2}).Draw(rt, "device"))
		second, value := rapid.IntRange(0, 20).Draw(rt, "second"), rapid.IntRange(0, 2).Draw(rt, "value")
		p.take(device, second, value)
		text.WriteString(row(device, second, value))
	}
	return text.String(), p
}

// For every file, size of a commit and point where the import is stopped, the stored readings, the conflicts, the refused
// lines and the counts equal those of a map that takes the lines one by one.
func TestImportObservationsLikeAMap(t *testing.T) {
	url, _ := seededDatabase(t, 3)
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx) //nolint:errcheck // a test's writer
	dir := t.TempDir()
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		if _, err := conn.Exec(ctx, `truncate observation, observation_conflict, latest, ingest_batch, observation_import`); err != nil {
			t.Fatal(err)
		}
		n := rapid.IntRange(1, 60).Draw(rt, "lines")
		text, want := drawnFile(rt, n)
		path := filepath.Join(dir, fmt.Sprintf("%d.csv", round))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		// now is one second after the last reading, or later; then some or all readings are older than StaleAfter, three intervals
		// of one minute
		now := importFrom.Add(time.Duration(rapid.SampledFrom([]int{21, 190, 3600}).Draw(rt, "now")) * time.Second)
		var report app.BackfillReport
		for run := 0; !report.Finished; run++ {
			report = runUntil(rt, url, path, now, rapid.IntRange(1, 20).Draw(rt, "chunk"), rapid.IntRange(1, 6).Draw(rt, "commits"))
			if run > n+1 {
				rt.Fatal("it never ends")
			}
		}
		if d := cmp.Diff(want.stored, stored(t, url)); d != "" {
			rt.Fatalf("stored (-want +got):\n%s", d)
		}
		got := report.State.Counts
		if d := cmp.Diff(want.counts, got, cmpopts.IgnoreFields(backfill.Counts{}, "Refused", "Late", "History")); d != "" || got.RefusedAll() != want.refused {
			rt.Fatalf("counts, refused %d of %d (-want +got):\n%s", got.RefusedAll(), want.refused, d)
		}
		if lines := rejectLines(t, path); lines != want.refused {
			rt.Fatalf("%d lines of rejects, want %d", lines, want.refused)
		}
		var stale int
		err := conn.QueryRow(ctx, `select count(*) from latest l full join (select datastream_id, max(ts) as ts from observation group by 1) o using (datastream_id)
			where l.ts is distinct from o.ts or (o.ts > $1) <> exists (select from ingest_batch b, unnest(b.datastream_ids, b.times) u (id, ts) where u.id = datastream_id and u.ts = o.ts)
				or exists (select from ingest_batch b, unnest(b.times) u where u <= $1)`, now.Add(-sensors.StaleAfter(60))).Scan(&stale)
		if err != nil || stale != 0 {
			rt.Fatalf("of %d datastreams the newest reading is not the latest, or the rules were not told, or were told of history (%v)", stale, err)
		}
	})
}

// runUntil imports until the given number of commits is done and cancels the import then, as a kill between two commits does.
func runUntil(rt *rapid.T, url, path string, now time.Time, chunk, commits int) app.BackfillReport {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, err := importReadings(ctx, url, app.BackfillOptions{Path: path, ChunkRows: chunk, Clock: func() time.Time { return now }, Progress: func(app.BackfillProgress) {
		if commits--; commits == 0 {
			cancel()
		}
	}})
	if err != nil && !errors.Is(err, context.Canceled) {
		rt.Fatal(err)
	}
	return r
}

// rejectLines counts the records of the file of rejects.
func rejectLines(t testing.TB, path string) int64 {
	t.Helper()
	b, err := os.ReadFile(path + ".rejects.csv")
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return int64(bytes.Count(b, []byte("\n"))) - 1
}

// A reading over the threshold in a file raises its alert. An old one in the same file does not, and neither does history of
// a datastream that has no reading yet.
func TestImportedReadingsAreJudged(t *testing.T) {
	d := startDemo(t, demoDir(t))
	u := login(t, d.Info(), "r370602")
	dev := d.Info().Device
	now := time.Now().UTC().Truncate(time.Second)
	line := func(ago time.Duration, v float64) string {
		return fmt.Sprintf("%s,%s,%s,%g\n", dev.ID, dev.Datastream, now.Add(-ago).Format(time.RFC3339), v)
	}
	take := func(text string, stored, history, late int64) {
		t.Helper()
		r, err := importReadings(t.Context(), d.Info().Database, app.BackfillOptions{Path: textFile(t, "a.csv", head+text), ChunkRows: 1})
		if n := r.State.Counts; err != nil || n.Stored != stored || n.History != history || n.Late != late {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	take(line(3*time.Hour, dev.RedAbove+0.5)+line(2*time.Hour, dev.RedAbove+0.6), 2, 2, 0)
	take(line(time.Minute, dev.ClearBelow-0.5)+line(time.Hour, dev.RedAbove+0.5), 2, 0, 1)
	take(line(0, dev.RedAbove+0.5), 1, 0, 0)
	eventually(t, "the device is red", func() bool { return u.level(dev.ID) == core.Red })
	conn, err := pgx.Connect(t.Context(), d.Info().Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // a test's reader
	var alerts int
	var onset time.Time
	if err := conn.QueryRow(t.Context(), `select count(*), min(onset) from alert where device_id = $1`, dev.ID).Scan(&alerts, &onset); err != nil || alerts != 1 || !onset.Equal(now) {
		t.Errorf("%d alerts, the first of %s, want one of %s (%v)", alerts, onset, now, err)
	}
}
