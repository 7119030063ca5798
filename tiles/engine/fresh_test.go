package engine_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/geo"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/tiles"
	"onemap/tiles/engine"
)

// smallWorld is a database with three layers over the test set's area: one for all, thinned and
// clustered, one by division, one for commanders.
func smallWorld(t testing.TB) *base {
	t.Helper()
	db := newBase(t)
	buffer := 512 // in which half of a neighbour's cluster may lie
	clustered := core.TileRules{Cluster: &core.TileGrid{Cell: 1024, ToZoom: 9}, Buffer: &buffer}
	importOK(t, db, layerOf("open", core.Audience{Kind: core.AudiencePublic}, clustered), seeded(t, 5, 150, 40)...)
	importOK(t, db, layerOf("ours", core.Audience{Kind: core.AudienceDivision}, core.TileRules{}), seeded(t, 6, 150, 40)...)
	importOK(t, db, layerOf("staff", core.Audience{Kind: core.AudienceRoles, Roles: []core.Role{core.RoleCommander}}, unthinned()), seeded(t, 7, 60, 10)...)
	return db
}

// watched is the tiles that the freshness tests look at, by layers and reader.
type watched struct {
	layers string
	scope  core.Scope
	at     tiles.Address
}

// everyTile is every tile of the small world's area and its neighbours to zoom 9; from there those
// around the places to zoom 12, and those of the places to zoom 18.
func everyTile(places []orb.Point) []watched {
	var all []watched
	seen := map[tiles.Address]bool{}
	add := func(a tiles.Address) {
		if seen[a] || !geo.Tile(a).Valid() {
			return
		}
		seen[a] = true
		all = append(all, watched{"open", city, a}, watched{"open.label", city, a}, watched{"ours", city, a}, watched{"ours", zhifu, a},
			watched{"ours.label", penglai, a}, watched{"staff", city, a})
	}
	for z := uint32(0); z <= 9; z++ {
		low, high := geo.TileAt(orb.Point{119.5, 38.4}, z), geo.TileAt(orb.Point{122, 36.5}, z)
		for x := max(low.X, 1) - 1; x <= high.X+1; x++ {
			for y := max(low.Y, 1) - 1; y <= high.Y+1; y++ {
				add(tiles.Address{Z: z, X: x, Y: y})
			}
		}
	}
	for _, p := range places {
		for z := uint32(10); z <= 12; z++ {
			at := geo.TileAt(p, z)
			for i := range uint32(9) {
				add(tiles.Address{Z: z, X: at.X + i%3 - 1, Y: at.Y + i/3 - 1})
			}
		}
		for z := uint32(13); z <= 18; z++ {
			add(tiles.Address(geo.TileAt(p, z)))
		}
	}
	return all
}

// snapshot is what the node serves.
func (n *node) snapshot(list []watched) [][]byte {
	n.t.Helper()
	out := make([][]byte, len(list))
	for i, w := range list {
		out[i] = n.get(w.scope, w.layers, w.at).Bytes
	}
	return out
}

// told reports whether one of the notices tells the reader of the tile.
func told(notices []tiles.Notice, w watched) bool {
	layer, _ := tiles.SplitLabel(w.layers)
	return slices.ContainsFunc(notices, func(n tiles.Notice) bool {
		switch {
		case !n.VisibleTo(w.scope):
			return false
		case n.Layer == "" || n.Layer == layer && n.Ranges == nil:
			return true
		}
		return n.Layer == layer && slices.ContainsFunc(n.Ranges, func(r tiles.Range) bool {
			return r.Z == w.at.Z && r.X0 <= w.at.X && w.at.X <= r.X1 && r.Y0 <= w.at.Y && w.at.Y <= r.Y1
		})
	})
}

// checkChange holds what changed against what was told, and against an engine that has just been
// loaded. Whoever is told of a tile that is the same has lost nothing but time; exact demands that
// those who were not told still get the very bytes of the cache.
func (n *node) checkChange(what string, list []watched, before [][]byte, notices []tiles.Notice, exact bool) {
	n.t.Helper()
	fresh := start(n.t, n.db, engine.Options{}, nil)
	defer fresh.stop()
	after, want := n.snapshot(list), fresh.snapshot(list)
	changed, kept := 0, 0
	for i, w := range list {
		if !bytes.Equal(after[i], want[i]) {
			n.t.Errorf("%s: %+v has %d bytes, freshly loaded %d", what, w, len(after[i]), len(want[i]))
		}
		is := told(notices, w)
		switch {
		case w.at.Z > 16: // beyond the layers' deepest zoom it is fresh, and no client asks for it
		case !bytes.Equal(before[i], after[i]):
			changed++
			if !is {
				n.t.Errorf("%s: %+v has changed, and nobody was told:%s", what, w, inNotices(notices))
			}
		case !is && exact && len(after[i]) > 0:
			kept++
			if &before[i][0] != &after[i][0] {
				n.t.Errorf("%s: %+v was made anew for nothing", what, w)
			}
		}
	}
	if changed == 0 || exact && kept == 0 {
		n.t.Errorf("%s: %d of %d tiles have changed, %d were kept", what, changed, len(list), kept)
	}
}

// Whoever writes, exactly the tiles that a change can touch are dropped and told; those that differ
// are among them; and the tiles are those of an engine that starts now.
func TestEveryWriterIsFollowed(t *testing.T) {
	db := smallWorld(t)
	other := connect(t, db.url)
	n := start(t, db, engine.Options{}, nil)
	ids := idsOf(t, db, "ours")
	places := []orb.Point{{120.7, 37.4}, {120.9, 37.45}, {121.4, 37.5}, {119.9, 36.9}}
	all := seeded(t, 5, 150, 40)
	for _, f := range all[140:160] {
		places = append(places, f.Geometry.Bound().Center())
	}
	list := everyTile(places)
	edit := func(by *base, layer string, e catalogue.Edit) func() {
		return func() {
			if _, _, err := storetest.Catalogue(by.Stores).EditFeatures(t.Context(), storetest.Editor(city, "li"), layer, -1, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	moved := all[3]
	moved.Geometry = places[0]
	for _, c := range []struct {
		what string
		do   func()
	}{
		{"an edit", edit(db, "ours", catalogue.Edit{
			Create: []catalogue.Feature{feature("new", "370602", 120.9, 37.45), shaped("vast", "370602", square(120.8, 37.2, 0.5))},
			Move:   []catalogue.Feature{{ID: ids["p0000003"], Geometry: places[0]}, {ID: ids["a0000004"], Geometry: square(121.4, 37.5, 0.03)}},
			Update: []catalogue.Feature{{ID: ids["p0000009"], Name: core.Text{ZH: "改"}, Level: core.Red}}, Delete: []int64{ids["p0000011"], ids["a0000012"]},
		})},
		{"an edit by another server", edit(other, "open", catalogue.Edit{Create: []catalogue.Feature{shaped("there", "370614", square(119.9, 36.9, 0.002))}})},
		{"an import", func() {
			importOK(t, db, layerOf("open", core.Audience{Kind: core.AudiencePublic}, core.TileRules{}), append(slices.Clone(all[4:]), moved)...)
		}},
		{"an update by hand", func() {
			db.exec(t, `update feature set geom = ST_Translate(geom, 0.4, 0.1), division_code = '370602' where layer_id = (select id from layer where name = 'ours') and source_key in ('p0000020', 'a0000020')`)
		}},
		{"an insert by hand", func() {
			db.exec(t, `insert into feature (layer_id, source_key, division_code, level, origin, geom) select id, 'hand', '370614', 1, 'real', ST_SetSRID('POINT(120.7 37.4)'::geometry, 4326) from layer where name in ('ours', 'staff')`)
		}},
		{"a delete by hand", func() {
			db.exec(t, `delete from feature where source_key = 'hand' or (source_key like 'a00000_1' and division_code like '37060%')`)
		}},
		{"features that change their layer and their id by hand", func() {
			db.exec(t, `update feature set layer_id = (select id from layer where name = 'ours'), source_key = 'from open ' || source_key where layer_id = (select id from layer where name = 'open') and source_key in ('p0000030', 'a0000030')`)
			db.exec(t, `update feature set id = default where layer_id = (select id from layer where name = 'ours') and source_key in ('p0000040', 'a0000033')`)
		}},
		{"a change of a thinned feature's level", func() {
			db.exec(t, `update feature set level = 5 - greatest(level, 1) where layer_id = (select id from layer where name = 'open') and id % 40 = 0`)
		}},
	} {
		before := n.snapshot(list)
		n.taken()
		c.do()
		n.settle()
		n.checkChange(c.what, list, before, n.taken(), true)
	}
	n.checkWhole(list, places)
}

// A change of more than is applied at once is whole when it is told to its end.
func TestManyChangesAtOnce(t *testing.T) {
	db := smallWorld(t)
	n := start(t, db, engine.Options{}, nil)
	list := everyTile([]orb.Point{{120.7, 37.4}})
	before := n.snapshot(list)
	n.taken()
	db.exec(t, `insert into feature (layer_id, source_key, division_code, level, origin, geom)
		select l.id, 'many' || i, '3706' || lpad((2 + i % 13)::text, 2, '0'), i % 5, 'real', ST_SetSRID(ST_Point(119.5 + (i * 7919 % 2500) / 1000.0, 36.5 + (i * 104729 % 1900) / 1000.0), 4326)
		from layer l, generate_series(1, 6000) i where l.name in ('open', 'ours')`)
	db.exec(t, `update feature set geom = ST_Translate(geom, 0.001, 0.001) where source_key like 'many%'`)
	n.settle()
	n.checkChange("12,000 points", list, before, n.taken(), false)
	for _, l := range n.engine.Layers(city) {
		if want := map[string]int64{"open": 6190, "ours": 6190, "staff": 70}[l.Layer]; l.Layer != markers && l.Features != want {
			t.Errorf("%s has %d features, want %d", l.Layer, l.Features, want)
		}
	}
}

// checkWhole holds what changes as a whole: then everything of the layer is told, once it is in memory.
func (n *node) checkWhole(list []watched, places []orb.Point) {
	n.t.Helper()
	before := n.snapshot(list)
	n.taken()
	n.db.exec(n.t, `truncate feature cascade`)
	for i, p := range places {
		n.db.exec(n.t, `insert into feature (layer_id, source_key, division_code, origin, geom)
			select id, $1::text, '370602', 'real', ST_SetSRID(ST_Point($2, $3), 4326) from layer where name <> 'markers'`, fmt.Sprint("p", i), p[0], p[1])
	}
	n.settle()
	n.checkChange("a truncate", list, before, n.taken(), false)
}

// What is told is served: whoever fetches when the notice comes gets the tile after the change, and
// the old place has no ghost.
func TestNoticesComeAfterTheTiles(t *testing.T) {
	db := smallWorld(t)
	id := idsOf(t, db, "open")["p0000001"]
	places := []orb.Point{{120.5, 37.3}, {121.3, 37.1}}
	at := []tiles.Address{address(120.5, 37.3, 16), address(121.3, 37.1, 16)}
	drawnAt := func(n *node) [2]bool {
		var out [2]bool
		for i := range at {
			out[i] = slices.Contains(drawn(t, n.get(city, "open", at[i]).Bytes, "open"), id)
		}
		return out
	}
	seen := make(chan [2]bool, 100) // what is served at the moment of each notice
	n := start(t, db, engine.Options{}, func(n *node, notices []tiles.Notice) {
		if slices.ContainsFunc(notices, func(s tiles.Notice) bool { return s.Layer == "open" }) {
			seen <- drawnAt(n)
		}
	})
	for i := range 40 {
		want := [2]bool{i%2 == 0, i%2 == 1}
		p := places[i%2]
		db.exec(t, `update feature set geom = ST_SetSRID(ST_Point($2, $3), 4326) where id = $1`, id, p[0], p[1])
		n.untilTold("the move", func(s tiles.Notice) bool { return s.Layer == "open" })
		if got := <-seen; got != want {
			t.Fatalf("move %d: when told it is drawn at %v, want %v", i, got, want)
		}
		if got := drawnAt(n); got != want {
			t.Fatalf("move %d: then it is drawn at %v, want %v", i, got, want)
		}
		n.taken()
	}
}
