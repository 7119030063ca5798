package engine_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"

	"onemap/internal/core"
	"onemap/tiles"
	"onemap/tiles/engine"
)

// gate holds back, or fails, loads of a layer that have read all there was.
type gate struct {
	tiles.Loader
	layer string

	mu    sync.Mutex
	next  []chan error // for each coming load; what comes out of it is the load's error
	waits chan struct{}
}

// Load implements tiles.Loader.
func (g *gate) Load(ctx context.Context, s tiles.Spec, each func(*tiles.Feature) error) error {
	if err := g.Loader.Load(ctx, s, each); err != nil || s.Name != g.layer {
		return err
	}
	g.mu.Lock()
	if len(g.next) == 0 {
		g.mu.Unlock()
		return nil
	}
	held := g.next[0]
	g.next = g.next[1:]
	g.mu.Unlock()
	g.waits <- struct{}{}
	select {
	case err := <-held:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hold makes the next load wait for the channel.
func (g *gate) hold() chan error {
	g.mu.Lock()
	defer g.mu.Unlock()
	held := make(chan error, 1)
	g.next = append(g.next, held)
	return held
}

// Whatever changes while a layer is loaded is in its tiles: from the database meanwhile, and from
// memory when it is there; and a load that another has overtaken, or that failed, is not used.
func TestChangesWhileALayerIsLoaded(t *testing.T) {
	db := smallWorld(t)
	g := &gate{Loader: db.Tiles, layer: "ours", waits: make(chan struct{}, 8)}
	db.loader = g
	n := start(t, db, engine.Options{}, nil)
	ids := idsOf(t, db, "ours")
	here := orb.Point{120.7, 37.4}
	a := address(here[0], here[1], 12)
	source := func() string {
		for _, l := range n.engine.Layers(city) {
			if l.Layer == "ours" {
				return l.Source
			}
		}
		return ""
	}
	fields := func(sql string) { db.exec(t, `update layer set fields = $1::text::jsonb where name = 'ours'`, sql) }
	change := func(key string) {
		t.Helper()
		n.taken()
		db.exec(t, `update feature set geom = ST_SetSRID(ST_Point($2, $3), 4326), division_code = '370699' where id = $1`, ids[key], here[0], here[1])
		db.exec(t, `insert into feature (layer_id, source_key, division_code, origin, geom) select id, 'late ' || $1, '370699', 'real', ST_SetSRID(ST_Point($2, $3), 4326) from layer where name = 'ours'`, key, here[0], here[1])
		db.exec(t, `delete from feature where id = $1`, ids["a"+key[1:]])
		n.untilTold("the deletion", func(s tiles.Notice) bool { return s.Layer == "ours" && s.Division != "370699" && s.Ranges != nil })
		if got := drawn(t, n.get(city, "ours", a).Bytes, "ours"); !slices.Contains(got, ids[key]) {
			t.Errorf("while it is loaded, %s is not in the tile", key)
		}
	}
	list := everyTile([]orb.Point{here})
	first := g.hold()
	fields(`[{"name":"kind","type":"string","in_tile":true}]`)
	<-g.waits
	before := n.snapshot(list)
	if got := source(); got != "loading" {
		t.Fatalf("it is drawn by %s", got)
	}
	change("p0000005")
	// another change of its entry overtakes the first load, which is released when the second is used
	second := g.hold()
	fields(`[{"name":"stock","type":"number","in_tile":true}]`)
	<-g.waits
	change("p0000006")
	failed := g.hold()
	second <- errors.New("the connection broke") // it is loaded again, and that waits, too
	<-g.waits
	change("p0000007")
	failed <- nil
	n.until("it is in memory", func() bool { return source() == core.TileSourceMemory })
	first <- nil
	n.settle()
	n.checkChange("loads under way", list, before, append(n.taken(), tiles.Notice{}), false)
	f := decoded(t, n.get(city, "ours", a).Bytes)["ours"]
	if len(f) == 0 || slices.ContainsFunc(f, func(one *geojson.Feature) bool { return one.Properties["kind"] != nil }) {
		t.Errorf("the load that was overtaken is used: %v", f)
	}
}
