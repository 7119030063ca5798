package api

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"onemap/alerts"
	"onemap/internal/core"
)

// rise is what the engine stores when an alert gets worse.
func (w *world) rise(a alerts.Alert, to core.Level) alerts.Alert {
	w.t.Helper()
	a.Level, a.PeakLevel = to, core.Worst(to, a.PeakLevel)
	return w.detect(a, alerts.Firing)
}

// A tap on the yellow that the screen shows does not silence the red that it has become: not by any step, not of
// one alert nor of several, and not by a client that does not say what it showed.
func TestStepOnALevelThatWasNotShown(t *testing.T) {
	w := newWorld(t, nil)
	yellow := w.raise("dev-02", func(a *alerts.Alert) { a.Level, a.PeakLevel = core.Yellow, core.Yellow })
	red := w.rise(yellow, core.Red)
	send := func(account string, action alerts.Action, body map[string]any) answer {
		body["note"], body["confirm"] = "说明", true
		if action == alerts.ActAssign {
			body["assignee"] = r02
		}
		return w.send(account, http.MethodPost, fmt.Sprintf("/api/v1/alerts/%d/%s", red.ID, action), body)
	}
	for _, account := range []string{r02, commander} {
		for _, action := range []alerts.Action{alerts.ActAcknowledge, alerts.ActAssign, alerts.ActResolve} {
			p := send(account, action, map[string]any{"level": core.Yellow}).problem(t)
			if want := map[string]string{"level": "red", "before": "yellow", "action": string(action)}; p.Status != http.StatusConflict || p.Code != "alert-risen" || !cmp.Equal(p.Params, want) {
				t.Errorf("%s by %s at yellow: %+v", action, account, p)
			}
			if p := send(account, action, map[string]any{}).problem(t); p.Status != http.StatusConflict || p.Code != "shown-missing" {
				t.Errorf("%s by %s without a level: %+v", action, account, p)
			}
		}
	}
	if p := send(r14, alerts.ActAcknowledge, map[string]any{"level": core.Yellow}).problem(t); p.Code != "no-alert" {
		t.Errorf("another county learns of the alert: %+v", p)
	}
	if a := w.stored(red.ID); a.Version != red.Version || a.Handling != alerts.New || len(a.Confirmations) != 0 {
		t.Errorf("a refused step changed the alert: %+v", a)
	}
	if a := send(r02, alerts.ActAcknowledge, map[string]any{"level": core.Red}); a.status != http.StatusOK {
		t.Errorf("at the level shown: %d %s", a.status, a.body)
	}
	if a := w.stored(red.ID); a.HandledLevel != core.Red || !a.ConfirmedBy("370602") {
		t.Errorf("acknowledged at red: %+v", a)
	}
}

// Of several alerts those are refused that have risen since they were shown, each with its reason; the others are taken.
func TestBulkStepOnALevelThatWasNotShown(t *testing.T) {
	w := newWorld(t, nil)
	blue := func(a *alerts.Alert) { a.Level, a.PeakLevel = core.Blue, core.Blue }
	steady, risen := w.raise("dev-14", blue), w.rise(w.raise("dev-02", blue), core.Red)
	bulk := func(levels ...core.Level) []string {
		body := map[string]any{"action": "acknowledge", "ids": []int64{steady.ID, risen.ID}}
		if levels != nil {
			body["levels"] = []int{int(levels[0]), int(levels[1])}
		}
		var l List[BulkItem]
		w.send(commander, http.MethodPost, "/api/v1/alerts/bulk", body).decode(t, &l)
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
