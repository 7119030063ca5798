package memory

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/paulmach/orb"

	"onemap/geo"
	"onemap/internal/core"
	"onemap/tiles"
	"onemap/tiles/shape"
)

// named returns a point near the corner with a unique name, which is long enough to fill the dictionary.
func named(id int64, at orb.Point, name string) *tiles.Feature {
	return &tiles.Feature{
		ID: id, Geometry: at, Division: "370602", NameZH: []byte(name), NameEN: []byte(name + strings.Repeat(".", int(id)%70)),
		Level: core.Level(id % 5), Origin: core.OriginReal, Values: [][]byte{[]byte(name), []byte(fmt.Sprint(id % 100))},
	}
}

// After many values were added and removed, more than there are short codes, the tiles are those of a new layer.
func TestManyValues(t *testing.T) {
	var b shape.Builder
	rng, c := rand.New(rand.NewPCG(7, 7)), corner()
	place := func() orb.Point {
		return orb.Point{c[0] + unitOf(8)*4096*(rng.Float64()-0.5), c[1] + unitOf(8)*4096*(rng.Float64()-0.5)}
	}
	truth := map[int64]*tiles.Feature{}
	l := New(spec("many"), 0)
	put := func(to *Layer, f *tiles.Feature) {
		t.Helper()
		truth[f.ID] = f
		it := to.Prepare(f, &b)
		if _, err := to.Put(&it); err != nil {
			t.Fatal(err)
		}
	}
	const n = lowCodes/2 + 5000 // two values each
	for id := range int64(n) {
		put(l, named(id, place(), fmt.Sprint("first ", id)))
	}
	l.Ready()
	for range n {
		id := rng.Int64N(n)
		put(l, named(id, place(), fmt.Sprint("then ", rng.IntN(n/2)))) // some of two features
	}
	for id := int64(0); id < n; id += 3 {
		l.Delete(id)
		delete(truth, id)
	}
	if spans := len(l.dict.spans); spans < lowCodes {
		t.Fatalf("only %d codes are in use", spans)
	}
	fresh := New(spec("many"), len(truth))
	for _, f := range truth {
		put(fresh, f)
	}
	fresh.Ready()
	if live, want := len(l.dict.spans)-1-len(l.dict.free), len(fresh.dict.spans)-1; live != want {
		t.Errorf("%d values are alive, %d in a fresh layer", live, want)
	}
	none, off := 0.0, &core.TileGrid{}
	var s Scratch
	for z := uint32(6); z <= 14; z++ {
		at := geo.TileAt(orb.Point{c[0] + unitOf(14)*100, c[1] + unitOf(14)*100}, z)
		for _, rules := range []core.TileRules{{}, {Simplify: &none, Thin: off}} {
			q := Query{Z: z, X: at.X, Y: at.Y, Rules: rules, MaxZoom: 14}
			x, y := l.Render(q, &s), fresh.Render(q, &s)
			if string(x.Bytes) != string(y.Bytes) || x.Shown == 0 {
				t.Errorf("zoom %d: %d features in %d bytes, freshly loaded %d in %d", z, x.Shown, len(x.Bytes), y.Shown, len(y.Bytes))
			}
		}
	}
}

// A tile whose values exceed its budget keeps the worst features within the budget and counts the features that it
// leaves out.
func TestOverItsBudgetTheWorstStay(t *testing.T) {
	var b shape.Builder
	l := New(spec("full"), 0)
	c := corner()
	for id := range int64(400) {
		f := named(id, c, strings.Repeat("n", 900)+fmt.Sprint(id))
		f.Geometry = orb.Bound{Min: c, Max: orb.Point{c[0] + 5, c[1] + 5}}.ToPolygon()
		f.Severity = core.None
		if id >= 100 && id < 105 {
			f.Severity = core.Red
		}
		it := l.Prepare(f, &b)
		if _, err := l.Put(&it); err != nil {
			t.Fatal(err)
		}
	}
	l.Ready()
	at := geo.TileAt(orb.Point{c[0] + 0.5, c[1] + 0.5}, 9)
	var s Scratch
	for _, budget := range []int{20_000, 100_000} {
		p := l.Render(Query{Z: 9, X: at.X, Y: at.Y, MaxZoom: 14, Budget: budget}, &s)
		if !p.Over || p.Left == 0 || p.Shown+p.Left != 400 || p.Of != 400 || len(p.Bytes) > budget || len(p.Bytes) < budget-5000 {
			t.Errorf("budget %d: %d bytes, %d shown, %d left of %d", budget, len(p.Bytes), p.Shown, p.Left, p.Of)
		}
		for id := 100; id < 105; id++ {
			if !strings.Contains(string(p.Bytes), strings.Repeat("n", 900)+fmt.Sprint(id)) {
				t.Errorf("budget %d: %d, one of the worst, is not in the tile", budget, id)
			}
		}
	}
	if whole := l.Render(Query{Z: 9, X: at.X, Y: at.Y, MaxZoom: 14}, &s); whole.Over || whole.Shown != 400 || whole.Left != 0 {
		t.Errorf("without a budget: %+v", whole.Shown)
	}
}
