package main

import (
	"context"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/bench/kit"
	"onemap/internal/app"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/config"
	"onemap/internal/core"
	"onemap/tiles"
)

const (
	testPoints   = 2000
	testPolygons = 300
)

// realServer is a server in this process, over a database with a small data set.
func realServer(t *testing.T) (*bench, *server) {
	t.Helper()
	url := storetest.NewURL(t)
	b := &bench{o: options{Options: kit.Options{Runs: 1}, seed: 1}, r: &report{}, password: strings.Repeat("secret ", 3)}
	if err := b.addAccounts(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if err := loadData(t.Context(), url, 1, testPoints, testPolygons); err != nil {
		t.Fatal(err)
	}
	a, err := app.Start(t.Context(), app.Options{
		Server:      config.Server{HTTP: "127.0.0.1:0", MQTT: "127.0.0.1:0", City: "3706", Sender: "test.onemap", TileMax: 1000000},
		DatabaseURL: url,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	s := &server{Server: kit.NewServer(kit.Running(strings.TrimPrefix(a.URL(), "http://"))), db: url}
	if err := s.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.main, err = s.Login(t.Context(), loginMain, b.password); err != nil {
		t.Fatal(err)
	}
	return b, s
}

// query returns one value of the database as text.
func query(t *testing.T, db, sql string, args ...any) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // a test's reader
	var text string
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheDataSetIsInTheLayersAndInTheTiles(t *testing.T) {
	_, s := realServer(t)
	all, err := s.layers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p, a := all[pointsLayer], all[polygonsLayer]; p.Features != testPoints || a.Features != testPolygons || p.UndrawnCount+a.UndrawnCount > 0 {
		t.Errorf("%+v", all)
	}
	got := query(t, s.db, `select string_agg(distinct (properties ? 'kind')::text || jsonb_typeof(properties -> 'stock') || (name_zh <> '')::text || ST_SRID(geom), ' ') from feature`)
	if got != "truenumbertrue4326" {
		t.Errorf("features are of the kinds %s", got)
	}
	if n, err := featuresIn(t.Context(), s, tilesOf(14)); err != nil || n < testPoints+testPolygons {
		t.Errorf("the tiles of zoom 14 hold %d features, %v", n, err)
	}
}

func TestRulesAreWaitedFor(t *testing.T) {
	_, s := realServer(t)
	for _, rules := range []core.TileRules{exact(), {Source: core.TileSourceDatabase}, {}} {
		if err := s.draw(t.Context(), rules); err != nil {
			t.Fatal(err)
		}
		all, err := s.layers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want, source := rules.Source, all[pointsLayer].Source
		if want == "" {
			want = core.TileSourceMemory
		}
		var stored core.TileRules
		if err := json.Unmarshal([]byte(query(t, s.db, `select tile::text from layer where name = $1`, polygonsLayer)), &stored); err != nil {
			t.Fatal(err)
		}
		if told := all[polygonsLayer].Rules; source != want || !reflect.DeepEqual(told, rules) || !reflect.DeepEqual(stored, rules) {
			t.Errorf("drawn from %s by %+v, stored %+v; asked for %+v", source, told, stored, rules)
		}
	}
}

func TestAHerdFindsItsTileDirtyAfterAnEdit(t *testing.T) {
	_, s := realServer(t)
	a, size, err := heaviestTile(t.Context(), s, 9)
	if err != nil || size == 0 || a.Z != 9 {
		t.Fatalf("the heaviest tile is %v of %d bytes, %v", a, size, err)
	}
	if err := editTile(t.Context(), s, a); err != nil {
		t.Fatal(err)
	}
	dirty, err := sendAtOnce(t.Context(), s, a)
	if err != nil || dirty.made < 1 {
		t.Errorf("after the edit %v tiles were made, %v", dirty.made, err)
	}
	if clean, err := sendAtOnce(t.Context(), s, a); err != nil || clean.made != 0 {
		t.Errorf("without an edit %v tiles were made, %v", clean.made, err)
	}
}

func TestTheWriterChangesWhatItSays(t *testing.T) {
	_, s := realServer(t)
	w, err := newWriter(t.Context(), s.db, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close(t.Context())
	const state = `select md5(string_agg(id || geom::text || level || properties, ',' order by id)) from feature where id > $1`
	last := w.points[len(w.points)-1].id
	if n := query(t, s.db, `select count(*)::text from feature f join layer l on l.id = f.layer_id where l.name = 'points' and f.id > $1`, last); n != "100" {
		t.Errorf("%s points are left to the probe", n)
	}
	before, stamp := query(t, s.db, state, 0), query(t, s.db, `select max(modified_at)::text from feature`)
	for range 5 {
		if err := w.commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if query(t, s.db, state, 0) == before {
		t.Error("nothing has changed")
	}
	changed := query(t, s.db, `select count(*) || ' ' || count(distinct modified_at) from feature where modified_at > $1::text::timestamptz`, stamp)
	count, times, _ := strings.Cut(changed, " ")
	n, err := strconv.Atoi(count)
	if err != nil || n < 150 || n > 5*perCommit || times != "5" { // some more than once
		t.Errorf("%s features in %s transactions are changed, after 5 of %d", count, times, perCommit)
	}
	marked := query(t, s.db, `select count(*)::text from feature f join layer l on l.id = f.layer_id where l.name = 'points' and f.id > $1 and f.modified_at > $2::text::timestamptz`, last, stamp)
	if marked != "0" {
		t.Errorf("%s of the probe's points are changed", marked)
	}
}

func TestTheProbeFindsItsMarksWhileOthersWrite(t *testing.T) {
	b, s := realServer(t)
	second, err := s.Login(t.Context(), loginSecond, b.password)
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWriter(t.Context(), s.db, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close(t.Context())
	found := 0
	for length := time.Second; found == 0 || w.features == 0; length *= 2 { // until the machine finds the time
		p := probed(t, s, second, w, length)
		if found += len(p.delays); len(p.failed) > 0 || p.waiting() > 0 || length > time.Minute {
			t.Fatalf("%d found, %d missing, %d waited for; %d features written", found, len(p.failed), p.waiting(), w.features)
		}
	}
}

// probed runs a probe and the writer for a time.
func probed(t *testing.T, s *server, second *kit.Session, w *writer, length time.Duration) *probe {
	t.Helper()
	p, err := newProbe(t.Context(), s, second)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close(t.Context())
	p.limit = time.Minute
	timed, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	written := make(chan error, 1)
	go func() { written <- w.run(timed) }()
	if err := p.run(t.Context(), timed); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	return p
}

// The probe itself must be able to fail: a tile without the mark is not accepted, and a mark that is not found is reported as
// missing.
func TestTheProbeMissesAMarkThatIsNotThere(t *testing.T) {
	b, s := realServer(t)
	second, err := s.Login(t.Context(), loginSecond, b.password)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newProbe(t.Context(), s, second)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close(t.Context())
	p.pending[1] = &mark{nonce: "mark-nowhere", tile: tilesOf(14)[0], made: time.Now(), committed: time.Now()}
	if err := p.fetchCovered(frame{Type: "tiles", All: true}); err != nil {
		t.Fatal(err)
	}
	if len(p.delays) > 0 || !p.pending[1].early {
		t.Errorf("found: %v, looked for: %t", p.delays, p.pending[1].early)
	}
	p.limit = 0
	if p.giveUp(); len(p.failed) != 1 || p.waiting() != 0 {
		t.Errorf("missed: %v", p.failed)
	}
	b.checkFresh(p)
	if !b.r.Missed() {
		t.Error("no bar was missed")
	}
}

func TestPanningSeesScreens(t *testing.T) {
	_, s := realServer(t)
	var seen traffic
	for length := 2 * time.Second; len(seen.latencies) == 0 && length < 2*time.Minute; length *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), length)
		err := pan(ctx, s.main, 1, &seen)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := len(seen.latencies); n == 0 || n%(screenWide*screenHigh) != 0 {
		t.Errorf("%d tiles were seen, no whole screens", n)
	}
	list := []tiles.Address{{Z: 23}}
	if _, err := load(t.Context(), s.Addr, requests(s.main, list, true), 1, 0); err == nil {
		t.Error("a tile outside of the world is no failure")
	}
}
