package tilespg_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/internal/app/stores/storetest"
	"onemap/tiles"
	tilespg "onemap/tiles/pg"
)

// insertFeature is a statement as a person writes it in psql.
const insertFeature = `insert into feature (layer_id, source_key, division_code, origin, geom) values ($1, $2, $3, 'real', ST_SetSRID($4::geometry, 4326)) returning id`

func insertByHand(t testing.TB, q interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}, layer int, key, division, wkt string) int64 {
	t.Helper()
	var id int64
	if err := q.QueryRow(t.Context(), insertFeature, layer, key, division, wkt).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestFeedOfImportAndEdit(t *testing.T) {
	db := storetest.NewDivisions(t)
	f := storetest.Follow(t, db)
	f.Want("nothing")
	storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("a", "370602", 121.4, 37.5), storetest.Feature("b", "370614", 120.8, 37.8))
	before := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")
	a, b := before["a"].ID, before["b"].ID
	layer := int(storetest.Count(t, db, `select id from layer`))
	entry := fmt.Sprintf("%d entry", layer)
	f.Want("the import, which makes the entry and then names its fields", entry, entry,
		fmt.Sprintf("%d #%d -  → 121.40,37.50,121.40,37.50 370602", layer, a),
		fmt.Sprintf("%d #%d -  → 120.80,37.80,120.80,37.80 370614", layer, b))
	storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("a", "370602", 121.4, 37.5))
	f.Want("an import of the rest",
		fmt.Sprintf("%d #%d 120.80,37.80,120.80,37.80 370614 → - ", layer, b))
	mixed := storetest.Tanks()
	mixed.GeometryType = "Geometry"
	if _, err := storetest.Catalogue(db).PutLayer(t.Context(), storetest.Root(), mixed); err != nil {
		t.Fatal(err)
	}
	f.Want("its entry", entry)
	l, ids, err := storetest.Catalogue(db).EditFeatures(t.Context(), storetest.Editor(storetest.CityScope(), "li"), "tanks", -1, catalogue.Edit{
		Create: []catalogue.Feature{storetest.Feature("new", "370602", 121.5, 37.5)},
		Move:   []catalogue.Feature{{ID: a, Geometry: orb.Polygon{{{121, 37}, {122, 37}, {122, 38}, {121, 37}}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Want("an edit",
		fmt.Sprintf("%d #%d 121.40,37.50,121.40,37.50 370602 → 121.00,37.00,122.00,38.00 370602", layer, a),
		fmt.Sprintf("%d #%d -  → 121.50,37.50,121.50,37.50 370602", layer, ids[0]))
	if l.Version != 4 || l.Count != 2 {
		t.Errorf("the triggers kept the catalogue too: version %d, count %d", l.Version, l.Count)
	}
	if _, _, err := storetest.Catalogue(db).EditFeatures(t.Context(), storetest.Editor(storetest.CityScope(), "li"), "tanks", -1, catalogue.Edit{Delete: []int64{a}, Move: []catalogue.Feature{{ID: ids[0]}}}); err == nil {
		t.Fatal("an edit without a geometry passes")
	}
	f.Want("an edit that failed")
}

func TestFeedOfHandWrittenSQL(t *testing.T) {
	db := storetest.NewDivisions(t)
	storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("a", "370602", 121.4, 37.5))
	other := storetest.Tanks()
	other.Name = "other"
	storetest.ImportOK(t, db, other)
	l, o := storetest.LayerOf(t, db, storetest.CityScope(), "tanks"), storetest.LayerOf(t, db, storetest.CityScope(), "other")
	tank, second := int(storetest.Count(t, db, `select id from layer where name = 'tanks'`)), int(storetest.Count(t, db, `select id from layer where name = 'other'`))
	f := storetest.Follow(t, db)
	id := insertByHand(t, db.Pool(), tank, "x", "370614", "LINESTRING(120 36, 121.5 37)")
	f.Want("insert", fmt.Sprintf("%d #%d -  → 120.00,36.00,121.50,37.00 370614", tank, id))
	now := storetest.LayerOf(t, db, storetest.CityScope(), "tanks")
	if now.Version != l.Version+1 || now.Count != 2 || !cmp.Equal(now.BBox, []float64{120, 36, 121.5, 37.5}) || !now.ModifiedAt.After(l.ModifiedAt) {
		t.Errorf("the catalogue after an insert: %+v", now)
	}
	storetest.Exec(t, db, `update feature set geom = ST_SetSRID('POINT(119 36)'::geometry, 4326), division_code = '' where id = $1`, id)
	f.Want("update", fmt.Sprintf("%d #%d 120.00,36.00,121.50,37.00 370614 → 119.00,36.00,119.00,36.00 ", tank, id))
	storetest.Exec(t, db, `update feature set geom = geom where false`)
	storetest.Exec(t, db, `delete from feature where false`)
	storetest.Exec(t, db, `insert into feature (layer_id, source_key, origin, geom) select 1, '', 'real', geom from feature where false`)
	f.Want("no row")
	storetest.Exec(t, db, `update feature set layer_id = $2 where id = $1`, id, second)
	f.Want("another layer", fmt.Sprintf("%d #%d 119.00,36.00,119.00,36.00  → - ", tank, id), fmt.Sprintf("%d #%d -  → 119.00,36.00,119.00,36.00 ", second, id))
	if a, b := storetest.LayerOf(t, db, storetest.CityScope(), "tanks"), storetest.LayerOf(t, db, storetest.CityScope(), "other"); a.Version != l.Version+3 || a.Count != 1 || b.Version != o.Version+1 || b.Count != 1 {
		t.Errorf("the catalogue after that: %+v\n%+v", a, b)
	}
	storetest.Exec(t, db, `update feature set id = default where id = $1`, id)
	f.Want("another id", fmt.Sprintf("%d #%d 119.00,36.00,119.00,36.00  → - ", second, id),
		fmt.Sprintf("%d #%d -  → 119.00,36.00,119.00,36.00 ", second, storetest.Count(t, db, `select max(id) from feature`)))
	storetest.Exec(t, db, `delete from feature where layer_id = $1`, second)
	if got := f.Next(); len(got) != 1 || !strings.HasSuffix(got[0], " → - ") {
		t.Errorf("delete: %q", got)
	}
	empty := insertByHand(t, db.Pool(), second, "empty", "", "POINT EMPTY")
	f.Want("a point that is empty", fmt.Sprintf("%d #%d -  → - ", second, empty))
	storetest.Exec(t, db, `truncate feature`)
	f.Want("truncate", fmt.Sprintf("%d whole", tank), fmt.Sprintf("%d whole", second))
	if l := storetest.LayerOf(t, db, storetest.CityScope(), "tanks"); l.Count != 0 || l.BBox != nil {
		t.Errorf("the catalogue after truncate: %+v", l)
	}
	if n := len(storetest.EventsOfKind(t, db, catalogue.EventLayerChanged)); n != 3 { // one import is of a layer shown by division
		t.Errorf("%d events, want those of the two imports", n)
	}
}

// All other statements that write to a table, also with a search_path that has no tables.
func TestFeedOfEveryStatement(t *testing.T) {
	db := storetest.NewDivisions(t)
	layer := fillPoints(t, db, "points", 3)
	f := storetest.Follow(t, db)
	for _, c := range []struct {
		name, sql         string
		made, moved, gone int
	}{
		{"upsert", `
			insert into feature (layer_id, source_key, origin, geom) select $1, k, 'real', 'SRID=4326;POINT(1 1)' from unnest('{1,new}'::text[]) k
			on conflict (layer_id, source_key) do update set geom = excluded.geom`, 1, 1, 0},
		{"merge", `
			merge into feature f using (values ('1'), ('2'), ('merged')) v(k) on f.layer_id = $1 and f.source_key = v.k
			when matched and v.k = '1' then delete
			when matched then update set geom = 'SRID=4326;POINT(2 2)'
			when not matched then insert (layer_id, source_key, origin, geom) values ($1, v.k, 'real', 'SRID=4326;POINT(3 3)')`, 1, 1, 1},
		{"a statement in a statement", `
			with gone as (delete from feature where layer_id = $1 and source_key = '2' returning layer_id, geom)
			insert into feature (layer_id, source_key, origin, geom) select layer_id, 'again', 'real', geom from gone`, 1, 0, 1},
	} {
		storetest.Exec(t, db, c.sql, layer)
		var made, moved, gone int
		for _, line := range f.Next() {
			switch was, is, _ := strings.Cut(line, " → "); {
			case strings.Contains(was, " -"):
				made++
			case strings.HasPrefix(is, "-"):
				gone++
			default:
				moved++
			}
		}
		if made != c.made || moved != c.moved || gone != c.gone {
			t.Errorf("%s: %d made, %d moved, %d gone", c.name, made, moved, gone)
		}
	}
	conn, err := db.Pool().Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), `set search_path = pg_catalog`); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.CopyFrom(t.Context(), pgx.Identifier{"public", "feature"}, []string{"layer_id", "source_key", "origin", "geom"},
		pgx.CopyFromRows([][]any{{layer, "c1", "real", orb.Point{4, 4}}, {layer, "c2", "real", orb.Point{5, 5}}})); err != nil {
		t.Fatal(err)
	}
	if n := len(f.Next()); n != 2 {
		t.Errorf("copy: %d changes", n)
	}
	for _, sql := range []string{`update public.feature set level = 2`, `delete from public.feature`, `truncate public.feature`, `update public.layer set max_zoom = 5`, `delete from public.layer`} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		if len(f.Next()) == 0 {
			t.Errorf("%s: nothing", sql)
		}
	}
	if _, err := conn.Exec(t.Context(), `reset search_path`); err != nil {
		t.Fatal(err)
	}
}

func TestFeedOfEntries(t *testing.T) {
	db := storetest.NewDivisions(t)
	storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("a", "370602", 121.4, 37.5))
	layer := int(storetest.Count(t, db, `select id from layer`))
	entry := fmt.Sprintf("%d entry", layer)
	f := storetest.Follow(t, db)
	for _, set := range []string{
		`name = 'renamed'`, `audience = 'public'`, `audience_roles = '{observer}'`, `min_zoom = 3`, `max_zoom = 12`,
		`fields = '[{"name":"x","type":"string","in_tile":true}]'`, `tile = '{"buffer":8}'`, `title_zh = '新'`, `title_en = 'new'`, `geometry_type = 'Geometry'`,
	} {
		version := storetest.Count(t, db, `select version from layer`)
		storetest.Exec(t, db, `update layer set `+set)
		f.Want(set, entry)
		if now := storetest.Count(t, db, `select version from layer`); now != version+1 {
			t.Errorf("%s by hand: version %d, was %d", set, now, version)
		}
		storetest.Exec(t, db, `update layer set `+set)
		f.Want(set + " again")
	}
	storetest.Exec(t, db, `update layer set owner_zh = 'x', modified_at = now(), feature_count = 7`)
	f.Want("nothing that tiles need")
	if _, err := storetest.Catalogue(db).PutLayer(t.Context(), storetest.Root(), catalogue.Layer{Name: "renamed", MinZoom: 1, MaxZoom: 9}); err != nil {
		t.Fatal(err)
	}
	f.Want("by the program", entry)
	storetest.Exec(t, db, `delete from layer`)
	f.Want("a deleted layer takes its features with it", entry)
	if _, err := storetest.Catalogue(db).PutLayer(t.Context(), storetest.Root(), storetest.Tanks()); err != nil {
		t.Fatal(err)
	}
	f.Want("a layer is made", fmt.Sprintf("%d entry", layer+2)) // the import's insert-or-update took a number
	storetest.Exec(t, db, `truncate layer cascade`)
	f.Want("all layers go", fmt.Sprintf("%d entry", layer+2), fmt.Sprintf("%d whole", layer+2))
}

// The feed does not have changes that are not committed, and it does not miss changes that are committed late.
func TestFeedFollowsCommits(t *testing.T) {
	db := storetest.NewDivisions(t)
	storetest.ImportOK(t, db, storetest.Tanks())
	layer := int(storetest.Count(t, db, `select id from layer`))
	f := storetest.Follow(t, db)
	begin := func() pgx.Tx {
		tx, err := db.Pool().Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// The two writers of one layer must not wait for each other here.
		if _, err := tx.Exec(t.Context(), `select set_config('onemap.keeps_layer', 'on', true)`); err != nil {
			t.Fatal(err)
		}
		return tx
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	line := func(id int64) string { return fmt.Sprintf("%d #%d -  → 121.00,37.00,121.00,37.00 ", layer, id) }
	old, late, gone := begin(), begin(), begin()
	first := insertByHand(t, old, layer, "old", "", "POINT(121 37)")
	insertByHand(t, gone, layer, "gone", "", "POINT(121 37)")
	f.Want("three are open")
	second := insertByHand(t, late, layer, "late", "", "POINT(121 37)")
	must(late.Commit(t.Context()))
	f.Want("the last one commits first", line(second))
	must(gone.Rollback(t.Context()))
	f.Want("one is rolled back")
	f.Want("and again")
	must(old.Commit(t.Context()))
	f.Want("the first one commits last", line(first))

	tx := begin()
	kept := insertByHand(t, tx, layer, "kept", "", "POINT(121 37)")
	sub, err := tx.Begin(t.Context())
	must(err)
	insertByHand(t, sub, layer, "undone", "", "POINT(121 37)")
	must(sub.Rollback(t.Context()))
	sub, err = tx.Begin(t.Context())
	must(err)
	inner := insertByHand(t, sub, layer, "inner", "", "POINT(121 37)")
	must(sub.Commit(t.Context()))
	must(tx.Commit(t.Context()))
	f.Want("savepoints", line(kept), line(inner))
}

// Two readers with different marks each receive all changes after their own mark.
func TestFeedGivesAllToEachMark(t *testing.T) {
	db := storetest.NewDivisions(t)
	storetest.ImportOK(t, db, storetest.Tanks())
	layer := int(storetest.Count(t, db, `select id from layer`))
	one, two := storetest.Follow(t, db), storetest.Follow(t, db)
	storetest.Exec(t, db, `insert into feature (layer_id, source_key, origin, geom) select $1::int, n::text, 'real', ST_SetSRID(ST_Point(120, 36), 4326) from generate_series(1, 2500) n`, layer)
	if n := len(one.Next()); n != 2500 {
		t.Errorf("the first is given %d", n)
	}
	storetest.Exec(t, db, `delete from feature`)
	if n := len(one.Next()); n != 2500 {
		t.Errorf("then %d", n)
	}
	if n := len(two.Next()); n != 5000 {
		t.Errorf("the second is given %d", n)
	}
	fails := errors.New("no room")
	storetest.Exec(t, db, `insert into feature (layer_id, source_key, origin, geom) values ($1, '', 'real', ST_SetSRID(ST_Point(120, 36), 4326))`, layer)
	if m, err := one.Feed.Since(t.Context(), one.Mark, func(tiles.Chunk) error { return fails }); !errors.Is(err, fails) || m != one.Mark {
		t.Errorf("a reader that fails is moved on: %v", err)
	}
	if n := len(one.Next()); n != 1 {
		t.Errorf("asked again: %d", n)
	}
}

func TestFeedIsLost(t *testing.T) {
	db := storetest.NewDivisions(t)
	f := storetest.Follow(t, db)
	at := strings.Split(string(f.Mark), " ")
	snapshot, witness := at[1], at[2]
	other := storetest.NewDivisions(t)
	for name, m := range map[string]tiles.Mark{
		"none": "", "no epoch": tiles.Mark(snapshot), "another epoch": tiles.Mark("x " + snapshot + " " + witness), "cut off": f.Mark[:len(f.Mark)-3], "garbage": f.Mark + "x",
		"no witness": tiles.Mark(at[0] + " " + snapshot), "a witness that is not there": tiles.Mark(at[0] + " " + snapshot + " " + uuid.NewString()),
		"another database's": storetest.Follow(t, other).Mark,
	} {
		got, err := f.Feed.Since(t.Context(), m, func(tiles.Chunk) error { t.Errorf("%s: given something", name); return nil })
		if !errors.Is(err, tiles.ErrFeedLost) || got != m {
			t.Errorf("%s (%q): %v", name, m, err)
		}
	}
}

func TestFeedOfOldMarksReadsAnIndex(t *testing.T) {
	db := storetest.NewDivisions(t)
	storetest.ImportOK(t, db, storetest.Tanks())
	f := storetest.Follow(t, db)
	storetest.Exec(t, db, `insert into feature_change (xid, layer_id, kind, ids) select (n / 10 + 1)::text::xid8, 1, 'features', array(select generate_series(1, 50)) from generate_series(1, 50000) n`)
	storetest.Exec(t, db, `analyze feature_change`)
	at := strings.Split(string(f.Mark), " ")
	rows, err := db.Pool().Query(t.Context(), "explain "+tilespg.SelectChanges, at[0], at[1], at[2], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(plan, "\n"); strings.Contains(text, "Seq Scan on feature_change") || !strings.Contains(text, "feature_change_xid") {
		t.Error(text)
	}
}

func TestChangeFeedWakes(t *testing.T) {
	db := storetest.NewDivisions(t)
	storetest.ImportOK(t, db, storetest.Tanks())
	layer := int(storetest.Count(t, db, `select id from layer`))
	f := storetest.Follow(t, db)
	if err := f.Feed.Notified(t.Context()); err != nil { // once after connecting
		t.Fatal(err)
	}
	for what, sql := range map[string]string{
		"insert": `insert into feature (layer_id, source_key, origin, geom) select id, 'x', 'real', ST_SetSRID(ST_Point(120, 36), 4326) from layer`,
		"entry":  fmt.Sprintf(`update layer set min_zoom = min_zoom + 1 where id = %d`, layer),
	} {
		storetest.Exec(t, db, sql)
		if err := f.Feed.Notified(t.Context()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, sql := range []string{`update feature set level = 1`, `delete from feature`, `truncate feature`} {
		storetest.Exec(t, db, sql)
		if err := f.Feed.Notified(t.Context()); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	storetest.Exec(t, db, `delete from feature`)
	if err := f.Feed.Notified(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nothing has changed: %v", err)
	}
}

// A mark comes from outside if a reader stores it. PostgreSQL gets only marks of the correct form.
func FuzzMark(f *testing.F) {
	for _, s := range []string{
		"", "1:1:", "10:20:10,14,15", "10:20:14,14", "20:10:", "0:0:", "1:2:1,1", "1:2:3", "1:9223372036854775807:", "1:9223372036854775808:",
		"4294967296:4294967297:", "+1:2:", "1:2:,", "1:1:\x00", "1 :2:", "01:2:1", "1:2", "1:2::", "700:1000000:701,900",
	} {
		f.Add(s)
	}
	db := storetest.NewDB(f)
	feed := db.Tiles.ChangeFeed()
	f.Cleanup(feed.Close)
	here, err := db.Log().Epoch(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	mark, err := feed.Mark(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	witness := strings.Split(string(mark), " ")[2]
	f.Fuzz(func(t *testing.T, s string) {
		m := tiles.Mark(here + " " + s + " " + witness)
		got, err := feed.Since(context.Background(), m, func(tiles.Chunk) error { return nil })
		if err != nil && (!errors.Is(err, tiles.ErrFeedLost) || got != m) {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	})
}
