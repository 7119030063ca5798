package api

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
)

// day is a silence of a day from now by these members, which nil takes away.
func (w *world) day(members map[string]any) map[string]any {
	now := w.clock.now()
	body := map[string]any{"kind": "silence", "level": 2, "reason": "更换传感器", "ends": now.Add(24 * time.Hour)}
	for k, v := range members {
		if body[k] = v; v == nil {
			delete(body, k)
		}
	}
	return body
}

func (w *world) silence(account string, members map[string]any) alerts.Silence {
	w.t.Helper()
	a := w.send(account, http.MethodPost, "/api/v1/silences", w.day(members))
	var n alerts.Silence
	a.decode(w.t, &n)
	if a.status != http.StatusCreated {
		w.t.Errorf("made with %d", a.status)
	}
	return n
}

func (w *world) silences(account, query string) []int64 {
	w.t.Helper()
	var l List[alerts.Silence]
	w.send(account, http.MethodGet, "/api/v1/silences"+query, nil).decode(w.t, &l)
	var ids []int64
	for _, n := range l.Items {
		ids = append(ids, n.ID)
	}
	return ids
}

// Who sees a silence, and who may end it, goes by whom it concerns.
func TestSilencesByDivision(t *testing.T) {
	w := newWorld(t, nil)
	device := w.silence(r02, map[string]any{"device_id": "dev-02"})
	division := w.silence(r14, map[string]any{"division": "370614", "kind": "maintenance"})
	kind := w.silence(commander, map[string]any{"type": "level"})
	city := w.silence(commander, map[string]any{"division": "3706"})
	town := w.silence(commander, map[string]any{"division": "370602001", "type": "level"})
	for account, want := range map[string][]alerts.Silence{
		commander: {town, city, kind, division, device}, observer: {town, city, kind, division, device},
		r02: {town, city, kind, device}, r14: {city, kind, division},
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
		{r14, device, 404, "no-silence"}, {r14, town, 404, "no-silence"}, {r14, city, 403, "division-outside"}, {r14, kind, 403, "division-outside"},
		{observer, device, 403, "role-may-not"}, {r02, town, 200, ""}, {r02, device, 200, ""}, {commander, division, 200, ""}, {commander, city, 200, ""},
	} {
		a := w.send(c.account, http.MethodPost, fmt.Sprintf("/api/v1/silences/%d/end", c.n.ID), nil)
		if a.status != c.status || (c.code != "" && a.problem(t).Code != c.code) {
			t.Errorf("%s ends %+v: %d %s", c.account, c.n, a.status, a.body)
		}
	}
	if got := w.silences(commander, "?current=true"); !slices.Equal(got, []int64{kind.ID}) {
		t.Errorf("in force: %v", got)
	}
	tomorrow, err := w.db.Alerts.Silences(t.Context(), core.Scope{Division: "3706"}, true, w.clock.now().Add(25*time.Hour), core.Page{})
	if err != nil || len(tomorrow) != 0 {
		t.Errorf("over, and in force: %v, %v", tomorrow, err)
	}
	if got := w.silences(commander, ""); len(got) != 5 {
		t.Errorf("all of them: %v", got)
	}
}

// A silence is told when it is made and when it is ended, to whom it concerns, with who did it; ending it
// again tells nothing and changes nothing.
func TestSilencesAreToldAndKept(t *testing.T) {
	w := newWorld(t, nil)
	n := w.silence(commander, map[string]any{"device_id": "dev-14", "starts": w.clock.now().Add(-time.Hour)})
	if n.Owner != commander || n.OwnerName != commander || !n.Starts.Equal(n.CreatedAt) || n.EndedAt != nil || n.Division != "" {
		t.Errorf("%+v", n)
	}
	end := func() alerts.Silence {
		var after alerts.Silence
		w.send(r14, http.MethodPost, fmt.Sprintf("/api/v1/silences/%d/end", n.ID), nil).decode(t, &after)
		return after
	}
	first := end()
	w.clock.pass(time.Minute)
	if again := end(); first.EndedAt == nil || first.EndedBy != r14 || !again.EndedAt.Equal(*first.EndedAt) {
		t.Errorf("ended %+v, again %+v", first, again)
	}
	page, err := w.db.Log().EventsAfter(t.Context(), 0, 1000)
	w.must(err)
	var told []string
	for _, e := range page.Events {
		if e.Kind != core.EventSilenceChanged {
			continue
		}
		var p alerts.SilenceEvent
		w.must(json.Unmarshal(e.Payload, &p))
		told = append(told, fmt.Sprint(e.Actor, e.Divisions, p.Silence.ID, p.Silence.EndedBy))
	}
	want := []string{fmt.Sprint(commander, []string{"370614"}, n.ID, ""), fmt.Sprint(r14, []string{"370614"}, n.ID, r14)}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestSilencesAreHeldToTheRules(t *testing.T) {
	w := newWorld(t, nil)
	now := w.clock.now()
	for name, c := range map[string]struct {
		account string
		members map[string]any
		status  int
		field   string
		code    string
	}{
		"nothing named":              {commander, nil, 400, "device_id", "silence-of-nothing"},
		"only spaces":                {commander, map[string]any{"device_id": "  "}, 400, "device_id", "silence-of-nothing"},
		"no reason":                  {commander, map[string]any{"device_id": "dev-02", "reason": " "}, 400, "reason", "not-empty"},
		"the reason is missing":      {commander, map[string]any{"device_id": "dev-02", "reason": nil}, 400, "reason", "required"},
		"a reason without end":       {commander, map[string]any{"device_id": "dev-02", "reason": strings.Repeat("长", 501)}, 400, "reason", "too-long"},
		"no end":                     {commander, map[string]any{"device_id": "dev-02", "ends": nil}, 400, "ends", "required"},
		"over already":               {commander, map[string]any{"device_id": "dev-02", "ends": now.Add(-time.Second)}, 400, "ends", "silence-over"},
		"ends before it starts":      {commander, map[string]any{"device_id": "dev-02", "starts": now.Add(2 * time.Hour), "ends": now.Add(time.Hour)}, 400, "ends", "silence-ends"},
		"seven days and a second":    {commander, map[string]any{"device_id": "dev-02", "starts": now.Add(time.Hour), "ends": now.Add(7*24*time.Hour + time.Hour + time.Second)}, 400, "ends", "silence-long"},
		"a past start does not help": {commander, map[string]any{"device_id": "dev-02", "starts": now.Add(-time.Hour), "ends": now.Add(8 * 24 * time.Hour)}, 400, "ends", "silence-long"},
		"far ahead":                  {commander, map[string]any{"device_id": "dev-02", "starts": now.Add(100 * 24 * time.Hour), "ends": now.Add(101 * 24 * time.Hour)}, 400, "starts", "silence-start"},
		"no level":                   {commander, map[string]any{"device_id": "dev-02", "level": 0}, 400, "level", "level-unknown"},
		"another level":              {commander, map[string]any{"device_id": "dev-02", "level": 5}, 400, "level", "malformed"},
		"another kind":               {commander, map[string]any{"device_id": "dev-02", "kind": "nap"}, 400, "kind", "silence-kind"},
		"no such device":             {commander, map[string]any{"device_id": "dev-99"}, 400, "device_id", "no-device"},
		"another county's device":    {r02, map[string]any{"device_id": "dev-14"}, 400, "device_id", "no-device"},
		"a device of elsewhere":      {commander, map[string]any{"device_id": "dev-02", "division": "370614"}, 400, "division", "device-elsewhere"},
		"no such type":               {commander, map[string]any{"type": "magic"}, 400, "type", "no-datastream-type"},
		"a type by a county":         {r02, map[string]any{"type": "level"}, 403, "type", "silence-city-only"},
		"the city by a county":       {r02, map[string]any{"division": "3706"}, 403, "division", "division-outside"},
		"another county":             {r02, map[string]any{"division": "370614"}, 403, "division", "division-outside"},
		"no division":                {commander, map[string]any{"division": "abc"}, 400, "division", "no-division"},
		"without the right":          {steward, map[string]any{"device_id": "dev-02"}, 403, "", "role-may-not"},
		"an unknown member":          {commander, map[string]any{"device_id": "dev-02", "owner": "x"}, 400, "owner", "unknown-field"},
	} {
		a := w.send(c.account, http.MethodPost, "/api/v1/silences", w.day(c.members))
		if a.status != c.status {
			t.Errorf("%s: %d %s", name, a.status, a.body)
			continue
		}
		if p := a.problem(t); p.Code != c.code || p.Field != c.field {
			t.Errorf("%s: %s of %q, want %s of %q: %s", name, p.Code, p.Field, c.code, c.field, a.body)
		}
	}
	if got := w.silences(commander, ""); got != nil {
		t.Errorf("refused, and stored: %v", got)
	}
	longest := w.silence(r02, map[string]any{"device_id": "dev-02", "type": "level", "division": "370602", "ends": now.Add(7 * 24 * time.Hour), "starts": now})
	if longest.Ends.Sub(longest.Starts) != alerts.MaxSilence {
		t.Errorf("%+v", longest)
	}
}
