package cataloguepg_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/internal/pg/migrations"
)

// edit makes one edit as a person, without a check of the version of the layer.
func edit(t *testing.T, db *stores.Stores, actor, layer string, e catalogue.Edit) []int64 {
	t.Helper()
	_, ids, err := storetest.Catalogue(db).EditFeatures(t.Context(), storetest.Editor(storetest.CityScope(), actor), layer, -1, e)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func historyOf(t *testing.T, db *stores.Stores, s core.Scope, layer string, id int64) []catalogue.FeatureChange {
	t.Helper()
	all, err := db.Catalogue.FeatureHistory(t.Context(), s, layer, id, core.Page{})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The provenance of a feature, from its import over edits of people to the next import.
func TestProvenance(t *testing.T) {
	db := storetest.NewDivisions(t)
	l := storetest.Tanks()
	l.Source = "OurAirports 2025-11"
	storetest.ImportOK(t, db, l, storetest.Feature("a", "370602", 121.4, 37.5), storetest.Feature("b", "370602", 121.5, 37.6))
	is := func(key, want string) {
		t.Helper()
		f := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")[key]
		got := f.Provenance()
		if at := f.ModifiedAt.UTC().Format(time.RFC3339); strings.Contains(want, "AT") {
			want = strings.ReplaceAll(want, "AT", at)
		}
		if got != want {
			t.Errorf("%s comes from %q, want %q", key, got, want)
		}
	}
	a := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")["a"]
	is("a", "OurAirports 2025-11")
	edit(t, db, "li", "tanks", catalogue.Edit{Create: []catalogue.Feature{storetest.Feature("c", "370602", 121.3, 37.4)}})
	is("c", "drawn by li, AT")
	// An edit to the present values is no change.
	edit(t, db, "li", "tanks", catalogue.Edit{Move: []catalogue.Feature{{ID: a.ID, Geometry: a.Geometry}}, Update: []catalogue.Feature{a}})
	is("a", "OurAirports 2025-11")
	edit(t, db, "wang", "tanks", catalogue.Edit{Move: []catalogue.Feature{{ID: a.ID, Geometry: orb.Point{121.41, 37.5}}}})
	is("a", "OurAirports 2025-11; moved by wang, AT")
	a.Name.ZH = "新名"
	edit(t, db, "li", "tanks", catalogue.Edit{Update: []catalogue.Feature{a}})
	if got := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")["a"].Provenance(); !strings.HasPrefix(got, "OurAirports 2025-11; moved by wang, ") || !strings.Contains(got, "; edited by li, ") {
		t.Errorf("a, moved and edited, comes from %q", got)
	}
	is("b", "OurAirports 2025-11")
	if of := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")["a"].Origin; of != core.OriginSynthetic {
		t.Errorf("the mark of a feature edited by hand is %s", of)
	}
	l.Source = "OurAirports 2025-12"
	rep := storetest.ImportOK(t, db, l, storetest.Feature("a", "370602", 121.4, 37.5), storetest.Feature("b", "370602", 121.5, 37.6), storetest.Feature("c", "370602", 121.3, 37.4))
	if rep.Updated != 3 {
		t.Errorf("%+v", rep)
	}
	for _, key := range []string{"a", "b", "c"} {
		is(key, "OurAirports 2025-12")
	}
	// The source is only the import again, although the content equals the edit of the person.
	b := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")["b"]
	edit(t, db, "li", "tanks", catalogue.Edit{Move: []catalogue.Feature{{ID: b.ID, Geometry: orb.Point{121.6, 37.6}}}})
	again := storetest.Feature("b", "370602", 121.6, 37.6)
	storetest.ImportOK(t, db, l, storetest.Feature("a", "370602", 121.4, 37.5), again, storetest.Feature("c", "370602", 121.3, 37.4))
	is("b", "OurAirports 2025-12")
}

// The history has every change of a feature, with only the members that differ, before and after the change.
func TestFeatureHistory(t *testing.T) {
	db := storetest.NewDivisions(t)
	first := storetest.Feature("a", "370602", 121.4, 37.5)
	first.Properties = catalogue.Properties{"stock": 12.0, "reg": json.Number("370602199001011238"), "gone": true}
	storetest.ImportOK(t, db, storetest.Tanks(), first, storetest.Feature("b", "370602", 121.5, 37.6))
	a := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")["a"]
	edit(t, db, "wang", "tanks", catalogue.Edit{Move: []catalogue.Feature{{ID: a.ID, Geometry: orb.Point{121.41, 37.5}}}})
	changed := a
	changed.Name.ZH = "新名"
	changed.Properties = catalogue.Properties{"stock": 12.0, "reg": json.Number("370602199001011239"), "new": json.Number("1.10")}
	edit(t, db, "li", "tanks", catalogue.Edit{Update: []catalogue.Feature{changed}})
	storetest.ImportOK(t, db, storetest.Tanks(), first, storetest.Feature("b", "370602", 121.5, 37.6))
	if _, err := db.Pool().Exec(t.Context(), "update feature set level = 2 where id = $1", a.ID); err != nil {
		t.Fatal(err)
	}
	edit(t, db, "li", "tanks", catalogue.Edit{Delete: []int64{a.ID}})
	got := historyOf(t, db, storetest.CityScope(), "tanks", a.ID)
	last := got[0].ID + 1
	for i := range got {
		if got[i].At.IsZero() || got[i].ID >= last {
			t.Errorf("entry %d: %+v", i, got[i])
		}
		last = got[i].ID
		got[i].ID, got[i].At = 0, time.Time{}
	}
	old, now, none, two, kind, division, source := a.Name, changed.Name, core.None, core.Orange, core.OriginSynthetic, "370602", "test"
	reg := func(n string) json.Number { return json.Number("37060219900101123" + n) }
	before := catalogue.FeatureState{Name: &old, Fields: catalogue.Properties{"reg": reg("8"), "gone": true}}
	after := catalogue.FeatureState{Name: &now, Fields: catalogue.Properties{"reg": reg("9"), "new": json.Number("1.10")}}
	back, forth := after, before
	back.Geometry, forth.Geometry = orb.Point{121.41, 37.5}, orb.Point{121.4, 37.5}
	want := []catalogue.FeatureChange{
		{Kind: "deleted", Via: catalogue.ViaHand, Actor: "li", Before: &catalogue.FeatureState{
			Division: &division, Name: &old, Level: &two, Origin: &kind, Source: &source, Fields: first.Properties, Geometry: orb.Point{121.4, 37.5},
		}},
		{Kind: "updated", Via: catalogue.ViaDatabase, Actor: got[1].Actor, Before: &catalogue.FeatureState{Level: &none}, After: &catalogue.FeatureState{Level: &two}},
		{Kind: "updated", Via: catalogue.ViaImport, Source: "test", Before: &back, After: &forth},
		{Kind: "updated", Via: catalogue.ViaHand, Actor: "li", Before: &before, After: &after},
		{
			Kind: "updated", Via: catalogue.ViaHand, Actor: "wang", Before: &catalogue.FeatureState{Geometry: orb.Point{121.4, 37.5}},
			After: &catalogue.FeatureState{Geometry: orb.Point{121.41, 37.5}},
		},
		{Kind: "created", Via: catalogue.ViaImport, Source: "test"},
	}
	if d := cmp.Diff(want, got); d != "" || got[1].Actor == "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	page, err := db.Catalogue.FeatureHistory(t.Context(), storetest.CityScope(), "tanks", a.ID, core.Page{Limit: 2})
	if err != nil || len(page) != 2 {
		t.Fatalf("a page: %d entries, %v", len(page), err)
	}
	rest, err := db.Catalogue.FeatureHistory(t.Context(), storetest.CityScope(), "tanks", a.ID, core.Page{Limit: 100, Before: page[1].ID})
	if err != nil || len(rest) != 4 || rest[0].ID >= page[1].ID {
		t.Errorf("the rest: %d entries, %v", len(rest), err)
	}
	if b := historyOf(t, db, storetest.CityScope(), "tanks", storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")["b"].ID); len(b) != 1 {
		t.Errorf("what no import changed has %d entries", len(b))
	}
}

// A scope sees the history of the features that it sees, and of these only the changes in its division.
func TestFeatureHistoryKeepsToTheScope(t *testing.T) {
	db, before := newTanks(t, storetest.Tanks())
	far := before["far"].ID
	if got := historyOf(t, db, storetest.Penglai(), "tanks", far); len(got) != 1 {
		t.Errorf("its own county sees %d entries", len(got))
	}
	missing := func(s core.Scope, layer string, id int64) {
		t.Helper()
		if all, err := db.Catalogue.FeatureHistory(t.Context(), s, layer, id, core.Page{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("%v asks for %s/%d: %v %v", s, layer, id, all, err)
		}
	}
	missing(storetest.Zhifu(), "tanks", far)
	missing(storetest.CityScope(), "tanks", 999_999)
	missing(storetest.CityScope(), "nothing", far)
	moved := storetest.Feature("far", "370602", 120.8, 37.8)
	storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("a", "370602", 121.4, 37.5), storetest.Feature("b", "370602", 121.5, 37.6), moved)
	if got := historyOf(t, db, storetest.Zhifu(), "tanks", far); len(got) != 0 {
		t.Errorf("what the feature was in another county: %+v", got)
	}
	missing(storetest.Penglai(), "tanks", far)
	edit(t, db, "li", "tanks", catalogue.Edit{Delete: []int64{far}})
	if got := historyOf(t, db, storetest.Zhifu(), "tanks", far); len(got) != 1 || got[0].Kind != "deleted" {
		t.Errorf("a deleted one: %+v", got)
	}
	if got := historyOf(t, db, storetest.CityScope(), "tanks", far); len(got) != 3 {
		t.Errorf("the city sees %d entries", len(got))
	}
	if _, err := storetest.Catalogue(db).PutLayer(t.Context(), storetest.Root(), catalogue.Layer{Name: "tanks", Audience: core.Audience{Kind: core.AudienceRoles, Roles: []core.Role{core.RoleCommander}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Catalogue.FeatureHistory(t.Context(), storetest.Zhifu(), "tanks", far, core.Page{}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a layer for commanders: %v", err)
	}
}

// An event of many features has the first ids and the number of all of them.
func TestLayerChangedIsBounded(t *testing.T) {
	db := storetest.NewDivisions(t)
	l := storetest.Tanks()
	l.Audience.Kind = core.AudiencePublic
	var all []catalogue.Feature
	for i := range 1203 {
		all = append(all, storetest.Feature(storetest.KeyOf(i), "370602", 121, 37))
	}
	storetest.ImportOK(t, db, l, all...)
	events := storetest.EventsOfKind(t, db, catalogue.EventLayerChanged)
	var p struct {
		Created, Updated, Deleted []int64
		Counts                    map[string]int64
	}
	if err := json.Unmarshal(events[0].Payload, &p); err != nil {
		t.Fatal(err)
	}
	if len(events) != 1 || len(p.Created) != 500 || p.Updated == nil || p.Deleted == nil || !cmp.Equal(p.Counts, map[string]int64{"created": 1203, "updated": 0, "deleted": 0}) {
		t.Errorf("%d events, %d ids, %v", len(events), len(p.Created), p.Counts)
	}
	var ids []int64
	for _, f := range storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks") {
		ids = append(ids, f.ID)
	}
	edit(t, db, "li", "tanks", catalogue.Edit{Delete: ids})
	events = storetest.EventsOfKind(t, db, catalogue.EventLayerChanged)
	if err := json.Unmarshal(events[1].Payload, &p); err != nil || len(p.Deleted) != 500 || p.Counts["deleted"] != 1203 {
		t.Errorf("deleted by hand: %d ids, %v %v", len(p.Deleted), p.Counts, err)
	}
}

// A feature that was drawn before the migration of provenance does not have the source of its layer afterwards.
func TestMigrationOfFeaturesDrawnByHand(t *testing.T) {
	url := storetest.NewEmptyURL(t)
	conn := storetest.Connect(t, url)
	names, err := migrations.Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	before := 0
	for _, n := range names {
		if strings.HasSuffix(n.Name(), "_provenance.sql") {
			break
		}
		if strings.HasSuffix(n.Name(), ".sql") {
			before++
		}
	}
	storetest.MigrateTo(t, conn, before)
	if _, err := conn.Exec(t.Context(), `
		insert into layer (name, theme, title_zh, title_en, origin, source) values ('airport', 'transport', '机场', 'Airports', 'real', 'OurAirports');
		insert into feature (layer_id, source_key, origin, source, geom)
		select id, key, 'real', 'OurAirports', ST_Point(121, 37, 4326) from layer, (values ('ZSYT'), ('onemap-ABCDEFGHIJKLMNOPQRSTUVWXY2')) k (key)`); err != nil {
		t.Fatal(err)
	}
	if err := pg.Migrate(t.Context(), url, nil); err != nil {
		t.Fatal(err)
	}
	db, err := stores.Open(t.Context(), stores.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	got := storetest.FeaturesOf(t, db, storetest.CityScope(), "airport")
	if imported, drawn := got["ZSYT"], got["onemap-ABCDEFGHIJKLMNOPQRSTUVWXY2"]; imported.Provenance() != "OurAirports" || drawn.Provenance() != "drawn by hand" {
		t.Errorf("imported: %q; drawn: %q", imported.Provenance(), drawn.Provenance())
	}
}

// Numbers that jsonb would round, refuse or write with a million characters are refused with the name of their field.
func TestNumbersThatCannotBeKept(t *testing.T) {
	db, before := newTanks(t, storetest.Tanks())
	for number, want := range map[string]string{"1e1100": "1e1100", "-1e-1101": "digits", "1e99999999999999999999": "digits", strings.Repeat("9", 1101): "1100"} {
		f := before["a"]
		f.Properties = catalogue.Properties{"ok": 1.0, "deep": []any{map[string]any{"n": json.Number(number)}}}
		_, _, err := storetest.Catalogue(db).EditFeatures(t.Context(), storetest.Editor(storetest.CityScope(), "li"), "tanks", -1, catalogue.Edit{Update: []catalogue.Feature{f}})
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "update[0].properties.deep") {
			t.Errorf("%.20s: %v", number, err)
		}
		bad := storetest.Feature("x", "370602", 121, 37)
		bad.Properties = f.Properties
		rep := storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("a", "370602", 121.4, 37.5), bad)
		if rep.Refused != 1 || !strings.Contains(rep.Refusals[0].Reason, want) {
			t.Errorf("%.20s in an import: %+v", number, rep)
		}
	}
	f := before["a"]
	var many []any
	for range 100 {
		many = append(many, json.Number("1e1000"))
	}
	f.Properties = catalogue.Properties{"many": many}
	if _, _, err := storetest.Catalogue(db).EditFeatures(t.Context(), storetest.Editor(storetest.CityScope(), "li"), "tanks", -1, catalogue.Edit{Update: []catalogue.Feature{f}}); !fault.Is(err, fault.Invalid) || !strings.Contains(fmt.Sprint(err), "65536") {
		t.Errorf("numbers that grow: %v", err)
	}
}
