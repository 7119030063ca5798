package engine_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"

	"onemap/internal/core"
	"onemap/tiles"
	"onemap/tiles/engine"
)

// rewrite makes one random change by hand.
func rewrite(t testing.TB, db *base, r *rand.Rand) {
	id, lon, lat := r.IntN(500), 119.5+2.5*r.Float64(), 36.5+1.9*r.Float64()
	division := fmt.Sprintf("3706%02d", 2+r.IntN(13)) // not the counter's
	switch r.IntN(5) {
	case 0:
		db.exec(t, `delete from feature where id = $1 and division_code not in ('', '370699')`, id)
	case 1:
		db.exec(t, `insert into feature (layer_id, source_key, division_code, level, origin, geom)
			select id, gen_random_uuid()::text, $1, $2, 'real', ST_SetSRID(ST_Point($3, $4), 4326) from layer where name <> 'markers'`, division, r.IntN(5), lon, lat)
	case 2:
		db.exec(t, `update feature set level = $2, division_code = $3 where id = $1 and division_code not in ('', '370699')`, id, r.IntN(5), division)
	default:
		db.exec(t, `update feature set geom = ST_Translate(geom, $2 - ST_XMin(geom), $3 - ST_YMin(geom)) where id = $1 and division_code not in ('', '370699')`, id, lon, lat)
	}
}

// Many write and many read at once, a layer is loaded again and again meanwhile, and one of two servers
// has no room in its cache: whoever reads after a notice never
// reads what was before it, and in the end everything is as an engine has it that starts then.
func TestEditsAndReadsAtOnce(t *testing.T) {
	const writers, edits, readers, reads, counted, reloads = 3, 60, 6, 400, 40, 16
	db := smallWorld(t)
	db.exec(t, `insert into feature (layer_id, source_key, division_code, origin, properties, geom)
		select id, 'counter', '370699', 'real', '{"stock":0}', ST_SetSRID('POINT(120.7 37.4)'::geometry, 4326) from layer where name = 'ours'`)
	small := start(t, db, engine.Options{CacheBytes: 100_000}, nil)
	n := start(t, db, engine.Options{AtOnce: 4}, nil)
	hot := address(120.7, 37.4, 15)
	counter := core.Scope{Division: "370699", Role: core.RoleResponder} // nothing else is in it
	stock := func() any {
		f := decoded(t, n.get(counter, "ours", hot).Bytes)["ours"]
		if len(f) != 1 {
			return len(f)
		}
		return f[0].Properties["stock"]
	}
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range edits {
				rewrite(t, db, r)
			}
		})
	}
	for i := range readers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 2))
			for range reads {
				readAny(t, []*node{n, small}[r.IntN(2)], r, hot)
			}
		})
	}
	all.Go(func() {
		for i := range reloads { // loads anew, while its features change
			db.exec(t, `update layer set fields = case $1::int when 0 then '[]'::jsonb else '[{"name":"kind","type":"string","in_tile":true}]' end where name = 'open'`, i%2)
			time.Sleep(20 * time.Millisecond)
		}
	})
	for i := 1; i <= counted; i++ {
		n.taken()
		db.exec(t, `update feature set properties = jsonb_build_object('stock', $1::int) where source_key = 'counter'`, i)
		n.untilTold("the counter", func(s tiles.Notice) bool { return s.Division == counter.Division })
		if got := stock(); got != float64(i) {
			t.Errorf("told of %d, %v is in the tile", i, got)
		}
	}
	all.Wait()
	n.settle()
	small.settle()
	list := everyTile([]orb.Point{{120.7, 37.4}})
	fresh := start(t, db, engine.Options{}, nil)
	want := fresh.snapshot(list)
	for _, have := range []*node{n, small} {
		for i, raw := range have.snapshot(list) {
			if string(raw) != string(want[i]) {
				t.Errorf("%+v has %d bytes, freshly loaded %d", list[i], len(raw), len(want[i]))
			}
		}
	}
}

// readAny asks for some tile and checks that it is one.
func readAny(t testing.TB, n *node, r *rand.Rand, hot tiles.Address) {
	s := []core.Scope{city, zhifu, penglai, {Division: "370699", Role: core.RoleObserver}}[r.IntN(4)]
	a := hot
	if r.IntN(3) > 0 {
		a = address(119.5+2.5*r.Float64(), 36.5+1.9*r.Float64(), uint32(r.IntN(13)))
	}
	layers := []string{"open", "ours", "open,ours", "ours.label,open.label,ours"}[r.IntN(4)]
	tile, err := n.engine.Tile(t.Context(), s, tiles.Request{Layers: layers, Address: a, Gzip: r.IntN(2) == 0})
	if err != nil {
		t.Errorf("%s %v: %v", layers, a, err)
		return
	}
	unmarshal := mvt.Unmarshal
	if tile.Gzip {
		unmarshal = mvt.UnmarshalGzipped
	}
	got, err := unmarshal(tile.Bytes)
	if err != nil && len(tile.Bytes) > 0 {
		t.Errorf("%s %v: %v", layers, a, err)
		return
	}
	for _, l := range got {
		for _, f := range l.Features {
			if division, _ := f.Properties["division"].(string); l.Name == "ours" && f.ID != nil && !s.Covers(division) {
				t.Errorf("%s reads %v of %s", s.Division, f.ID, division)
			}
		}
	}
}

// A tile that was begun before a change is not given to those who ask after its notice, even while it
// is still being made: its second layer waits in the database here.
func TestNobodyJoinsAnOlderFlight(t *testing.T) {
	db := newBase(t)
	importOK(t, db, layerOf("ours", core.Audience{Kind: core.AudiencePublic}, core.TileRules{}), feature("a", "370602", 121.4, 37.5))
	importOK(t, db, layerOf("large", core.Audience{Kind: core.AudiencePublic}, core.TileRules{Source: core.TileSourceDatabase}), feature("b", "370602", 121.4, 37.5))
	n := start(t, db, engine.Options{AtOnce: 2}, nil)
	n.taken()
	a := address(121.4, 37.5, 12)
	tx, err := db.sql.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `lock table layer in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	answers := make(chan any, 2)
	level := func(tile tiles.Tile) any { return decoded(t, tile.Bytes)["ours"][0].Properties["level"] }
	ask := func() {
		tile, err := n.engine.Tile(t.Context(), city, tiles.Request{Layers: "ours,large", Address: a})
		if err != nil {
			t.Error(err)
		}
		answers <- level(tile)
	}
	go ask()
	n.until("the first waits in the database", func() bool {
		var waiting int
		err := tx.QueryRow(t.Context(), `select count(*) from pg_locks where relation = 'layer'::regclass and not granted`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		return waiting == 1
	})
	// the catalogue's row must not be touched: it is locked
	db.exec(t, `select set_config('onemap.keeps_layer', 'on', true); update feature set level = 1 where source_key = 'a'`)
	n.untilTold("the change", func(s tiles.Notice) bool { return s.Layer == "ours" })
	go ask()
	n.until("the second asks", func() bool { return n.engine.State().Cache.Misses == 2 })
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if x, y := <-answers, <-answers; x == y {
		t.Errorf("both are given the level %v; one was to be given what is now", x)
	}
	if got := level(n.get(city, "ours,large", a)); got != 1.0 {
		t.Errorf("then its level is %v", got)
	}
}
