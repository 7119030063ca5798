package cataloguepg_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// steward returns a principal who may edit the data of one county.
var steward = core.Scope{Division: "370602", Role: core.RoleSteward}

func newTanks(t *testing.T, l catalogue.Layer) (*stores.Stores, map[string]catalogue.Feature) {
	t.Helper()
	db := storetest.NewDivisions(t)
	storetest.ImportOK(t, db, l, storetest.Feature("a", "370602", 121.4, 37.5), storetest.Feature("b", "370602", 121.5, 37.6), storetest.Feature("far", "370614", 120.8, 37.8))
	return db, storetest.FeaturesOf(t, db, storetest.CityScope(), l.Name)
}

func TestEditChangesAllInOne(t *testing.T) {
	db, before := newTanks(t, storetest.Tanks())
	renamed := catalogue.Feature{ID: before["b"].ID, Name: core.Text{ZH: "新名"}, Level: core.Red, Properties: map[string]any{"stock": 3.0}}
	l, ids, err := storetest.Catalogue(db).EditFeatures(t.Context(), storetest.Editor(steward, "li"), "tanks", 1, catalogue.Edit{
		Create: []catalogue.Feature{storetest.Feature("", "370602", 121.45, 37.4), storetest.Feature("own", "370602000000", 121.46, 37.4)},
		Move:   []catalogue.Feature{{ID: before["b"].ID, Geometry: orb.Point{121.7, 37.5}}},
		Update: []catalogue.Feature{renamed},
		Delete: []int64{before["a"].ID},
	})
	if err != nil {
		t.Fatal(err)
	}
	if l.Version != 2 || l.Count != 3 || len(ids) != 2 {
		t.Errorf("the steward is told version %d, count %d (of its own county), ids %v", l.Version, l.Count, ids)
	}
	after := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")
	b := after["b"]
	if len(after) != 4 || b.ID != before["b"].ID || b.Geometry != (orb.Point{121.7, 37.5}) || b.Name.ZH != "新名" || b.Level != core.Red || b.Properties["stock"] != 3.0 {
		t.Errorf("after: %+v", after)
	}
	if own := after["own"]; own.ID != ids[1] || own.Origin != core.OriginSynthetic || own.Source != "" || own.ByHand.Drawn == nil || own.ByHand.Drawn.By != "li" || own.Division != "370602" {
		t.Errorf("the new one: %+v", own)
	}
	made, err := db.Catalogue.Feature(t.Context(), steward, "tanks", ids[0])
	if err != nil || !strings.HasPrefix(made.Key, "onemap-") {
		t.Errorf("a key is made where none is given: %+v %v", made, err)
	}
	events := storetest.EventsOfKind(t, db, catalogue.EventLayerChanged)
	last := events[len(events)-1]
	var payload struct {
		Version                   int64
		BBox                      []float64
		Created, Updated, Deleted []int64
	}
	if err := json.Unmarshal(last.Payload, &payload); err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(payload.Created, ids) || !cmp.Equal(payload.Updated, []int64{b.ID}) || !cmp.Equal(payload.Deleted, []int64{before["a"].ID}) {
		t.Errorf("the event tells of %+v", payload)
	}
	if len(events) != 4 || last.Actor != "li" || payload.Version != 2 || !cmp.Equal(payload.BBox, []float64{121.4, 37.4, 121.7, 37.6}) {
		t.Errorf("event: %+v %+v", last, payload)
	}
	hits, err := db.Catalogue.Search(t.Context(), storetest.CityScope(), "xinming", 0)
	if err != nil || len(hits) != 1 {
		t.Errorf("the new name is not found: %v %v", hits, err)
	}
}

func TestEditRefuses(t *testing.T) {
	db, before := newTanks(t, storetest.Tanks())
	a, far := before["a"].ID, before["far"].ID
	with := func(g orb.Geometry) catalogue.Feature {
		f := storetest.Feature("new", "370602", 0, 0)
		f.Geometry = g
		return f
	}
	good := storetest.Feature("good", "370602", 121, 37)
	bow := orb.Polygon{{{121, 37}, {122, 38}, {122, 37}, {121, 38}, {121, 37}}}
	open := orb.Polygon{{{121, 37}, {122, 37}, {122, 38}, {121, 38}}}
	for name, c := range map[string]struct {
		version int64
		edit    catalogue.Edit
		kind    fault.Kind
		field   string
		says    string
	}{
		"another version":    {7, catalogue.Edit{Delete: []int64{a}}, fault.Precondition, "", `"1"`},
		"nothing":            {1, catalogue.Edit{}, fault.Invalid, "body", "nothing"},
		"too much":           {1, catalogue.Edit{Delete: make([]int64, 10_001)}, fault.TooLarge, "", "10001"},
		"unknown id":         {1, catalogue.Edit{Delete: []int64{a, 999}}, fault.NotFound, "delete[1]", "999"},
		"another county's":   {1, catalogue.Edit{Move: []catalogue.Feature{{ID: far, Geometry: orb.Point{121, 37}}}}, fault.NotFound, "move[0].id", ""},
		"twice":              {1, catalogue.Edit{Delete: []int64{a, a}}, fault.Invalid, "delete[1]", "twice"},
		"moved and deleted":  {1, catalogue.Edit{Delete: []int64{a}, Move: []catalogue.Feature{{ID: a, Geometry: orb.Point{121, 37}}}}, fault.Invalid, "move[0].id", "deleted"},
		"made elsewhere":     {1, catalogue.Edit{Create: []catalogue.Feature{good, storetest.Feature("x", "370614", 121, 37)}}, fault.Forbidden, "create[1].properties.division", "370602"},
		"made by old code":   {1, catalogue.Edit{Create: []catalogue.Feature{storetest.Feature("x", "370634", 121, 37)}}, fault.Forbidden, "create[0].properties.division", "370602"},
		"made nowhere":       {1, catalogue.Edit{Create: []catalogue.Feature{storetest.Feature("x", "", 121, 37)}}, fault.Invalid, "create[0].properties.division", "no division code"},
		"no geometry":        {1, catalogue.Edit{Create: []catalogue.Feature{good, with(nil)}}, fault.Invalid, "create[1].geometry", "no geometry"},
		"swapped":            {1, catalogue.Edit{Create: []catalogue.Feature{with(orb.Point{37.5, 121.4})}}, fault.Invalid, "create[0].geometry", "lon and lat swapped"},
		"moved off the map":  {1, catalogue.Edit{Move: []catalogue.Feature{{ID: a, Geometry: orb.Point{200, 3}}}}, fault.Invalid, "move[0].geometry", "200"},
		"an unclosed ring":   {1, catalogue.Edit{Create: []catalogue.Feature{with(open)}}, fault.Invalid, "create[0].geometry", "not closed"},
		"a bow tie":          {1, catalogue.Edit{Create: []catalogue.Feature{with(bow)}}, fault.Invalid, "create[0].geometry", "Self-intersection"},
		"a key that is used": {1, catalogue.Edit{Create: []catalogue.Feature{good, storetest.Feature("a", "370602", 121, 37)}}, fault.Conflict, "create[1].key", `"a"`},
		"a level of 9":       {1, catalogue.Edit{Update: []catalogue.Feature{{ID: a, Level: 9}}}, fault.Invalid, "update[0].level", "9"},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(name, "bow") || strings.Contains(name, "ring") {
				if _, err := storetest.Catalogue(db).PutLayer(t.Context(), storetest.Root(), catalogue.Layer{Name: "tanks", GeometryType: "Geometry"}); err != nil {
					t.Fatal(err)
				}
				c.version = -1
			}
			layer, features := storetest.LayerOf(t, db, storetest.CityScope(), "tanks"), storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")
			if c.version == 1 {
				c.version = layer.Version
			}
			_, _, err := storetest.Catalogue(db).EditFeatures(t.Context(), storetest.Editor(steward, "li"), "tanks", c.version, c.edit)
			var e *fault.Error
			if !errors.As(err, &e) || e.Kind != c.kind || e.Field != c.field || !strings.Contains(err.Error(), c.says) {
				if name != "another version" || e == nil || e.Kind != c.kind {
					t.Errorf("got %v (%+v), want %v of %s that says %s", err, e, c.kind, c.field, c.says)
				}
			}
			if d := cmp.Diff(features, storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")); d != "" {
				t.Errorf("features changed:\n%s", d)
			}
			if d := cmp.Diff(layer, storetest.LayerOf(t, db, storetest.CityScope(), "tanks")); d != "" {
				t.Errorf("the layer changed:\n%s", d)
			}
		})
	}
}

func TestEditKeepsToTheLayersKindAndAudience(t *testing.T) {
	public := storetest.Tanks()
	public.Audience.Kind = core.AudiencePublic
	db, before := newTanks(t, public)
	line := storetest.Feature("x", "370602", 0, 0)
	line.Geometry = orb.LineString{{121, 37}, {122, 37}}
	_, _, err := storetest.Catalogue(db).EditFeatures(t.Context(), storetest.Editor(steward, "li"), "tanks", -1, catalogue.Edit{Create: []catalogue.Feature{line}})
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "holds Points") {
		t.Errorf("a line on a layer of points: %v", err)
	}
	// In a public layer the steward sees the feature of the other county, but may not change it.
	_, _, err = storetest.Catalogue(db).EditFeatures(t.Context(), storetest.Editor(steward, "li"), "tanks", -1, catalogue.Edit{Delete: []int64{before["far"].ID}})
	if !fault.Is(err, fault.Forbidden) {
		t.Errorf("another county's feature: %v", err)
	}
	if _, err := storetest.Catalogue(db).PutLayer(t.Context(), storetest.Root(), catalogue.Layer{
		Name: "tanks", Audience: core.Audience{Kind: core.AudienceRoles, Roles: []core.Role{core.RoleCommander}},
	}); err != nil {
		t.Fatal(err)
	}
	_, _, err = storetest.Catalogue(db).EditFeatures(t.Context(), storetest.Editor(steward, "li"), "tanks", -1, catalogue.Edit{Delete: []int64{before["a"].ID}})
	if !fault.Is(err, fault.Forbidden) {
		t.Errorf("a layer for commanders: %v", err)
	}
	for _, name := range []string{"nope", `tanks'; drop table feature; --`, "", "tanks\x00", strings.Repeat("a", 500)} {
		_, _, err = storetest.Catalogue(db).EditFeatures(t.Context(), storetest.Editor(steward, "li"), name, -1, catalogue.Edit{Delete: []int64{1}})
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("layer %q: %v", name, err)
		}
	}
}

// Of two edits with the same version of the layer, only one is accepted.
func TestEditsOfTheSameVersion(t *testing.T) {
	db, before := newTanks(t, storetest.Tanks())
	results := make(chan error, 4)
	for range cap(results) {
		go func() {
			_, _, err := storetest.Catalogue(db).EditFeatures(t.Context(), storetest.Editor(storetest.CityScope(), "li"), "tanks", 1, catalogue.Edit{
				Update: []catalogue.Feature{{ID: before["a"].ID, Name: core.Text{ZH: "新"}}},
			})
			results <- err
		}()
	}
	won := 0
	for range cap(results) {
		switch err := <-results; {
		case err == nil:
			won++
		case !fault.Is(err, fault.Precondition):
			t.Error(err)
		}
	}
	if l := storetest.LayerOf(t, db, storetest.CityScope(), "tanks"); won != 1 || l.Version != 2 {
		t.Errorf("%d won, the layer is at version %d", won, l.Version)
	}
}
