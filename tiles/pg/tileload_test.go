package tilespg_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/tiles"
)

// loaded returns the features of a load by id, copied out of the loader's memory.
func loaded(t testing.TB, load func(func(*tiles.Feature) error) error) map[int64]tiles.Feature {
	t.Helper()
	out := map[int64]tiles.Feature{}
	err := load(func(f *tiles.Feature) error {
		c := *f
		if f.Geometry != nil {
			c.Geometry = orb.Clone(f.Geometry)
		}
		c.NameZH, c.NameEN, c.Values = slices.Clone(f.NameZH), slices.Clone(f.NameEN), nil
		for _, v := range f.Values {
			c.Values = append(c.Values, slices.Clone(v))
		}
		if _, twice := out[f.ID]; twice {
			t.Errorf("feature %d comes twice", f.ID)
		}
		out[f.ID] = c
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestLoadGivesWhatTilesNeed(t *testing.T) {
	db := storetest.NewDivisions(t)
	l := storetest.Tanks()
	l.GeometryType = "Geometry"
	l.Fields = append(fourFields(), catalogue.Field{Name: "secret", Type: "string"}, catalogue.Field{Name: "name_zh", Type: "string", InTile: true})
	l.Tile = core.TileRules{Severity: "beds"}
	l.MinZoom, l.MaxZoom = 3, 12
	all := []catalogue.Feature{storetest.Feature("a", "370602", 121.4, 37.5), storetest.Feature("b", "", 121, 37), storetest.Feature("c", "370614", 120, 36), storetest.Feature("d", "370602001", 119, 36)}
	all[0].Properties = map[string]any{"stock": 12.5, "kind": "罐 \"1\"", "open": true, "beds": 2, "secret": "no"}
	all[0].Level = core.Blue
	all[1].Properties = map[string]any{"stock": "many", "kind": 7, "open": "yes", "beds": 2.5}
	all[1].Geometry = storetest.Square(121, 37, 0.5)
	all[2].Properties = map[string]any{"stock": -1e-7, "kind": nil, "open": nil, "beds": []any{1}}
	all[2].Geometry = orb.Collection{orb.Point{1, 2}, orb.MultiLineString{{{1, 2}, {3, 4}}}}
	all[3].Properties = map[string]any{"kind": map[string]any{"a": true}, "open": false, "beds": 5, "stock": 1}
	all[3].Name = core.Text{ZH: "四"}
	storetest.ImportOK(t, db, l, all...)
	storetest.Exec(t, db, `update feature set properties = properties || '{"beds": 3.00, "stock": 10000000000000000000000000000000000000001}' where source_key = 'd'`)
	ids := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")
	s := specNamed(t, db, "tanks")
	if want := []tiles.Field{{Name: "stock", Type: "number"}, {Name: "kind", Type: "string"}, {Name: "beds", Type: "integer"}, {Name: "open", Type: "boolean"}}; !cmp.Equal(s.Fields, want) {
		t.Errorf("fields: %+v", s.Fields)
	}
	now := storetest.LayerOf(t, db, storetest.CityScope(), "tanks")
	if s.Name != "tanks" || s.Title != l.Title || s.Audience.Kind != core.AudienceDivision || s.MinZoom != 3 || s.MaxZoom != 12 ||
		s.Rules.Severity != "beds" || s.Version != now.Version || s.Count != 4 || !s.ModifiedAt.Equal(now.ModifiedAt) {
		t.Errorf("spec: %+v", s)
	}
	got := loaded(t, func(each func(*tiles.Feature) error) error { return db.Tiles.Load(t.Context(), s, each) })
	text := func(values ...string) [][]byte {
		var out [][]byte
		for _, v := range values {
			if v == "-" {
				out = append(out, nil)
			} else {
				out = append(out, []byte(v))
			}
		}
		return out
	}
	want := map[int64]tiles.Feature{}
	for i, c := range []struct {
		severity core.Level
		values   [][]byte
	}{
		{core.Orange, text("12.5", `罐 "1"`, "2", "true")},
		{core.None, text("-", "7", "-", "-")},
		{core.None, text("-0.0000001", "-", "-", "-")},
		{core.Yellow, text("10000000000000000000000000000000000000001", `{"a": true}`, "3", "false")},
	} {
		f := all[i]
		want[ids[f.Key].ID] = tiles.Feature{
			ID: ids[f.Key].ID, Geometry: f.Geometry, Division: f.Division, NameZH: []byte(f.Name.ZH), NameEN: []byte(f.Name.EN),
			Level: f.Level, Severity: c.severity, Origin: core.OriginSynthetic, Values: c.values,
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("loaded (-want +got):\n%s", d)
	}
	a, other := ids["a"].ID, insertByHand(t, db.Pool(), s.ID, "other", "", "POINT(1 2)")
	some := loaded(t, func(each func(*tiles.Feature) error) error {
		return db.Tiles.Fetch(t.Context(), s, []int64{a, 999_999, other}, each)
	})
	if len(some) != 2 || !cmp.Equal(some[a], want[a]) || some[other].ID != other {
		t.Errorf("fetched: %+v", some)
	}
	s.Rules.Severity = ""
	some = loaded(t, func(each func(*tiles.Feature) error) error { return db.Tiles.Fetch(t.Context(), s, []int64{a}, each) })
	if f := some[a]; f.Severity != core.Blue {
		t.Errorf("without the rule its severity is %v", f.Severity)
	}
	loadsNothingOfNoLayer(t, db, s, a)
}

func loadsNothingOfNoLayer(t *testing.T, db *stores.Stores, s tiles.Spec, a int64) {
	t.Helper()
	s.ID = -1
	for _, load := range []func(func(*tiles.Feature) error) error{
		func(each func(*tiles.Feature) error) error { return db.Tiles.Load(t.Context(), s, each) },
		func(each func(*tiles.Feature) error) error { return db.Tiles.Fetch(t.Context(), s, []int64{a}, each) },
		func(each func(*tiles.Feature) error) error { return db.Tiles.Fetch(t.Context(), s, nil, each) },
	} {
		if none := loaded(t, load); len(none) != 0 {
			t.Errorf("of no layer: %+v", none)
		}
	}
}

func TestLoadEndsWithItsReader(t *testing.T) {
	db := storetest.NewDivisions(t)
	fillPoints(t, db, "points", 5000)
	enough := errors.New("enough")
	n := 0
	err := db.Tiles.Load(t.Context(), specNamed(t, db, "points"), func(*tiles.Feature) error {
		if n++; n == 10 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || n != 10 {
		t.Errorf("%d features, %v", n, err)
	}
	if got := loaded(t, func(each func(*tiles.Feature) error) error {
		return db.Tiles.Load(t.Context(), specNamed(t, db, "points"), each)
	}); len(got) != 5000 {
		t.Errorf("then %d", len(got))
	}
}

// A geometry that PostGIS stores and that cannot be drawn is reported and does not fail the load.
func TestLoadSaysWhatCannotBeDrawn(t *testing.T) {
	db := storetest.NewDivisions(t)
	layer := fillPoints(t, db, "odd", 1)
	problems := map[string]string{
		"POINT EMPTY":                                                   "empty",
		"MULTIPOINT((1 2), EMPTY)":                                      "empty",
		"GEOMETRYCOLLECTION(POINT EMPTY)":                               "empty",
		"CIRCULARSTRING(0 0, 1 1, 2 0)":                                 "CircularString",
		"COMPOUNDCURVE((0 0, 1 1), CIRCULARSTRING(1 1, 2 2, 3 1))":      "CompoundCurve",
		"CURVEPOLYGON(CIRCULARSTRING(0 0, 4 0, 4 4, 0 4, 0 0))":         "CurvePolygon",
		"MULTICURVE((0 0, 5 5), CIRCULARSTRING(4 0, 4 4, 8 4))":         "MultiCurve",
		"MULTISURFACE(((0 0, 1 0, 1 1, 0 0)))":                          "MultiSurface",
		"TRIANGLE((0 0, 1 0, 1 1, 0 0))":                                "Triangle",
		"TIN(((0 0, 1 0, 1 1, 0 0)))":                                   "TIN",
		"POLYHEDRALSURFACE(((0 0, 1 0, 1 1, 0 0)))":                     "PolyhedralSurface",
		"GEOMETRYCOLLECTION(POINT(1 2), CIRCULARSTRING(0 0, 1 1, 2 0))": "CircularString",
		"POLYGON EMPTY":                                                 "empty",
		"MULTIPOLYGON EMPTY":                                            "empty",
		"LINESTRING EMPTY":                                              "empty",
		"GEOMETRYCOLLECTION EMPTY":                                      "empty",
		"GEOMETRYCOLLECTION(GEOMETRYCOLLECTION(POINT(1 2)),POINT(3 4))": "",
		"MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)), ((2 2, 3 2, 3 3, 2 2)))":  "",
		"MULTILINESTRING((0 0, 1 1), (2 2, 3 3, 4 4))":                  "",
		"POLYGON((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1))": "",
	}
	wkts := map[int64]string{}
	for wkt := range problems {
		wkts[insertByHand(t, db.Pool(), layer, wkt, "", wkt)] = wkt
	}
	got := loaded(t, func(each func(*tiles.Feature) error) error {
		return db.Tiles.Load(t.Context(), specNamed(t, db, "odd"), each)
	})
	if len(got) != len(problems)+1 {
		t.Errorf("%d features of %d", len(got), len(problems)+1)
	}
	for id, wkt := range wkts {
		f, problem := got[id], problems[wkt]
		if (f.Geometry == nil) != (problem != "") || !strings.Contains(f.Problem, problem) || (f.Problem == "") != (problem == "") {
			t.Errorf("%s: %v, the problem %q", wkt, f.Geometry, f.Problem)
		}
	}
}

// A tile that the database draws follows the same rules.
func TestTileFollowsItsRules(t *testing.T) {
	db := storetest.NewDivisions(t)
	l := storetest.Tanks()
	l.Fields = []catalogue.Field{{Name: "grade", Type: "number"}}
	l.Tile = core.TileRules{Severity: "grade"}
	grades := []any{1, 4.0, 2, 9, "1", 3, nil}
	var all []catalogue.Feature
	for i, g := range grades {
		f := storetest.Feature(storetest.KeyOf(i), "370602", 121.4, 37.5)
		f.Level, f.Properties = core.Red, map[string]any{"grade": g}
		all = append(all, f)
	}
	storetest.ImportOK(t, db, l, all...)
	a := address(121.4, 37.5, 10)
	var keys []string
	for _, f := range tileOf(t, db, storetest.CityScope(), a, "tanks")["tanks"] {
		keys = append(keys, f.Properties["name_en"].(string)[len("Demo k0000"):])
		if _, there := f.Properties["grade"]; there {
			t.Errorf("a field that is not for tiles: %v", f.Properties)
		}
	}
	if want := []string{"3", "4", "6", "1", "5", "2", "0"}; !slices.Equal(keys, want) {
		t.Errorf("drawn in the order %v, want %v", keys, want)
	}
	// The tile to the west has these features, about 210 units away, only with a wide buffer.
	wide, a := 1024, address(121.4, 37.5, 14)
	a.X--
	if n := len(tileOf(t, db, storetest.CityScope(), a, "tanks")["tanks"]); n != 0 {
		t.Fatalf("%d features in the tile beside", n)
	}
	l.Tile.Buffer = &wide
	if _, err := storetest.Catalogue(db).PutLayer(t.Context(), storetest.Root(), l); err != nil {
		t.Fatal(err)
	}
	if n := len(tileOf(t, db, storetest.CityScope(), a, "tanks")["tanks"]); n != 7 {
		t.Errorf("%d features by a buffer of %d", n, wide)
	}
}
