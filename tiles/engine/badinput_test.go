package engine_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"

	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/tiles"
	"onemap/tiles/engine"
)

// What cannot be served is refused in words, and as a whole.
func TestBadRequestsAreRefused(t *testing.T) {
	db := newBase(t)
	for name, a := range map[string]core.Audience{
		"open": {Kind: core.AudiencePublic}, "ours": {Kind: core.AudienceDivision}, "staff": {Kind: core.AudienceRoles, Roles: []core.Role{core.RoleSteward}},
	} {
		importOK(t, db, layerOf(name, a, core.TileRules{}), feature("a", "370602", 121.4, 37.5))
	}
	n := start(t, db, engine.Options{}, nil)
	a := address(121.4, 37.5, 9)
	for _, bad := range []tiles.Address{
		{Z: 23}, {Z: 32}, {Z: 64, X: 1}, {Z: math.MaxUint32, X: math.MaxUint32, Y: math.MaxUint32}, {Z: 0, X: 1}, {Z: 0, Y: 1}, {Z: 9, X: 512}, {Z: 9, Y: 512}, {Z: 22, X: 1 << 22}, {Z: 9, X: 1 << 31},
	} {
		n.wants(city, "open", bad, fault.Invalid)
	}
	many := make([]string, tiles.MaxLayers+1)
	for i := range many {
		many[i] = fmt.Sprint("l", i)
	}
	for layers, kind := range map[string]fault.Kind{
		"": fault.Invalid, ",": fault.Invalid, "open,": fault.Invalid, "Open": fault.Invalid, "open,open": fault.Invalid, "open;drop": fault.Invalid, "../open": fault.Invalid,
		".label": fault.Invalid, "open.label.label": fault.Invalid, "open.labels": fault.Invalid, "open\x00": fault.Invalid, strings.Join(many, ","): fault.Invalid,
		strings.Repeat("a", 1<<20): fault.Invalid,
		"none":                     fault.NotFound, "open,none": fault.NotFound, "none.label": fault.NotFound, "staff,none": fault.NotFound,
		"staff": fault.Forbidden, "staff.label": fault.Forbidden, "open,staff": fault.Forbidden, "staff,open": fault.Forbidden, "ours,open,staff.label": fault.Forbidden,
	} {
		for range 2 { // an error is not remembered as a tile
			if tile := n.wants(city, layers, a, kind); len(tile.Bytes) > 0 || tile.ETag != "" {
				t.Errorf("%.40q: a tile of %d bytes comes with the error", layers, len(tile.Bytes))
			}
		}
	}
	n.wants(core.Scope{}, "open", a, fault.Forbidden)
	n.wants(core.Scope{Role: core.RoleSteward}, "ours,staff", a, fault.Forbidden)
	for _, good := range []string{"open", "open,ours", "ours.label,ours,open", strings.Join([]string{"open", "open.label"}, ",")} {
		n.wants(zhifu, good, a, 0)
	}
	for _, at := range []tiles.Address{{Z: 22, X: 1<<22 - 1, Y: 1<<22 - 1}, {}, {Z: 22}} {
		n.wants(zhifu, "open", at, 0)
	}
	if refused := n.metric("onemap_tile_requests_total"); refused == 0 {
		t.Error("the metric counts nothing")
	}
}

// A feature that cannot be drawn, or not wholly, is told by the layer's health, and the others of its
// tile are drawn.
func TestWhatCannotBeDrawnIsSaid(t *testing.T) {
	db := newBase(t)
	importOK(t, db, layerOf("odd", core.Audience{Kind: core.AudienceDivision}, core.TileRules{}), feature("good", "370602", 121.4, 37.5))
	n := start(t, db, engine.Options{}, nil)
	cases := []struct {
		wkt, reason string
		partly      bool
	}{
		{"POINT(121.4 86)", "85.05", false},
		{"POINT(121.4 -90)", "85.05", false},
		{"MULTIPOINT(121.4 37.5, 121.4 89)", "85.05", true},
		{"POLYGON((121 84, 122 84, 122 90, 121 90, 121 84))", "85.05", true},
		{"LINESTRING(121.4 86, 121.5 89)", "nothing is left", false},
		{"POINT EMPTY", "empty", false},
		{"POLYGON EMPTY", "empty", false},
		{"CIRCULARSTRING(121.4 37.5, 121.41 37.51, 121.42 37.5)", "CircularString", false},
		{"CURVEPOLYGON(CIRCULARSTRING(121 37, 122 37, 122 38, 121 38, 121 37))", "CurvePolygon", false},
		{"TIN(((121 37, 122 37, 122 38, 121 37)))", "TIN", false},
		{"POINT(200 37)", "180", false},
		{"GEOMETRYCOLLECTION(POINT(121.4 37.5), POINT(121.4 89))", "85.05", true},
		{"LINESTRING(121.4 37.5, 121.4 37.5)", "two different points", false},
		{"POLYGON((121.4 37.5, 121.5 37.5, 121.4 37.5, 121.4 37.5))", "ring", false},
		{"POINT(NaN 37)", "no number", false},
	}
	insert := func() {
		for i, c := range cases {
			db.exec(t, `insert into feature (layer_id, source_key, division_code, origin, geom) select id, $1::text, '370602', 'real', ST_SetSRID($2::geometry, 4326) from layer where name = 'odd'`,
				fmt.Sprint("odd", i), c.wkt)
		}
	}
	insert()
	n.settle()
	check := func(what string, n *node) {
		t.Helper()
		ids := idsOf(t, db, "odd")
		got := map[int64]tiles.Undrawn{}
		for _, l := range n.engine.Layers(zhifu) {
			if l.Layer != "odd" {
				continue
			}
			for _, u := range l.Undrawn {
				got[u.ID] = u
			}
			if l.UndrawnCount != len(cases) || len(l.Undrawn) != len(cases) {
				t.Errorf("%s: %d are not drawn, %d named; want %d", what, l.UndrawnCount, len(l.Undrawn), len(cases))
			}
		}
		for i, c := range cases {
			u := got[ids[fmt.Sprint("odd", i)]]
			if !strings.Contains(u.Reason, c.reason) || u.Partly != c.partly || u.Division != "370602" {
				t.Errorf("%s: %s: %+v", what, c.wkt, u)
			}
		}
		for z := uint32(0); z <= 22; z++ {
			if here := drawn(t, n.get(zhifu, "odd", address(121.4, 37.5, z)).Bytes, "odd"); len(here) == 0 || !slices.Contains(here, ids["good"]) && z > 16 {
				t.Errorf("%s: zoom %d: the good one is not drawn, %v are", what, z, here)
			}
		}
		for _, l := range n.engine.Layers(penglai) {
			if l.UndrawnCount != 0 {
				t.Errorf("%s: another county is told of %+v", what, l.Undrawn)
			}
		}
	}
	check("when they come", n)
	fresh := start(t, db, engine.Options{}, nil)
	check("when they are loaded", fresh)
	db.exec(t, `update feature set geom = ST_SetSRID('POINT(121.4 37.5)'::geometry, 4326) where source_key like 'odd%'`)
	n.settle()
	for _, l := range n.engine.Layers(zhifu) {
		if l.UndrawnCount != 0 {
			t.Errorf("they are mended, and still said: %+v", l.Undrawn)
		}
	}
	if here := drawn(t, n.get(zhifu, "odd", address(121.4, 37.5, 18)).Bytes, "odd"); len(here) != len(cases)+1 {
		t.Errorf("mended, %d of %d are drawn", len(here), len(cases)+1)
	}
}

// FuzzTile: whatever is asked for, by whomever, is refused for a reason that is the asker's, or is a
// tile with nothing in it that the asker may not read.
func FuzzTile(f *testing.F) {
	f.Add("open", uint32(9), uint32(427), uint32(198), "3706", "city_commander")
	f.Add("open,ours.label,ours", uint32(12), uint32(3425), uint32(1588), "370602", "county_responder")
	f.Add("staff,open", uint32(0), uint32(0), uint32(0), "1101", "data_steward")
	f.Add("a,a", uint32(40), uint32(1<<31), uint32(7), "", "")
	db := smallWorld(f)
	n := start(f, db, engine.Options{CacheBytes: 1 << 20, PartBytes: 2000}, nil)
	f.Fuzz(func(t *testing.T, layers string, z, x, y uint32, division, role string) {
		s := core.Scope{Division: division, Role: core.Role(role)}
		a := tiles.Address{Z: z, X: x, Y: y}
		tile, err := n.engine.Tile(t.Context(), s, tiles.Request{Layers: layers, Address: a})
		if err != nil {
			switch fault.KindOf(err) {
			case fault.Invalid, fault.NotFound, fault.Forbidden:
			default:
				t.Fatalf("%q %v for %v: %v", layers, a, s, err)
			}
			return
		}
		if !geo.Tile(a).Valid() || z > tiles.MaxZoom {
			t.Fatalf("%v is outside the world and has %d bytes", a, len(tile.Bytes))
		}
		got, err := mvt.Unmarshal(tile.Bytes)
		if err != nil {
			t.Fatalf("%q %v: %v", layers, a, err)
		}
		asked, err := tiles.ParseLayers(layers)
		if err != nil {
			t.Fatalf("%q cannot be read and has %d bytes", layers, len(tile.Bytes))
		}
		for _, l := range got {
			if !slices.Contains(asked, l.Name) || strings.HasPrefix(l.Name, "staff") && s.Role != core.RoleCommander {
				t.Fatalf("%q for %v: the layer %s is in the tile", layers, s, l.Name)
			}
			for _, feature := range l.Features {
				d, _ := feature.Properties["division"].(string)
				if strings.HasPrefix(l.Name, "ours") && !s.Covers(d) {
					t.Fatalf("%v reads %v of %q", s, feature.ID, d)
				}
				if b := feature.Geometry.Bound(); l.Name == "ours" && !b.Intersects(orb.Bound{Min: orb.Point{-65, -65}, Max: orb.Point{4161, 4161}}) {
					t.Fatalf("%v lies outside its tile: %v", feature.ID, b)
				}
			}
		}
	})
}
