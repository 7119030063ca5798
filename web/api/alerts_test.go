package api

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"onemap/alerts"
	"onemap/alerts/cap"
	"onemap/internal/core"
)

func TestRules(t *testing.T) {
	w := newWorld(t, nil)
	body, _ := newRule(w, "")
	a := w.send(commander, http.MethodPost, "/api/v1/rules", body)
	var r alerts.Rule
	a.decode(t, &r)
	if a.status != http.StatusCreated || a.header.Get("ETag") != etag(r.Version) || r.UpdatedBy != commander || r.Origin != core.OriginReal || r.HoldSeconds != alerts.DefaultHoldSeconds {
		t.Errorf("%d %+v", a.status, r)
	}
	path := fmt.Sprintf("/api/v1/rules/%d", r.ID)
	hold := strings.Replace(ruleBody, `"enabled"`, `"hold_seconds":0,"enabled"`, 1)
	if w.send(commander, http.MethodPost, "/api/v1/rules", hold).decode(t, &r); r.HoldSeconds != 0 {
		t.Errorf("a rule without a hold has one of %d s", r.HoldSeconds)
	}
	tag := w.send(observer, http.MethodGet, path, nil).header.Get("ETag")
	if a := w.send(commander, http.MethodPut, path, body); a.status != http.StatusPreconditionRequired || a.problem(t).Field != "If-Match" {
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
	step(r02, "resolve", `{"note":"the gate is shut","confirm":true}`, 200)
	step(r02, "assign", `{"assignee":"`+r02+`"}`, 409)
	step(r02, "close", `{"note":"still firing, but handled","confirm":true}`, 200)
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
