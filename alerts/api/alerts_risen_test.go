package alertsapi_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"onemap/alerts"
	alertsapi "onemap/alerts/api"
	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/web/server/servertest"
)

// rise stores the change that the engine stores when an alert gets worse.
func (w *world) rise(a alerts.Alert, to core.Level) alerts.Alert {
	w.T.Helper()
	a.Level, a.PeakLevel = to, core.Worst(to, a.PeakLevel)
	return w.Detect(a, alerts.Firing)
}

// A step by a person who still sees yellow does not handle an alert that has risen to red. This holds for every step,
// for one alert and for several, and for a client that does not send the level that it showed.
func TestStepOnALevelThatWasNotShown(t *testing.T) {
	w := newWorld(t, nil)
	yellow := w.Raise("dev-02", func(a *alerts.Alert) { a.Level, a.PeakLevel = core.Yellow, core.Yellow })
	red := w.rise(yellow, core.Red)
	send := func(account string, action alerts.Action, body map[string]any) servertest.Answer {
		body["note"], body["confirm"] = "说明", true
		if action == alerts.ActAssign {
			body["assignee"] = servertest.R02
		}
		return w.Send(account, http.MethodPost, fmt.Sprintf("/api/v1/alerts/%d/%s", red.ID, action), body)
	}
	for _, account := range []string{servertest.R02, servertest.Commander} {
		for _, action := range []alerts.Action{alerts.ActAcknowledge, alerts.ActAssign, alerts.ActResolve} {
			p := send(account, action, map[string]any{"level": core.Yellow}).Problem(t)
			if want := map[string]string{"level": "red", "before": "yellow", "action": string(action)}; p.Status != http.StatusConflict || p.Code != "alert-risen" || !cmp.Equal(p.Params, want) {
				t.Errorf("%s by %s at yellow: %+v", action, account, p)
			}
			if p := send(account, action, map[string]any{}).Problem(t); p.Status != http.StatusConflict || p.Code != "shown-missing" {
				t.Errorf("%s by %s without a level: %+v", action, account, p)
			}
		}
	}
	if p := send(servertest.R14, alerts.ActAcknowledge, map[string]any{"level": core.Yellow}).Problem(t); p.Code != "no-alert" {
		t.Errorf("another county learns of the alert: %+v", p)
	}
	if a := w.stored(red.ID); a.Version != red.Version || a.Handling != alerts.New || len(a.Confirmations) != 0 {
		t.Errorf("a refused step changed the alert: %+v", a)
	}
	if a := send(servertest.R02, alerts.ActAcknowledge, map[string]any{"level": core.Red}); a.Status != http.StatusOK {
		t.Errorf("at the level shown: %d %s", a.Status, a.Body)
	}
	if a := w.stored(red.ID); a.HandledLevel != core.Red || !a.ConfirmedBy("370602") {
		t.Errorf("acknowledged at red: %+v", a)
	}
}

// A step on several alerts is refused for those that have risen since they were shown, each with its reason. The others
// are handled.
func TestBulkStepOnALevelThatWasNotShown(t *testing.T) {
	w := newWorld(t, nil)
	blue := func(a *alerts.Alert) { a.Level, a.PeakLevel = core.Blue, core.Blue }
	steady, risen := w.Raise("dev-14", blue), w.rise(w.Raise("dev-02", blue), core.Red)
	bulk := func(levels ...core.Level) []string {
		body := map[string]any{"action": "acknowledge", "ids": []int64{steady.ID, risen.ID}}
		if levels != nil {
			body["levels"] = []int{int(levels[0]), int(levels[1])}
		}
		var l httpx.List[alertsapi.BulkItem]
		w.Send(servertest.Commander, http.MethodPost, "/api/v1/alerts/bulk", body).Decode(t, &l)
		var got []string
		for _, item := range l.Items {
			switch {
			case item.Problem != nil:
				got = append(got, item.Problem.Code)
			case item.Alert != nil:
				got = append(got, string(item.Alert.Handling))
			}
		}
		return got
	}
	for _, tc := range []struct {
		levels []core.Level
		want   []string
	}{
		{nil, []string{"acknowledged", "shown-missing"}},
		{[]core.Level{core.Blue, core.Blue}, []string{"acknowledged", "alert-risen"}},
		{[]core.Level{core.Blue, core.Red}, []string{"acknowledged", "acknowledged"}},
	} {
		if d := cmp.Diff(tc.want, bulk(tc.levels...)); d != "" {
			t.Errorf("levels %v (-want +got):\n%s", tc.levels, d)
		}
	}
}
