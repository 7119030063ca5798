package engine_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"onemap/internal/app/stores"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"
	"github.com/paulmach/orb/geojson"
	"github.com/prometheus/client_golang/prometheus"

	"onemap/catalogue"
	"onemap/geo"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/tiles"
	"onemap/tiles/engine"
	"onemap/tiles/testset"
)

// patience bounds every wait of these tests; nothing is asserted about how much of it is used.
const patience = 3 * time.Minute

// Readers of the tests.
var (
	city    = core.Scope{Division: "3706", Role: core.RoleCommander}
	zhifu   = core.Scope{Division: "370602", Role: core.RoleResponder}
	penglai = core.Scope{Division: "370614", Role: core.RoleResponder}
)

// markers is a layer whose changes tell that everything before them has been applied.
const markers = "markers"

// base is a database: by the store, and by hand as at psql.
type base struct {
	*stores.Stores
	url string
	sql *pgxpool.Pool
	// loader is what an engine loads by; nil is the store.
	loader tiles.Loader
}

// newBase is a database with the layer that settle needs.
func newBase(t testing.TB) *base {
	t.Helper()
	b := connect(t, storetest.NewURL(t))
	importOK(t, b, catalogue.Layer{Name: markers, Theme: catalogue.ThemePlace, Origin: core.OriginReal, Source: "test", MaxZoom: 22}, feature("first", "", 0, 1))
	return b
}

// connect opens a database that there is, as another server does.
func connect(t testing.TB, url string) *base {
	t.Helper()
	db, err := stores.Open(t.Context(), stores.Options{URL: url, MaxConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return &base{Stores: db, url: url, sql: pool}
}

// exec runs a statement by hand.
func (b *base) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := b.sql.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// node is a running engine on a store, as one server has it.
type node struct {
	t      testing.TB
	db     *base
	engine *engine.Engine
	reg    *prometheus.Registry
	stop   func()

	mu      sync.Mutex
	notices []tiles.Notice
	told    chan struct{} // closed at the next notice
	mark    int
}

// start runs an engine and waits until it has loaded every layer. also, when not nil, is told of what
// changes in the way that an engine's owner is.
func start(t testing.TB, db *base, o engine.Options, also func(*node, []tiles.Notice)) *node {
	t.Helper()
	n := launch(t, db, o, also)
	n.until("the engine is ready", n.engine.Ready)
	return n
}

// launch runs an engine.
func launch(t testing.TB, db *base, o engine.Options, also func(*node, []tiles.Notice)) *node {
	t.Helper()
	n := &node{t: t, db: db, reg: prometheus.NewRegistry(), told: make(chan struct{})}
	if o.Gather == 0 {
		o.Gather = time.Millisecond
	}
	feed := db.Tiles.ChangeFeed()
	loader := db.loader
	if loader == nil {
		loader = db.Tiles
	}
	var err error
	n.engine, err = engine.New(o, engine.Parts{Loader: loader, Feed: feed, Database: db.Tiles, Changed: func(ns []tiles.Notice) {
		if also != nil {
			also(n, ns)
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		n.notices = append(n.notices, ns...)
		close(n.told)
		n.told = make(chan struct{})
	}}, nil, n.reg, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- n.engine.Run(ctx) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the engine ended with %v", err)
		}
		feed.Close()
	})
	t.Cleanup(n.stop)
	return n
}

// until waits for something that comes true without a notice.
func (n *node) until(what string, ok func() bool) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			n.t.Fatalf("never came true: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

// untilTold waits for a notice that is wanted and was not looked at before.
func (n *node) untilTold(what string, wanted func(tiles.Notice) bool) {
	n.t.Helper()
	for seen, deadline := 0, time.After(patience); ; {
		n.mu.Lock()
		fresh, told := slices.Clone(n.notices[seen:]), n.told
		n.mu.Unlock()
		if slices.ContainsFunc(fresh, wanted) {
			return
		}
		seen += len(fresh)
		select {
		case <-told:
		case <-deadline:
			n.t.Fatalf("no notice of %s", what)
		}
	}
}

// taken returns the notices since the last time, but for those of the markers.
func (n *node) taken() []tiles.Notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.notices
	n.notices = nil
	return slices.DeleteFunc(all, func(s tiles.Notice) bool { return s.Layer == markers })
}

// settle waits until the engine has applied everything that was committed before, and loads nothing.
// It needs a layer of markers. Each marker is at a place of its own, so its notice is known; when the
// second one is told, the look at the feed that found the first has been applied to its end.
func (n *node) settle() {
	n.t.Helper()
	for range 2 {
		n.mark++
		at := geo.FromMercator(orb.Point{float64(n.mark) * 1000, 0})
		n.db.exec(n.t, `insert into feature (layer_id, source_key, origin, geom) select id, gen_random_uuid()::text, 'real', ST_SetSRID(ST_Point($1, $2), 4326) from layer where name = $3`,
			at[0], at[1], markers)
		tile := geo.TileAt(at, 22)
		n.untilTold("a marker", func(s tiles.Notice) bool {
			return s.Layer == markers && slices.ContainsFunc(s.Ranges, func(r tiles.Range) bool {
				return r.Z == 22 && r.X0 <= tile.X && tile.X <= r.X1 && r.Y0 <= tile.Y && tile.Y <= r.Y1
			})
		})
	}
	n.until("every layer is loaded", func() bool {
		return !slices.ContainsFunc(core.Roles(), func(r core.Role) bool {
			states := n.engine.Layers(core.Scope{Division: "3706", Role: r})
			return slices.ContainsFunc(states, func(l tiles.LayerState) bool { return l.Source == "loading" })
		})
	})
}

// get is a tile, uncompressed; an error ends the test.
func (n *node) get(s core.Scope, layers string, a tiles.Address) tiles.Tile {
	n.t.Helper()
	tile, err := n.engine.Tile(n.t.Context(), s, tiles.Request{Layers: layers, Address: a})
	if err != nil {
		n.t.Fatalf("tile %v of %s: %v", a, layers, err)
	}
	return tile
}

// metric is a counter's value, or the number of a histogram's observations, over all its labels.
func (n *node) metric(name string) float64 {
	n.t.Helper()
	families, err := n.reg.Gather()
	if err != nil {
		n.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		sum := 0.0
		for _, m := range f.Metric {
			sum += m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
		return sum
	}
	return 0
}

// decoded returns the tile's features by layer, in tile units and in the tile's order.
func decoded(t testing.TB, raw []byte) map[string][]*geojson.Feature {
	t.Helper()
	layers, err := mvt.Unmarshal(raw)
	if err != nil {
		t.Fatalf("decode the tile: %v", err)
	}
	out := map[string][]*geojson.Feature{}
	for _, l := range layers {
		if _, twice := out[l.Name]; twice || l.Extent != core.TileExtent || l.Version != 2 {
			t.Fatalf("layer %s: twice %v, extent %d, version %d", l.Name, twice, l.Extent, l.Version)
		}
		out[l.Name] = l.Features
	}
	return out
}

// drawn returns the ids of a tile's features, in its order.
func drawn(t testing.TB, raw []byte, layer string) []int64 {
	t.Helper()
	ids := []int64{}
	for _, f := range decoded(t, raw)[layer] {
		ids = append(ids, idOf(f))
	}
	return ids
}

// idOf is -1 of a cluster, which has none.
func idOf(f *geojson.Feature) int64 {
	if f.ID == nil {
		return -1
	}
	return int64(f.ID.(float64))
}

func address(lon, lat float64, z uint32) tiles.Address {
	return tiles.Address(geo.TileAt(orb.Point{lon, lat}, z))
}

// feature is a point with a key, in a division.
func feature(key, division string, lon, lat float64) catalogue.Feature {
	return shaped(key, division, orb.Point{lon, lat})
}

func shaped(key, division string, g orb.Geometry) catalogue.Feature {
	return catalogue.Feature{
		Key: key, Division: division, Name: core.Text{ZH: "演示 " + key, EN: "Demo " + key}, Level: core.Yellow,
		Properties: map[string]any{"kind": "tank", "stock": 12.5}, Geometry: g,
	}
}

func square(lon, lat, side float64) orb.Polygon {
	return orb.Bound{Min: orb.Point{lon, lat}, Max: orb.Point{lon + side, lat + side}}.ToPolygon()
}

// layerOf is an entry of the catalogue with the fields of the test set.
func layerOf(name string, a core.Audience, rules core.TileRules) catalogue.Layer {
	return catalogue.Layer{
		Name: name, Theme: catalogue.ThemeHazardSource, Title: core.Text{ZH: "图层 " + name}, Origin: core.OriginSynthetic, Source: "test", Audience: a,
		GeometryType: "Geometry", MaxZoom: 16, Tile: rules,
		Fields: []catalogue.Field{{Name: "kind", Type: "string", InTile: true}, {Name: "stock", Type: "number", InTile: true}},
	}
}

// reader returns an import's records one by one.
type reader struct {
	all []catalogue.Feature
	at  int
}

// Next implements catalogue.Reader.
func (r *reader) Next() (catalogue.Record, *catalogue.Refusal, error) {
	if r.at == len(r.all) {
		return catalogue.Record{}, nil, io.EOF
	}
	r.at++
	return catalogue.Record{Line: r.at, Feature: r.all[r.at-1]}, nil, nil
}

func importOK(t testing.TB, db *base, l catalogue.Layer, all ...catalogue.Feature) {
	t.Helper()
	rep, err := storetest.Catalogue(db.Stores).ImportLayer(t.Context(), storetest.Root(), l, &reader{all: all}, catalogue.ImportOptions{AllowDelete: true})
	if err != nil || rep.Refused > 0 {
		t.Fatalf("import %s: %v, %+v", l.Name, err, rep.Refusals)
	}
}

// seeded returns a test set's features.
func seeded(t testing.TB, seed uint64, points, polygons int) []catalogue.Feature {
	t.Helper()
	var all []catalogue.Feature
	take := func(f *testset.Feature) error {
		all = append(all, catalogue.Feature{
			Key: f.Key, Division: f.Division, Name: core.Text{ZH: f.Name}, Level: f.Level,
			Properties: map[string]any{"kind": f.Kind, "stock": f.Stock}, Geometry: f.Geometry,
		})
		return nil
	}
	if err := testset.Points(seed, points, take); err != nil {
		t.Fatal(err)
	}
	if err := testset.Polygons(seed, polygons, take); err != nil {
		t.Fatal(err)
	}
	return all
}

// idsOf returns the ids of a layer's features by their keys.
func idsOf(t testing.TB, db *base, layer string) map[string]int64 {
	t.Helper()
	rows, err := db.sql.Query(t.Context(), `select f.source_key, f.id from feature f join layer l on l.id = f.layer_id where l.name = $1`, layer)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]int64{}
	var key string
	var id int64
	if _, err := pgx.ForEachRow(rows, []any{&key, &id}, func() error {
		ids[key] = id
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return ids
}

// unthinned rules are those of the reference: every vertex, every point.
func unthinned() core.TileRules {
	none := 0.0
	return core.TileRules{Simplify: &none, Thin: &core.TileGrid{}}
}

// inNotices is notices in words.
func inNotices(all []tiles.Notice) string {
	var b strings.Builder
	for _, n := range all {
		fmt.Fprintf(&b, "\n  %+v", n)
	}
	return fmt.Sprintf("%.3000s", b.String())
}
