package app_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"onemap/internal/app"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/fault"
)

// PostgreSQL is stopped in immediate mode three times in the middle of an import and started again. The import waits and
// continues: every reading is stored once, and every refused line is in the file of rejects once and counted once.
func TestImportOutlivesTheDatabase(t *testing.T) {
	const rows = 60_000
	pg := storetest.NewOwn(t)
	settle(t, pg.Database(), 5)
	text, want := bigFile(rows)
	path := textFile(t, "big.csv", text)
	commits, waits, dead := 0, 0, false
	r, err := importReadings(t.Context(), pg.Database(), app.BackfillOptions{
		Path: path, ChunkRows: 500, Wait: time.Hour,
		Progress: func(app.BackfillProgress) {
			if commits++; !dead && commits%30 == 10 && waits < 3 {
				pg.Kill() // while the next chunk is written
				dead = true
			}
		},
		Waiting: func(why error, line int64) {
			if !fault.Is(why, fault.Unavailable) || line == 0 {
				t.Errorf("it waits behind line %d because of %v", line, why)
			}
			if dead {
				waits++
				pg.Start()
				dead = false
			}
		},
	})
	if err != nil || waits != 3 {
		t.Fatalf("%d waits, %v", waits, err)
	}
	n := r.State.Counts
	if !r.Finished || r.Already || r.Resumed != 0 || n.Records != rows || n.Stored != int64(len(want)) || n.Duplicates+n.Conflicts != 0 || n.RefusedAll() != rows-int64(len(want)) {
		t.Errorf("report %+v", r)
	}
	if all := stored(t, pg.Database()); !maps.Equal(all, want) {
		t.Errorf("%d readings are stored, want %d, each once", len(all), len(want))
	}
	if n := rejectLines(t, path); n != rows-int64(len(want)) {
		t.Errorf("%d lines of rejects, want %d", n, rows-len(want))
	}
}

// A database that stays unavailable ends the import after a time limit, and the same command resumes it.
func TestImportGivesUpOnTheDatabase(t *testing.T) {
	pg := storetest.NewOwn(t)
	settle(t, pg.Database(), 5)
	text, want := bigFile(5000)
	o := app.BackfillOptions{Path: textFile(t, "a.csv", text), ChunkRows: 500, Wait: 300 * time.Millisecond}
	dead := false
	o.Progress = func(app.BackfillProgress) {
		if !dead {
			pg.Kill()
			dead = true
		}
	}
	r, err := importReadings(t.Context(), pg.Database(), o)
	line := r.State.Position.Line
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "the same command goes on behind line ") || r.Finished || line == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	pg.Start()
	r, err = importReadings(t.Context(), pg.Database(), o)
	if err != nil || !r.Finished || r.Resumed < line || r.State.Counts.Stored != int64(len(want)) {
		t.Errorf("the same again: %+v, %v", r, err)
	}
	if all := stored(t, pg.Database()); !maps.Equal(all, want) {
		t.Errorf("%d readings are stored, want %d, each once", len(all), len(want))
	}
}
