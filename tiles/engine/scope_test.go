package engine_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"pgregory.net/rapid"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/tiles"
	"onemap/tiles/engine"
	"onemap/tiles/memory"
	"onemap/tiles/shape"
)

// readable is the layers of a catalogue as a reader would have them who is alone in the world: loaded
// with nothing but the features that it may read.
type readable struct {
	t      testing.TB
	db     *base
	specs  map[string]tiles.Spec
	layers map[string]*memory.Layer // by layer and division
}

func (r *readable) render(layer string, s core.Scope, a tiles.Address) []byte {
	r.t.Helper()
	name, labels := tiles.SplitLabel(layer)
	spec := r.specs[name]
	key := name
	if spec.Audience.Kind == core.AudienceDivision {
		key += " " + s.Division
	}
	l := r.layers[key]
	if l == nil {
		l = memory.New(spec, 0)
		var b shape.Builder
		err := r.db.Tiles.Load(r.t.Context(), spec, func(f *tiles.Feature) error {
			if spec.Audience.Kind == core.AudienceDivision && !s.Covers(f.Division) {
				return nil
			}
			it := l.Prepare(f, &b)
			_, err := l.Put(&it)
			return err
		})
		if err != nil {
			r.t.Fatal(err)
		}
		l.Ready()
		r.layers[key] = l
	}
	var scratch memory.Scratch
	return l.Render(memory.Query{Z: a.Z, X: a.X, Y: a.Y, Labels: labels, Rules: spec.Rules, MaxZoom: spec.MaxZoom}, &scratch).Bytes
}

// scopedWorld has layers of each audience, drawn as they are, thinned and clustered; features lie in
// the city, its counties, a town, the province, elsewhere and nowhere.
func scopedWorld(t testing.TB) (*base, []string) {
	t.Helper()
	db := newBase(t)
	divisions := []string{"", "37", "3706", "370602", "370602001", "370602002", "370614", "370614100", "1101", "110105"}
	all := seeded(t, 9, 240, 60)
	for i := range all {
		all[i].Division = divisions[i%len(divisions)]
	}
	var names []string
	for audience, a := range map[string]core.Audience{
		"open": {Kind: core.AudiencePublic}, "ours": {Kind: core.AudienceDivision}, "staff": {Kind: core.AudienceRoles, Roles: []core.Role{core.RoleCommander, core.RoleSteward}},
	} {
		for drawing, rules := range map[string]core.TileRules{
			"plain": unthinned(), "thin": {Thin: &core.TileGrid{Cell: 256, ToZoom: 14}}, "cluster": {Cluster: &core.TileGrid{Cell: 512, ToZoom: 14}},
		} {
			name := audience + "_" + drawing
			importOK(t, db, layerOf(name, a, rules), all...)
			names = append(names, name, name+tiles.LabelSuffix)
		}
	}
	slices.Sort(names)
	return db, names
}

// No tile has anything of a feature that its reader may not read: not the feature, not its part in a
// count, in a cluster's place or in its colour. Byte for byte it is the tile of a world without it.
func TestNobodyReadsWhatIsNotTheirs(t *testing.T) {
	db, names := scopedWorld(t)
	n := start(t, db, engine.Options{}, nil)
	alone := readable{t, db, map[string]tiles.Spec{}, map[string]*memory.Layer{}}
	specs, err := db.Tiles.Specs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range specs {
		alone.specs[s.Name] = s
	}
	forbidden, filtered := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		s := core.Scope{
			Division: rapid.SampledFrom([]string{"3706", "370602", "370602001", "370614", "37", "1101", "110105", "370699", "3", ""}).Draw(rt, "division"),
			Role:     rapid.SampledFrom(core.Roles()).Draw(rt, "role"),
		}
		asked := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 4, rapid.ID[string]).Draw(rt, "layers")
		at := orb.Point{rapid.Float64Range(119.5, 122).Draw(rt, "lon"), rapid.Float64Range(36.5, 38.4).Draw(rt, "lat")}
		a := address(at[0], at[1], rapid.Uint32Range(0, 13).Draw(rt, "z"))
		tile, err := n.engine.Tile(t.Context(), s, tiles.Request{Layers: strings.Join(asked, ","), Address: a})
		var want []byte
		for _, name := range asked {
			layer, _ := tiles.SplitLabel(name)
			if !alone.specs[layer].Audience.Admits(s) {
				if !fault.Is(err, fault.Forbidden) || len(tile.Bytes) > 0 {
					rt.Fatalf("%s, %v, with %s in it: %v", s, asked, name, err)
				}
				forbidden++
				return
			}
			want = append(want, alone.render(name, s, a)...)
		}
		if err != nil || !bytes.Equal(tile.Bytes, want) {
			rt.Fatalf("%s, %v, %v: %d bytes, want %d; %v", s, asked, a, len(tile.Bytes), len(want), err)
		}
		for layer, features := range decoded(t, tile.Bytes) {
			if !strings.HasPrefix(layer, "ours") {
				continue
			}
			for _, f := range features {
				if division, _ := f.Properties["division"].(string); f.ID != nil && !s.Covers(division) {
					rt.Fatalf("%s reads %v of %q", s, f.ID, division)
				}
				filtered++
			}
		}
	})
	if forbidden == 0 || filtered == 0 {
		t.Errorf("%d were forbidden, %d features were judged", forbidden, filtered)
	}
}

// Readers of one scope share what was made; others do not where who may read what differs.
func TestWhoSharesTheCache(t *testing.T) {
	db, _ := scopedWorld(t)
	n := start(t, db, engine.Options{}, nil)
	observer := core.Scope{Division: "370602", Role: core.RoleObserver}
	far := core.Scope{Division: "1101", Role: core.RoleObserver}
	hits := func(s core.Scope, layers string) (tiles.Tile, bool) {
		before := n.engine.State().Cache
		tile := n.get(s, layers, address(120.7, 37.4, 7))
		after := n.engine.State().Cache
		if after.Hits+after.Misses != before.Hits+before.Misses+1 {
			t.Errorf("one look is %+v, then %+v", before, after)
		}
		return tile, after.Hits > before.Hits
	}
	for _, c := range []struct {
		layers string
		scope  core.Scope
		hit    bool
	}{
		{"ours_plain", zhifu, false}, {"ours_plain", zhifu, true}, {"ours_plain", observer, true}, {"ours_plain", penglai, false}, {"ours_plain", city, false},
		{"ours_plain", far, false}, {"ours_plain", penglai, true},
		{"open_thin", zhifu, false}, {"open_thin", penglai, true}, {"open_thin", far, true}, {"open_thin", city, true},
		{"staff_plain", city, false}, {"staff_plain", core.Scope{Division: "370614", Role: core.RoleSteward}, true},
		{"open_thin,ours_plain", zhifu, false}, {"open_thin,ours_plain", observer, true}, {"open_thin,ours_plain", far, false},
	} {
		if _, hit := hits(c.scope, c.layers); hit != c.hit {
			t.Errorf("%s for %s: from the cache %v", c.layers, c.scope, hit)
		}
	}
	a, _ := hits(zhifu, "ours_cluster")
	b, _ := hits(observer, "ours_cluster")
	if &a.Bytes[0] != &b.Bytes[0] || a.ETag != b.ETag {
		t.Error("two readers of one scope are given two tiles")
	}
	if c, _ := hits(penglai, "ours_cluster"); c.ETag == a.ETag || bytes.Equal(c.Bytes, a.Bytes) {
		t.Error("two scopes are given one tile")
	}
	if before, made := n.metric("onemap_tile_seconds"), n.engine.State().Cache.Misses; before != float64(made) {
		t.Errorf("%v were made, %d looks missed", before, made)
	}
	if got := fmt.Sprint(n.metric("onemap_tile_cache_total")); got != fmt.Sprint(float64(n.engine.State().Cache.Hits+n.engine.State().Cache.Misses)) {
		t.Errorf("the metric counts %s looks", got)
	}
}

// The health page tells each reader of the layers and features that are theirs.
func TestHealthIsScoped(t *testing.T) {
	db, _ := scopedWorld(t)
	db.exec(t, `insert into feature (layer_id, source_key, division_code, origin, geom)
		select id, 'pole ' || d, d, 'real', ST_SetSRID('POINT(121 90)'::geometry, 4326) from layer, unnest('{"",3706,370602,370614,1101}'::text[]) d where name like '%plain'`)
	n := start(t, db, engine.Options{}, nil)
	for s, want := range map[core.Scope]string{
		city:  "[markers:0 open_cluster:0 open_plain:5 open_thin:0 ours_cluster:0 ours_plain:4 ours_thin:0 staff_cluster:0 staff_plain:5 staff_thin:0]",
		zhifu: "[markers:0 open_cluster:0 open_plain:5 open_thin:0 ours_cluster:0 ours_plain:1 ours_thin:0]",
		{Division: "1101", Role: core.RoleSteward}: "[markers:0 open_cluster:0 open_plain:5 open_thin:0 ours_cluster:0 ours_plain:2 ours_thin:0 staff_cluster:0 staff_plain:5 staff_thin:0]",
		{}: "[]",
	} {
		var got []string
		for _, l := range n.engine.Layers(s) {
			got = append(got, fmt.Sprintf("%s:%d", l.Layer, l.UndrawnCount))
			for _, u := range l.Undrawn {
				if l.Layer == "ours_plain" && !s.Covers(u.Division) || !strings.Contains(u.Reason, "85.05") || u.Partly {
					t.Errorf("%s is told of %+v", s, u)
				}
			}
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", s, got, want)
		}
	}
}
