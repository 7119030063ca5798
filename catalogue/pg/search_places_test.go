package cataloguepg_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
)

// Of several entries of one place only one is returned. Devices with the same name are all returned.
func TestSearchReturnsEachPlaceOnce(t *testing.T) {
	db := newSearchable(t)
	at := func(key, division, zh string, lon, lat float64) catalogue.Feature {
		f := named(key, division, zh, "")
		f.Geometry = orb.Point{lon, lat}
		return f
	}
	county := named("C-1", "370602", "芝罘区", "Zhifu")
	county.Geometry = storetest.Square(121.2, 37.4, 0.4) // its middle is far from the division's point, which lies in it
	layer := storetest.Tanks()
	layer.Name = "places"
	storetest.ImportOK(t, db, layer, county,
		at("C-2", "370602", "芝罘区", 121.401, 37.501), at("N-1", "370614", "南长山", 120.73, 37.91), at("N-2", "370614", "南长山街道", 120.732, 37.925),
		at("N-3", "370614001", "南长山镇", 120.731, 37.915), at("N-4", "370614", "南长山", 120.2, 37.5), at("N-5", "370602", "南长山", 120.73, 37.91),
		at("E-1", "370602", "", 121.4, 37.5), at("E-2", "370602", "", 121.4, 37.5))
	for q, want := range map[string][]string{
		"芝罘区": {"370602"},
		"南长山": {"N-1", "N-4", "N-5"}, // another place, and another county
		"e-":  {"E-1", "E-2"},        // no name is not one name
	} {
		got := keysFound(t, db, storetest.CityScope(), q)
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q (-want +got):\n%s", q, d)
		}
	}
}

func TestSearchLeadsFromAbolishedDivisions(t *testing.T) {
	db := newSearchable(t)
	end := time.Date(2020, 6, 5, 0, 0, 0, 0, time.UTC)
	err := storetest.Catalogue(db).PutDivisions(t.Context(), storetest.Root(), []catalogue.Division{
		{Code: "370614", Name: core.Text{ZH: "蓬莱区", EN: "Penglai"}, Lon: 120.76, Lat: 37.8},
		{Code: "370684", Name: core.Text{ZH: "蓬莱市", EN: "Penglai City"}, Lon: 120.76, Lat: 37.8, ValidTo: &end, Successor: "370614"},
		{Code: "370634", Name: core.Text{ZH: "长岛县", EN: "Changdao"}, Lon: 120.73, Lat: 37.92, ValidTo: &end, Successor: "370684"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, scope := range map[string]core.Scope{"the city": storetest.CityScope(), "the successor": storetest.Penglai()} {
		hits, err := db.Catalogue.Search(t.Context(), scope, "长岛县", 0)
		want := []catalogue.Hit{{
			Kind: "division", ID: "370634", Name: core.Text{ZH: "长岛县", EN: "Changdao"}, Division: "370614",
			DivisionName: core.Text{ZH: "蓬莱区", EN: "Penglai"}, Abolished: 2020, Lon: 120.73, Lat: 37.92,
		}}
		if d := cmp.Diff(want, hits); err != nil || d != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, d)
		}
	}
	if got := keysFound(t, db, storetest.CityScope(), "penglai"); !slices.Equal(got, []string{"370614"}) {
		t.Errorf("the successor is found by the same words: %v", got)
	}
	if got := keysFound(t, db, storetest.Zhifu(), "长岛县"); len(got) > 0 {
		t.Errorf("another county finds %v", got)
	}
}

func TestSearchHitsNameTheirCounty(t *testing.T) {
	db := newSearchable(t)
	for q, want := range map[string]string{"SQ-9": "蓬莱区", "向阳街道": "芝罘区", "大沽": "芝罘区"} {
		hits, err := db.Catalogue.Search(t.Context(), storetest.CityScope(), q, 1)
		if err != nil || len(hits) != 1 || hits[0].DivisionName.ZH != want {
			t.Errorf("%q: %+v %v", q, hits, err)
		}
	}
}

// Alerts are found by hazard, device, headline and number, and only in the scopes that may see them. Open alerts come
// first, the worst of them at the top.
func TestSearchFindsAlerts(t *testing.T) {
	db := storetest.NewCity(t, 6)
	err := storetest.Catalogue(db).PutDivisions(t.Context(), storetest.Root(), []catalogue.Division{
		{Code: "370602", Name: core.Text{ZH: "芝罘区", EN: "Zhifu"}}, {Code: "370614", Name: core.Text{ZH: "蓬莱区", EN: "Penglai"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	rule, ids := storetest.NewRule(t, db), storetest.StreamsOf(t, db)
	var all []string
	for n, level := range []core.Level{core.Red, core.Yellow, core.Yellow, core.Red, core.Red} {
		change := storetest.Issued(rule, ids, n, level)
		change.Alert.Hazard, change.Alert.HazardName = "flood", core.Text{ZH: "洪水", EN: "Flood"}
		change.Alert.Headline = core.Text{ZH: fmt.Sprintf("第%d号河段超限", n), EN: "High water"}
		a := storetest.Apply(t, db, change)[0]
		if n == 0 {
			over := storetest.Cleared(a, storetest.Noon().Add(time.Hour))
			over.Alert.Level = core.Blue // the level at its end; the search shows its peak level
			storetest.Apply(t, db, over)
		}
		all = append(all, strconv.FormatInt(a.ID, 10))
	}
	// The alerts with even numbers are in 370602. Alert 0 has cleared. Alerts 3 and 4 are red.
	for _, c := range []struct {
		scope core.Scope
		q     string
		want  []string
	}{
		{storetest.CityScope(), "洪水", []string{all[4], all[3], all[2], all[1], all[0]}},
		{storetest.CityScope(), "FLOOD", []string{all[4], all[3], all[2], all[1], all[0]}},
		{storetest.CityScope(), "hongshui", []string{all[4], all[3], all[2], all[1], all[0]}},
		{storetest.Zhifu(), "洪水", []string{all[4], all[2], all[0]}},
		{storetest.Penglai(), "洪水", []string{all[3], all[1]}},
		{core.Scope{}, "洪水", nil},
		{storetest.CityScope(), "dev-03", []string{all[3]}},
		{storetest.CityScope(), "第1号河段", []string{all[1]}},
		{storetest.CityScope(), "芝罘", []string{all[4], all[2], all[0]}},
		{storetest.CityScope(), "洪水 蓬莱", []string{all[3], all[1]}},
		{storetest.CityScope(), "penglai hongshui", []string{all[3], all[1]}},
		{storetest.CityScope(), "芝罘 第2号", []string{all[2]}},
		{storetest.CityScope(), "芝罘 干旱", nil},
		{storetest.CityScope(), "#" + all[0], []string{all[0]}},
		{storetest.Penglai(), "#" + all[0], nil},
		{storetest.CityScope(), "干旱", nil},
	} {
		hits, err := db.Catalogue.Search(t.Context(), c.scope, c.q, 50)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, h := range hits {
			if h.Kind == "alert" {
				got = append(got, h.ID)
				if h.Lon != 121.4 || h.Lat != 37.5 || h.Level == 0 || h.Name.ZH == "" || h.DivisionName.ZH == "" || h.ID == all[0] && h.Level != core.Red {
					t.Errorf("%q: %+v", c.q, h)
				}
			}
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%v %q (-want +got):\n%s", c.scope, c.q, d)
		}
	}
}

// Even if very many alerts match, the result also has devices and features.
func TestSearchLeavesRoomBesideAlerts(t *testing.T) {
	db := storetest.NewCity(t, 20)
	rule, ids := storetest.NewRule(t, db), storetest.StreamsOf(t, db)
	for n := range 18 {
		change := storetest.Issued(rule, ids, n, core.Red)
		change.Alert.Headline = core.Text{ZH: "dev-"}
		storetest.Apply(t, db, change)
	}
	hits, err := db.Catalogue.Search(t.Context(), storetest.CityScope(), "dev-", 12)
	if err != nil || len(hits) != 12 {
		t.Fatalf("%d hits, %v", len(hits), err)
	}
	kinds := map[string]int{}
	for _, h := range hits {
		kinds[h.Kind]++
	}
	if kinds["alert"] != 4 || kinds["device"] != 8 {
		t.Errorf("%v", kinds)
	}
}

// keysFound returns the result of a search. Features are named by their keys.
func keysFound(t *testing.T, db *stores.Stores, s core.Scope, q string) []string {
	t.Helper()
	hits, err := db.Catalogue.Search(t.Context(), s, q, 0)
	if err != nil {
		t.Fatalf("%q: %v", q, err)
	}
	var keys []string
	for _, h := range hits {
		keys = append(keys, keyOfHit(t, db, h))
	}
	return keys
}
