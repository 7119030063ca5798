package cataloguepg_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"onemap/catalogue"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
)

func TestChangeLayer(t *testing.T) {
	db := storetest.NewDivisions(t)
	l := storetest.Tanks()
	l.Fields = []catalogue.Field{{Name: "stock", Type: "number", InTile: true}, {Name: "kind", Type: "string"}}
	storetest.ImportOK(t, db, l, storetest.Feature("a", "370602", 121.4, 37.5))
	before := storetest.LayerOf(t, db, storetest.CityScope(), "tanks")
	f := storetest.Follow(t, db)
	zoom, thin := 9, &core.TileGrid{Cell: 16, ToZoom: 7}
	rules := core.TileRules{Severity: "stock", Thin: thin}
	got, err := storetest.Catalogue(db).ChangeLayer(t.Context(), storetest.Editor(storetest.CityScope(), "li"), "tanks", before.Version, catalogue.LayerChange{MaxZoom: &zoom, Tile: &rules, InTile: []string{"kind"}})
	if err != nil {
		t.Fatal(err)
	}
	want := before
	want.MaxZoom, want.Tile, want.Version, want.ModifiedAt = 9, rules, before.Version+1, got.ModifiedAt
	want.Fields = []catalogue.Field{{Name: "stock", Type: "number"}, {Name: "kind", Type: "string", InTile: true}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if len(f.Next()) != 1 {
		t.Error("the change feed does not have the change")
	}
	events := storetest.EventsOfKind(t, db, catalogue.EventLayerChanged)
	if last := events[len(events)-1]; len(events) != 3 || last.Actor != "li" || last.Subject != "tanks" {
		t.Errorf("events: %+v", events)
	}
	if same, err := storetest.Catalogue(db).ChangeLayer(t.Context(), storetest.Editor(storetest.CityScope(), "li"), "tanks", -1, catalogue.LayerChange{Tile: &core.TileRules{Severity: "stock", Thin: &core.TileGrid{Cell: 16, ToZoom: 7}}}); err != nil || same.Version != got.Version {
		t.Errorf("the same again: version %d, %v", same.Version, err)
	}
	// An import or an entry without rules for tiles does not change the stored rules.
	storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("a", "370602", 121.5, 37.5))
	if kept := storetest.LayerOf(t, db, storetest.CityScope(), "tanks"); !cmp.Equal(kept.Tile, rules) {
		t.Errorf("after an import: %+v", kept.Tile)
	}
	none, no, tooDeep := core.TileRules{}, -1, 23
	if back, err := storetest.Catalogue(db).ChangeLayer(t.Context(), storetest.Editor(storetest.CityScope(), "li"), "tanks", -1, catalogue.LayerChange{Tile: &none, InTile: []string{}}); err != nil || back.Tile != none || back.Fields[1].InTile {
		t.Errorf("back to the defaults: %+v, %v", back, err)
	}
	for name, c := range map[string]struct {
		scope   core.Scope
		layer   string
		version int64
		change  catalogue.LayerChange
		kind    fault.Kind
		field   string
	}{
		"another version":  {storetest.CityScope(), "tanks", 1, catalogue.LayerChange{MinZoom: &zoom}, fault.Precondition, ""},
		"no layer":         {storetest.CityScope(), "none", -1, catalogue.LayerChange{}, fault.NotFound, ""},
		"no name":          {storetest.CityScope(), "'", -1, catalogue.LayerChange{}, fault.NotFound, ""},
		"a county":         {storetest.Zhifu(), "tanks", -1, catalogue.LayerChange{MinZoom: &zoom}, fault.Forbidden, ""},
		"nobody":           {core.Scope{}, "tanks", -1, catalogue.LayerChange{MinZoom: &zoom}, fault.Forbidden, ""},
		"below the ground": {storetest.CityScope(), "tanks", -1, catalogue.LayerChange{MinZoom: &no}, fault.Invalid, "min_zoom"},
		"too deep":         {storetest.CityScope(), "tanks", -1, catalogue.LayerChange{MaxZoom: &tooDeep}, fault.Invalid, "max_zoom"},
		"no field":         {storetest.CityScope(), "tanks", -1, catalogue.LayerChange{InTile: []string{"stock", "x"}}, fault.Invalid, "in_tile[1]"},
		"a wordy severity": {storetest.CityScope(), "tanks", -1, catalogue.LayerChange{Tile: &core.TileRules{Severity: "kind"}}, fault.Invalid, "tile.severity"},
		"no such cell":     {storetest.CityScope(), "tanks", -1, catalogue.LayerChange{Tile: &core.TileRules{Cluster: &core.TileGrid{Cell: 3}}}, fault.Invalid, "tile.cluster.cell"},
	} {
		_, err := storetest.Catalogue(db).ChangeLayer(t.Context(), storetest.Editor(c.scope, "li"), c.layer, c.version, c.change)
		if got := storetest.FieldOf(err); fault.KindOf(err) != c.kind || got != c.field {
			t.Errorf("%s: %v, the field %q", name, err, got)
		}
	}
}
