package app_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"onemap/internal/app/stores/storetest"
)

// bigFile returns a CSV of readings of five devices; every thousandth line has an unknown device. all are the valid readings,
// in the form that stored returns.
func bigFile(rows int) (text string, all map[string]int) {
	var b strings.Builder
	b.WriteString(head)
	all = map[string]int{}
	for i := range rows {
		if i%1000 == 999 {
			b.WriteString(row("nobody", i, 1))
			continue
		}
		device := fmt.Sprintf("dev-%d", i%5)
		b.WriteString(row(device, i, i%30))
		all[fmt.Sprintf("%s %d %d", device, i, i%30)] = 1
	}
	return b.String(), all
}

// The command is killed four times in the middle and started again each time. Every reading of the file is stored once, every
// refused line is in the file of rejects once, and the counts are those of a single run.
func TestKilledImportGoesOn(t *testing.T) {
	const rows, kills, apart = 40_000, 4, 7300
	bin := buildOnemap(t)
	url, _ := seededDatabase(t, 5)
	text, want := bigFile(rows)
	good := len(want)
	path := textFile(t, "big.csv", text)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // a test's reader

	if _, err := conn.Exec(t.Context(), `update datastream set interval_s = 604800`); err != nil { // nothing is history
		t.Fatal(err)
	}
	gate := storetest.NewImportGate(t, url)
	start := func() (*exec.Cmd, *bytes.Buffer) {
		var out bytes.Buffer
		cmd := exec.Command(bin, "import-observations", "--database", url, "--synthetic", "--chunk", "500", path)
		cmd.Stdout, cmd.Stderr = &out, testWriter{t}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, &out
	}
	for kill := range kills {
		gate.Move(int64(kill+1) * apart)
		cmd, out := start()
		gate.Await()
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) {
			t.Fatalf("it ended before it could be killed: %v\n%s", err, out)
		}
		gate.Pass()
	}
	gate.Move(rows + 1)
	cmd, out := start()
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Fatalf("it ends with %v, want exit status 3, since rows were refused\n%s", err, out)
	}
	for _, line := range []string{
		"went on behind line ", fmt.Sprintf("imported: %d records, stored %d (new %d, history 0, late 0), duplicates 0, conflicts 0, flagged bad 0, missing 0, refused %d\n", rows, good, good, rows-good),
		fmt.Sprintf("refused as unknown-device: %d\n", rows-good),
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in\n%s", line, out)
		}
	}
	if all := stored(t, url); !maps.Equal(all, want) {
		t.Errorf("%d readings are stored, want %d, each once", len(all), good)
	}
	if n := rejectLines(t, path); n != rows-int64(good) {
		t.Errorf("%d lines of rejects, want %d", n, rows-good)
	}
	var told int
	if err := conn.QueryRow(t.Context(), `select sum(cardinality(datastream_ids)) from ingest_batch`).Scan(&told); err != nil || told != good {
		t.Errorf("the rules were told of %d readings, want %d (%v)", told, good, err)
	}
	cmd, out = start()
	again := fmt.Sprintf("stored 0 (new 0, history 0, late 0), duplicates %d, conflicts 0,", good)
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.Contains(out.String(), again) {
		t.Errorf("once more: %v, no %q in\n%s", err, again, out)
	}
}
