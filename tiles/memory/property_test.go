package memory

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/paulmach/orb/encoding/mvt"
	"pgregory.net/rapid"

	"onemap/internal/core"
	"onemap/tiles"
	"onemap/tiles/shape"
)

// model is a layer with the features that it should have.
type model struct {
	t       *rapid.T
	layer   *Layer
	truth   map[int64]*tiles.Feature
	builder shape.Builder
}

// put adds or replaces a feature and returns the changed places that the layer reports.
func (m *model) put(f *tiles.Feature) []Extent {
	m.truth[f.ID] = f
	it := m.layer.Prepare(f, &m.builder)
	places, err := m.layer.Put(&it)
	if err != nil {
		m.t.Fatal(err)
	}
	return places
}

// delete deletes a feature and returns the changed place that the layer reports.
func (m *model) delete(id int64) []Extent {
	_, there := m.truth[id]
	delete(m.truth, id)
	was, ok := m.layer.Delete(id)
	if ok && !there {
		m.t.Fatalf("%d was not in the layer and is deleted", id)
	}
	if !ok {
		return nil
	}
	return []Extent{was}
}

// fresh returns a new layer with the same features, loaded in order of their ids or in reverse.
func (m *model) fresh() *Layer {
	l := New(spec("sample"), 0)
	ids := slices.Sorted(maps.Keys(m.truth))
	if rapid.Bool().Draw(m.t, "backwards") {
		slices.Reverse(ids)
	}
	for _, id := range ids {
		it := l.Prepare(m.truth[id], &m.builder)
		if _, err := l.Put(&it); err != nil {
			m.t.Fatal(err)
		}
	}
	l.Ready()
	return l
}

// change makes one change of one or many features, and returns the changed places.
func (m *model) change() (places []Extent) {
	switch rapid.IntRange(0, 9).Draw(m.t, "change") {
	case 0:
		for _, f := range crowd(m.t) {
			places = append(places, m.put(f)...)
		}
	case 1:
		first, n := 1000+rapid.Int64Range(0, 1500).Draw(m.t, "from"), rapid.Int64Range(1, 900).Draw(m.t, "gone")
		for id := first; id < first+n; id++ {
			places = append(places, m.delete(id)...)
		}
	case 2, 3:
		places = m.delete(rapid.Int64Range(0, 40).Draw(m.t, "id"))
	case 4: // the same in all but what is written on it
		f := *drawFeature(m.t)
		if old, ok := m.truth[f.ID]; ok {
			f.Geometry, f.Problem = old.Geometry, old.Problem
		}
		places = m.put(&f)
	default:
		places = m.put(drawFeature(m.t))
	}
	return places
}

// begin returns a model after its first load. The load has the features of a few changes, or none.
func begin(t *rapid.T) *model {
	m := &model{t: t, layer: New(spec("sample"), 0), truth: map[int64]*tiles.Feature{}}
	for range rapid.IntRange(0, 12).Draw(t, "loaded") {
		if places := m.change(); slices.ContainsFunc(places, func(e Extent) bool { return e == Extent{} }) {
			t.Fatal("a place of nothing")
		}
	}
	m.layer.Ready()
	return m
}

// sameParts checks that two layers render the same part of a tile. All parts use the same scratch.
func sameParts(t *rapid.T, q Query, a, b *Layer, s *Scratch) Part {
	x, y := a.Render(q, s), b.Render(q, s)
	if !bytes.Equal(x.Bytes, y.Bytes) {
		t.Fatalf("%+v:\nafter changes %s\nfreshly loaded %s", q, inWords(t, x.Bytes), inWords(t, y.Bytes))
	}
	if !cmp.Equal(x, y) {
		t.Fatalf("%+v: %s", q, cmp.Diff(x, y))
	}
	return x
}

func inWords(t *rapid.T, tile []byte) string {
	layers, err := mvt.Unmarshal(tile)
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d bytes:", len(tile))
	for _, l := range layers {
		for _, f := range l.Features {
			fmt.Fprintf(&b, "\n  %v %v %.200s", f.ID, f.Properties, fmt.Sprint(f.Geometry))
		}
	}
	return fmt.Sprintf("%.4000s", b.String())
}

// After any inserts, moves, changes and deletes, every tile is equal, byte for byte, to the tile of a layer that was
// newly loaded with the remaining features. The reports of features that cannot be drawn are equal too.
func TestChangesLeaveAFreshLayer(t *testing.T) {
	var s Scratch
	rapid.Check(t, func(rt *rapid.T) {
		m := begin(rt)
		rules := drawRules(rt)
		for range rapid.IntRange(1, 4).Draw(rt, "rounds") {
			for range rapid.IntRange(1, 8).Draw(rt, "changes") {
				m.change()
			}
			fresh := m.fresh()
			for range 6 {
				q := drawQuery(rt, rules)
				checkPart(rt, m, q, sameParts(rt, q, m.layer, fresh, &s))
			}
			sameNotes(rt, m.layer, fresh)
		}
	})
}

// sameNotes checks that two layers report the same statistics and the same features that cannot be drawn.
func sameNotes(t *rapid.T, a, b *Layer) {
	for _, scope := range []core.Scope{{Division: "3706"}, {Division: "370602"}} {
		x, n := a.Undrawn(scope.Covers, 10)
		y, k := b.Undrawn(scope.Covers, 10)
		if n != k || len(x) != min(n, 10) || !cmp.Equal(x, y, cmpopts.EquateEmpty()) {
			t.Fatalf("undrawn: %d %+v, freshly loaded %d %+v", n, x, k, y)
		}
	}
	x, y := a.Stats(), b.Stats()
	if x.Features != y.Features || x.Vertices != y.Vertices || a.heap != b.heap {
		t.Fatalf("%+v, freshly loaded %+v", x, y)
	}
}

// checkPart compares a part with the features of the model. The part can be decoded and is within its budget, has no
// features that the reader may not see, has a possible count, and draws the worst level last.
func checkPart(t *rapid.T, m *model, q Query, p Part) {
	if q.Budget > 0 && len(p.Bytes) > q.Budget {
		t.Fatalf("%+v: %d bytes", q, len(p.Bytes))
	}
	if p.Left > 0 && !p.Over {
		t.Fatalf("%+v: %d are left out in silence", q, p.Left)
	}
	layers, err := mvt.Unmarshal(p.Bytes)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	scope, visible := core.Scope{Division: q.Scope}, 0
	for _, f := range m.truth {
		if !q.Judged || scope.Covers(f.Division) {
			visible++
		}
	}
	for _, l := range layers {
		for _, f := range l.Features {
			if n, ok := f.Properties["count"].(float64); ok && (n < 2 || int(n) > 3*visible) { // of three kinds each
				t.Fatalf("%+v: a count of %g, %d can be seen", q, n, visible)
			}
			if f.ID == nil { // a cluster
				continue
			}
			of := m.truth[int64(f.ID.(float64))]
			if of == nil || q.Judged && !scope.Covers(of.Division) {
				t.Fatalf("%+v: %v is in the tile", q, f.ID)
			}
			if f.Properties["level"] != float64(of.Level) {
				t.Fatalf("%+v: %v has the level %v, not %v", q, f.ID, f.Properties["level"], of.Level)
			}
		}
		last := uint8(0)
		for _, f := range l.Features {
			if f.ID == nil {
				continue
			}
			now := rank(m.truth[int64(f.ID.(float64))].Severity)
			if now < last {
				t.Fatalf("%+v: %v is drawn after a worse one", q, f.ID)
			}
			last = now
		}
	}
}

// pixels is the largest distance at which a drawn feature may be outside its box, tile units. Code that drops tiles
// must add it.
const pixels = 8

// Every tile that looks different after a change is in the reach of the places that the change reports. So if the cache
// drops the tiles in this reach, it has no stale tile.
func TestChangesTellTheirReach(t *testing.T) {
	var s Scratch
	rapid.Check(t, func(rt *rapid.T) {
		m := begin(rt)
		rules := drawRules(rt)
		var queries []Query
		var before [][]byte
		for range 40 {
			q := drawQuery(rt, rules)
			queries, before = append(queries, q), append(before, m.layer.Render(q, &s).Bytes)
		}
		places := m.change()
		for i, q := range queries {
			now := m.layer.Render(q, &s).Bytes
			if bytes.Equal(now, before[i]) {
				continue
			}
			view := shape.View{Z: q.Z, X: q.X, Y: q.Y, Buffer: q.Rules.BufferUnits() + pixels}
			if !slices.ContainsFunc(places, func(e Extent) bool {
				return Reach(e.Box, q.Rules, q.MaxZoom, q.Z).Overlaps(view.Box())
			}) {
				rt.Fatalf("%+v is not reached by %+v:\nbefore %s\nafter %s", q, places, inWords(rt, before[i]), inWords(rt, now))
			}
		}
	})
}
