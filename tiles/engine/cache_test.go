package engine_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"onemap/internal/core"
	"onemap/tiles"
	"onemap/tiles/engine"
)

func publicWorld(t testing.TB, points, polygons int) *base {
	t.Helper()
	db := newBase(t)
	importOK(t, db, layerOf("open", core.Audience{Kind: core.AudiencePublic}, core.TileRules{}), seeded(t, 1, points, polygons)...)
	return db
}

// Many who ask at once for a tile that is not there have it made once.
func TestAColdTileIsMadeOnce(t *testing.T) {
	const clients = 64
	db := publicWorld(t, 2000, 300)
	n := start(t, db, engine.Options{}, nil)
	for round, a := range []tiles.Address{address(120.7, 37.4, 8), address(120.7, 37.4, 9), address(120.7, 37.4, 10)} {
		var all sync.WaitGroup
		begin := make(chan struct{})
		got := make([]tiles.Tile, clients)
		for i := range clients {
			all.Go(func() {
				<-begin
				var err error
				if got[i], err = n.engine.Tile(t.Context(), city, tiles.Request{Layers: "open", Address: a, Gzip: true}); err != nil {
					t.Error(err)
				}
			})
		}
		close(begin)
		all.Wait()
		for i := range got {
			if len(got[i].Bytes) == 0 || &got[i].Bytes[0] != &got[0].Bytes[0] || got[i].ETag != got[0].ETag {
				t.Fatalf("client %d has a tile of its own", i)
			}
		}
		if made := n.metric("onemap_tile_seconds"); made != float64(round+1) {
			t.Errorf("%g tiles were made for %d", made, round+1)
		}
	}
	if sent := n.metric("onemap_tile_requests_total"); sent != 3*clients {
		t.Errorf("%g answers for %d", sent, 3*clients)
	}
}

// However many tiles are asked for, the cache holds no more than it may.
func TestTheCacheIsBounded(t *testing.T) {
	const most = 300_000
	db := publicWorld(t, 2000, 300)
	n := start(t, db, engine.Options{CacheBytes: most}, nil)
	r := rand.New(rand.NewPCG(1, 1))
	total := 0
	for range 600 {
		tile, err := n.engine.Tile(t.Context(), city, tiles.Request{
			Layers: []string{"open", "open.label", "open,open.label"}[r.IntN(3)], Address: address(119.5+2.5*r.Float64(), 36.5+1.9*r.Float64(), uint32(7+r.IntN(6))), Gzip: r.IntN(2) == 0,
		})
		if err != nil {
			t.Fatal(err)
		}
		total += len(tile.Bytes)
	}
	n.until("the cache has settled", func() bool { return n.engine.State().Cache.Bytes <= most })
	s := n.engine.State().Cache
	if total < 2*most || s.MaxBytes != most || s.Bytes < most/4 {
		t.Errorf("%+v after %d bytes of tiles", s, total)
	}
	if got := n.metric("onemap_tile_cache_total"); got != 600 {
		t.Errorf("%g looks", got)
	}
}

// A tile has one tag on every node, whatever its compression and whatever was edited to come there;
// who has it is told so.
func TestTagsAreOfTheContent(t *testing.T) {
	db := publicWorld(t, 500, 80)
	a, b := start(t, db, engine.Options{}, nil), start(t, connect(t, db.url), engine.Options{CacheBytes: -1}, nil)
	ids := idsOf(t, db, "open")
	for i := range 20 { // a follows these changes, back and forth
		db.exec(t, `update feature set geom = ST_Translate(geom, $2, 0) where id = $1`, ids[fmt.Sprintf("p%07d", i)], 0.01)
	}
	a.settle()
	b.settle()
	c := start(t, db, engine.Options{}, nil)
	at := address(120.7, 37.4, 9)
	for _, layers := range []string{"open", "open.label", "open,open.label", "open,markers"} {
		tags := map[string]bool{}
		for _, n := range []*node{a, b, c} {
			plain := n.get(city, layers, at)
			packed, err := n.engine.Tile(t.Context(), city, tiles.Request{Layers: layers, Address: at, Gzip: true})
			if err != nil {
				t.Fatal(err)
			}
			if large := len(plain.Bytes) >= 512; packed.Gzip != large || plain.Gzip {
				t.Errorf("%s: %d bytes are packed: %v, without being asked: %v", layers, len(plain.Bytes), packed.Gzip, plain.Gzip)
			}
			if raw := unpacked(t, packed); !bytes.Equal(raw, plain.Bytes) {
				t.Errorf("%s: the packed tile is not the plain one", layers)
			}
			tags[plain.ETag], tags[packed.ETag] = true, true
			for _, sent := range []string{plain.ETag, "*", `"x", ` + plain.ETag, strings.TrimPrefix(plain.ETag, "W/")} {
				got, err := n.engine.Tile(t.Context(), city, tiles.Request{Layers: layers, Address: at, IfNone: sent})
				if err != nil || !got.NotModified || len(got.Bytes) != 0 || got.ETag != plain.ETag {
					t.Errorf("%s, If-None-Match %s: %+v, %v", layers, sent, got.ETag, err)
				}
			}
			if got, err := n.engine.Tile(t.Context(), city, tiles.Request{Layers: layers, Address: at, IfNone: `"other"`}); err != nil || got.NotModified {
				t.Errorf("%s: another tag is taken for this one: %v", layers, err)
			}
		}
		if len(tags) != 1 {
			t.Errorf("%s has the tags %v", layers, tags)
		}
	}
	old := a.get(city, "open", at)
	db.exec(t, `delete from feature where id = $1`, ids["a0000005"])
	other := a.get(city, "markers", at).ETag
	a.settle()
	if now := a.get(city, "open", at); now.ETag == old.ETag && !bytes.Equal(now.Bytes, old.Bytes) {
		t.Error("another tile has the same tag")
	}
	if whole := address(120.7, 37.4, 0); a.get(city, "open", whole).ETag != start(t, db, engine.Options{}, nil).get(city, "open", whole).ETag {
		t.Error("a node that starts now has another tag")
	}
	if a.get(city, "markers", at).ETag != other {
		t.Error("an edit of one layer changes the tag of another")
	}
	if s := b.engine.State().Cache; s.Bytes != 0 || s.MaxBytes != 0 || s.Hits != 0 {
		t.Errorf("without a cache: %+v", s)
	}
}

func unpacked(t testing.TB, tile tiles.Tile) []byte {
	t.Helper()
	if !tile.Gzip {
		return tile.Bytes
	}
	r, err := gzip.NewReader(bytes.NewReader(tile.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A part of a tile over its budget is thinned, says so, is within it, and keeps the worst.
func TestOverTheBudgetIsSaid(t *testing.T) {
	const budget = 3000
	db := newBase(t)
	importOK(t, db, layerOf("full", core.Audience{Kind: core.AudiencePublic}, unthinned()), seeded(t, 1, 1500, 200)...)
	worst := shaped("worst", "370602", square(120.7, 37.4, 0.001))
	worst.Level = core.Red
	importOK(t, db, layerOf("one", core.Audience{Kind: core.AudiencePublic}, unthinned()), worst)
	n := start(t, db, engine.Options{PartBytes: budget}, nil)
	db.exec(t, `update feature set level = 4 where level in (1, 2)`)
	db.exec(t, `update feature set level = 1 where source_key in ('p0000007', 'a0000007', 'worst')`)
	n.settle()
	ids := idsOf(t, db, "full")
	for z := uint32(0); z <= 8; z++ {
		a := address(120.7, 37.4, z)
		tile := n.get(city, "full,one", a)
		alone, other := n.get(city, "full", a), n.get(city, "one", a)
		if !strings.HasPrefix(tile.Thinned, "full ") || strings.Contains(tile.Thinned, "one ") || alone.Thinned != tile.Thinned || other.Thinned != "" {
			t.Errorf("zoom %d says %q, alone %q and %q", z, tile.Thinned, alone.Thinned, other.Thinned)
		}
		if len(alone.Bytes) > budget || len(alone.Bytes) == 0 {
			t.Errorf("zoom %d: %d bytes", z, len(alone.Bytes))
		}
		there := map[int64]bool{}
		for _, f := range decoded(t, tile.Bytes)["full"] {
			there[idOf(f)] = true
		}
		if z < 7 && !there[ids["p0000007"]] && !there[ids["a0000007"]] {
			t.Errorf("zoom %d: none of the worst is in the tile, %d features are", z, len(there))
		}
		if got, err := n.engine.Tile(t.Context(), city, tiles.Request{Layers: "full", Address: a, IfNone: alone.ETag}); err != nil || !got.NotModified || got.Thinned != alone.Thinned {
			t.Errorf("zoom %d, not modified: %q, %v", z, got.Thinned, err)
		}
	}
	if got := n.metric("onemap_tile_thinned_total"); got != 9 {
		t.Errorf("the metric counts %g parts, want 9", got)
	}
	for _, l := range n.engine.Layers(city) {
		if want := map[string]int64{"full": 9}[l.Layer]; l.Thinned != want {
			t.Errorf("%s: %d parts were thinned, want %d", l.Layer, l.Thinned, want)
		}
	}
}
