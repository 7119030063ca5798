package api

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"onemap/alerts"
	"onemap/alerts/cap"
	"onemap/internal/core"
	"onemap/risk"
	"onemap/sensors"
	"onemap/tiles"
	"onemap/tiles/engine"
)

func TestCatalogue(t *testing.T) {
	w := newWorld(t, nil)
	names := func(account string) []string {
		var all Layers
		w.send(account, http.MethodGet, "/api/v1/layers", nil).decode(t, &all)
		if len(all.Themes) != len(risk.Themes()) || all.Themes[0].Title.ZH == "" {
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
	for _, theme := range risk.Themes() {
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
	_, third := list(commander, fmt.Sprintf("/api/v1/layers/shelters/features?limit=1&after=%d", second.Next))
	if len(first.Features) != 1 || len(second.Features) != 1 || first.Features[0].ID == second.Features[0].ID || third.Features == nil || len(third.Features) != 0 {
		t.Errorf("pages: %+v %+v %+v", first, second, third)
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
	var l, read risk.Layer
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
	l = risk.Layer{}
	w.send(steward, http.MethodPatch, path, `{"tile":{},"in_tile":[]}`, "If-Match", a.header.Get("ETag")).decode(t, &l)
	if l.Tile != (core.TileRules{}) || l.Fields[0].InTile || l.Fields[1].InTile || l.MaxZoom != 12 {
		t.Errorf("back to the defaults, and no field: %+v", l)
	}
}

func TestDevices(t *testing.T) {
	w := newWorld(t, nil)
	var all DeviceSnapshot
	w.send(r14, http.MethodGet, "/api/v1/devices", nil).decode(t, &all)
	if len(all.Items) != 1 || all.Items[0].ID != "dev-14" || all.Epoch == "" || all.Seq == 0 || all.Batch == 0 || all.At.IsZero() {
		t.Errorf("370614 sees %+v", all)
	}
	if s := all.Items[0].Streams; len(s) != 1 || s[0].Latest == nil || s[0].Latest.Value != 2 {
		t.Errorf("streams: %+v", s)
	}
	a := w.send(steward, http.MethodPost, "/api/v1/devices", map[string]any{
		"id": "new-1", "division": "370614", "name": map[string]string{"zh": "演示-新", "en": ""}, "hazard_type": "flood", "lon": 120.8, "lat": 37.8,
		"datastreams": []any{map[string]any{"name": "wl", "type": "level", "title": map[string]string{"zh": "水位", "en": ""}}},
	})
	var made DeviceWithSecret
	a.decode(t, &made)
	if a.status != http.StatusCreated || len(made.Secret) != 32 || made.Device.Streams[0].ID == 0 || made.Device.Streams[0].Latest != nil || !made.Device.Enabled {
		t.Errorf("%d %+v", a.status, made)
	}
	var renewed Secret
	w.send(steward, http.MethodPost, "/api/v1/devices/new-1/secret", nil).decode(t, &renewed)
	registered, err := w.db.LoadRegistry(t.Context())
	w.must(err)
	for _, d := range registered {
		if d.ID == "new-1" && (!bytes.Equal(d.SecretSHA256, sensors.HashSecret(renewed.Secret)) || renewed.Secret == made.Secret) {
			t.Error("the new secret is not the device's")
		}
	}
	if a := w.send(r14, http.MethodGet, "/api/v1/devices/new-1", nil); a.status != http.StatusOK || strings.Contains(string(a.body), "secret") {
		t.Errorf("%d %s", a.status, a.body)
	}
	var types DatastreamTypes
	w.send(observer, http.MethodGet, "/api/v1/datastream-types", nil).decode(t, &types)
	if len(types.Items) != 2 || len(types.HazardTypes) != 1 {
		t.Errorf("types: %+v", types)
	}
}

func TestObservations(t *testing.T) {
	w := newWorld(t, nil)
	path := fmt.Sprintf("/api/v1/datastreams/%d/observations", w.streams["dev-02"])
	var all Observations
	w.send(r02, http.MethodGet, path, nil).decode(t, &all)
	if len(all.Items) != 2 || all.Items[0].Value != 1 || all.Items[1].Value != 2 || all.More || all.To.Sub(all.From) != 6*time.Hour {
		t.Errorf("%+v", all)
	}
	w.send(r02, http.MethodGet, path+"?limit=1", nil).decode(t, &all)
	if len(all.Items) != 1 || all.Items[0].Value != 2 || !all.More {
		t.Errorf("the newest: %+v", all)
	}
	a := w.send(r02, http.MethodGet, path+"?from=2020-01-01T00:00:00%2B08:00&to=2020-01-02T00:00:00Z", nil)
	if !strings.Contains(string(a.body), `"items":[]`) {
		t.Errorf("nothing must be an empty list: %s", a.body)
	}
}

func TestChart(t *testing.T) {
	w := newWorld(t, nil)
	path := fmt.Sprintf("/api/v1/datastreams/%d/chart", w.streams["dev-02"])
	var c sensors.Chart
	w.send(r02, http.MethodGet, path, nil).decode(t, &c)
	if len(c.Points) != 2 || c.Points[0].Value != 1 || c.Points[1].Value != 2 || c.Rows != 2 || !c.Exact || c.To.Sub(c.From) != 6*time.Hour {
		t.Errorf("%+v", c)
	}
	a := w.send(r02, http.MethodGet, path+"?from=2020-01-01T00:00:00%2B08:00&to=2020-01-02T00:00:00Z", nil)
	if !strings.Contains(string(a.body), `"points":[]`) || !strings.Contains(string(a.body), `"conflicts":[]`) {
		t.Errorf("nothing must be empty lists: %s", a.body)
	}
	for query, field := range map[string]string{"points=1": "points", "points=2001": "points", "from=yesterday": "from", "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z": "from"} {
		if a := w.send(r02, http.MethodGet, path+"?"+query, nil); a.status/100 != 4 || !strings.Contains(string(a.body), field) {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}

func TestQuarantine(t *testing.T) {
	w := newWorld(t, nil)
	_, err := w.db.CommitBatch(t.Context(), sensors.Batch{Quarantine: []sensors.Quarantined{
		{At: w.clock.now(), DeviceID: "dev-02", Topic: "onemap/v1/370602/dev-02/obs", Reason: "bad-json", Detail: "v", Payload: []byte{0xff, 0x00}, Size: 2},
	}})
	w.must(err)
	var all List[sensors.Quarantined]
	a := w.send(steward, http.MethodGet, "/api/v1/quarantine?limit=5", nil)
	a.decode(t, &all)
	if len(all.Items) != 1 || !bytes.Equal(all.Items[0].Payload, []byte{0xff, 0x00}) || !strings.Contains(string(a.body), `"payload":"/wA="`) {
		t.Errorf("%s", a.body)
	}
}

func TestPlaces(t *testing.T) {
	w := newWorld(t, nil)
	var all List[risk.Division]
	w.send(observer, http.MethodGet, "/api/v1/divisions", nil).decode(t, &all)
	if len(all.Items) != 2 || all.Items[0].Code != "370602" {
		t.Errorf("counties: %+v", all.Items)
	}
	w.send(observer, http.MethodGet, "/api/v1/divisions?level=town", nil).decode(t, &all)
	if len(all.Items) != 1 || all.Items[0].Code != "370602001" {
		t.Errorf("towns: %+v", all.Items)
	}
	var hits List[risk.Hit]
	w.send(r14, http.MethodGet, "/api/v1/search?q=dev-", nil).decode(t, &hits)
	for _, h := range hits.Items {
		if h.Division != "370614" {
			t.Errorf("370614 finds %+v", h)
		}
	}
	if len(hits.Items) == 0 {
		t.Error("nothing is found")
	}
	var sources Sources
	w.send(observer, http.MethodGet, "/api/v1/sources", nil).decode(t, &sources)
	if len(sources.Items) != 1 || sources.Attribution != "credits" {
		t.Errorf("sources: %+v", sources)
	}
}

func TestRules(t *testing.T) {
	w := newWorld(t, nil)
	body, _ := newRule(w, "")
	a := w.send(commander, http.MethodPost, "/api/v1/rules", body)
	var r alerts.Rule
	a.decode(t, &r)
	if a.status != http.StatusCreated || a.header.Get("ETag") != etag(r.Version) || r.UpdatedBy != commander || r.Origin != core.OriginReal {
		t.Errorf("%d %+v", a.status, r)
	}
	path := fmt.Sprintf("/api/v1/rules/%d", r.ID)
	tag := w.send(observer, http.MethodGet, path, nil).header.Get("ETag")
	if a := w.send(commander, http.MethodPut, path, body); a.status != http.StatusPreconditionFailed || a.problem(t).Field != "If-Match" {
		t.Errorf("without If-Match: %d %s", a.status, a.body)
	}
	a = w.send(commander, http.MethodPut, path, body, "If-Match", tag)
	if a.status != http.StatusOK || a.header.Get("ETag") == tag {
		t.Errorf("%d, ETag %s after %s", a.status, a.header.Get("ETag"), tag)
	}
	if a := w.send(commander, http.MethodDelete, path, nil, "If-Match", tag); a.status != http.StatusPreconditionFailed {
		t.Errorf("a stale delete: %d", a.status)
	}
	if a := w.send(commander, http.MethodDelete, path, nil, "If-Match", a.header.Get("ETag")); a.status != http.StatusNoContent {
		t.Errorf("delete: %d %s", a.status, a.body)
	}
	if a := w.send(observer, http.MethodGet, path, nil); a.status != http.StatusNotFound {
		t.Errorf("deleted: %d", a.status)
	}
	for _, account := range []string{steward14, accountOf(core.RoleAdministrator, "370602")} {
		if a := w.send(account, http.MethodPost, "/api/v1/rules", body); a.status != http.StatusForbidden {
			t.Errorf("%s: %d", account, a.status)
		}
	}
	wrong := strings.NewReplacer(`"raise":5`, `"raise":1`, `"zh":"a"`, `"zh":""`).Replace(ruleBody)
	if p := w.send(commander, http.MethodPost, "/api/v1/rules", wrong).problem(t); len(p.Errors) != 2 {
		t.Errorf("two faults, told: %+v", p.Errors)
	}
}

func TestAlerts(t *testing.T) {
	w := newWorld(t, nil)
	list := func(account, query string) AlertList {
		var l AlertList
		w.send(account, http.MethodGet, "/api/v1/alerts"+query, nil).decode(t, &l)
		return l
	}
	if l := list(r02, ""); len(l.Items) != 1 || l.Items[0].ID != w.alert.ID || l.Seq == 0 || l.Epoch == "" {
		t.Errorf("370602: %+v", l)
	}
	for query, want := range map[string]int{
		"?open=true": 1, "?level=1": 1, "?level=1,2": 1, "?level=3": 0, "?handling=new": 1, "?handling=closed,resolved": 0, "?device=dev-02": 1,
		"?device=dev-14": 0, fmt.Sprintf("?before=%d", w.alert.ID): 0, "?limit=1&open=true&level=1&handling=new&device=dev-02": 1,
	} {
		if l := list(commander, query); len(l.Items) != want || l.Items == nil {
			t.Errorf("%s: %d alerts, want %d", query, len(l.Items), want)
		}
	}
	if l := list(r14, "?open=true"); len(l.Items) != 0 {
		t.Errorf("370614 sees %+v", l.Items)
	}
	path := fmt.Sprintf("/api/v1/alerts/%d", w.alert.ID)
	step := func(account, action, body string, status int) alerts.Alert {
		t.Helper()
		a := w.send(account, http.MethodPost, path+"/"+action, body)
		if a.status != status {
			t.Fatalf("%s: %d, want %d: %s", action, a.status, status, a.body)
		}
		var out HandledAlert
		if status == http.StatusOK {
			a.decode(t, &out)
		}
		return out.Alert
	}
	first := step(r02, "acknowledge", "{}", 200)
	again := step(r02, "acknowledge", "{}", 200)
	if first.Handling != alerts.Acknowledged || again.Version != first.Version {
		t.Errorf("acknowledged %+v, again %+v", first.Handling, again.Version)
	}
	assigned := step(commander, "assign", `{"assignee":"`+r02+`","note":"go"}`, 200)
	if assigned.Assignee != r02 || assigned.Handling != alerts.Assigned {
		t.Errorf("assigned: %+v", assigned)
	}
	step(r02, "close", `{"note":"x"}`, 409)
	step(r02, "resolve", `{"note":"the gate is shut"}`, 200)
	step(r02, "assign", `{"assignee":"`+r02+`"}`, 409)
	step(r02, "close", `{"note":"still firing, but handled"}`, 200)
	var d AlertDetail
	a := w.send(r02, http.MethodGet, path, nil)
	a.decode(t, &d)
	if d.Alert.Handling != alerts.Closed || len(d.History) < 5 || len(d.Messages) != 1 || len(d.Deliveries) != 1 || d.Deliveries[0].Name.ZH != "芝罘区" {
		t.Errorf("%s", a.body)
	}
	if strings.Contains(string(a.body), ":null,\"received") || strings.Contains(string(a.body), `"connected":null`) {
		t.Errorf("a list is null: %s", a.body)
	}
	if a := w.send(r02, http.MethodPost, path+"/close", nil); a.status != http.StatusOK {
		t.Errorf("a step without a body: %d %s", a.status, a.body)
	}
}

func TestCAP(t *testing.T) {
	w := newWorld(t, nil)
	a := w.send(r02, http.MethodGet, "/cap/alerts/onemap-1.xml", nil)
	if m, err := cap.Unmarshal(a.body); err != nil || m.Identifier != "onemap-1" || !strings.HasPrefix(a.header.Get("Content-Type"), "application/cap+xml") {
		t.Errorf("%v %v %s", err, a.header, a.body)
	}
	feed := func(account string) atomFeed {
		a := w.send(account, http.MethodGet, "/cap/feed.atom", nil)
		var f atomFeed
		if err := xml.Unmarshal(a.body, &f); err != nil || !strings.HasPrefix(a.header.Get("Content-Type"), "application/atom+xml") {
			t.Fatalf("%v in %s", err, a.body)
		}
		return f
	}
	f := feed(r02)
	if len(f.Entries) != 1 || f.Entries[0].Title != "芝罘区洪水红色预警" || f.Entries[0].Link.Href != w.http.URL+"/cap/alerts/onemap-1.xml" || f.ID == "" || f.Updated != f.Entries[0].Updated {
		t.Errorf("%+v", f)
	}
	if f := feed(r14); len(f.Entries) != 0 {
		t.Errorf("370614 is told of %+v", f.Entries)
	}
}

func TestTilesOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	const path = "/tiles/land,shelters/9/428/198.mvt" // holds 121.4, 37.5 but not 120.8, 37.8
	a := w.send(commander, http.MethodGet, path, nil)
	if a.status != http.StatusOK || len(a.body) == 0 || a.header.Get("Content-Type") != "application/vnd.mapbox-vector-tile" ||
		a.header.Get("Cache-Control") != "private, no-cache" || a.header.Get("Vary") != "Accept-Encoding" || a.header.Get("ETag") == "" {
		t.Fatalf("%d %v", a.status, a.header)
	}
	if !bytes.Contains(a.body, []byte("shelters")) || !bytes.Contains(a.body, []byte("land")) || !bytes.Contains(a.body, []byte("演示-s-02")) || !bytes.Contains(a.body, []byte("beds")) {
		t.Error("the tile lacks a layer, a name or a field")
	}
	if bytes.Contains(a.body, []byte("phone")) {
		t.Error("the tile holds a field that is not for tiles")
	}
	foreign := w.send(r14, http.MethodGet, path, nil)
	if bytes.Contains(foreign.body, []byte("s-02")) || !bytes.Contains(foreign.body, []byte("land-1")) {
		t.Error("370614 must get the public layer and nothing of 370602's shelters")
	}
	if a.header.Get("ETag") == foreign.header.Get("ETag") {
		t.Error("two contents share a tag")
	}
	if again := w.send(commander, http.MethodGet, path, nil, "If-None-Match", a.header.Get("ETag")); again.status != http.StatusNotModified || len(again.body) != 0 {
		t.Errorf("known: %d, %d bytes", again.status, len(again.body))
	}
	empty := w.send(commander, http.MethodGet, "/tiles/land/9/0/0.mvt", nil)
	if empty.status != http.StatusOK || len(empty.body) != 0 {
		t.Errorf("an empty tile: %d, %d bytes", empty.status, len(empty.body))
	}
	var doc tiles.TileJSON
	w.send(r02, http.MethodGet, "/tiles/land,shelters.json", nil).decode(t, &doc)
	if doc.Tiles[0] != w.http.URL+"/tiles/land,shelters/{z}/{x}/{y}.mvt" || len(doc.VectorLayers) != 2 || doc.VectorLayers[1].Fields["beds"] != "Number" || doc.Attribution != "© test" {
		t.Errorf("%+v", doc)
	}
}

func TestTilesAreCompressedForWhoTakesIt(t *testing.T) {
	w := newWorld(t, nil)
	w.api.o.Tiles = w.tiles(engine.Options{GzipMin: 1})
	const path = "/tiles/land,shelters/9/428/198.mvt"
	plain, packed := w.send(commander, http.MethodGet, path, nil, "Accept-Encoding", "identity"), w.send(commander, http.MethodGet, path, nil, "Accept-Encoding", "gzip")
	if plain.header.Get("Content-Encoding") != "" || packed.header.Get("Content-Encoding") != "gzip" || plain.header.Get("ETag") != packed.header.Get("ETag") {
		t.Fatalf("%v %v", plain.header, packed.header)
	}
	zr, err := gzip.NewReader(bytes.NewReader(packed.body))
	w.must(err)
	if raw, err := io.ReadAll(zr); err != nil || !bytes.Equal(raw, plain.body) {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
}

func TestOpenAPIIsServed(t *testing.T) {
	w := newWorld(t, nil)
	a := w.send(observer, http.MethodGet, "/api/v1/openapi.json", nil)
	var doc map[string]any
	if err := json.Unmarshal(a.body, &doc); err != nil || doc["openapi"] != "3.1.0" || strings.Contains(string(a.body), "$schema") {
		t.Errorf("%v %v", err, doc["openapi"])
	}
	for _, path := range []string{"/docs", "/openapi.json", "/schemas/Me.json", "/api/v1/docs"} {
		if a := w.send(observer, http.MethodGet, path, nil); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if a := w.send(observer, http.MethodGet, "/api/v1/me", nil); strings.Contains(string(a.body), "$schema") || a.header.Get("Link") != "" {
		t.Errorf("links to schemas: %v %s", a.header, a.body)
	}
}

// No list of any answer may be null: the description says so, and pages rely on it.
func TestEmptyListsAreLists(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Sources = nil })
	for _, path := range []string{"/api/v1/alerts", "/api/v1/devices", "/api/v1/layers", "/api/v1/sources", "/api/v1/search?q=zzzz", "/api/v1/quarantine", "/api/v1/layers/plans/features?after=999999"} {
		account := commander
		if path == "/api/v1/quarantine" {
			account = steward
		}
		a := w.send(account, http.MethodGet, path, nil)
		var doc map[string]any
		a.decode(t, &doc)
		for _, member := range []string{"items", "features"} {
			if v, ok := doc[member]; ok && v == nil {
				t.Errorf("%s: %s is null", path, member)
			}
		}
	}
}

func TestJSONIsCompressedForWhoTakesIt(t *testing.T) {
	w := newWorld(t, nil)
	for path, packs := range map[string]bool{"/api/v1/layers": true, "/api/v1/divisions?level=town": false, "/api/v1/layers/nothing": false} {
		plain, packed := w.send(commander, http.MethodGet, path, nil, "Accept-Encoding", "identity"), w.send(commander, http.MethodGet, path, nil, "Accept-Encoding", "gzip")
		if plain.status != packed.status || (packed.header.Get("Content-Encoding") == "gzip") != packs {
			t.Errorf("%s: %d %d %v", path, plain.status, packed.status, packed.header)
			continue
		}
		raw := packed.body
		if packs {
			zr, err := gzip.NewReader(bytes.NewReader(packed.body))
			w.must(err)
			if raw, err = io.ReadAll(zr); err != nil {
				t.Error(err)
			}
		}
		if !bytes.Equal(raw, plain.body) {
			t.Errorf("%s: %s\n%s", path, raw, plain.body)
		}
	}
	if a := w.send(admin, http.MethodDelete, "/api/v1/session", nil, "Accept-Encoding", "gzip"); a.status != http.StatusNoContent || len(a.body) != 0 {
		t.Errorf("an empty answer: %d", a.status)
	}
	if a := w.send("", http.MethodGet, "/api/v1/me", nil, "Accept-Encoding", "gzip"); a.status != http.StatusUnauthorized {
		t.Errorf("%d", a.status)
	}
}
