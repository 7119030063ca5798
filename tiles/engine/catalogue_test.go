package engine_test

import (
	"bytes"
	"slices"
	"testing"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/tiles"
	"onemap/tiles/engine"
)

// wants asks for a tile and expects an error of the kind, or none when it is 0.
func (n *node) wants(s core.Scope, layers string, a tiles.Address, kind fault.Kind) tiles.Tile {
	n.t.Helper()
	tile, err := n.engine.Tile(n.t.Context(), s, tiles.Request{Layers: layers, Address: a})
	if kind == 0 && err != nil || kind != 0 && !fault.Is(err, kind) {
		n.t.Errorf("%s of %s for %v: %v, want %v", layers, s.Division, a, err, kind)
	}
	return tile
}

// allOf reports whether a notice is of everything of the layer, for the reader.
func allOf(layer string, s core.Scope) func(tiles.Notice) bool {
	return func(n tiles.Notice) bool {
		return n.VisibleTo(s) && (n.Layer == "" || n.Layer == layer && n.Ranges == nil)
	}
}

// then changes the catalogue by hand and waits until that has been followed.
func (n *node) then(sql string) {
	n.t.Helper()
	n.taken()
	n.db.exec(n.t, sql)
	n.settle()
}

// toldAll holds that the readers have been told of everything of the layer.
func (n *node) toldAll(what, layer string, readers ...core.Scope) {
	n.t.Helper()
	notices := n.taken()
	for _, s := range readers {
		if !slices.ContainsFunc(notices, allOf(layer, s)) {
			n.t.Errorf("%s: %v is not told:%s", what, s, inNotices(notices))
		}
	}
}

// A layer is made, renamed, given to other readers, drawn by other rules, deleted: tiles follow, and
// those who had them are told, also those who may no longer have them.
func TestTheCatalogueIsFollowed(t *testing.T) {
	db := newBase(t)
	n := start(t, db, engine.Options{}, nil)
	a := address(121.4, 37.5, 10)
	n.wants(zhifu, "fresh", a, fault.NotFound)
	n.taken()
	importOK(t, db, layerOf("fresh", core.Audience{Kind: core.AudiencePublic}, core.TileRules{}), feature("a", "370602", 121.4, 37.5), feature("b", "370614", 121.41, 37.51))
	n.settle()
	n.toldAll("made", "fresh", zhifu)
	if got := drawn(t, n.wants(zhifu, "fresh", a, 0).Bytes, "fresh"); len(got) != 2 {
		t.Errorf("a new layer has %v", got)
	}

	n.then(`update layer set name = 'renamed' where name = 'fresh'`)
	notices := n.taken()
	for _, name := range []string{"fresh", "renamed"} {
		if !slices.ContainsFunc(notices, allOf(name, zhifu)) {
			t.Errorf("nobody who has %s is told of its new name:%s", name, inNotices(notices))
		}
	}
	n.wants(zhifu, "fresh", a, fault.NotFound)
	if got := drawn(t, n.wants(zhifu, "renamed", a, 0).Bytes, "renamed"); len(got) != 2 {
		t.Errorf("by its new name it has %v", got)
	}
	n.followsReaders(a)
	before := n.wants(zhifu, "renamed", a, 0)
	n.followsRules(a)

	n.then(`delete from layer where name = 'renamed'`)
	n.toldAll("deleted", "renamed", zhifu)
	n.wants(zhifu, "renamed", a, fault.NotFound)

	importOK(t, db, layerOf("renamed", core.Audience{Kind: core.AudiencePublic}, core.TileRules{}), feature("a", "370602", 121.4, 37.5))
	n.settle()
	if got := n.wants(zhifu, "renamed", a, 0); len(got.Bytes) == 0 || bytes.Equal(got.Bytes, before.Bytes) {
		t.Errorf("another layer of the name has %d bytes", len(got.Bytes))
	}
}

// followsReaders gives the layer from readers to readers.
func (n *node) followsReaders(a tiles.Address) {
	t, stewards := n.t, core.Scope{Division: "370614", Role: core.RoleSteward}
	t.Helper()
	n.then(`update layer set audience = 'division' where name = 'renamed'`)
	n.toldAll("by division", "renamed", zhifu, penglai)
	for s, want := range map[core.Scope]int{city: 2, zhifu: 1, penglai: 1, {Division: "1101", Role: core.RoleResponder}: 0} {
		if got := drawn(t, n.wants(s, "renamed", a, 0).Bytes, "renamed"); len(got) != want {
			t.Errorf("by division %v has %v", s, got)
		}
	}

	n.then(`update layer set audience = 'roles', audience_roles = '{` + string(core.RoleSteward) + `}' where name = 'renamed'`)
	n.toldAll("by role", "renamed", zhifu, stewards)
	n.wants(zhifu, "renamed", a, fault.Forbidden)
	if got := drawn(t, n.wants(stewards, "renamed", a, 0).Bytes, "renamed"); len(got) != 2 {
		t.Errorf("a steward has %v", got)
	}

	n.then(`update layer set audience = 'public' where name = 'renamed'`)
	n.toldAll("public", "renamed", zhifu, stewards)
}

// followsRules draws the layer in other ways.
func (n *node) followsRules(a tiles.Address) {
	t := n.t
	t.Helper()
	n.then(`update layer set fields = '[{"name":"stock","type":"number","in_tile":true}]' where name = 'renamed'`)
	n.toldAll("a field", "renamed", zhifu)
	f := decoded(t, n.wants(zhifu, "renamed", a, 0).Bytes)["renamed"][0]
	if f.Properties["kind"] != nil || f.Properties["stock"] != 12.5 {
		t.Errorf("without the field kind: %v", f.Properties)
	}

	n.then(`update layer set tile = '{"cluster":{"cell":4096,"to_zoom":12}}' where name = 'renamed'`)
	n.toldAll("clustered", "renamed", zhifu)
	if f := decoded(t, n.wants(zhifu, "renamed", a, 0).Bytes)["renamed"]; len(f) != 1 || f[0].Properties["count"] != 2.0 {
		t.Errorf("clustered: %v", f)
	}

	n.then(`update layer set min_zoom = 11 where name = 'renamed'`)
	n.toldAll("deeper", "renamed", zhifu)
	if got := n.wants(zhifu, "renamed", a, 0).Bytes; len(got) != 0 {
		t.Errorf("below its least zoom it has %d bytes", len(got))
	}

	n.then(`update layer set title_zh = '新' where name = 'renamed'`)
	if notices := n.taken(); slices.ContainsFunc(notices, allOf("renamed", zhifu)) {
		t.Errorf("a new title: tiles do not change:%s", inNotices(notices))
	}
}

// A layer that the database draws is cached and dropped as those in memory are.
func TestTheDatabasesLayersAreFresh(t *testing.T) {
	db := newBase(t)
	rules := core.TileRules{Source: core.TileSourceDatabase}
	importOK(t, db, layerOf("large", core.Audience{Kind: core.AudienceDivision}, rules), feature("a", "370602", 121.4, 37.5), feature("b", "370614", 120.8, 37.8))
	importOK(t, db, layerOf("many", core.Audience{Kind: core.AudiencePublic}, core.TileRules{}), seeded(t, 1, 40, 0)...)
	n := start(t, db, engine.Options{MaxFeatures: 39}, nil)
	for _, s := range n.engine.Layers(city) {
		if want := s.Layer != markers; (s.Source == core.TileSourceDatabase) != want {
			t.Errorf("%s is drawn by %s", s.Layer, s.Source)
		}
	}
	id := idsOf(t, db, "large")["a"]
	here, there, away := address(121.4, 37.5, 12), address(120.9, 37.1, 12), address(120.8, 37.8, 12)
	first, none, other := n.get(zhifu, "large", here), n.get(zhifu, "large", there), n.get(city, "large", away)
	if again := n.get(zhifu, "large", here); &again.Bytes[0] != &first.Bytes[0] {
		t.Error("what the database draws is not kept")
	}
	if len(drawn(t, none.Bytes, "large")) != 0 || len(drawn(t, other.Bytes, "large")) != 1 {
		t.Error("the tiles before")
	}
	n.taken()
	db.exec(t, `update feature set geom = ST_SetSRID('POINT(120.9 37.1)'::geometry, 4326) where id = $1`, id)
	n.settle()
	if got := drawn(t, n.get(zhifu, "large", here).Bytes, "large"); len(got) != 0 {
		t.Errorf("a ghost: %v", got)
	}
	if got := drawn(t, n.get(zhifu, "large", there).Bytes, "large"); !slices.Equal(got, []int64{id}) {
		t.Errorf("at the new place: %v", got)
	}
	if again := n.get(city, "large", away); &again.Bytes[0] != &other.Bytes[0] {
		t.Error("a tile elsewhere was made anew")
	}
	if notices := n.taken(); !told(notices, watched{"large", zhifu, here}) || !told(notices, watched{"large", zhifu, there}) || told(notices, watched{"large", penglai, here}) {
		t.Errorf("told:%s", inNotices(notices))
	}
}

// When the feed no longer reaches back, everything is loaded anew.
func TestALostFeedLoadsAnew(t *testing.T) {
	db := smallWorld(t)
	n := start(t, db, engine.Options{}, nil)
	a := address(120.7, 37.4, 9)
	before := n.get(city, "open", a)
	n.taken()
	// as when a dump has been restored: other content, and the feed does not know of it
	db.exec(t, `alter table feature disable trigger user`)
	db.exec(t, `delete from feature where layer_id = (select id from layer where name = 'open')`)
	db.exec(t, `alter table feature enable trigger user`)
	n.settle()
	if got := n.get(city, "open", a); !bytes.Equal(got.Bytes, before.Bytes) {
		t.Fatal("the feed told of it: nothing is lost")
	}
	n.taken()
	db.exec(t, `update instance set id = gen_random_uuid()`)
	n.untilTold("everything", func(s tiles.Notice) bool { return s.Layer == "" })
	n.until("the engine is ready", n.engine.Ready)
	if got := n.get(city, "open", a); len(got.Bytes) != 0 {
		t.Errorf("%d bytes are left", len(got.Bytes))
	}
	db.exec(t, `insert into feature (layer_id, source_key, origin, geom) select id, 'x', 'real', ST_SetSRID('POINT(120.7 37.4)'::geometry, 4326) from layer where name = 'open'`)
	n.settle()
	if got := drawn(t, n.get(city, "open", a).Bytes, "open"); len(got) != 1 {
		t.Errorf("it does not follow the feed afterwards: %v", got)
	}
}
