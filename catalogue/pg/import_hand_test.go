package cataloguepg_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// Features that people drew stay unchanged over imports that do not have them. The limit for deletions does not count
// them.
func TestImportKeepsWhatWasDrawn(t *testing.T) {
	db, _ := newTanks(t, storetest.Tanks())
	edit(t, db, "li", "tanks", catalogue.Edit{Create: []catalogue.Feature{
		storetest.Feature("", "370602", 121.31, 37.41), storetest.Feature("", "370602", 121.32, 37.42), storetest.Feature("own", "370602", 121.33, 37.43),
	}})
	drawn := map[string]catalogue.Feature{}
	for key, f := range storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks") {
		if f.ByHand.Drawn != nil {
			drawn[key] = f
		}
	}
	a, b, far := storetest.Feature("a", "370602", 121.4, 37.5), storetest.Feature("b", "370602", 121.5, 37.6), storetest.Feature("far", "370614", 120.8, 37.8)
	rep := storetest.ImportOK(t, db, storetest.Tanks(), a, b, far)
	if rep.Kept != 3 || rep.Deleted != 0 || rep.Updated != 0 || rep.Replaced != 0 {
		t.Errorf("the same file again: %+v", rep)
	}
	// Only the three imported features count, so one of them is a third, although it is less than a fifth of all six.
	if _, err := storetest.Catalogue(db).ImportLayer(t.Context(), storetest.Root(), storetest.Tanks(), storetest.Listed(a, b), catalogue.ImportOptions{}); !fault.Is(err, fault.Invalid) || !strings.Contains(fmt.Sprint(err), "1 of the layer's 3 features") {
		t.Errorf("an import of two: %v", err)
	}
	rep, err := storetest.Catalogue(db).ImportLayer(t.Context(), storetest.Root(), storetest.Tanks(), storetest.Listed(), catalogue.ImportOptions{AllowDelete: true})
	if err != nil || rep.Kept != 3 || rep.Deleted != 3 {
		t.Errorf("an empty file: %+v %v", rep, err)
	}
	after := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")
	if len(after) != 3 || len(drawn) != 3 {
		t.Errorf("%d drawn, %d after: %+v", len(drawn), len(after), after)
	}
	for key, was := range drawn {
		if is := after[key]; is.ID != was.ID || is.Provenance() != was.Provenance() || !is.ModifiedAt.Equal(was.ModifiedAt) || is.Geometry != was.Geometry {
			t.Errorf("%s is %+v, was %+v", key, is, was)
		}
		if h := historyOf(t, db, storetest.CityScope(), "tanks", was.ID); len(h) != 1 {
			t.Errorf("%s has %d entries of history", key, len(h))
		}
	}
	if l := storetest.LayerOf(t, db, storetest.CityScope(), "tanks"); l.GeometryType != "Point" || l.Count != 3 {
		t.Errorf("the layer: %+v", l)
	}
	// Drawn features also count for the geometry type of the layer.
	line := a
	line.Geometry = orb.LineString{{121, 37}, {121.1, 37}}
	if storetest.ImportOK(t, db, storetest.Tanks(), line); storetest.LayerOf(t, db, storetest.CityScope(), "tanks").GeometryType != "Geometry" {
		t.Errorf("a layer of lines and drawn points is one of %ss", storetest.LayerOf(t, db, storetest.CityScope(), "tanks").GeometryType)
	}
}

// An import replaces the changes of people to the features of its file. The report counts them, and the history has the
// changes.
func TestImportCountsWhatItReplaces(t *testing.T) {
	db, before := newTanks(t, storetest.Tanks())
	edit(t, db, "wang", "tanks", catalogue.Edit{Move: []catalogue.Feature{{ID: before["a"].ID, Geometry: orb.Point{121.41, 37.5}}}})
	b, far := before["b"], before["far"]
	b.Name.ZH = "新名"
	far.Level = core.Red
	edit(t, db, "li", "tanks", catalogue.Edit{Update: []catalogue.Feature{b, far}, Create: []catalogue.Feature{storetest.Feature("own", "370602", 121.3, 37.4)}})
	same := storetest.Feature("far", "370614", 120.8, 37.8)
	same.Level = core.Red // the value that the person has set
	rep := storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("a", "370602", 121.4, 37.5), storetest.Feature("b", "370602", 121.5, 37.6), same, storetest.Feature("own", "370602", 121.3, 37.45))
	if rep.Updated != 4 || rep.Replaced != 3 || rep.Kept != 0 {
		t.Errorf("%+v", rep)
	}
	h := historyOf(t, db, storetest.CityScope(), "tanks", b.ID)
	if h[0].Via != catalogue.ViaImport || h[0].Before == nil || h[0].Before.Name == nil || h[0].Before.Name.ZH != "新名" {
		t.Errorf("the history of b: %+v", h[0])
	}
	if own := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")["own"]; own.Provenance() != "test" {
		t.Errorf("what was drawn under a key of the file comes from %q", own.Provenance())
	}
	if rep := storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("a", "370602", 121.4, 37.5), storetest.Feature("b", "370602", 121.5, 37.6), same, storetest.Feature("own", "370602", 121.3, 37.45)); rep.Updated != 0 || rep.Replaced != 0 {
		t.Errorf("the same file again: %+v", rep)
	}
}

// The limits of a feature are the same for imports and edits, and so is the field that a refusal names.
func TestBoundsAreThoseOfImportsAndEdits(t *testing.T) {
	db, before := newTanks(t, storetest.Tanks())
	many := catalogue.Properties{}
	for i := range catalogue.MaxProperties + 1 {
		many[fmt.Sprint("f", i)] = 1.0
	}
	nested := func(depth int) (v any) {
		v = 1.0
		for range depth {
			v = []any{v}
		}
		return v
	}
	large := strings.Repeat("x", catalogue.MaxPropertyBytes)
	of := func(change func(*catalogue.Feature)) catalogue.Feature {
		f := storetest.Feature("new", "370602", 121.3, 37.4)
		change(&f)
		return f
	}
	for name, c := range map[string]struct {
		f     catalogue.Feature
		field string
		add   bool // an edit can only say it of a new feature
	}{
		"a long name":         {of(func(f *catalogue.Feature) { f.Name.ZH = strings.Repeat("水", core.MaxName+1) }), "name.zh", false},
		"a long English name": {of(func(f *catalogue.Feature) { f.Name.EN = strings.Repeat("x", core.MaxName+1) }), "name.en", false},
		"a name of two lines": {of(func(f *catalogue.Feature) { f.Name.ZH = "a\nb" }), "name.zh", false},
		"a long key":          {of(func(f *catalogue.Feature) { f.Key = strings.Repeat("k", catalogue.MaxKey+1) }), "key", true},
		"a key of two lines":  {of(func(f *catalogue.Feature) { f.Key = "a\nb" }), "key", true},
		"a key with spaces":   {of(func(f *catalogue.Feature) { f.Key = " a" }), "key", true},
		"too many fields":     {of(func(f *catalogue.Feature) { f.Properties = many }), "properties", false},
		"a field with a long name": {of(func(f *catalogue.Feature) {
			f.Properties = catalogue.Properties{strings.Repeat("n", catalogue.MaxPropertyName+1): 1.0}
		}), "properties", false},
		"a large field": {of(func(f *catalogue.Feature) { f.Properties = catalogue.Properties{"big": large} }), "properties.big", false},
		"five fields that are large": {of(func(f *catalogue.Feature) {
			f.Properties = catalogue.Properties{"a": large[9:], "b": large[9:], "c": large[9:], "d": large[9:], "e": "x"}
		}), "properties", false},
		"a field that is deep": {of(func(f *catalogue.Feature) {
			f.Properties = catalogue.Properties{"deep": nested(catalogue.MaxPropertyDepth + 1)}
		}), "properties.deep", false},
		"a field deeper than the stack": {of(func(f *catalogue.Feature) { f.Properties = catalogue.Properties{"deep": nested(9000)} }), "properties.deep", false},
		"a field that is no text":       {of(func(f *catalogue.Feature) { f.Properties = catalogue.Properties{"x": "\x00"} }), "properties.x", false},
	} {
		t.Run(name, func(t *testing.T) {
			rep := storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("a", "370602", 121.4, 37.5), storetest.Feature("b", "370602", 121.5, 37.6), storetest.Feature("far", "370614", 120.8, 37.8), c.f)
			if rep.Refused != 1 || !strings.HasPrefix(rep.Refusals[0].Reason, c.field+": ") {
				t.Fatalf("an import: %d refused, %.300v", rep.Refused, rep.Refusals)
			}
			said := rep.Refusals[0].Reason
			refuses := func(at string, e catalogue.Edit) {
				_, _, err := storetest.Catalogue(db).EditFeatures(t.Context(), storetest.Editor(storetest.CityScope(), "li"), "tanks", -1, e)
				if !fault.Is(err, fault.Invalid) || err.Error() != "edit layer tanks: "+at+said {
					t.Errorf("an edit says %.300v, an import %.300s", err, said)
				}
			}
			refuses("create[0].", catalogue.Edit{Create: []catalogue.Feature{c.f}})
			if !c.add {
				c.f.ID = before["a"].ID
				refuses("update[0].", catalogue.Edit{Update: []catalogue.Feature{c.f}})
			}
		})
	}
	ok := of(func(f *catalogue.Feature) {
		f.Key, f.Name.ZH = strings.Repeat("k", catalogue.MaxKey), strings.Repeat("水", core.MaxName)
		f.Properties = catalogue.Properties{strings.Repeat("n", catalogue.MaxPropertyName): nested(catalogue.MaxPropertyDepth), "n": json.Number("1.10")}
	})
	edit(t, db, "li", "tanks", catalogue.Edit{Create: []catalogue.Feature{ok}})
}
