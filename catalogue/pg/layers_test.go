package cataloguepg_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"
	"pgregory.net/rapid"

	"onemap/catalogue"
	cataloguepg "onemap/catalogue/pg"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
)

func TestUpsertLayerKeepsWhatIsNotSaid(t *testing.T) {
	db := storetest.NewDivisions(t)
	first := storetest.Tanks()
	first.Owner = core.Text{ZH: "应急局", EN: "Emergency bureau"}
	first.Fields = []catalogue.Field{{Name: "stock", Type: "number", Title: core.Text{ZH: "存量", EN: "Stock"}, Unit: "t", InTile: true}}
	first.MinZoom, first.MaxZoom, first.CycleDays, first.Attribution = 6, 12, 30, "© somebody"
	made, err := storetest.Catalogue(db).PutLayer(t.Context(), storetest.Root(), first)
	if err != nil || made.Version != 1 || made.ID == 0 || made.BBox != nil {
		t.Fatalf("%+v %v", made, err)
	}
	same, err := storetest.Catalogue(db).PutLayer(t.Context(), storetest.Root(), catalogue.Layer{Name: "tanks", CycleDays: 30})
	if err != nil || same.Version != 1 {
		t.Errorf("the same again: version %d, %v", same.Version, err)
	}
	changed, err := storetest.Catalogue(db).PutLayer(t.Context(), storetest.Root(), catalogue.Layer{Name: "tanks", Title: core.Text{EN: "Vessels"}})
	if err != nil {
		t.Fatal(err)
	}
	want := made
	want.Title.EN, want.Version, want.ModifiedAt = "Vessels", 2, changed.ModifiedAt
	if d := cmp.Diff(want, changed); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff(changed, storetest.LayerOf(t, db, storetest.CityScope(), "tanks")); d != "" {
		t.Errorf("what is read differs (-answered +read):\n%s", d)
	}
	if n := len(storetest.EventsOfKind(t, db, catalogue.EventLayerChanged)); n != 2 {
		t.Errorf("%d events", n)
	}
	if _, err := storetest.Catalogue(db).PutLayer(t.Context(), storetest.Root(), catalogue.Layer{Name: "no name", Theme: catalogue.ThemeWater, Origin: core.OriginReal}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a bad name: %v", err)
	}
}

func TestLayersByAudienceAndDivision(t *testing.T) {
	db := storetest.NewDivisions(t)
	byDivision, public, roles := storetest.Tanks(), storetest.Tanks(), storetest.Tanks()
	public.Name, public.Audience.Kind, public.Theme = "coast", core.AudiencePublic, catalogue.ThemeLandform
	roles.Name, roles.Audience = "secret", core.Audience{Kind: core.AudienceRoles, Roles: []core.Role{core.RoleCommander}}
	roles.Theme = catalogue.ThemeResource
	all := []catalogue.Feature{storetest.Feature("a", "370602", 121.4, 37.5), storetest.Feature("b", "370602001", 121.5, 37.6), storetest.Feature("far", "370614", 120.8, 37.8), storetest.Feature("wide", "", 121, 37)}
	for _, l := range []catalogue.Layer{public, roles, byDivision} {
		storetest.ImportOK(t, db, l, all...)
	}
	type seen struct {
		Layers []string
		Tanks  []string
		Count  int64
		Coast  int
	}
	for name, c := range map[string]struct {
		scope core.Scope
		want  seen
	}{
		"the city":       {storetest.CityScope(), seen{[]string{"tanks", "secret", "coast"}, []string{"a", "b", "far", "wide"}, 4, 4}},
		"a county":       {storetest.Zhifu(), seen{[]string{"tanks", "coast"}, []string{"a", "b"}, 2, 4}},
		"another county": {storetest.Penglai(), seen{[]string{"tanks", "coast"}, []string{"far"}, 1, 4}},
		"another city":   {core.Scope{Division: "3707", Role: core.RoleObserver}, seen{[]string{"tanks", "coast"}, []string{"wide"}, 4, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			layers, err := db.Catalogue.Layers(t.Context(), c.scope)
			if err != nil {
				t.Fatal(err)
			}
			var got seen
			for _, l := range layers {
				got.Layers = append(got.Layers, l.Name)
			}
			for key := range storetest.FeaturesOf(t, db, c.scope, "tanks") {
				got.Tanks = append(got.Tanks, key)
			}
			slices.Sort(got.Tanks)
			got.Count, got.Coast = storetest.LayerOf(t, db, c.scope, "tanks").Count, len(storetest.FeaturesOf(t, db, c.scope, "coast"))
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	if l := storetest.LayerOf(t, db, storetest.Zhifu(), "tanks"); !cmp.Equal(l.BBox, []float64{121.4, 37.5, 121.5, 37.6}) {
		t.Errorf("the county's box: %v", l.BBox)
	}
	for call, err := range map[string]error{
		"layer":    second(db.Catalogue.Layer(t.Context(), storetest.Zhifu(), "secret")),
		"features": second(db.Catalogue.Features(t.Context(), storetest.Zhifu(), "secret", nil, 0, 0)),
		"feature":  second(db.Catalogue.Feature(t.Context(), storetest.Zhifu(), "secret", 1)),
		"nobody":   second(db.Catalogue.Layer(t.Context(), core.Scope{}, "coast")),
	} {
		if !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", call, err)
		}
	}
	far := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")["far"]
	if _, err := db.Catalogue.Feature(t.Context(), storetest.Zhifu(), "tanks", far.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("another county's feature: %v", err)
	}
	if roles := storetest.EventsOfKind(t, db, catalogue.EventLayerChanged)[1]; roles.VisibleTo(storetest.Zhifu()) || !roles.VisibleTo(storetest.CityScope()) {
		t.Errorf("the event of a commanders' layer: %+v", roles)
	}
}

func second[T any](_ T, err error) error { return err }

func TestFeaturesByPageAndBox(t *testing.T) {
	db := storetest.NewDivisions(t)
	var all []catalogue.Feature
	for i := range 25 {
		all = append(all, storetest.Feature(storetest.KeyOf(i), "370602", 121+float64(i)*0.01, 37.5))
	}
	all[24].Geometry = storetest.Square(121.5, 37, 0.5)
	storetest.ImportOK(t, db, storetest.Tanks(), all...)
	var keys []string
	after := int64(0)
	for {
		page, err := db.Catalogue.Features(t.Context(), storetest.CityScope(), "tanks", nil, after, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, f := range page {
			keys, after = append(keys, f.Key), f.ID
		}
	}
	if len(keys) != 25 || !slices.IsSorted(keys) {
		t.Errorf("by pages: %v", keys)
	}
	box := orb.Bound{Min: orb.Point{121.095, 37.4}, Max: orb.Point{121.125, 37.6}}
	got, err := db.Catalogue.Features(t.Context(), storetest.CityScope(), "tanks", &box, 0, 100)
	if err != nil || len(got) != 3 {
		t.Errorf("in the box: %v %v", got, err)
	}
	inside := orb.Bound{Min: orb.Point{121.7, 37.2}, Max: orb.Point{121.71, 37.21}}
	if got, err = db.Catalogue.Features(t.Context(), storetest.CityScope(), "tanks", &inside, 0, 100); err != nil || len(got) != 1 || got[0].Key != "k00024" {
		t.Errorf("inside the square: %v %v", got, err)
	}
	crossed := orb.Bound{Min: orb.Point{122, 38}, Max: orb.Point{121, 37}}
	if _, err := db.Catalogue.Features(t.Context(), storetest.CityScope(), "tanks", &crossed, 0, 100); !fault.Is(err, fault.Invalid) {
		t.Errorf("a crossed box: %v", err)
	}
}

func TestHostileLayerNames(t *testing.T) {
	db := storetest.NewDivisions(t)
	storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("a", "370602", 121.4, 37.5))
	for _, name := range storetest.Hostile() {
		for call, err := range map[string]error{
			"layer":    second(db.Catalogue.Layer(t.Context(), storetest.CityScope(), name)),
			"features": second(db.Catalogue.Features(t.Context(), storetest.CityScope(), name, nil, 0, 0)),
			"feature":  second(db.Catalogue.Feature(t.Context(), storetest.CityScope(), name, 1)),
			"describe": second(db.Tiles.Describe(t.Context(), storetest.CityScope(), []string{name})),
		} {
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("%s of %.40q: %v", call, name, err)
			}
			if err != nil && len(err.Error()) > 400 {
				t.Errorf("the whole name comes back, %d bytes", len(err.Error()))
			}
		}
	}
	if n := len(storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")); n != 1 {
		t.Errorf("%d features are left", n)
	}
}

// The SQL condition of a scope agrees with core.Scope.Covers.
func TestFeatureScopeInSQLIsScopeInGo(t *testing.T) {
	db := storetest.NewDB(t)
	code := rapid.SampledFrom([]string{"", "3", "37", "3706", "3707", "370602", "370602001", "370614", "37060", "%", "_"})
	rapid.Check(t, func(rt *rapid.T) {
		s := core.Scope{Division: rapid.SampledFrom([]string{"37", "3706", "370602", "370614", "370602001"}).Draw(rt, "scope")}
		division := code.Draw(rt, "division")
		got, err := cataloguepg.CoversInSQL(t.Context(), db.Catalogue, s, division)
		if err != nil {
			rt.Fatal(err)
		}
		if got != s.Covers(division) {
			rt.Fatalf("scope %q, division %q: SQL says %v", s.Division, division, got)
		}
	})
}

// A feature with an empty geometry, which only a person with psql can create, does not hide the other features of the
// layer.
func TestFeaturesBesideAnEmptyOne(t *testing.T) {
	db := storetest.NewDivisions(t)
	storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("a", "370602", 121.4, 37.5), storetest.Feature("b", "370602", 121.5, 37.5))
	if _, err := db.Pool().Exec(t.Context(), "update feature set geom = 'SRID=4326;POINT EMPTY' where source_key = 'a'"); err != nil {
		t.Fatal(err)
	}
	got := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")
	if len(got) != 2 || !orb.Equal(got["a"].Geometry, orb.MultiPoint{}) {
		t.Errorf("%v", got)
	}
}
