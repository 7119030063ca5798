package catalogueapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"onemap/catalogue"
	catalogueapi "onemap/catalogue/api"
	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/web/server/servertest"
)

func TestCatalogue(t *testing.T) {
	w := newWorld(t, nil)
	names := func(account string) []string {
		var all catalogueapi.Layers
		w.Send(account, http.MethodGet, "/api/v1/layers", nil).Decode(t, &all)
		if len(all.Themes) != len(catalogue.Themes()) || all.Themes[0].Title.ZH == "" {
			t.Errorf("themes: %+v", all.Themes)
		}
		seen := map[string]bool{}
		for _, l := range all.Items {
			seen[l.Name] = true
		}
		return servertest.Keys(seen)
	}
	if diff := cmp.Diff([]string{"land", "plans", "shelters"}, names(servertest.Commander)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"land", "shelters"}, names(servertest.R02)); diff != "" {
		t.Error(diff)
	}
	for _, theme := range catalogue.Themes() {
		if title := catalogueapi.ThemeTitle(theme); title.ZH == "" || title.EN == "" || title.ZH == string(theme) {
			t.Errorf("%s has the title %+v", theme, title)
		}
	}
}

func TestFeatures(t *testing.T) {
	w := newWorld(t, nil)
	list := func(account, path string) (servertest.Answer, catalogueapi.FeatureCollection) {
		a := w.Send(account, http.MethodGet, path, nil)
		var c catalogueapi.FeatureCollection
		a.Decode(t, &c)
		return a, c
	}
	a, c := list(servertest.Commander, "/api/v1/layers/shelters/features")
	if len(c.Features) != 2 || c.Type != "FeatureCollection" || a.Header.Get("ETag") != w.Version(servertest.Commander, "shelters") || c.Next != 0 {
		t.Errorf("%s", a.Body)
	}
	f := c.Features[0]
	if f.Type != "Feature" || f.Geometry.Type != "Point" || fmt.Sprint(f.Geometry.Coordinates) != "[121.4 37.5]" || f.Properties.Division != "370602" ||
		f.Properties.Origin != core.OriginSynthetic || fmt.Sprint(f.Properties.Fields["beds"]) != "12" || f.Properties.ModifiedAt.IsZero() {
		t.Errorf("%+v", f)
	}
	if _, c := list(servertest.R14, "/api/v1/layers/shelters/features"); len(c.Features) != 1 || c.Features[0].Properties.Division != "370614" {
		t.Errorf("370614 sees %+v", c.Features)
	}
	if _, c := list(servertest.Commander, "/api/v1/layers/shelters/features?bbox=120.5,37.5,121,38"); len(c.Features) != 1 || c.Features[0].Properties.Key != "s-14" {
		t.Errorf("in the box: %+v", c.Features)
	}
	_, first := list(servertest.Commander, "/api/v1/layers/shelters/features?limit=1")
	_, second := list(servertest.Commander, fmt.Sprintf("/api/v1/layers/shelters/features?limit=1&after=%d", first.Next))
	if len(first.Features) != 1 || len(second.Features) != 1 || first.Features[0].ID == second.Features[0].ID || second.Next != 0 {
		t.Errorf("pages: %+v %+v", first, second)
	}
}

func TestEditFeatures(t *testing.T) {
	w := newWorld(t, nil)
	const path = "/api/v1/layers/shelters/features"
	ids := w.Features("shelters")
	edit := map[string]any{
		"create": []any{
			map[string]any{"type": "Feature", "geometry": map[string]any{"type": "Polygon", "coordinates": [][][2]float64{{{121, 37}, {122, 37}, {122, 38}, {121, 37}}}},
				"properties": map[string]any{"key": "new-1", "division": "370602000000", "name": map[string]string{"zh": "新", "en": "New"}, "level": 2, "fields": map[string]any{"beds": 3}}},
		},
		"move":   []any{map[string]any{"id": ids["s-02"], "geometry": map[string]any{"type": "Point", "coordinates": []float64{121.5, 37.6}}}},
		"update": []any{map[string]any{"id": ids["s-02"], "level": 1, "fields": map[string]any{"phone": nil, "beds": 99}}},
		"delete": []int64{ids["s-14"]},
	}
	version := w.Version(servertest.Steward, "shelters")
	a := w.Send(servertest.Steward, http.MethodPatch, path, edit, "If-Match", version)
	var done catalogueapi.Edited
	a.Decode(t, &done)
	if len(done.Created) != 1 || a.Header.Get("ETag") != httpx.ETag(done.Version) || a.Header.Get("ETag") == version || w.Version(servertest.Observer, "shelters") != httpx.ETag(done.Version) {
		t.Errorf("%+v, ETag %s, before %s", done, a.Header.Get("ETag"), version)
	}
	var made, moved catalogueapi.Feature
	w.Send(servertest.R02, http.MethodGet, fmt.Sprintf("%s/%d", path, done.Created[0]), nil).Decode(t, &made)
	if made.Properties.Key != "new-1" || made.Properties.Division != "370602" || made.Properties.Level != core.Orange || made.Geometry.Type != "Polygon" {
		t.Errorf("made: %+v", made)
	}
	w.Send(servertest.R02, http.MethodGet, fmt.Sprintf("%s/%d", path, ids["s-02"]), nil).Decode(t, &moved)
	if _, phone := moved.Properties.Fields["phone"]; phone || fmt.Sprint(moved.Properties.Fields["beds"]) != "99" || moved.Properties.Level != core.Red ||
		moved.Properties.Name.ZH != "演示-s-02" || fmt.Sprint(moved.Geometry.Coordinates) != "[121.5 37.6]" {
		t.Errorf("moved and updated: %+v", moved)
	}
	if a := w.Send(servertest.Commander, http.MethodGet, fmt.Sprintf("%s/%d", path, ids["s-14"]), nil); a.Status != http.StatusNotFound {
		t.Errorf("deleted: %d", a.Status)
	}
	if a := w.Send(servertest.Steward, http.MethodPatch, path, edit, "If-Match", version); a.Status != http.StatusPreconditionFailed || a.Problem(t).Kind != "precondition" {
		t.Errorf("the same edit again: %d %s", a.Status, a.Body)
	}
	// A steward of a county may edit the features of the county, also in a public layer.
	land := w.Features("land")
	own, others := land["land-2"], land["land-1"]
	update := func(id int64) any {
		return map[string]any{"update": []any{map[string]any{"id": id, "level": 4}}}
	}
	if a := w.Send(servertest.Steward14, http.MethodPatch, "/api/v1/layers/land/features", update(others), "If-Match", w.Version(servertest.Steward14, "land")); a.Status != http.StatusForbidden {
		t.Errorf("another county's feature: %d %s", a.Status, a.Body)
	}
	if a := w.Send(servertest.Steward14, http.MethodPatch, "/api/v1/layers/land/features", update(own), "If-Match", w.Version(servertest.Steward14, "land")); a.Status != http.StatusOK {
		t.Errorf("an own feature: %d %s", a.Status, a.Body)
	}
}

func TestChangeLayer(t *testing.T) {
	w := newWorld(t, nil)
	const path = "/api/v1/layers/shelters"
	version := w.Version(servertest.Steward, "shelters")
	buffer := 8
	rules := core.TileRules{Severity: "beds", Buffer: &buffer, Cluster: &core.TileGrid{Cell: 512, ToZoom: 9}, Source: core.TileSourceDatabase}
	a := w.Send(servertest.Steward, http.MethodPatch, path, map[string]any{"min_zoom": 0, "max_zoom": 12, "tile": rules, "in_tile": []string{"phone"}}, "If-Match", version)
	var l, read catalogue.Layer
	a.Decode(t, &l)
	w.Send(servertest.R02, http.MethodGet, path, nil).Decode(t, &read)
	read.Count, read.BBox = l.Count, l.BBox // a county is told its own
	if diff := cmp.Diff(l, read); diff != "" || a.Header.Get("ETag") == version || a.Header.Get("ETag") != w.Version(servertest.R02, "shelters") {
		t.Errorf("%s, was %s\n%s", a.Header.Get("ETag"), version, diff)
	}
	if diff := cmp.Diff(rules, l.Tile); diff != "" || l.MaxZoom != 12 || l.Fields[0].InTile || !l.Fields[1].InTile || l.Title.ZH != "shelters" {
		t.Errorf("%+v\n%s", l, diff)
	}
	same := w.Send(servertest.Steward, http.MethodPatch, path, map[string]any{"max_zoom": 12}, "If-Match", a.Header.Get("ETag"))
	if same.Status != http.StatusOK || same.Header.Get("ETag") != a.Header.Get("ETag") {
		t.Errorf("no change: %d, %s", same.Status, same.Header.Get("ETag"))
	}
	l = catalogue.Layer{}
	w.Send(servertest.Steward, http.MethodPatch, path, `{"tile":{},"in_tile":[]}`, "If-Match", a.Header.Get("ETag")).Decode(t, &l)
	if l.Tile != (core.TileRules{}) || l.Fields[0].InTile || l.Fields[1].InTile || l.MaxZoom != 12 {
		t.Errorf("back to the defaults, and no field: %+v", l)
	}
}

// The texts of new and existing features have a largest length. The refusal names the field.
func TestEditsHaveBounds(t *testing.T) {
	w := newWorld(t, nil)
	const path = "/api/v1/layers/shelters/features"
	id := w.Features("shelters")["s-02"]
	name := func(zh string) string { return `"name":{"zh":"` + zh + `","en":""}` }
	for text, field := range map[string]string{
		name(strings.Repeat("水", core.MaxName+1)): "name.zh", name(`a\nb`): "name.zh",
		`"fields":{"deep":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`: "properties.deep",
		`"fields":{"big":"` + strings.Repeat("x", catalogue.MaxPropertyBytes) + `"}`:      "properties.big",
		`"fields":{` + servertest.Members(catalogue.MaxProperties+1) + `}`:                "properties",
		`"fields":{"` + strings.Repeat("n", catalogue.MaxPropertyName+1) + `":1}`:         "properties",
	} {
		whole := text
		if !strings.HasPrefix(whole, `"name"`) {
			whole += "," + name("新")
		}
		for at, body := range map[string]string{
			"update[0].": fmt.Sprintf(`{"update":[{"id":%d,%s}]}`, id, text),
			"create[0].": `{"create":[{"type":"Feature","geometry":{"type":"Point","coordinates":[121.4,37.5]},"properties":{"division":"370602",` + whole + `}}]}`,
		} {
			a := w.Send(servertest.Steward, http.MethodPatch, path, json.RawMessage(body), "If-Match", w.Version(servertest.Steward, "shelters"))
			if p := a.Problem(t); a.Status != http.StatusBadRequest || p.Field != at+field {
				t.Errorf("%.60s: %d, field %q, want %q: %.300s", body, a.Status, p.Field, at+field, a.Body)
			}
		}
	}
}

// An edit of one part of a feature changes no digit of the other parts, in the store and in the answers.
func TestEditKeepsDigits(t *testing.T) {
	w := newWorld(t, nil)
	const path = "/api/v1/layers/shelters/features"
	id := w.Features("shelters")["s-02"]
	one := fmt.Sprintf("%s/%d", path, id)
	patch := func(body string) {
		t.Helper()
		a := w.Send(servertest.Steward, http.MethodPatch, path, json.RawMessage(body), "If-Match", w.Version(servertest.Steward, "shelters"))
		if a.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", body, a.Status, a.Body)
		}
	}
	digits := []string{`"reg":370602199001011238`, `"depth":0.12345678901234567890123`, `"rate":1.10`, `"deep":[{"n":9007199254740993}]`, `"beds":99`}
	patch(fmt.Sprintf(`{"update":[{"id":%d,"fields":{%s}}]}`, id, strings.Join(digits, ",")))
	for _, edit := range []string{
		`"name":{"zh":"新","en":"New"}`, `"level":1`, `"fields":{"phone":"1"}`, `"fields":{"phone":null}`,
	} {
		patch(fmt.Sprintf(`{"update":[{"id":%d,%s}]}`, id, edit))
		for _, at := range []string{one, path + "?limit=1000"} {
			body := strings.NewReplacer(" ", "", "\n", "").Replace(string(w.Send(servertest.Steward, http.MethodGet, at, nil).Body))
			for _, want := range digits {
				if !strings.Contains(body, want) {
					t.Errorf("%s after %s: %s is not there: %s", at, edit, want, body[:min(len(body), 2000)])
				}
			}
		}
	}
}
