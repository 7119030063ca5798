package tilespg_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"
	"github.com/paulmach/orb/geojson"
	"pgregory.net/rapid"

	"onemap/catalogue"
	"onemap/geo"
	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/tiles"
)

// decodeTile returns the tile's features by layer, in tile units, in the tile's order.
func decodeTile(t testing.TB, raw []byte) map[string][]*geojson.Feature {
	t.Helper()
	layers, err := mvt.Unmarshal(raw)
	if err != nil {
		t.Fatalf("decode the tile: %v", err)
	}
	out := map[string][]*geojson.Feature{}
	for _, l := range layers {
		if _, twice := out[l.Name]; twice || l.Extent != 4096 || l.Version != 2 {
			t.Errorf("layer %s: twice %v, extent %d, version %d", l.Name, twice, l.Extent, l.Version)
		}
		out[l.Name] = l.Features
	}
	return out
}

func tileOf(t testing.TB, db *stores.Stores, s core.Scope, a tiles.Address, layers ...string) map[string][]*geojson.Feature {
	t.Helper()
	raw, err := db.Tiles.Tile(t.Context(), s, layers, a)
	if err != nil {
		t.Fatalf("tile %v of %v: %v", a, layers, err)
	}
	return decodeTile(t, raw)
}

func idsIn(features []*geojson.Feature) []int64 {
	out := []int64{}
	for _, f := range features {
		out = append(out, int64(f.ID.(float64)))
	}
	slices.Sort(out)
	return out
}

func address(lon, lat float64, z uint32) tiles.Address {
	return tiles.Address(geo.TileAt(orb.Point{lon, lat}, z))
}

func TestTileAttributesAndOrder(t *testing.T) {
	db := storetest.NewDivisions(t)
	l := storetest.Tanks()
	l.Fields = []catalogue.Field{
		{Name: "stock", Type: "number", InTile: true}, {Name: "kind", Type: "string", InTile: true}, {Name: "open", Type: "boolean", InTile: true},
		{Name: "number", Type: "string", InTile: true}, {Name: "secret", Type: "string"}, {Name: "level", Type: "string", InTile: true},
	}
	var all []catalogue.Feature
	for i, level := range []core.Level{core.Red, core.None, core.Blue, core.Yellow, core.Orange} {
		f := storetest.Feature(storetest.KeyOf(i), "370602", 121.4, 37.5)
		f.Level = level
		f.Properties = map[string]any{"stock": 12.5, "kind": "罐", "open": true, "number": 7.0, "secret": "no", "level": "mine"}
		all = append(all, f)
	}
	all[4].Name.EN = ""
	all[4].Properties = map[string]any{"stock": "many", "kind": nil}
	storetest.ImportOK(t, db, l, all...)
	ids := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")
	got := tileOf(t, db, storetest.CityScope(), address(121.4, 37.5, 10), "tanks")["tanks"]
	if len(got) != 5 {
		t.Fatalf("%d features", len(got))
	}
	var levels []float64
	for _, f := range got {
		levels = append(levels, f.Properties["level"].(float64))
	}
	if !slices.Equal(levels, []float64{0, 4, 3, 2, 1}) {
		t.Errorf("the worst is not drawn last: %v", levels)
	}
	red, orange := got[4], got[3]
	if int64(red.ID.(float64)) != ids["k00000"].ID {
		t.Errorf("id %v, the feature's is %d", red.ID, ids["k00000"].ID)
	}
	want := geojson.Properties{
		"name_zh": "演示-k00000", "name_en": "Demo k00000", "level": 1.0, "division": "370602", "origin": "synthetic",
		"stock": 12.5, "kind": "罐", "open": true, "number": "7",
	}
	if d := cmp.Diff(want, red.Properties); d != "" {
		t.Errorf("attributes (-want +got):\n%s", d)
	}
	want = geojson.Properties{"name_zh": "演示-k00004", "level": 2.0, "division": "370602", "origin": "synthetic"}
	if d := cmp.Diff(want, orange.Properties); d != "" {
		t.Errorf("values of the wrong type or none (-want +got):\n%s", d)
	}
	infos, err := db.Tiles.Describe(t.Context(), storetest.CityScope(), []string{"tanks"})
	if err != nil {
		t.Fatal(err)
	}
	wantFields := map[string]string{
		"name_zh": "String", "name_en": "String", "level": "Number", "division": "String", "origin": "String",
		"stock": "Number", "kind": "String", "open": "Boolean", "number": "String", "count": "Number",
	}
	if d := cmp.Diff(wantFields, infos[0].Fields); d != "" || infos[0].Version != 1 {
		t.Errorf("described (-want +got):\n%s", d)
	}
}

func TestTilesByScope(t *testing.T) {
	db := storetest.NewDivisions(t)
	byDivision, public, roles := storetest.Tanks(), storetest.Tanks(), storetest.Tanks()
	public.Name, public.Audience.Kind = "coast", core.AudiencePublic
	roles.Name, roles.Audience = "secret", core.Audience{Kind: core.AudienceRoles, Roles: []core.Role{core.RoleCommander}}
	for _, l := range []catalogue.Layer{byDivision, public, roles} {
		storetest.ImportOK(t, db, l, storetest.Feature("a", "370602", 121.4, 37.5), storetest.Feature("far", "370614", 121.41, 37.5), storetest.Feature("wide", "", 121.42, 37.5))
	}
	a := address(121.4, 37.5, 8)
	for name, c := range map[string]struct {
		scope        core.Scope
		tanks, coast int
	}{"city": {storetest.CityScope(), 3, 3}, "county": {storetest.Zhifu(), 1, 3}, "other county": {storetest.Penglai(), 1, 3}} {
		got := tileOf(t, db, c.scope, a, "tanks", "coast", "tanks")
		if len(got["tanks"]) != c.tanks || len(got["coast"]) != c.coast {
			t.Errorf("%s: %d tanks, %d of the coast", name, len(got["tanks"]), len(got["coast"]))
		}
		for _, f := range got["tanks"] {
			if d, _ := f.Properties["division"].(string); !c.scope.Covers(d) {
				t.Errorf("%s is given a feature of %q", name, d)
			}
		}
	}
	if _, err := db.Tiles.Tile(t.Context(), storetest.Zhifu(), []string{"tanks", "secret"}, a); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a layer for commanders: %v", err)
	}
	if got := tileOf(t, db, storetest.CityScope(), a, "secret"); len(got["secret"]) != 3 {
		t.Errorf("the commander's: %v", got)
	}
	for _, name := range storetest.Hostile() {
		if _, err := db.Tiles.Tile(t.Context(), storetest.CityScope(), []string{"tanks", name}, a); !fault.Is(err, fault.NotFound) {
			t.Errorf("layer %.40q: %v", name, err)
		}
	}
	for _, bad := range []tiles.Address{{Z: 1, X: 2, Y: 0}, {Z: 0, X: 0, Y: 1}, {Z: 23}, {Z: 4_000_000_000, X: 1, Y: 1}} {
		if _, err := db.Tiles.Tile(t.Context(), storetest.CityScope(), []string{"tanks"}, bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("tile %v: %v", bad, err)
		}
	}
}

func TestTileZoomsAndEmptiness(t *testing.T) {
	db := storetest.NewDivisions(t)
	l := storetest.Tanks()
	l.MinZoom, l.MaxZoom = 8, 12
	storetest.ImportOK(t, db, l, storetest.Feature("a", "370602", 121.4, 37.5))
	for z, want := range map[uint32]int{0: 0, 7: 0, 8: 1, 12: 1, 13: 1, 18: 1, 22: 1} {
		if got := tileOf(t, db, storetest.CityScope(), address(121.4, 37.5, z), "tanks")["tanks"]; len(got) != want {
			t.Errorf("zoom %d: %d features, want %d", z, len(got), want)
		}
	}
	raw, err := db.Tiles.Tile(t.Context(), storetest.CityScope(), []string{"tanks"}, address(0, 0, 9))
	if err != nil || len(raw) != 0 {
		t.Errorf("where nothing is: %d bytes, %v", len(raw), err)
	}
}

// At every zoom, each point is in the tile that geo.TileAt returns, at the right place, and in other tiles only within
// the buffer. No point is left out.
func TestTilesHoldTheirPoints(t *testing.T) {
	db := storetest.NewDivisions(t)
	var all []catalogue.Feature
	points := map[string]orb.Point{}
	add := func(key string, p orb.Point) {
		points[key] = p
		all = append(all, storetest.Feature(key, "370602", p[0], p[1]))
	}
	for i := range 300 {
		add(storetest.KeyOf(i), orb.Point{121 + math.Mod(float64(i)*0.0137, 1.3), 36.9 + math.Mod(float64(i)*0.0071, 0.9)})
	}
	add("east", orb.Point{180, 0})
	add("west", orb.Point{-180, 0})
	add("north", orb.Point{0, 85.0511})
	add("pole", orb.Point{0, 90})
	storetest.ImportOK(t, db, storetest.Tanks(), all...)
	byID := map[int64]string{}
	for key, f := range storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks") {
		byID[f.ID] = key
	}
	if got := tileOf(t, db, storetest.CityScope(), tiles.Address{}, "tanks")["tanks"]; len(got) != len(all)-1 { // all but the pole
		t.Errorf("the world has %d of %d points", len(got), len(all))
	}
	keys := make([]string, 0, len(points))
	for key := range points {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	rapid.Check(t, func(rt *rapid.T) {
		key := rapid.SampledFrom(keys).Draw(rt, "key")
		z := rapid.Uint32Range(0, 18).Draw(rt, "z")
		if key == "pole" {
			return
		}
		tile := geo.TileAt(points[key], z)
		found := false
		for _, f := range tileOf(t, db, storetest.CityScope(), tiles.Address(tile), "tanks")["tanks"] {
			p, at := points[byID[int64(f.ID.(float64))]], f.Geometry.(orb.Point)
			want := inTile(tile, p)
			if math.Abs(at[0]-want[0]) > 1 || math.Abs(at[1]-want[1]) > 1 {
				rt.Fatalf("tile %v draws %v at %v, it is at %v", tile, p, at, want)
			}
			if at[0] < -64 || at[0] > 4096+64 || at[1] < -64 || at[1] > 4096+64 {
				rt.Fatalf("tile %v draws %v outside its buffer, at %v", tile, p, at)
			}
			found = found || byID[int64(f.ID.(float64))] == key
		}
		if !found {
			rt.Fatalf("%s at %v is not in its tile %v", key, points[key], tile)
		}
	})
}

// inTile returns the place of a point in a tile, in tile units, by the formulas of Web Mercator.
func inTile(t geo.Tile, p orb.Point) orb.Point {
	side := 2 * geo.MercatorHalf / math.Exp2(float64(t.Z))
	m := geo.ToMercator(p)
	return orb.Point{
		((m[0]+geo.MercatorHalf)/side - float64(t.X)) * 4096,
		((geo.MercatorHalf-m[1])/side - float64(t.Y)) * 4096,
	}
}

// A polygon that is larger than the tile fills the tile and its buffer without a seam, and polygons across a pole do
// not break the tile.
func TestTilesOfPolygons(t *testing.T) {
	db := storetest.NewDivisions(t)
	var all []catalogue.Feature
	for i, p := range []orb.Polygon{storetest.Square(120, 36, 3), storetest.Square(121.4, 37.5, 0.01), {{{-180, -90}, {180, -90}, {180, -60}, {-180, -60}, {-180, -90}}}} {
		f := storetest.Feature(storetest.KeyOf(i), "370602", 0, 0)
		f.Geometry = p
		all = append(all, f)
	}
	storetest.ImportOK(t, db, storetest.Tanks(), all...)
	got := tileOf(t, db, storetest.CityScope(), address(121.2, 37.2, 14), "tanks")["tanks"]
	if len(got) != 1 {
		t.Fatalf("%d features", len(got))
	}
	b := got[0].Geometry.Bound()
	if want := (orb.Bound{Min: orb.Point{-64, -64}, Max: orb.Point{4160, 4160}}); b != want {
		t.Errorf("the polygon covers %v, want %v", b, want)
	}
	world := tileOf(t, db, storetest.CityScope(), tiles.Address{}, "tanks")["tanks"]
	if len(world) < 2 {
		t.Errorf("the world has %d polygons", len(world))
	}
	for z := range uint32(12) {
		if n := len(tileOf(t, db, storetest.CityScope(), address(121.4, 37.5, z), "tanks")["tanks"]); n < 1 {
			t.Errorf("zoom %d: nothing", z)
		}
	}
}

// The label layer has one point inside each polygon, and nothing for points.
func TestLabelsOfPolygons(t *testing.T) {
	db := storetest.NewDivisions(t)
	area := storetest.Feature("area", "370602", 0, 0)
	area.Geometry = storetest.Square(121.2, 37.2, 0.4)
	storetest.ImportOK(t, db, storetest.Tanks(), area, storetest.Feature("point", "370602", 121.4, 37.5))
	ids := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")
	got := tileOf(t, db, storetest.CityScope(), address(121.4, 37.4, 8), "tanks.label")["tanks.label"]
	if len(got) != 1 || int64(got[0].ID.(float64)) != ids["area"].ID {
		t.Fatalf("labels: %v", got)
	}
	if _, ok := got[0].Geometry.(orb.Point); !ok {
		t.Errorf("the label is a %T", got[0].Geometry)
	}
}

func TestALayersWordsStayWords(t *testing.T) {
	db := storetest.NewDivisions(t)
	l := storetest.Tanks()
	field := `x', (select secret), 'y`
	l.Fields = []catalogue.Field{{Name: field, Type: "string", InTile: true}}
	f := storetest.Feature("a", "370602", 121.4, 37.5)
	f.Properties = map[string]any{field: "it's \" fine"}
	storetest.ImportOK(t, db, l, f)
	got := tileOf(t, db, storetest.CityScope(), address(121.4, 37.5, 9), "tanks")["tanks"]
	if len(got) != 1 || got[0].Properties[field] != "it's \" fine" {
		t.Errorf("got %v", got)
	}
	if s := fmt.Sprint(idsIn(got)); strings.Contains(s, "-") {
		t.Errorf("ids %s", s)
	}
}
