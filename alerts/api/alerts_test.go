package alertsapi_test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"onemap/alerts"
	alertsapi "onemap/alerts/api"
	"onemap/alerts/cap"
	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/web/server/servertest"
)

func TestRules(t *testing.T) {
	w := newWorld(t, nil)
	body, _ := servertest.NewRule(w.World, "")
	a := w.Send(servertest.Commander, http.MethodPost, "/api/v1/rules", body)
	var r alerts.Rule
	a.Decode(t, &r)
	if a.Status != http.StatusCreated || a.Header.Get("ETag") != httpx.ETag(r.Version) || r.UpdatedBy != servertest.Commander || r.Origin != core.OriginReal || r.HoldSeconds != alerts.DefaultHoldSeconds {
		t.Errorf("%d %+v", a.Status, r)
	}
	path := fmt.Sprintf("/api/v1/rules/%d", r.ID)
	hold := strings.Replace(servertest.RuleBody, `"enabled"`, `"hold_seconds":0,"enabled"`, 1)
	if w.Send(servertest.Commander, http.MethodPost, "/api/v1/rules", hold).Decode(t, &r); r.HoldSeconds != 0 {
		t.Errorf("a rule without a hold has one of %d s", r.HoldSeconds)
	}
	tag := w.Send(servertest.Observer, http.MethodGet, path, nil).Header.Get("ETag")
	if a := w.Send(servertest.Commander, http.MethodPut, path, body); a.Status != http.StatusPreconditionRequired || a.Problem(t).Field != "If-Match" {
		t.Errorf("without If-Match: %d %s", a.Status, a.Body)
	}
	a = w.Send(servertest.Commander, http.MethodPut, path, body, "If-Match", tag)
	if a.Status != http.StatusOK || a.Header.Get("ETag") == tag {
		t.Errorf("%d, ETag %s after %s", a.Status, a.Header.Get("ETag"), tag)
	}
	if a := w.Send(servertest.Commander, http.MethodDelete, path, nil, "If-Match", tag); a.Status != http.StatusPreconditionFailed {
		t.Errorf("a stale delete: %d", a.Status)
	}
	if a := w.Send(servertest.Commander, http.MethodDelete, path, nil, "If-Match", a.Header.Get("ETag")); a.Status != http.StatusNoContent {
		t.Errorf("delete: %d %s", a.Status, a.Body)
	}
	if a := w.Send(servertest.Observer, http.MethodGet, path, nil); a.Status != http.StatusNotFound {
		t.Errorf("deleted: %d", a.Status)
	}
	for _, account := range []string{servertest.Steward14, servertest.AccountOf(core.RoleAdministrator, "370602")} {
		if a := w.Send(account, http.MethodPost, "/api/v1/rules", body); a.Status != http.StatusForbidden {
			t.Errorf("%s: %d", account, a.Status)
		}
	}
	wrong := strings.NewReplacer(`"raise":5`, `"raise":1`, `"zh":"a"`, `"zh":""`).Replace(servertest.RuleBody)
	if p := w.Send(servertest.Commander, http.MethodPost, "/api/v1/rules", wrong).Problem(t); len(p.Errors) != 2 {
		t.Errorf("two faults, told: %+v", p.Errors)
	}
}

func TestAlerts(t *testing.T) {
	w := newWorld(t, nil)
	list := func(account, query string) alertsapi.AlertList {
		var l alertsapi.AlertList
		w.Send(account, http.MethodGet, "/api/v1/alerts"+query, nil).Decode(t, &l)
		return l
	}
	if l := list(servertest.R02, ""); len(l.Items) != 1 || l.Items[0].ID != w.Alert.ID || l.Seq == 0 || l.Epoch == "" {
		t.Errorf("370602: %+v", l)
	}
	for query, want := range map[string]int{
		"?open=true": 1, "?level=1": 1, "?level=1,2": 1, "?level=3": 0, "?handling=new": 1, "?handling=closed,resolved": 0, "?device=dev-02": 1,
		"?device=dev-14": 0, fmt.Sprintf("?before=%d", w.Alert.ID): 0, "?limit=1&open=true&level=1&handling=new&device=dev-02": 1,
	} {
		if l := list(servertest.Commander, query); len(l.Items) != want || l.Items == nil {
			t.Errorf("%s: %d alerts, want %d", query, len(l.Items), want)
		}
	}
	if l := list(servertest.R14, "?open=true"); len(l.Items) != 0 {
		t.Errorf("370614 sees %+v", l.Items)
	}
	path := fmt.Sprintf("/api/v1/alerts/%d", w.Alert.ID)
	step := func(account, action, body string, status int) alerts.Alert {
		t.Helper()
		a := w.Send(account, http.MethodPost, path+"/"+action, body)
		if a.Status != status {
			t.Fatalf("%s: %d, want %d: %s", action, a.Status, status, a.Body)
		}
		var out alertsapi.HandledAlert
		if status == http.StatusOK {
			a.Decode(t, &out)
		}
		return out.Alert
	}
	first := step(servertest.R02, "acknowledge", "{}", 200)
	again := step(servertest.R02, "acknowledge", "{}", 200)
	if first.Handling != alerts.Acknowledged || again.Version != first.Version {
		t.Errorf("acknowledged %+v, again %+v", first.Handling, again.Version)
	}
	assigned := step(servertest.Commander, "assign", `{"assignee":"`+servertest.R02+`","note":"go"}`, 200)
	if assigned.Assignee != servertest.R02 || assigned.Handling != alerts.Assigned {
		t.Errorf("assigned: %+v", assigned)
	}
	step(servertest.R02, "close", `{"note":"x"}`, 409)
	step(servertest.R02, "resolve", `{"note":"the gate is shut","confirm":true}`, 200)
	step(servertest.R02, "assign", `{"assignee":"`+servertest.R02+`"}`, 409)
	step(servertest.R02, "close", `{"note":"still firing, but handled","confirm":true}`, 200)
	var d alertsapi.AlertDetail
	a := w.Send(servertest.R02, http.MethodGet, path, nil)
	a.Decode(t, &d)
	if d.Alert.Handling != alerts.Closed || len(d.History) < 5 || len(d.Messages) != 1 || len(d.Deliveries) != 1 || d.Deliveries[0].Name.ZH != "芝罘区" {
		t.Errorf("%s", a.Body)
	}
	if strings.Contains(string(a.Body), ":null,\"received") || strings.Contains(string(a.Body), `"connected":null`) {
		t.Errorf("a list is null: %s", a.Body)
	}
	if a := w.Send(servertest.R02, http.MethodPost, path+"/close", nil); a.Status != http.StatusOK {
		t.Errorf("a step without a body: %d %s", a.Status, a.Body)
	}
}

func TestCAP(t *testing.T) {
	w := newWorld(t, nil)
	a := w.Send(servertest.R02, http.MethodGet, "/cap/alerts/onemap-1.xml", nil)
	if m, err := cap.Unmarshal(a.Body); err != nil || m.Identifier != "onemap-1" || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/cap+xml") {
		t.Errorf("%v %v %s", err, a.Header, a.Body)
	}
	feed := func(account string) alertsapi.AtomFeed {
		a := w.Send(account, http.MethodGet, "/cap/feed.atom", nil)
		var f alertsapi.AtomFeed
		if err := xml.Unmarshal(a.Body, &f); err != nil || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/atom+xml") {
			t.Fatalf("%v in %s", err, a.Body)
		}
		return f
	}
	f := feed(servertest.R02)
	if len(f.Entries) != 1 || f.Entries[0].Title != "芝罘区洪水红色预警" || f.Entries[0].Link.Href != w.HTTP.URL+"/cap/alerts/onemap-1.xml" || f.ID == "" || f.Updated != f.Entries[0].Updated {
		t.Errorf("%+v", f)
	}
	if f := feed(servertest.R14); len(f.Entries) != 0 {
		t.Errorf("370614 is told of %+v", f.Entries)
	}
}
