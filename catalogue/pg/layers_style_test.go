package cataloguepg_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"onemap/catalogue"
	"onemap/internal/app/stores/storetest"
)

const tankStyle = `{"layers":[{"id":"-dot","slot":"points","type":"circle","paint":{"circle-color":{"$token":"water"},"circle-radius":1e1}}]}`

func TestLayerStyle(t *testing.T) {
	db := storetest.NewDivisions(t)
	storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("a", "370602", 121.4, 37.5))
	service, li := storetest.Catalogue(db), storetest.Editor(storetest.CityScope(), "li")
	before := storetest.LayerOf(t, db, storetest.CityScope(), "tanks")
	f := storetest.Follow(t, db)
	set, err := service.SetStyle(t.Context(), li, "tanks", before.Version, []byte(tankStyle))
	if err != nil {
		t.Fatal(err)
	}
	want := before
	want.Version, want.ModifiedAt = before.Version+1, set.ModifiedAt
	if want.Style, err = catalogue.ParseStyle([]byte(tankStyle)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, set); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if n := len(f.Next()); n != 0 {
		t.Errorf("the change feed has %d changes: tiles do not depend on a style", n)
	}
	events := storetest.EventsOfKind(t, db, catalogue.EventLayerChanged)
	if last := events[len(events)-1]; last.Actor != "li" || last.Subject != "tanks" {
		t.Errorf("events: %+v", events)
	}
	if same, err := service.SetStyle(t.Context(), li, "tanks", -1, []byte(" "+tankStyle+"\n")); err != nil || same.Version != set.Version {
		t.Errorf("the same again: version %d, %v", same.Version, err)
	}
	// What says nothing of the style leaves it: an import, an entry, a change of the rules.
	storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("a", "370602", 121.5, 37.5))
	if _, err := service.PutLayer(t.Context(), storetest.Root(), catalogue.Layer{Name: "tanks", CycleDays: 9}); err != nil {
		t.Fatal(err)
	}
	if l, err := service.ChangeLayer(t.Context(), li, "tanks", -1, catalogue.LayerChange{MaxZoom: new(9)}); err != nil || string(l.Style) != string(set.Style) {
		t.Errorf("after an import, an entry and a change of the rules: %s, %v", l.Style, err)
	}
	removed, err := service.RemoveStyle(t.Context(), li, "tanks", -1)
	if err != nil || removed.Style != nil {
		t.Errorf("removed: %s, %v", removed.Style, err)
	}
}

// An entry may bring a style, which is checked like one that a person sets.
func TestEntryWithAStyle(t *testing.T) {
	db := storetest.NewDivisions(t)
	l := storetest.Tanks()
	l.Style = catalogue.Style(tankStyle)
	made, err := storetest.Catalogue(db).PutLayer(t.Context(), storetest.Root(), l)
	if err != nil || made.Style == nil {
		t.Fatalf("%s, %v", made.Style, err)
	}
	l.Style = catalogue.Style(`{"layers":[]}`)
	if _, err := storetest.Catalogue(db).PutLayer(t.Context(), storetest.Root(), l); err == nil {
		t.Error("a style without layers was stored")
	}
}

// Who changes a style in the database changes the version, too.
func TestStyleByHand(t *testing.T) {
	db := storetest.NewDivisions(t)
	storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("a", "370602", 121.4, 37.5))
	before := storetest.LayerOf(t, db, storetest.CityScope(), "tanks")
	storetest.Exec(t, db, `update layer set style = $1`, tankStyle)
	after := storetest.LayerOf(t, db, storetest.CityScope(), "tanks")
	if after.Version != before.Version+1 || after.Style == nil {
		t.Errorf("version %d after %d, style %s", after.Version, before.Version, after.Style)
	}
}
