package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"onemap/catalogue"
	"onemap/internal/core"
)

func TestCatalogue(t *testing.T) {
	w := newWorld(t, nil)
	names := func(account string) []string {
		var all Layers
		w.send(account, http.MethodGet, "/api/v1/layers", nil).decode(t, &all)
		if len(all.Themes) != len(catalogue.Themes()) || all.Themes[0].Title.ZH == "" {
			t.Errorf("themes: %+v", all.Themes)
		}
		seen := map[string]bool{}
		for _, l := range all.Items {
			seen[l.Name] = true
		}
		return keys(seen)
	}
	if diff := cmp.Diff([]string{"land", "plans", "shelters"}, names(commander)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"land", "shelters"}, names(r02)); diff != "" {
		t.Error(diff)
	}
	for _, theme := range catalogue.Themes() {
		if title := themeTitle(theme); title.ZH == "" || title.EN == "" || title.ZH == string(theme) {
			t.Errorf("%s has the title %+v", theme, title)
		}
	}
}

func TestFeatures(t *testing.T) {
	w := newWorld(t, nil)
	list := func(account, path string) (answer, FeatureCollection) {
		a := w.send(account, http.MethodGet, path, nil)
		var c FeatureCollection
		a.decode(t, &c)
		return a, c
	}
	a, c := list(commander, "/api/v1/layers/shelters/features")
	if len(c.Features) != 2 || c.Type != "FeatureCollection" || a.header.Get("ETag") != w.version(commander, "shelters") || c.Next != 0 {
		t.Errorf("%s", a.body)
	}
	f := c.Features[0]
	if f.Type != "Feature" || f.Geometry.Type != "Point" || fmt.Sprint(f.Geometry.Coordinates) != "[121.4 37.5]" || f.Properties.Division != "370602" ||
		f.Properties.Origin != core.OriginSynthetic || fmt.Sprint(f.Properties.Fields["beds"]) != "12" || f.Properties.ModifiedAt.IsZero() {
		t.Errorf("%+v", f)
	}
	if _, c := list(r14, "/api/v1/layers/shelters/features"); len(c.Features) != 1 || c.Features[0].Properties.Division != "370614" {
		t.Errorf("370614 sees %+v", c.Features)
	}
	if _, c := list(commander, "/api/v1/layers/shelters/features?bbox=120.5,37.5,121,38"); len(c.Features) != 1 || c.Features[0].Properties.Key != "s-14" {
		t.Errorf("in the box: %+v", c.Features)
	}
	_, first := list(commander, "/api/v1/layers/shelters/features?limit=1")
	_, second := list(commander, fmt.Sprintf("/api/v1/layers/shelters/features?limit=1&after=%d", first.Next))
	if len(first.Features) != 1 || len(second.Features) != 1 || first.Features[0].ID == second.Features[0].ID || second.Next != 0 {
		t.Errorf("pages: %+v %+v", first, second)
	}
}

func TestEditFeatures(t *testing.T) {
	w := newWorld(t, nil)
	const path = "/api/v1/layers/shelters/features"
	ids := w.features("shelters")
	edit := map[string]any{
		"create": []any{
			map[string]any{"type": "Feature", "geometry": map[string]any{"type": "Polygon", "coordinates": [][][2]float64{{{121, 37}, {122, 37}, {122, 38}, {121, 37}}}},
				"properties": map[string]any{"key": "new-1", "division": "370602000000", "name": map[string]string{"zh": "新", "en": "New"}, "level": 2, "fields": map[string]any{"beds": 3}}},
		},
		"move":   []any{map[string]any{"id": ids["s-02"], "geometry": map[string]any{"type": "Point", "coordinates": []float64{121.5, 37.6}}}},
		"update": []any{map[string]any{"id": ids["s-02"], "level": 1, "fields": map[string]any{"phone": nil, "beds": 99}}},
		"delete": []int64{ids["s-14"]},
	}
	version := w.version(steward, "shelters")
	a := w.send(steward, http.MethodPatch, path, edit, "If-Match", version)
	var done Edited
	a.decode(t, &done)
	if len(done.Created) != 1 || a.header.Get("ETag") != etag(done.Version) || a.header.Get("ETag") == version || w.version(observer, "shelters") != etag(done.Version) {
		t.Errorf("%+v, ETag %s, before %s", done, a.header.Get("ETag"), version)
	}
	var made, moved Feature
	w.send(r02, http.MethodGet, fmt.Sprintf("%s/%d", path, done.Created[0]), nil).decode(t, &made)
	if made.Properties.Key != "new-1" || made.Properties.Division != "370602" || made.Properties.Level != core.Orange || made.Geometry.Type != "Polygon" {
		t.Errorf("made: %+v", made)
	}
	w.send(r02, http.MethodGet, fmt.Sprintf("%s/%d", path, ids["s-02"]), nil).decode(t, &moved)
	if _, phone := moved.Properties.Fields["phone"]; phone || fmt.Sprint(moved.Properties.Fields["beds"]) != "99" || moved.Properties.Level != core.Red ||
		moved.Properties.Name.ZH != "演示-s-02" || fmt.Sprint(moved.Geometry.Coordinates) != "[121.5 37.6]" {
		t.Errorf("moved and updated: %+v", moved)
	}
	if a := w.send(commander, http.MethodGet, fmt.Sprintf("%s/%d", path, ids["s-14"]), nil); a.status != http.StatusNotFound {
		t.Errorf("deleted: %d", a.status)
	}
	if a := w.send(steward, http.MethodPatch, path, edit, "If-Match", version); a.status != http.StatusPreconditionFailed || a.problem(t).Kind != "precondition" {
		t.Errorf("the same edit again: %d %s", a.status, a.body)
	}
	// A steward of a county edits its own features, in a layer that everybody sees, too.
	land := w.features("land")
	own, others := land["land-2"], land["land-1"]
	update := func(id int64) any {
		return map[string]any{"update": []any{map[string]any{"id": id, "level": 4}}}
	}
	if a := w.send(steward14, http.MethodPatch, "/api/v1/layers/land/features", update(others), "If-Match", w.version(steward14, "land")); a.status != http.StatusForbidden {
		t.Errorf("another county's feature: %d %s", a.status, a.body)
	}
	if a := w.send(steward14, http.MethodPatch, "/api/v1/layers/land/features", update(own), "If-Match", w.version(steward14, "land")); a.status != http.StatusOK {
		t.Errorf("an own feature: %d %s", a.status, a.body)
	}
}

func TestChangeLayer(t *testing.T) {
	w := newWorld(t, nil)
	const path = "/api/v1/layers/shelters"
	version := w.version(steward, "shelters")
	buffer := 8
	rules := core.TileRules{Severity: "beds", Buffer: &buffer, Cluster: &core.TileGrid{Cell: 512, ToZoom: 9}, Source: core.TileSourceDatabase}
	a := w.send(steward, http.MethodPatch, path, map[string]any{"min_zoom": 0, "max_zoom": 12, "tile": rules, "in_tile": []string{"phone"}}, "If-Match", version)
	var l, read catalogue.Layer
	a.decode(t, &l)
	w.send(r02, http.MethodGet, path, nil).decode(t, &read)
	read.Count, read.BBox = l.Count, l.BBox // a county is told its own
	if diff := cmp.Diff(l, read); diff != "" || a.header.Get("ETag") == version || a.header.Get("ETag") != w.version(r02, "shelters") {
		t.Errorf("%s, was %s\n%s", a.header.Get("ETag"), version, diff)
	}
	if diff := cmp.Diff(rules, l.Tile); diff != "" || l.MaxZoom != 12 || l.Fields[0].InTile || !l.Fields[1].InTile || l.Title.ZH != "shelters" {
		t.Errorf("%+v\n%s", l, diff)
	}
	same := w.send(steward, http.MethodPatch, path, map[string]any{"max_zoom": 12}, "If-Match", a.header.Get("ETag"))
	if same.status != http.StatusOK || same.header.Get("ETag") != a.header.Get("ETag") {
		t.Errorf("no change: %d, %s", same.status, same.header.Get("ETag"))
	}
	l = catalogue.Layer{}
	w.send(steward, http.MethodPatch, path, `{"tile":{},"in_tile":[]}`, "If-Match", a.header.Get("ETag")).decode(t, &l)
	if l.Tile != (core.TileRules{}) || l.Fields[0].InTile || l.Fields[1].InTile || l.MaxZoom != 12 {
		t.Errorf("back to the defaults, and no field: %+v", l)
	}
}

// A feature's words have bounds, whether it is new or not; the refusal names the field.
func TestEditsHaveBounds(t *testing.T) {
	w := newWorld(t, nil)
	const path = "/api/v1/layers/shelters/features"
	id := w.features("shelters")["s-02"]
	name := func(zh string) string { return `"name":{"zh":"` + zh + `","en":""}` }
	for text, field := range map[string]string{
		name(strings.Repeat("水", core.MaxName+1)): "name.zh", name(`a\nb`): "name.zh",
		`"fields":{"deep":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`: "properties.deep",
		`"fields":{"big":"` + strings.Repeat("x", catalogue.MaxPropertyBytes) + `"}`:      "properties.big",
		`"fields":{` + members(catalogue.MaxProperties+1) + `}`:                           "properties",
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
			a := w.send(steward, http.MethodPatch, path, json.RawMessage(body), "If-Match", w.version(steward, "shelters"))
			if p := a.problem(t); a.status != http.StatusBadRequest || p.Field != at+field {
				t.Errorf("%.60s: %d, field %q, want %q: %.300s", body, a.status, p.Field, at+field, a.body)
			}
		}
	}
}

// An edit of one thing of a feature changes no digit of the others, and no answer does.
func TestEditKeepsDigits(t *testing.T) {
	w := newWorld(t, nil)
	const path = "/api/v1/layers/shelters/features"
	id := w.features("shelters")["s-02"]
	one := fmt.Sprintf("%s/%d", path, id)
	patch := func(body string) {
		t.Helper()
		a := w.send(steward, http.MethodPatch, path, json.RawMessage(body), "If-Match", w.version(steward, "shelters"))
		if a.status != http.StatusOK {
			t.Fatalf("%s: %d %s", body, a.status, a.body)
		}
	}
	digits := []string{`"reg":370602199001011238`, `"depth":0.12345678901234567890123`, `"rate":1.10`, `"deep":[{"n":9007199254740993}]`, `"beds":99`}
	patch(fmt.Sprintf(`{"update":[{"id":%d,"fields":{%s}}]}`, id, strings.Join(digits, ",")))
	for _, edit := range []string{
		`"name":{"zh":"新","en":"New"}`, `"level":1`, `"fields":{"phone":"1"}`, `"fields":{"phone":null}`,
	} {
		patch(fmt.Sprintf(`{"update":[{"id":%d,%s}]}`, id, edit))
		for _, at := range []string{one, path + "?limit=1000"} {
			body := strings.NewReplacer(" ", "", "\n", "").Replace(string(w.send(steward, http.MethodGet, at, nil).body))
			for _, want := range digits {
				if !strings.Contains(body, want) {
					t.Errorf("%s after %s: %s is not there: %s", at, edit, want, body[:min(len(body), 2000)])
				}
			}
		}
	}
}
