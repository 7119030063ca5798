package cataloguepg_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

func named(key, division, zh, en string) catalogue.Feature {
	f := storetest.Feature(key, division, 121.4, 37.5)
	f.Name = core.Text{ZH: zh, EN: en}
	return f
}

func newSearchable(t *testing.T) *stores.Stores {
	t.Helper()
	db := storetest.NewDivisions(t)
	secret := storetest.Tanks()
	secret.Name, secret.Audience = "secret", core.Audience{Kind: core.AudienceRoles, Roles: []core.Role{core.RoleCommander}}
	square := named("SQ-9", "370614", "长岛保护区", "Reserve 100%")
	square.Geometry = square2()
	storetest.ImportOK(t, db, storetest.Tanks(),
		named("T-1", "370602", "烟台港储罐", "Yantai port tank"), named("T-2", "370614", "烟台港", "Port_of Yantai"),
		named("T-3", "370602", "新烟台港东区", ""), named("yantaigang", "370602", "别的", "other"), square)
	storetest.ImportOK(t, db, secret, named("S-1", "370602", "烟台港秘密", ""))
	if err := db.Sensors.PutHazardTypes(t.Context(), []sensors.HazardType{{Code: "flood", CAPCategory: "Met", RadiusM: 1, LeadMinutes: 1}}); err != nil {
		t.Fatal(err)
	}
	_, err := db.Sensors.CreateDevice(t.Context(), sensors.Device{
		ID: "wl-370602-07", Division: "370602", Name: core.Text{ZH: "演示-大沽夹河水位站", EN: "River gauge"}, HazardType: "flood",
		Lon: 121.3, Lat: 37.4, Origin: core.OriginSynthetic,
	}, storetest.SecretOf("x"), "test")
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func square2() orb.Polygon { return storetest.Square(120.7, 37.9, 0.1) }

func TestSearchFindsByEveryName(t *testing.T) {
	db := newSearchable(t)
	for q, want := range map[string][]string{
		"烟台港":            {"T-2", "T-1", "S-1", "T-3"}, // the whole name, then beginnings, then the rest
		"  YANTAI Port ": {"T-1", "T-2"},               // as typed, then all of the words
		"yantaigang":     {"yantaigang/T-2", "", "", "", ""},
		"ytgcg":          {"T-1"},
		"sq-9":           {"SQ-9"},
		"changdaobao":    {"SQ-9"}, // 长 has two readings
		"zhangdaobao":    {"SQ-9"},
		"100%":           {"SQ-9"},
		"port_of":        {"T-2"},
		"p%k":            {},
		"y_ntai":         {},
		`\`:              {},
		"大沽夹河":           {"wl-370602-07"},
		"水位 芝罘":          {"wl-370602-07"}, // its county
		"水位 蓬莱":          {},
		"东区 烟台港":         {"T-3"},
		"port yantai":    {"T-2", "T-1"},
		"wl-370602-07":   {"wl-370602-07"},
		"dagujiahe":      {"wl-370602-07"},
		"370614":         {"370614"},
		"penglai":        {"370614"}, // 370684 became it
		"蓬莱市":            {"370684"},
		"芝罘":             {"370602"},
		"zfq":            {"370602"},
		"zhifu":          {"370602"},
		"向阳街道":           {"370602001"},
		"":               {},
		" \t\n":          {},
		"没有的":            {},
	} {
		hits, err := db.Catalogue.Search(t.Context(), storetest.CityScope(), q, 0)
		if err != nil {
			t.Errorf("%q: %v", q, err)
			continue
		}
		if q == "yantaigang" {
			if len(hits) != 5 || keyOfHit(t, db, hits[0]) == "T-1" || keyOfHit(t, db, hits[1]) == "T-1" {
				t.Errorf("%q: whole matches, by key and by pinyin, come first: %+v", q, hits)
			}
			continue
		}
		got := []string{}
		for _, h := range hits {
			got = append(got, keyOfHit(t, db, h))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q (-want +got):\n%s", q, d)
		}
	}
}

// keyOfHit returns the key of a feature, and the id of any other hit.
func keyOfHit(t *testing.T, db *stores.Stores, h catalogue.Hit) string {
	t.Helper()
	if h.Kind != "feature" {
		return h.ID
	}
	var key string
	if err := db.Pool().QueryRow(t.Context(), "select source_key from feature where id = $1::text::bigint", h.ID).Scan(&key); err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSearchKeepsToTheScope(t *testing.T) {
	db := newSearchable(t)
	for name, c := range map[string]struct {
		scope core.Scope
		q     string
		want  []string
	}{
		"own county":       {storetest.Zhifu(), "烟台港", []string{"T-1", "T-3"}},
		"another county":   {storetest.Penglai(), "烟台港", []string{"T-2"}},
		"its device":       {storetest.Penglai(), "大沽", nil},
		"its division":     {storetest.Penglai(), "zhifu", nil},
		"nobody":           {core.Scope{}, "烟台", nil},
		"not a commander":  {core.Scope{Division: "3706", Role: core.RoleObserver}, "秘密", nil},
		"a commander":      {storetest.CityScope(), "秘密", []string{"S-1"}},
		"one hit of three": {core.Scope{Division: "37", Role: core.RoleObserver}, "烟台港", []string{"T-2"}},
	} {
		limit := 0
		if strings.HasPrefix(name, "one") {
			limit = 1
		}
		hits, err := db.Catalogue.Search(t.Context(), c.scope, c.q, limit)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, h := range hits {
			got = append(got, keyOfHit(t, db, h))
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	if _, err := db.Catalogue.Search(t.Context(), storetest.CityScope(), strings.Repeat("烟", 101), 0); !fault.Is(err, fault.Invalid) {
		t.Errorf("an endless search: %v", err)
	}
	if _, err := db.Catalogue.Search(t.Context(), storetest.CityScope(), "\xff'; drop table feature; --\x00", 0); err != nil {
		t.Errorf("a hostile search: %v", err)
	}
}

func TestSearchHitsHaveAPlace(t *testing.T) {
	db := newSearchable(t)
	hits, err := db.Catalogue.Search(t.Context(), storetest.CityScope(), "SQ-9", 0)
	if err != nil || len(hits) != 1 {
		t.Fatalf("%v %v", hits, err)
	}
	h := hits[0]
	if !square2().Bound().Contains(orb.Point{h.Lon, h.Lat}) || h.Layer != "tanks" || h.Division != "370614" {
		t.Errorf("%+v", h)
	}
	if hits, err = db.Catalogue.Search(t.Context(), storetest.CityScope(), "370602", 1); err != nil || len(hits) != 1 || hits[0].Lon != 121.4 || hits[0].Name.EN != "Zhifu" {
		t.Errorf("%+v %v", hits, err)
	}
}

// A town without a known place has the place of its county.
func TestSearchPlacesTownsAtTheirCounty(t *testing.T) {
	db := newSearchable(t)
	county, err := db.Catalogue.Division(t.Context(), "370602")
	if err != nil {
		t.Fatal(err)
	}
	err = storetest.Catalogue(db).PutDivisions(t.Context(), storetest.Root(), []catalogue.Division{{Code: "370602999", Name: core.Text{ZH: "无名街道"}}})
	if err != nil {
		t.Fatal(err)
	}
	hits, err := db.Catalogue.Search(t.Context(), core.Scope{Division: "3706", Role: core.RoleObserver}, "无名街道", 5)
	if err != nil || len(hits) != 1 || hits[0].Lon != county.Lon || hits[0].Lat != county.Lat || county.Lon == 0 {
		t.Errorf("%+v, %v; the county is at %g, %g", hits, err, county.Lon, county.Lat)
	}
}
