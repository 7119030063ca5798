package alertsapi_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"onemap/alerts"
	alertsapi "onemap/alerts/api"
	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/web/server/servertest"
)

// past creates a history: for each county an open, a cleared and a closed alert, one day apart. It returns their ids by
// "division state".
func (w *world) past() map[string]int64 {
	w.T.Helper()
	ids := map[string]int64{"370602 open": w.Alert.ID}
	for _, device := range []string{"dev-02", "dev-14"} {
		for i, state := range []string{"closed", "cleared", "open"} {
			a := w.Raise(device, func(a *alerts.Alert) {
				a.OpenedAt = time.Date(2026, 11, 20+i, 0, 0, 0, 0, time.UTC)
				a.Headline = core.Text{ZH: "=cmd|" + device, EN: "+" + device}
				if state == "closed" {
					a.Level, a.PeakLevel = core.Blue, core.Orange
				}
				if device == "dev-14" {
					a.Hazard = "gas"
				}
			})
			if state == "closed" {
				for _, step := range []alerts.Action{alerts.ActResolve, alerts.ActClose} {
					if got := w.take(servertest.Commander, a.ID, step, ""); got.Status != http.StatusOK {
						w.T.Fatal(string(got.Body))
					}
				}
			}
			if a = w.stored(a.ID); state != "open" {
				w.Detect(a, alerts.Cleared)
			}
			ids["3706"+device[4:6]+" "+state] = a.ID
		}
	}
	return ids
}

func TestHistory(t *testing.T) {
	w := newWorld(t, nil)
	ids := w.past() // the world's own alert was cleared by the next of its device
	of := func(names ...string) []int64 {
		var all []int64
		for _, n := range names {
			all = append(all, ids[n])
		}
		slices.Sort(all)
		slices.Reverse(all)
		return all
	}
	rest := of("370602 closed", "370602 cleared", "370602 open", "370614 closed", "370614 cleared", "370614 open")
	all := append(slices.Clone(rest), w.Alert.ID)
	for query, want := range map[string][]int64{
		"state=all": all, "": all, "state=closed": of("370602 closed", "370614 closed"),
		"state=cleared":   append(of("370602 cleared", "370614 cleared"), w.Alert.ID),
		"state=open":      append(of("370602 cleared", "370602 open", "370614 cleared", "370614 open"), w.Alert.ID),
		"division=370614": of("370614 closed", "370614 cleared", "370614 open"), "division=370600": all, "division=370683": nil,
		"hazard=gas": of("370614 closed", "370614 cleared", "370614 open"), "peak=2": of("370602 closed", "370614 closed"), "peak=3,4": nil, "level=4": of("370602 closed", "370614 closed"),
		"from=2026-11-21T00:00:00Z&to=2026-11-22T00:00:00Z":                 of("370602 cleared", "370614 cleared"),
		"from=2026-11-21T08:00:00%2B08:00&to=2026-11-22T08:00:00%2B08:00":   of("370602 cleared", "370614 cleared"),
		"to=2026-11-21T00:00:00Z&state=closed&division=370602&hazard=flood": of("370602 closed"),
	} {
		var l alertsapi.AlertList
		w.Send(servertest.Commander, http.MethodGet, "/api/v1/alerts?count=true&"+query, nil).Decode(t, &l)
		var got []int64
		for _, a := range l.Items {
			got = append(got, a.ID)
		}
		if !slices.Equal(got, want) || l.Count == nil || *l.Count != int64(len(want)) {
			t.Errorf("%s: %v of %v, want %v", query, got, l.Count, want)
		}
		var paged []int64
		for before := int64(0); ; {
			var page alertsapi.AlertList
			w.Send(servertest.Commander, http.MethodGet, fmt.Sprintf("/api/v1/alerts?limit=2&before=%d&%s", before, query), nil).Decode(t, &page)
			if page.Count != nil {
				t.Errorf("%s: counted without being asked", query)
			}
			if len(page.Items) == 0 {
				break
			}
			for _, a := range page.Items {
				paged, before = append(paged, a.ID), a.ID
			}
		}
		if !slices.Equal(paged, want) {
			t.Errorf("%s: page by page %v, want %v", query, paged, want)
		}
	}
	var l alertsapi.AlertList
	w.Send(servertest.R14, http.MethodGet, "/api/v1/alerts?state=all&count=true&division=370602", nil).Decode(t, &l)
	if len(l.Items) != 0 || *l.Count != 0 {
		t.Errorf("370614 sees of 370602: %+v", l)
	}
}

// An export has the alerts of the list, in both formats and for each scope, and no cell of it runs as a formula.
func TestExportIsTheList(t *testing.T) {
	w := newWorld(t, nil)
	w.past()
	for _, account := range []string{servertest.Commander, servertest.Observer, servertest.R02, servertest.R14} {
		for _, query := range []string{"", "state=closed", "division=370614", "peak=2&hazard=gas"} {
			var l alertsapi.AlertList
			w.Send(account, http.MethodGet, "/api/v1/alerts?"+query, nil).Decode(t, &l)
			var want []string
			for _, a := range l.Items {
				want = append(want, fmt.Sprint(a.ID))
			}
			for _, format := range []string{"csv", "xlsx"} {
				a := w.Send(account, http.MethodGet, "/api/v1/alerts/export?lang=en&format="+format+"&"+query, nil)
				if a.Status != http.StatusOK {
					t.Fatalf("%d %s", a.Status, a.Body)
				}
				cells := spreadsheet(t, format, a.Body)
				var got []string
				for _, line := range cells[1:] {
					got = append(got, line[0])
					if !strings.HasPrefix(line[1], "'+") && line[0] != fmt.Sprint(w.Alert.ID) {
						t.Errorf("%s: the headline stands as %q", format, line[1])
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s, %s, %s: %v, want %v", account, query, format, got, want)
				}
				if _, name, _ := strings.Cut(a.Header.Get("Content-Disposition"), "filename="); !strings.HasSuffix(name, "."+format+`"`) {
					t.Errorf("%s: %v", format, a.Header)
				}
			}
		}
	}
	for query, code := range map[string]string{"format=pdf": "export-format", "division=x": "no-division", "q=%ff": "query-text", "lang=fr": "malformed"} {
		if a := w.Send(servertest.Commander, http.MethodGet, "/api/v1/alerts/export?"+query, nil); a.Status != http.StatusBadRequest || a.Problem(t).Code != code {
			t.Errorf("%s: %d %s", query, a.Status, a.Body)
		}
	}
}

// spreadsheet reads a file as a spreadsheet program does.
func spreadsheet(t *testing.T, format string, file []byte) [][]string {
	t.Helper()
	if format == "csv" {
		cells, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(file, []byte("\xEF\xBB\xBF")))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return cells
	}
	x, err := excelize.OpenReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	cells, err := x.GetRows(x.GetSheetName(0))
	if err != nil {
		t.Fatal(err)
	}
	return cells
}

// A step on several alerts has a result for each alert, in the order of the request, with the reason if it was refused.
func TestBulk(t *testing.T) {
	w := newWorld(t, nil)
	ids := w.past()
	asked := []int64{ids["370602 open"], 999_999, ids["370614 open"], ids["370602 closed"], ids["370602 cleared"], ids["370602 open"]}
	bulk := func(account string, body map[string]any) ([]string, []alertsapi.BulkItem) {
		var l httpx.List[alertsapi.BulkItem]
		w.Send(account, http.MethodPost, "/api/v1/alerts/bulk", body).Decode(t, &l)
		var said []string
		for i, item := range l.Items {
			switch {
			case item.ID != asked[i] || (item.Alert == nil) == (item.Problem == nil):
				t.Errorf("%d: %+v", asked[i], item)
			case item.Problem != nil:
				said = append(said, item.Problem.Code)
			default:
				said = append(said, string(item.Alert.Handling))
			}
		}
		return said, l.Items
	}
	got, items := bulk(servertest.R02, map[string]any{"action": "acknowledge", "ids": asked})
	if want := []string{"acknowledged", "no-alert", "no-alert", "step-impossible", "acknowledged", "acknowledged"}; !slices.Equal(got, want) {
		t.Errorf("acknowledge: %v, want %v", got, want)
	}
	if first, last := items[0].Alert, items[5].Alert; first.Version != last.Version || !slices.Equal(first.Possible, []alerts.Action{alerts.ActAssign, alerts.ActResolve}) {
		t.Errorf("once and again: %+v, %+v", first, last)
	}
	got, items = bulk(servertest.Commander, map[string]any{"action": "resolve", "ids": asked, "note": "演练结束"})
	if want := []string{"still-firing", "no-alert", "still-firing", "step-impossible", "resolved", "still-firing"}; !slices.Equal(got, want) {
		t.Errorf("resolve: %v, want %v", got, want)
	}
	if p := items[0].Problem; p.Status != http.StatusConflict || p.Params["detection"] != "firing" || p.Params["level"] != "red" || p.Detail == "" {
		t.Errorf("%+v", p)
	}
	got, _ = bulk(servertest.Commander, map[string]any{"action": "assign", "ids": asked, "assignee": servertest.R14})
	if want := []string{"no-assignee", "no-alert", "assigned", "no-assignee", "no-assignee", "no-assignee"}; !slices.Equal(got, want) {
		t.Errorf("assign: %v, want %v", got, want)
	}
	if a := w.Send(servertest.Commander, http.MethodPost, "/api/v1/alerts/bulk", map[string]any{"action": "acknowledge", "ids": make([]int64, 501)}); a.Problem(t).Code != "bulk-count" {
		t.Errorf("501: %s", a.Body)
	}
	if a := w.Send(servertest.Commander, http.MethodGet, "/api/v1/alerts?q="+url.QueryEscape("no such thing"), nil); a.Status != http.StatusOK {
		t.Errorf("%s", a.Body)
	}
}
