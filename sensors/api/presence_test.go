package sensorsapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/alerts"
	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/sensors"
	sensorsapi "onemap/sensors/api"
	"onemap/web/server/servertest"
)

// look publishes the changes of presence.
func (w *world) look() {
	w.T.Helper()
	r, err := w.DB.Sensors.CheckStale(w.T.Context(), sensors.StaleCheck{Node: "n1", ListeningSince: w.Clock.Now().Add(-time.Hour)})
	if err != nil || !r.Looked {
		w.T.Fatalf("%+v, %v", r, err)
	}
}

func TestEventsRoute(t *testing.T) {
	w := newWorld(t, nil)
	w.look()
	events := func(account, query string) []core.Event {
		t.Helper()
		var all httpx.List[core.Event]
		w.Send(account, http.MethodGet, "/api/v1/events"+query, nil).Decode(t, &all)
		return all.Items
	}
	kinds := func(account, query string) map[string]int {
		t.Helper()
		n := map[string]int{}
		for _, e := range events(account, query) {
			n[e.Kind]++
		}
		return n
	}
	all := kinds(servertest.Commander, "")
	if all[sensors.EventPresenceChanged] != 2 || all[alerts.EventIssued] != 1 || all[sensors.EventRegistryChanged]+all[alerts.EventRuleChanged] != 0 {
		t.Errorf("the city sees %v", all)
	}
	mine := events(servertest.R02, "?kind=presence.changed")
	if len(mine) != 1 || !slices.Equal(mine[0].Divisions, []string{"370602"}) {
		t.Fatalf("370602 sees %+v", mine)
	}
	var p sensors.PresenceEvent
	if err := json.Unmarshal(mine[0].Payload, &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Changes) != 1 || p.Changes[0].Device != "dev-02" || p.Changes[0].State != sensors.PresenceOnline || p.Changes[0].Reason != "reading" {
		t.Errorf("%+v", p)
	}
	if diff := cmp.Diff(map[string]int{sensors.EventPresenceChanged: 1}, kinds(servertest.R14, "?kind=presence.changed,alert.issued")); diff != "" {
		t.Errorf("370614 (-want +got)\n%s", diff)
	}
	both := events(servertest.Commander, "?kind=presence.changed")
	if len(both) != 2 || both[0].Seq <= both[1].Seq {
		t.Fatalf("not newest first: %+v", both)
	}
	for query, want := range map[string]int64{"&limit=1": both[0].Seq, fmt.Sprintf("&before=%d", both[0].Seq): both[1].Seq} {
		if page := events(servertest.Commander, "?kind=presence.changed"+query); len(page) != 1 || page[0].Seq != want {
			t.Errorf("%s: %+v", query, page)
		}
	}
	for query, want := range map[string]map[string]int{
		"?device=dev-02": {sensors.EventPresenceChanged: 1, alerts.EventIssued: 1}, "?device=dev-14": {sensors.EventPresenceChanged: 1}, "?device=dev": {},
		"?device=dev-02&kind=alert.issued": {alerts.EventIssued: 1},
	} {
		if diff := cmp.Diff(want, kinds(servertest.Commander, query)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", query, diff)
		}
	}
	if other := kinds(servertest.R14, "?kind=presence.changed&device=dev-02"); len(other) != 0 {
		t.Errorf("370614 sees %v of a device of 370602", other)
	}
	for _, query := range []string{"?device=" + strings.Repeat("x", 65), "?kind=account.changed", "?kind=presence.changed,session.revoked", "?limit=0", "?before=-1"} {
		if a := w.Send(servertest.Commander, http.MethodGet, "/api/v1/events"+query, nil); a.Status != http.StatusBadRequest {
			t.Errorf("%s: %d", query, a.Status)
		}
	}
}

func TestConflictsRoute(t *testing.T) {
	w := newWorld(t, nil)
	at := w.Clock.Now().Add(-10 * time.Minute).Truncate(time.Second).UTC()
	for i, v := range []float64{1, 7, 8} {
		for _, id := range []string{"dev-02", "dev-14"} {
			_, err := w.DB.Sensors.CommitBatch(t.Context(), sensors.Batch{Observations: []sensors.Observation{{
				DatastreamID: w.Streams[id], Time: at, Value: v, QC: sensors.QCGood, TimeSource: sensors.TimeDevice, ReceivedAt: at.Add(time.Duration(i) * time.Second),
			}}})
			w.Must(err)
		}
	}
	list := func(account, query string) []sensors.Conflict {
		t.Helper()
		var all httpx.List[sensors.Conflict]
		w.Send(account, http.MethodGet, "/api/v1/conflicts"+query, nil).Decode(t, &all)
		return all.Items
	}
	all := list(servertest.Commander, "")
	if len(all) != 4 {
		t.Fatalf("the city sees %+v", all)
	}
	one := list(servertest.Commander, fmt.Sprintf("?datastream=%d", w.Streams["dev-02"]))
	mine := list(servertest.R02, "")
	if diff := cmp.Diff(one, mine); diff != "" || len(mine) != 2 {
		t.Fatalf("of the datastream (-), in 370602 (+)\n%s", diff)
	}
	stored := 1.0
	want := sensors.Conflict{
		ID: mine[0].ID, DatastreamID: w.Streams["dev-02"], DeviceID: "dev-02", Name: "level", Division: "370602", Time: at, Stored: &stored, Value: 8,
		ReceivedAt: at.Add(2 * time.Second),
	}
	if diff := cmp.Diff(want, mine[0]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if page := list(servertest.R02, fmt.Sprintf("?limit=1&before=%d", mine[0].ID)); len(page) != 1 || page[0].Value != 7 {
		t.Errorf("the next page: %+v", page)
	}
	if none := list(servertest.R14, fmt.Sprintf("?datastream=%d", w.Streams["dev-02"])); none == nil || len(none) != 0 {
		t.Errorf("370614 sees %+v", none)
	}
}

func TestIntervalRoute(t *testing.T) {
	w := newWorld(t, nil)
	path := fmt.Sprintf("/api/v1/datastreams/%d", w.Streams["dev-02"])
	for _, c := range []struct {
		body   any
		status int
		want   int
	}{
		{map[string]any{"interval_s": 300}, http.StatusOK, 300},
		{map[string]any{"interval_s": 0}, http.StatusBadRequest, 300},
		{map[string]any{"interval_s": 604801}, http.StatusBadRequest, 300},
		{map[string]any{"interval_s": "60"}, http.StatusBadRequest, 300},
		{map[string]any{}, http.StatusBadRequest, 300},
		{map[string]any{"interval_s": nil}, http.StatusOK, 60},
	} {
		a := w.Send(servertest.Steward, http.MethodPatch, path, c.body)
		if a.Status != c.status {
			t.Errorf("%v: %d: %s", c.body, a.Status, a.Body)
		}
		var d sensors.Device
		w.Send(servertest.Commander, http.MethodGet, "/api/v1/devices/dev-02", nil).Decode(t, &d)
		if got := d.Streams[0].IntervalS; got != c.want {
			t.Errorf("%v: the interval is %d", c.body, got)
		}
	}
	made, _ := servertest.Device(w.World, "pace")
	made.(map[string]any)["datastreams"].([]any)[0].(map[string]any)["interval_s"] = 5
	var d sensorsapi.DeviceWithSecret
	w.Send(servertest.Steward, http.MethodPost, "/api/v1/devices", made).Decode(t, &d)
	if got := d.Device.Streams[0].IntervalS; got != 5 {
		t.Errorf("a new device's interval is %d", got)
	}
}

// The list of devices agrees with the published events.
func TestDevicesShowSilence(t *testing.T) {
	w := newWorld(t, nil)
	w.look()
	var d sensors.Device
	w.Send(servertest.R02, http.MethodGet, "/api/v1/devices/dev-02", nil).Decode(t, &d)
	if !d.Online || d.Reason != "reading" || d.StatusAt == nil || d.Streams[0].StaleSince != nil {
		t.Errorf("heard of: %+v", d)
	}
	_, err := w.DB.Sensors.SetInterval(t.Context(), core.Scope{Division: "3706"}, w.Streams["dev-02"], 10, "test")
	w.Must(err)
	w.look()
	var all sensorsapi.DeviceSnapshot
	w.Send(servertest.Commander, http.MethodGet, "/api/v1/devices", nil).Decode(t, &all)
	silent, heard := all.Items[0], all.Items[1]
	if silent.Online || silent.Reason != "silence" || silent.Streams[0].StaleSince == nil || !silent.Streams[0].StaleSince.Equal(silent.Streams[0].Latest.ReceivedAt) {
		t.Errorf("silent: %+v", silent)
	}
	if !heard.Online || heard.Streams[0].StaleSince != nil {
		t.Errorf("heard of: %+v", heard)
	}
}
