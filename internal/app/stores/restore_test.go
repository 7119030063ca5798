package stores_test

import (
	"errors"
	osexec "os/exec"
	"strings"
	"testing"

	"github.com/paulmach/orb"

	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/sensors"
	"onemap/tiles"
)

// past is the state of a log that a client or another node knows: its epoch and positions.
type past struct {
	epoch string
	event core.Mark
	batch core.Mark
	feed  tiles.Mark
}

// readPast returns the positions of a reader that is up to date.
func readPast(t *testing.T, db *stores.Stores) (p past) {
	t.Helper()
	feed := db.Tiles.ChangeFeed()
	defer feed.Close()
	var err error
	if p.epoch, p.event, err = db.Log().Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.batch, err = db.Sensors.HeadBatch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.feed, err = feed.Mark(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// live writes n events, n batches and n changes of a layer.
func live(t *testing.T, db *stores.Stores, from, n int) {
	t.Helper()
	stream := storetest.StreamsOf(t, db)[0]
	for i := range n {
		if err := storetest.AppendEvent(t.Context(), db, "test", nil); err != nil {
			t.Fatal(err)
		}
		storetest.Commit(t, db, storetest.Reading(stream, from+i, float64(i)))
		storetest.Exec(t, db, `update layer set min_zoom = 1 - min_zoom where min_zoom < 2`)
	}
}

// checkPast checks whether the log still contains a reader's past, for each of the three kinds of readers.
func checkPast(t *testing.T, db *stores.Stores, p past, has bool) {
	t.Helper()
	page, err := db.Log().EventsAfter(t.Context(), p.event.Seq, 100)
	if err != nil {
		t.Fatal(err)
	}
	if is := page.Epoch == p.epoch && page.Before == p.event.ID; is != has {
		t.Errorf("the event log of epoch %s has %q at %v: has the past %v, want %v", page.Epoch, page.Before, p.event, is, has)
	}
	if _, err := db.Sensors.BatchesAfter(t.Context(), p.batch, 100); errors.Is(err, sensors.ErrOtherLog) == has || (err != nil && !errors.Is(err, sensors.ErrOtherLog)) {
		t.Errorf("batches after %v: %v, want the past %v", p.batch, err, has)
	}
	feed := db.Tiles.ChangeFeed()
	defer feed.Close()
	_, err = feed.Since(t.Context(), p.feed, func(tiles.Chunk) error { return nil })
	if errors.Is(err, tiles.ErrFeedLost) == has || (err != nil && !errors.Is(err, tiles.ErrFeedLost)) {
		t.Errorf("the change feed from %s: %v, want the past %v", p.feed, err, has)
	}
}

// TestFolderPutBack: a machine's snapshot is restored, and the log continues with other events under the same numbers.
func TestFolderPutBack(t *testing.T) {
	own := storetest.NewOwn(t)
	open := func() *stores.Stores {
		db, err := stores.Open(t.Context(), stores.Options{URL: own.Database()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		return db
	}
	db := open()
	storetest.FillCity(t, db, 1)
	storetest.ImportOK(t, db, storetest.Tanks())
	live(t, db, 0, 3)
	before := readPast(t, db)
	saved := own.Save()

	db = open()
	live(t, db, 10, 5)
	after := readPast(t, db)
	checkPast(t, db, before, true)
	checkPast(t, db, after, true)

	for name, n := range map[string]int{"fewer": 2, "as many": 5, "more": 8} {
		t.Run(name, func(t *testing.T) {
			own.PutBack(saved)
			db := open()
			if epoch, err := db.Log().Epoch(t.Context()); err != nil || epoch != after.epoch {
				t.Fatalf("a folder that is put back has the epoch %q, %v; the test expects %q", epoch, err, after.epoch)
			}
			live(t, db, 20, n)
			checkPast(t, db, after, false)
			checkPast(t, db, before, true)
		})
	}
}

// TestDumpRestored: a dump is restored over the database that it was made from, which had continued to change.
func TestDumpRestored(t *testing.T) {
	db := storetest.NewCity(t, 1)
	url := db.Pool().Config().ConnString()
	storetest.ImportOK(t, db, storetest.Tanks())
	live(t, db, 0, 3)
	before := readPast(t, db)
	dump := t.TempDir() + "/dump"
	if out, err := osexec.CommandContext(t.Context(), "pg_dump", "--format=custom", "--file="+dump, url).CombinedOutput(); err != nil {
		t.Fatalf("dump: %v: %s", err, out)
	}
	live(t, db, 10, 5)
	after := readPast(t, db)
	// pg_restore also tries to drop the parts of a partition's key that are dropped with the table; it reports that and
	// continues.
	out, err := osexec.CommandContext(t.Context(), "pg_restore", "--clean", "--if-exists", "--dbname="+url, dump).CombinedOutput()
	if fails := strings.Count(string(out), "ERROR:"); err != nil && fails != strings.Count(string(out), "ERROR:  cannot drop inherited constraint") {
		t.Fatalf("restore: %v: %s", err, out)
	}
	live(t, db, 20, 8)
	checkPast(t, db, after, false)
	// A running server continues, although PostGIS was installed again and its types have new OIDs.
	storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("restored", "370602", 121.4, 37.5))
	if all := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks"); len(all) != 1 || all["restored"].Geometry != orb.Geometry(orb.Point{121.4, 37.5}) {
		t.Errorf("after an import the layer has %+v", all)
	}
	if epoch, err := db.Log().Epoch(t.Context()); err != nil || epoch == before.epoch {
		t.Errorf("the epoch is still %q, %v", epoch, err)
	}
}
