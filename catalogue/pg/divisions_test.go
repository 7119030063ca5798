package cataloguepg_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/catalogue"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
)

func TestDivisions(t *testing.T) {
	db := storetest.NewDivisions(t)
	counties, err := db.Catalogue.Divisions(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	want := []catalogue.Division{
		{Code: "370602", Name: core.Text{ZH: "芝罘区", EN: "Zhifu"}, Parent: "3706", Lon: 121.4, Lat: 37.54},
		{Code: "370614", Name: core.Text{ZH: "蓬莱区", EN: "Penglai"}, Parent: "3706", Lon: 120.76, Lat: 37.81},
		{Code: "370634", Name: core.Text{ZH: "长岛县", EN: "Changdao"}, Parent: "3706", Successor: "370684"},
		{Code: "370684", Name: core.Text{ZH: "蓬莱市"}, Parent: "3706", Successor: "370614"},
	}
	if d := cmp.Diff(want, counties); d != "" {
		t.Errorf("counties (-want +got):\n%s", d)
	}
	towns, err := db.Catalogue.Divisions(t.Context(), true)
	if err != nil || len(towns) != 1 || towns[0].Parent != "370602" {
		t.Errorf("towns: %+v %v", towns, err)
	}
	end := time.Date(2020, 6, 29, 0, 0, 0, 0, time.UTC)
	if err := storetest.Catalogue(db).PutDivisions(t.Context(), storetest.Root(), []catalogue.Division{{Code: "370684000000", Name: core.Text{ZH: "蓬莱市", EN: "Penglai City"}, ValidTo: &end, Successor: "370614"}}); err != nil {
		t.Fatal(err)
	}
	d, err := db.Catalogue.Division(t.Context(), "370684")
	if err != nil || d.ValidTo == nil || !d.ValidTo.Equal(end) || d.Name.EN != "Penglai City" {
		t.Errorf("after the change: %+v %v", d, err)
	}
	for code, want := range map[string]string{"3706": "烟台市", "370602001": "向阳街道", "370699": "370699"} {
		if name, err := db.Catalogue.DivisionName(t.Context(), code); err != nil || name.ZH != want {
			t.Errorf("%s is %v %v", code, name, err)
		}
	}
	if _, err := db.Catalogue.Division(t.Context(), "'; drop table division; --"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a code that is none: %v", err)
	}
}

func TestCurrentDivision(t *testing.T) {
	db := storetest.NewDivisions(t)
	for code, want := range map[string]string{
		"370684": "370614", "370684000000": "370614", "370684101": "370614101", "370634": "370614", "370634100": "370614100",
		"370602": "370602", "370602001": "370602001", "3706": "3706", "37": "37", "110101": "110101",
	} {
		if got, err := db.Catalogue.CurrentDivision(t.Context(), code); err != nil || got != want {
			t.Errorf("%s is now %q %v, want %s", code, got, err, want)
		}
	}
	if _, err := db.Catalogue.CurrentDivision(t.Context(), "37x"); !fault.Is(err, fault.Invalid) {
		t.Errorf("no code: %v", err)
	}
	// a ring of successors ends
	if err := storetest.Catalogue(db).PutDivisions(t.Context(), storetest.Root(), []catalogue.Division{{Code: "370614", Name: core.Text{ZH: "环"}, Successor: "370684"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Catalogue.CurrentDivision(t.Context(), "370634"); err != nil {
		t.Errorf("a ring: %v", err)
	}
	storetest.ImportOK(t, db, storetest.Tanks(), storetest.Feature("a", "370634", 121, 37))
}

func TestBadDivisionsAreNamed(t *testing.T) {
	db := storetest.NewDivisions(t)
	for field, d := range map[string]catalogue.Division{
		"divisions[1].division": {Code: "99"},
		"divisions[1].lat":      {Code: "370602", Lon: 37.5, Lat: 121.4},
	} {
		err := storetest.Catalogue(db).PutDivisions(t.Context(), storetest.Root(), []catalogue.Division{{Code: "370613", Name: core.Text{ZH: "莱山区"}}, d})
		if !fault.Is(err, fault.Invalid) || err.Error()[:len(field)] != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := db.Catalogue.Division(t.Context(), "370613"); !fault.Is(err, fault.NotFound) {
		t.Errorf("half of a bad list was stored: %v", err)
	}
}
