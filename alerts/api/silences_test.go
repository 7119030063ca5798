package alertsapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"onemap/alerts"
	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/web/server/servertest"
)

// day returns the body of a silence of one day from now, with these members. A member that is nil is removed.
func (w *world) day(members map[string]any) map[string]any {
	now := w.Clock.Now()
	body := map[string]any{"kind": "silence", "level": 2, "reason": "更换传感器", "ends": now.Add(24 * time.Hour)}
	for k, v := range members {
		if body[k] = v; v == nil {
			delete(body, k)
		}
	}
	return body
}

func (w *world) silence(account string, members map[string]any) alerts.Silence {
	w.T.Helper()
	a := w.Send(account, http.MethodPost, "/api/v1/silences", w.day(members))
	var n alerts.Silence
	a.Decode(w.T, &n)
	if a.Status != http.StatusCreated {
		w.T.Errorf("made with %d", a.Status)
	}
	return n
}

func (w *world) silences(account, query string) []int64 {
	w.T.Helper()
	var l httpx.List[alerts.Silence]
	w.Send(account, http.MethodGet, "/api/v1/silences"+query, nil).Decode(w.T, &l)
	var ids []int64
	for _, n := range l.Items {
		ids = append(ids, n.ID)
	}
	return ids
}

// The divisions that a silence concerns decide who sees it and who may end it.
func TestSilencesByDivision(t *testing.T) {
	w := newWorld(t, nil)
	device := w.silence(servertest.R02, map[string]any{"device_id": "dev-02"})
	division := w.silence(servertest.R14, map[string]any{"division": "370614", "kind": "maintenance"})
	kind := w.silence(servertest.Commander, map[string]any{"type": "level"})
	city := w.silence(servertest.Commander, map[string]any{"division": "3706"})
	town := w.silence(servertest.Commander, map[string]any{"division": "370602001", "type": "level"})
	for account, want := range map[string][]alerts.Silence{
		servertest.Commander: {town, city, kind, division, device}, servertest.Observer: {town, city, kind, division, device},
		servertest.R02: {town, city, kind, device}, servertest.R14: {city, kind, division},
	} {
		var ids []int64
		for _, n := range want {
			ids = append(ids, n.ID)
		}
		if got := w.silences(account, "?current=true"); !slices.Equal(got, ids) {
			t.Errorf("%s sees %v, want %v", account, got, ids)
		}
	}
	for _, c := range []struct {
		account string
		n       alerts.Silence
		status  int
		code    string
	}{
		{servertest.R14, device, 404, "no-silence"}, {servertest.R14, town, 404, "no-silence"}, {servertest.R14, city, 403, "division-outside"}, {servertest.R14, kind, 403, "division-outside"},
		{servertest.Observer, device, 403, "role-may-not"}, {servertest.R02, town, 200, ""}, {servertest.R02, device, 200, ""}, {servertest.Commander, division, 200, ""}, {servertest.Commander, city, 200, ""},
	} {
		a := w.Send(c.account, http.MethodPost, fmt.Sprintf("/api/v1/silences/%d/end", c.n.ID), nil)
		if a.Status != c.status || (c.code != "" && a.Problem(t).Code != c.code) {
			t.Errorf("%s ends %+v: %d %s", c.account, c.n, a.Status, a.Body)
		}
	}
	if got := w.silences(servertest.Commander, "?current=true"); !slices.Equal(got, []int64{kind.ID}) {
		t.Errorf("in force: %v", got)
	}
	tomorrow, err := w.DB.Alerts.Silences(t.Context(), core.Scope{Division: "3706"}, true, w.Clock.Now().Add(25*time.Hour), core.Page{})
	if err != nil || len(tomorrow) != 0 {
		t.Errorf("over, and in force: %v, %v", tomorrow, err)
	}
	if got := w.silences(servertest.Commander, ""); len(got) != 5 {
		t.Errorf("all of them: %v", got)
	}
}

// There is an event when a silence is created and when it is ended, addressed to the divisions that it concerns, with
// the person as the actor. To end it again writes no event and changes nothing.
func TestSilencesAreToldAndKept(t *testing.T) {
	w := newWorld(t, nil)
	n := w.silence(servertest.Commander, map[string]any{"device_id": "dev-14", "starts": w.Clock.Now().Add(-time.Hour)})
	if n.Owner != servertest.Commander || n.OwnerName != servertest.Commander || !n.Starts.Equal(n.CreatedAt) || n.EndedAt != nil || n.Division != "" {
		t.Errorf("%+v", n)
	}
	end := func() alerts.Silence {
		var after alerts.Silence
		w.Send(servertest.R14, http.MethodPost, fmt.Sprintf("/api/v1/silences/%d/end", n.ID), nil).Decode(t, &after)
		return after
	}
	first := end()
	w.Clock.Pass(time.Minute)
	if again := end(); first.EndedAt == nil || first.EndedBy != servertest.R14 || !again.EndedAt.Equal(*first.EndedAt) {
		t.Errorf("ended %+v, again %+v", first, again)
	}
	page, err := w.DB.Log().EventsAfter(t.Context(), 0, 1000)
	w.Must(err)
	var told []string
	for _, e := range page.Events {
		if e.Kind != alerts.EventSilenceChanged {
			continue
		}
		var p alerts.SilenceEvent
		w.Must(json.Unmarshal(e.Payload, &p))
		told = append(told, fmt.Sprint(e.Actor, e.Divisions, p.Silence.ID, p.Silence.EndedBy))
	}
	want := []string{fmt.Sprint(servertest.Commander, []string{"370614"}, n.ID, ""), fmt.Sprint(servertest.R14, []string{"370614"}, n.ID, servertest.R14)}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestSilencesAreHeldToTheRules(t *testing.T) {
	w := newWorld(t, nil)
	now := w.Clock.Now()
	for name, c := range map[string]struct {
		account string
		members map[string]any
		status  int
		field   string
		code    string
	}{
		"nothing named":              {servertest.Commander, nil, 400, "device_id", "silence-of-nothing"},
		"only spaces":                {servertest.Commander, map[string]any{"device_id": "  "}, 400, "device_id", "silence-of-nothing"},
		"no reason":                  {servertest.Commander, map[string]any{"device_id": "dev-02", "reason": " "}, 400, "reason", "not-empty"},
		"the reason is missing":      {servertest.Commander, map[string]any{"device_id": "dev-02", "reason": nil}, 400, "reason", "required"},
		"a reason without end":       {servertest.Commander, map[string]any{"device_id": "dev-02", "reason": strings.Repeat("长", 501)}, 400, "reason", "too-long"},
		"no end":                     {servertest.Commander, map[string]any{"device_id": "dev-02", "ends": nil}, 400, "ends", "required"},
		"over already":               {servertest.Commander, map[string]any{"device_id": "dev-02", "ends": now.Add(-time.Second)}, 400, "ends", "silence-over"},
		"ends before it starts":      {servertest.Commander, map[string]any{"device_id": "dev-02", "starts": now.Add(2 * time.Hour), "ends": now.Add(time.Hour)}, 400, "ends", "silence-ends"},
		"seven days and a second":    {servertest.Commander, map[string]any{"device_id": "dev-02", "starts": now.Add(time.Hour), "ends": now.Add(7*24*time.Hour + time.Hour + time.Second)}, 400, "ends", "silence-long"},
		"a past start does not help": {servertest.Commander, map[string]any{"device_id": "dev-02", "starts": now.Add(-time.Hour), "ends": now.Add(8 * 24 * time.Hour)}, 400, "ends", "silence-long"},
		"far ahead":                  {servertest.Commander, map[string]any{"device_id": "dev-02", "starts": now.Add(100 * 24 * time.Hour), "ends": now.Add(101 * 24 * time.Hour)}, 400, "starts", "silence-start"},
		"no level":                   {servertest.Commander, map[string]any{"device_id": "dev-02", "level": 0}, 400, "level", "level-unknown"},
		"another level":              {servertest.Commander, map[string]any{"device_id": "dev-02", "level": 5}, 400, "level", "malformed"},
		"another kind":               {servertest.Commander, map[string]any{"device_id": "dev-02", "kind": "nap"}, 400, "kind", "silence-kind"},
		"no such device":             {servertest.Commander, map[string]any{"device_id": "dev-99"}, 400, "device_id", "no-device"},
		"another county's device":    {servertest.R02, map[string]any{"device_id": "dev-14"}, 400, "device_id", "no-device"},
		"a device of elsewhere":      {servertest.Commander, map[string]any{"device_id": "dev-02", "division": "370614"}, 400, "division", "device-elsewhere"},
		"no such type":               {servertest.Commander, map[string]any{"type": "magic"}, 400, "type", "no-datastream-type"},
		"a type by a county":         {servertest.R02, map[string]any{"type": "level"}, 403, "type", "silence-city-only"},
		"the city by a county":       {servertest.R02, map[string]any{"division": "3706"}, 403, "division", "division-outside"},
		"another county":             {servertest.R02, map[string]any{"division": "370614"}, 403, "division", "division-outside"},
		"no division":                {servertest.Commander, map[string]any{"division": "abc"}, 400, "division", "no-division"},
		"without the right":          {servertest.Steward, map[string]any{"device_id": "dev-02"}, 403, "", "role-may-not"},
		"an unknown member":          {servertest.Commander, map[string]any{"device_id": "dev-02", "owner": "x"}, 400, "owner", "unknown-field"},
	} {
		a := w.Send(c.account, http.MethodPost, "/api/v1/silences", w.day(c.members))
		if a.Status != c.status {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
			continue
		}
		if p := a.Problem(t); p.Code != c.code || p.Field != c.field {
			t.Errorf("%s: %s of %q, want %s of %q: %s", name, p.Code, p.Field, c.code, c.field, a.Body)
		}
	}
	if got := w.silences(servertest.Commander, ""); got != nil {
		t.Errorf("refused, and stored: %v", got)
	}
	longest := w.silence(servertest.R02, map[string]any{"device_id": "dev-02", "type": "level", "division": "370602", "ends": now.Add(7 * 24 * time.Hour), "starts": now})
	if longest.Ends.Sub(longest.Starts) != alerts.MaxSilence {
		t.Errorf("%+v", longest)
	}
}
