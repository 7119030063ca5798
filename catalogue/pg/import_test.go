package cataloguepg_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
)

func TestImportMakesALayer(t *testing.T) {
	db := storetest.NewDivisions(t)
	rep := storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("a", "370602", 121.4, 37.5), storetest.Feature("b", "370614000000", 120.8, 37.8), storetest.Feature("c", "370684101", 120.7, 37.7))
	want := catalogue.ImportReport{Layer: "tanks", Read: 3, Created: 3, Refusals: []catalogue.Refusal{}, Notes: []string{}, Version: 1}
	if d := cmp.Diff(want, rep); d != "" {
		t.Errorf("report (-want +got):\n%s", d)
	}
	l := storetest.LayerOf(t, db, storetest.CityScope(), "tanks")
	if l.Count != 3 || l.Version != 1 || l.GeometryType != "Point" || !cmp.Equal(l.BBox, []float64{120.7, 37.5, 121.4, 37.8}) || l.UpdatedOn.IsZero() {
		t.Errorf("the layer: %+v", l)
	}
	wantFields := []catalogue.Field{
		{Name: "kind", Type: "string", Title: core.Text{ZH: "kind"}}, {Name: "stock", Type: "integer", Title: core.Text{ZH: "stock"}},
	}
	if d := cmp.Diff(wantFields, l.Fields); d != "" {
		t.Errorf("fields (-want +got):\n%s", d)
	}
	got := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")
	a := got["a"]
	if a.Name.ZH != "演示-a" || a.Origin != core.OriginSynthetic || a.Source != "test" || a.Geometry != (orb.Point{121.4, 37.5}) || a.Properties["stock"] != 12.0 {
		t.Errorf("the feature: %+v", a)
	}
	if got["b"].Division != "370614" || got["c"].Division != "370614101" {
		t.Errorf("divisions: %q, %q", got["b"].Division, got["c"].Division)
	}
	events := storetest.EventsOfKind(t, db, catalogue.EventLayerChanged)
	if len(events) != 2 || !events[0].VisibleTo(storetest.Zhifu()) || events[0].Subject != "tanks" || events[1].VisibleTo(storetest.Zhifu()) || !events[1].VisibleTo(storetest.CityScope()) {
		t.Fatalf("events: %+v", events)
	}
	var payload map[string]any
	if err := json.Unmarshal(events[0].Payload, &payload); err != nil {
		t.Fatal(err)
	}
	wantPayload := map[string]any{"layer": "tanks", "version": 1.0, "bbox": []any{120.7, 37.5, 121.4, 37.8}}
	if d := cmp.Diff(wantPayload, payload); d != "" {
		t.Errorf("payload (-want +got):\n%s", d)
	}
	if err := json.Unmarshal(events[1].Payload, &payload); err != nil {
		t.Fatal(err)
	}
	wantPayload["created"], wantPayload["updated"], wantPayload["deleted"] = []any{float64(a.ID), float64(got["b"].ID), float64(got["c"].ID)}, []any{}, []any{}
	wantPayload["counts"] = map[string]any{"created": 3.0, "updated": 0.0, "deleted": 0.0}
	if d := cmp.Diff(wantPayload, payload); d != "" {
		t.Errorf("payload for the city (-want +got):\n%s", d)
	}
}

func TestImportAgainKeepsIDs(t *testing.T) {
	db := storetest.NewDivisions(t)
	storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("same", "370602", 121.4, 37.5), storetest.Feature("moved", "370602", 121.5, 37.5), storetest.Feature("gone", "370602", 121.6, 37.5))
	before := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")
	rep := storetest.ImportOK(t, db, catalogue.Layer{Name: "tanks"},
		storetest.Feature("new", "370614", 120.9, 37.7), storetest.Feature("moved", "370602", 121.55, 37.5), storetest.Feature("same", "370602", 121.4, 37.5))
	if rep.Created != 1 || rep.Updated != 1 || rep.Deleted != 1 || rep.Version != 2 {
		t.Errorf("report: %+v", rep)
	}
	after := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")
	if len(after) != 3 || after["moved"].ID != before["moved"].ID || after["moved"].Geometry != (orb.Point{121.55, 37.5}) {
		t.Errorf("after: %+v", after)
	}
	if d := cmp.Diff(before["same"], after["same"]); d != "" {
		t.Errorf("the unchanged one was touched (-before +after):\n%s", d)
	}
	l := storetest.LayerOf(t, db, storetest.CityScope(), "tanks")
	if l.Title.EN != "Tanks" || l.Audience.Kind != core.AudienceDivision || l.Theme != catalogue.ThemeHazardSource || l.Count != 3 {
		t.Errorf("what was left empty is lost: %+v", l)
	}
}

func TestImportRefusesByLine(t *testing.T) {
	db := storetest.NewDivisions(t)
	storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("bow", "370602", 121.3, 37.3), storetest.Feature("gone", "370602", 121.3, 37.4))
	bow := storetest.Feature("bow", "370602", 0, 0)
	bow.Geometry = orb.Polygon{{{121, 37}, {122, 38}, {122, 37}, {121, 38}, {121, 37}}}
	open := storetest.Feature("open", "370602", 0, 0)
	open.Geometry = orb.Polygon{{{121, 37}, {122, 37}, {122, 38}, {121, 38}}}
	odd := storetest.Feature("odd", "370602", 121, 37)
	odd.Properties["n"] = math.NaN()
	nul := storetest.Feature("nul", "370602", 121, 37)
	nul.Properties["note"] = []any{"a\x00b"}
	level := storetest.Feature("level", "370602", 121, 37)
	level.Level = 7
	empty := storetest.Feature("empty", "370602", 0, 0)
	empty.Geometry = orb.MultiPoint{}
	nothing := storetest.Feature("nothing", "370602", 0, 0)
	nothing.Geometry = nil
	src := storetest.Listed(
		storetest.Feature("ok", "370602", 121.4, 37.5), bow, open, storetest.Feature("swap", "370602", 37.5, 121.4), storetest.Feature("far", "370602", 191, 37),
		storetest.Feature("nan", "370602", math.NaN(), 37), odd, nul, level, storetest.Feature("div", "99", 121, 37), storetest.Feature("", "370602", 121, 37),
		storetest.Feature("ok", "370602", 121.41, 37.5), empty, nothing, storetest.Feature(strings.Repeat("k", 300), "370602", 121, 37))
	inner := src.Read
	src.Read = func(i int) (catalogue.Record, *catalogue.Refusal, error) {
		if i == 15 {
			return catalogue.Record{}, &catalogue.Refusal{Line: 17, Reason: "not a feature"}, nil
		}
		return inner(i)
	}
	rep, err := storetest.Catalogue(db).ImportLayer(t.Context(), storetest.Root(), catalogue.Layer{Name: "tanks"}, src, catalogue.ImportOptions{AllowDelete: true})
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		line int
		says string
	}{
		{3, "Self-intersection"}, {4, "ring 0: it is not closed"}, {5, "swapped"}, {6, "lon: 191"}, {7, "not a finite number"},
		{8, "properties"}, {9, "properties.note"}, {10, "level"}, {11, "division"}, {12, "key"},
		{13, "the key ok is that of line 2 already (this is line 13)"}, {14, "has 0 positions"}, {15, "no geometry"}, {16, "key"}, {17, "not a feature"},
	}
	if rep.Read != 16 || rep.Refused != int64(len(want)) || rep.Created != 1 || len(rep.Refusals) != len(want) {
		t.Fatalf("report: %+v", rep)
	}
	for i, w := range want {
		if r := rep.Refusals[i]; r.Line != w.line || !strings.Contains(r.Reason, w.says) {
			t.Errorf("refusal %d: %+v, want line %d and %q", i, r, w.line, w.says)
		}
	}
	got := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")
	if _, kept := got["bow"]; !kept || len(got) != 2 || rep.Deleted != 1 {
		t.Errorf("a feature whose record was refused must stay, one that is gone must go: %v", got)
	}
}

func TestImportListsTheFirstHundredRefusals(t *testing.T) {
	db := storetest.NewDivisions(t)
	src := &storetest.Records{Read: func(i int) (catalogue.Record, *catalogue.Refusal, error) {
		switch {
		case i == 1000:
			return catalogue.Record{}, nil, io.EOF
		case i%2 == 0:
			return catalogue.Record{Line: i + 1, Feature: storetest.Feature("twin", "370602", 121, 37)}, nil, nil
		}
		return catalogue.Record{}, &catalogue.Refusal{Line: i + 1, Reason: "bad"}, nil
	}}
	rep, err := storetest.Catalogue(db).ImportLayer(t.Context(), storetest.Root(), storetest.Tanks(), src, catalogue.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Refused != 999 || len(rep.Refusals) != 100 || rep.Refusals[0].Line != 2 || rep.Refusals[1].Line != 3 || rep.Refusals[99].Line != 101 {
		t.Errorf("refused %d, listed %d, %+v", rep.Refused, len(rep.Refusals), rep.Refusals[:2])
	}
}

func TestImportFailingHalfWayLeavesTheLayer(t *testing.T) {
	db := storetest.NewDivisions(t)
	storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("a", "370602", 121.4, 37.5), storetest.Feature("b", "370614", 120.8, 37.8))
	before, layer := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks"), storetest.LayerOf(t, db, storetest.CityScope(), "tanks")
	broken := fault.InvalidField("line 700", "unexpected end of file")
	other := storetest.Tanks()
	other.Title.ZH = "别的"
	for name, src := range map[string]*storetest.Records{
		"the reader fails": {Read: func(i int) (catalogue.Record, *catalogue.Refusal, error) {
			if i == 700 {
				return catalogue.Record{}, nil, broken
			}
			return catalogue.Record{Line: i + 1, Feature: storetest.Feature(storetest.KeyOf(i), "370602", 121, 37)}, nil, nil
		}},
		"nothing can be taken": storetest.Listed(storetest.Feature("x", "370602", 37, 121)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := storetest.Catalogue(db).ImportLayer(t.Context(), storetest.Root(), other, src, catalogue.ImportOptions{})
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "line ") {
				t.Errorf("error: %v", err)
			}
			if d := cmp.Diff(before, storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")); d != "" {
				t.Errorf("features changed:\n%s", d)
			}
			if d := cmp.Diff(layer, storetest.LayerOf(t, db, storetest.CityScope(), "tanks")); d != "" {
				t.Errorf("the layer changed:\n%s", d)
			}
		})
	}
	if n := len(storetest.EventsOfKind(t, db, catalogue.EventLayerChanged)); n != 2 { // of the first import
		t.Errorf("%d events", n)
	}
	_, err := storetest.Catalogue(db).ImportLayer(t.Context(), storetest.Root(), storetest.Tanks(), &storetest.Records{Read: func(int) (catalogue.Record, *catalogue.Refusal, error) {
		return catalogue.Record{}, nil, broken
	}}, catalogue.ImportOptions{})
	if !errors.Is(err, broken) {
		t.Errorf("the reader's own error is lost: %v", err)
	}
}

func TestImportRefusesABadLayer(t *testing.T) {
	db := storetest.NewDB(t)
	for field, change := range map[string]func(*catalogue.Layer){
		"name":           func(l *catalogue.Layer) { l.Name = `tanks"; drop table feature; --` },
		"theme":          func(l *catalogue.Layer) { l.Theme = "" },
		"origin":         func(l *catalogue.Layer) { l.Origin = "guess" },
		"audience.kind":  func(l *catalogue.Layer) { l.Audience.Kind = "friends" },
		"audience.roles": func(l *catalogue.Layer) { l.Audience.Kind = core.AudienceRoles },
		"min_zoom":       func(l *catalogue.Layer) { l.MinZoom = 9; l.MaxZoom = 3 },
		"geometry_type":  func(l *catalogue.Layer) { l.GeometryType = "Circle" },
		"fields[0].type": func(l *catalogue.Layer) { l.Fields = []catalogue.Field{{Name: "a", Type: "blob"}} },
	} {
		l := storetest.Tanks()
		change(&l)
		_, err := storetest.Catalogue(db).ImportLayer(t.Context(), storetest.Root(), l, storetest.Listed(storetest.Feature("a", "370602", 121, 37)), catalogue.ImportOptions{})
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.Invalid || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if all, err := db.Catalogue.Layers(t.Context(), storetest.CityScope()); err != nil || len(all) != 0 {
		t.Errorf("layers: %v %v", all, err)
	}
}

// A file of 20,000 features of 1 kB each is never in memory as a whole, neither in this package nor in the driver.
func TestImportStreams(t *testing.T) {
	db := storetest.NewDivisions(t)
	const n, padding = 20_000, 1000
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	start, most, told := heap(), uint64(0), int64(0)
	src := &storetest.Records{Read: func(i int) (catalogue.Record, *catalogue.Refusal, error) {
		if i == n {
			return catalogue.Record{}, nil, io.EOF
		}
		if i%5000 == 4999 {
			most = max(most, heap())
		}
		f := storetest.Feature(storetest.KeyOf(i), "370602", 121+float64(i%200)*0.001, 37+float64(i/200)*0.001)
		f.Properties["padding"] = strings.Repeat(fmt.Sprint(i%10), padding)
		return catalogue.Record{Line: i + 1, Feature: f}, nil, nil
	}}
	rep, err := storetest.Catalogue(db).ImportLayer(t.Context(), storetest.Root(), storetest.Tanks(), src, catalogue.ImportOptions{Progress: func(read int64) {
		if read < told || int(read) > src.N {
			t.Errorf("progress went from %d to %d with %d read", told, read, src.N)
		}
		told = read
	}})
	if err != nil || rep.Created != n || told != n {
		t.Fatalf("report %+v, progress %d, error %v", rep, told, err)
	}
	if held := int64(most) - int64(start); held > n*padding/4 {
		t.Errorf("%d kB were held during the import of a file of %d kB", held>>10, n*padding>>10)
	}
	again, err := storetest.Catalogue(db).ImportLayer(t.Context(), storetest.Root(), storetest.Tanks(), &storetest.Records{Read: src.Read}, catalogue.ImportOptions{})
	if err != nil || again.Created+again.Updated+again.Deleted != 0 || again.Version != 2 {
		t.Errorf("the same file again: %+v %v", again, err)
	}
}
