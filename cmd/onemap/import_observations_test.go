package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/text/encoding/simplifiedchinese"

	"onemap/internal/app"
	"onemap/internal/app/stores/storetest"
)

func TestImportObservationsCommand(t *testing.T) {
	url := storetest.NewURL(t)
	t.Setenv("ONEMAP_DATABASE", url)
	conn := oneDevice(t, url)
	day := time.Now().AddDate(0, 0, -3).Format(time.DateOnly)
	path := file(t, "a.csv", "站,项,when,reading\na,level,"+day+" 08:00,1\na,level,"+day+" 09:00,2\nb,level,"+day+" 09:00,2\n")
	args := []string{
		"import-observations", "--device", "站", "--datastream", "项", "--time", "when", "--value", "reading", "--zone", "Asia/Shanghai", path,
	}
	for _, want := range []string{"imported: 3 records, stored 2 (new 0, history 2, late 0), duplicates 0, conflicts 0, flagged bad 0, missing 0, refused 1", "imported before, with 1 readings refused; it is read once more"} {
		code, out, errOut := command(t, args...)
		if code != exitRefused || !strings.Contains(out, want) {
			t.Fatalf("exit %d, no %q in\n%s%s", code, want, out, errOut)
		}
	}
	whole := file(t, "whole.csv", "device,datastream,t,v\na,level,"+day+" 08:00,1\n")
	for _, want := range []string{"duplicates 1,", "already imported"} {
		code, out, errOut := command(t, "import-observations", "--zone", "Asia/Shanghai", whole)
		if code != exitOK || !strings.Contains(out, want) {
			t.Fatalf("exit %d, no %q in\n%s%s", code, want, out, errOut)
		}
	}
	var first time.Time
	if err := conn.QueryRow(t.Context(), `select min(ts) from observation`).Scan(&first); err != nil || first.UTC().Format(time.DateTime) != day+" 00:00:00" {
		t.Errorf("the first reading is of %s, want midnight in UTC (%v)", first, err)
	}
	if b, err := os.ReadFile(path + ".rejects.csv"); err != nil || !strings.Contains(string(b), "4,unknown-device,站: there is no device b,") || !strings.HasSuffix(string(b), ",站\n") {
		t.Errorf("rejects: %s (%v)", b, err)
	}
	none := file(t, "none.csv", "device,datastream,t,v\nb,level,"+day+" 09:00,2\n")
	if code, out, errOut := command(t, "import-observations", "--zone", "UTC", none); code != exitUsage || !strings.Contains(errOut, "all 1 rows were refused") {
		t.Errorf("exit %d of a file of which all is refused:\n%s%s", code, out, errOut)
	}
	for flag, more := range map[string][]string{
		"--zone": {"--zone", "Moon", path}, "--rejects": {"--rejects", "x", path, path}, "--chunk": {"--chunk", "0", path}, "--wait": {"--wait", "-1s", path}, "line 3": {"--zone", "UTC", "--strict", file(t, "b.csv", "device,datastream,t,v\na,level,"+day+" 10:00,1\nb,level,"+day+" 10:00,1\n")},
		"/no/such.csv": {"/no/such.csv"},
	} {
		code, out, errOut := command(t, append([]string{"import-observations"}, more...)...)
		if code != exitUsage || !strings.Contains(errOut, flag) {
			t.Errorf("%v: exit %d, no %s in\n%s%s", more, code, flag, out, errOut)
		}
	}
}

// oneDevice creates an empty database with the device "a" and its datastream "level".
func oneDevice(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	for _, sql := range []string{
		`insert into hazard_type (code, title_zh, title_en, sector, cap_category, radius_m) values ('flood', '洪水', '', 'natural_disaster', 'Met', 2000)`,
		`insert into datastream_type (code, title_zh, title_en, unit, symbol, hazard_type, gross_min, gross_max) values ('level', '水位', '', 'm', 'm', 'flood', -5, 30)`,
		`insert into device (id, division_code, name_zh, hazard_type, geom, secret_sha256, origin) values ('a', '370602', '演示', 'flood', 'srid=4326;point(121.4 37.5)', '', 'real')`,
		`insert into datastream (device_id, name, type) values ('a', 'level', 'level')`,
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	return conn
}

// If the database ends during an import, the command prints that it waits, for how long and why, and at the end what to
// do.
func TestImportObservationsWaits(t *testing.T) {
	pg := storetest.NewOwn(t)
	t.Setenv("ONEMAP_DATABASE", pg.Database())
	oneDevice(t, pg.Database())
	gate := storetest.NewImportGate(t, pg.Database())
	gate.Move(2000)
	var text strings.Builder
	text.WriteString("device,datastream,t,v\n")
	begin := time.Now().UTC().Truncate(time.Second).AddDate(0, 0, -3)
	for i := range 5000 {
		fmt.Fprintf(&text, "a,level,%s,1\n", begin.Add(time.Duration(i)*time.Second).Format(time.RFC3339))
	}
	path := file(t, "a.csv", text.String())
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		gate.Await()
		pg.Kill()
	}()
	code, out, errOut := command(t, "import-observations", "--chunk", "20", "--wait", "100ms", path)
	<-killed
	for _, want := range []string{"waiting up to 100ms for the database: ", "the same command goes on behind line "} {
		if code != exitFailed || !strings.Contains(errOut, want) {
			t.Errorf("exit %d, no %q in\n%s%s", code, want, out, errOut)
		}
	}
	pg.Start()
	code, out, errOut = command(t, "import-observations", path)
	if code != exitOK || !strings.Contains(out, "imported: 5000 records, stored 5000 (new 0, history 5000, late 0), duplicates 0") {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
}

func TestProgressOfAnImport(t *testing.T) {
	if s := rateNote(app.BackfillProgress{Done: 25, Total: 100, Rows: 5000, Elapsed: 10 * time.Second}); s != "25%, 500 rows/s, 30s left" {
		t.Errorf("note: %q", s)
	}
	var b bytes.Buffer
	now := time.Now()
	p := &progress{w: &b, clock: func() time.Time { return now }}
	p.ShowNote("importing", 0, 100, "")
	now = now.Add(plainEvery)
	p.ShowNote("importing", 25, 100, "half a note")
	if !strings.Contains(b.String(), ", 25 of 100  half a note\n") {
		t.Errorf("printed: %q", b.String())
	}
}

// The command imports one file of each kind. The test checks what is stored, counted and printed.
func TestImportObservationsOfManyKinds(t *testing.T) {
	url := storetest.NewURL(t)
	t.Setenv("ONEMAP_DATABASE", url)
	conn := oneDevice(t, url)
	day := time.Now().UTC().AddDate(0, 0, -3)
	local, noon := day.Format("2006/1/2")+" 8:05", day.Format(time.DateOnly)+" 00:05:00"
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(strings.Repeat("a,level,x,1,\n", 10_000) + "a,level," + local + ",1.5,备注\n")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text  string
		args  []string
		code  int
		want  string // of what is printed
		value float64
	}{
		"short times":       {"device,datastream,t,v\na,level," + local + ",1.5\n", nil, exitOK, "stored 1 ", 1.5},
		"wide":              {"时间,站号,level(m),备注\n" + local + ",a,2.5,x\n", nil, exitOK, "columns that name no datastream are not read: 备注", 2.5},
		"a device a column": {"时间,a(m),b\n" + local + ",2.5,1\n", nil, exitOK, "columns that name no device are not read: b", 2.5},
		"days":              {"时间,a/level\n" + day.Format("2006-01-02") + ",2.5\n", []string{"--day-at", "8:05"}, exitOK, "stored 1 ", 2.5},
		"values of one":     {"站号,时间,读数\na," + local + ",2.5\n", []string{"--value", "读数", "--values-of", "level"}, exitOK, "stored 1 ", 2.5},
		"thousands":         {"device,datastream,t,v\na,level," + local + ",\"1,2.5,3\"\na,level," + local + ",12.5\n", nil, exitRefused, "refused as bad-value: 1", 12.5},
		"GBK late":          {"device,datastream,t,v,note\n" + gbk, nil, exitRefused, "refused as bad-time: 10000", 1.5},
		"missing codes":     {"device,datastream,t,v\na,level," + local + ",-9999\na,level," + local + ",缺测\na,level," + local + ",1.5\n", []string{"--missing=-9999"}, exitOK, "stored 1 (new 0, history 1, late 0), duplicates 0, conflicts 0, flagged bad 0, missing 2, refused 0", 1.5},
		"epochs":            {fmt.Sprintf("device,datastream,t,v\na,level,%d,1.5\n", day.Truncate(24*time.Hour).Add(5*time.Minute).UnixMilli()), []string{"--epoch", "ms"}, exitOK, "stored 1 ", 1.5},
		"a code, detached":  {"device,datastream,t,v\na,level," + local + ",-9999\na,level," + local + ",1.5\n", []string{"--missing", "-9999"}, exitOK, "missing 1, refused 0", 1.5},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := conn.Exec(t.Context(), `truncate observation, observation_conflict, latest, ingest_batch, observation_import`); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"import-observations", "--zone", "Asia/Shanghai"}, c.args...)
			code, out, errOut := command(t, append(args, file(t, "a.csv", c.text))...)
			if code != c.code || !strings.Contains(out, c.want) {
				t.Errorf("exit %d, no %q in\n%s%s", code, c.want, out, errOut)
			}
			var at time.Time
			var value float64
			if err := conn.QueryRow(t.Context(), `select ts, value from observation`).Scan(&at, &value); err != nil || at.UTC().Format(time.DateTime) != noon || value != c.value {
				t.Errorf("stored %g of %s, want %g of %s (%v)", value, at.UTC(), c.value, noon, err)
			}
		})
	}
	for option, text := range map[string]string{
		"--day-at":     "device,datastream,t,v\na,level,2026-11-20,1\n",
		"--epoch":      "device,datastream,t,v\na,level,1763596800,1\na,level,1763596801,1\n",
		"--date-order": "device,datastream,t,v\na,level,3/4/2026 8:05,1\n",
		"--decimal":    "device|datastream|t|v\na|level|" + local + "|1,234\n",
	} {
		code, out, errOut := command(t, "import-observations", "--zone", "Asia/Shanghai", file(t, "a.csv", text))
		if code != exitUsage || !strings.Contains(errOut, option) || !strings.Contains(out, "stopped behind line 1: 0 records, stored 0") {
			t.Errorf("exit %d, no %q in\n%s%s", code, option, out, errOut)
		}
	}
	for flag, value := range map[string]string{"--encoding": "latin1", "--missing": "none", "--day-at": "25:00"} {
		if code, _, errOut := command(t, "import-observations", flag, value, file(t, "a.csv", "")); code != exitUsage || !strings.Contains(errOut, flag) {
			t.Errorf("%s: exit %d\n%s", flag, code, errOut)
		}
	}
}
