package app_test

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// The command is killed four times in the middle and started again each time: every reading of the file is
// stored, once, every refused line is in the file of rejects, once, and the counts are those of one run.
func TestKilledImportGoesOn(t *testing.T) {
	const rows, kills = 120_000, 4
	bin := buildOnemap(t)
	url, _ := village(t, 5)
	var text strings.Builder
	text.WriteString(head)
	good := 0
	for i := range rows {
		if i%1000 == 999 {
			text.WriteString(row("nobody", i, 1))
			continue
		}
		good++
		text.WriteString(row(fmt.Sprintf("dev-%d", i%5), i, i%30))
	}
	path := textFile(t, "big.csv", text.String())
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // a test's reader
	line := func() (n int64) {
		if err := conn.QueryRow(t.Context(), `select coalesce(max(line), 0) from observation_import`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	start := func() (*exec.Cmd, *bytes.Buffer) {
		var out bytes.Buffer
		cmd := exec.Command(bin, "import-observations", "--database", url, "--synthetic", "--chunk", "500", path)
		cmd.Stdout, cmd.Stderr = &out, testWriter{t}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, &out
	}
	for range kills {
		before := line()
		cmd, out := start()
		eventually(t, "the import gets on", func() bool { return line() > before })
		time.Sleep(3 * time.Millisecond) // into a transaction
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) {
			t.Fatalf("it ended before it could be killed: %v\n%s", err, out)
		}
	}
	cmd, out := start()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"went on behind line ", fmt.Sprintf("imported: %d records, stored %d (new %d, late 0), duplicates 0, conflicts 0, flagged bad 0, refused %d\n", rows, good, good, rows-good),
		fmt.Sprintf("refused as unknown-device: %d\n", rows-good),
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	all := stored(t, url)
	for i := range rows {
		if i%1000 == 999 {
			continue
		}
		if k := fmt.Sprintf("dev-%d %d %d", i%5, i, i%30); all[k] != 1 {
			t.Fatalf("line %d, %s, is stored %d times", i+2, k, all[k])
		}
	}
	if len(all) != good {
		t.Errorf("%d readings are stored, want %d", len(all), good)
	}
	if n := rejectLines(t, path); n != rows-int64(good) {
		t.Errorf("%d lines of rejects, want %d", n, rows-good)
	}
	var told int
	if err := conn.QueryRow(t.Context(), `select sum(cardinality(datastream_ids)) from ingest_batch`).Scan(&told); err != nil || told != good {
		t.Errorf("the rules were told of %d readings, want %d (%v)", told, good, err)
	}
	cmd, out = start()
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "already imported") {
		t.Errorf("once more: %v\n%s", err, out)
	}
}
