package api

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
	"onemap/auth"
	"onemap/internal/core"
)

// raise raises one more alert on the device, as the engine does; the device's open alert is cleared first.
func (w *world) raise(device string, change func(*alerts.Alert)) alerts.Alert {
	w.t.Helper()
	ctx := w.t.Context()
	open, err := w.db.Alerts.OpenAlerts(ctx)
	w.must(err)
	now := w.clock.now().Truncate(time.Second)
	for _, a := range open {
		if a.DeviceID == device {
			w.detect(a, alerts.Cleared)
		}
	}
	from, err := w.db.Alerts.Cursor(ctx)
	w.must(err)
	a := alerts.Alert{
		RuleID: w.rule.ID, RuleName: w.rule.Name, DatastreamID: w.streams[device], DeviceID: device, Level: core.Red, PeakLevel: core.Red,
		Detection: alerts.Firing, Handling: alerts.New, Division: "3706" + device[4:6], Divisions: []string{"3706" + device[4:6]},
		Hazard: "flood", Property: "level", Headline: core.Text{ZH: "洪水红色告警", EN: "Red flood alert"}, Lon: 121.4, Lat: 37.5,
		Onset: now, OpenedAt: now, UpdatedAt: now, Value: 5.5, ValueAt: now, PeakValue: 5.5, PeakAt: now, Threshold: 5, Direction: alerts.Above, Origin: core.OriginSynthetic,
	}
	if change != nil {
		change(&a)
	}
	stored, err := w.db.Alerts.Apply(ctx, alerts.Step{From: from, To: core.Mark{Seq: from.Seq + 1}, Changes: []alerts.Change{{Kind: core.EventAlertIssued, Alert: a}}})
	w.must(err)
	return stored[0]
}

// detect is what the engine stores of an alert when it sees it otherwise.
func (w *world) detect(a alerts.Alert, d alerts.Detection) alerts.Alert {
	w.t.Helper()
	from, err := w.db.Alerts.Cursor(w.t.Context())
	w.must(err)
	kind := core.EventAlertUpdated
	a.Detection, a.UpdatedAt = d, w.clock.now().Truncate(time.Second)
	switch d {
	case alerts.Cleared:
		kind, a.ClearedAt = core.EventAlertCleared, &a.UpdatedAt
	case alerts.Stale:
		kind = core.EventAlertStale
	default:
	}
	stored, err := w.db.Alerts.Apply(w.t.Context(), alerts.Step{From: from, To: core.Mark{Seq: from.Seq + 1}, Changes: []alerts.Change{{Kind: kind, Alert: a}}})
	w.must(err)
	return stored[0]
}

// take takes a step as an account with all that the step can need.
func (w *world) take(account string, id int64, action alerts.Action, assignee string) answer {
	body := map[string]any{"confirm": true, "note": "说明"}
	if action == alerts.ActAssign {
		body["assignee"] = assignee
	}
	return w.send(account, http.MethodPost, fmt.Sprintf("/api/v1/alerts/%d/%s", id, action), body)
}

func allActions() []alerts.Action {
	return []alerts.Action{alerts.ActAcknowledge, alerts.ActAssign, alerts.ActResolve, alerts.ActClose}
}

// wayTo is what people of the unit do with an alert to bring it to a state of handling.
func wayTo(to alerts.Handling) []alerts.Action {
	switch to {
	case alerts.Acknowledged:
		return []alerts.Action{alerts.ActAcknowledge}
	case alerts.Assigned:
		return []alerts.Action{alerts.ActAssign}
	case alerts.Resolved:
		return []alerts.Action{alerts.ActResolve}
	case alerts.Closed:
		return []alerts.Action{alerts.ActResolve, alerts.ActClose}
	default:
		return nil
	}
}

// Every action that an answer says is possible is accepted by the server and changes something, and every
// other is refused with a code or changes nothing: for each role, division, handling, detection, and unit
// that has handled the alert or not.
func TestPossibleIsWhatTheServerAccepts(t *testing.T) {
	w := newWorld(t, nil)
	offered := map[alerts.Action]int{}
	for _, handling := range []alerts.Handling{alerts.New, alerts.Acknowledged, alerts.Assigned, alerts.Resolved, alerts.Closed} {
		for _, detection := range []alerts.Detection{alerts.Firing, alerts.Recovering, alerts.Stale, alerts.Cleared} {
			for _, addressed := range []string{"370602", "3706"} {
				for _, by := range []string{commander, r02} {
					for _, role := range core.Roles() {
						for _, division := range divisions() {
							if addressed == "3706" && by == r02 {
								continue // the alert lies in 370602 all the same
							}
							w.checkPossible(t, accountOf(role, division), by, addressed, handling, detection, offered)
						}
					}
				}
			}
		}
	}
	for _, action := range allActions() {
		if offered[action] == 0 {
			t.Errorf("%s was possible for nobody", action)
		}
	}
}

// checkPossible tries every action: those that are not possible on one alert, which they leave as it is,
// and each that is on an alert of its own.
func (w *world) checkPossible(t *testing.T, account, by, addressed string, handling alerts.Handling, detection alerts.Detection, offered map[alerts.Action]int) {
	t.Helper()
	what := fmt.Sprintf("%s, an alert to %s that is %s and %s by %s", account, addressed, detection, handling, by)
	a := w.prepared(by, addressed, handling, detection)
	before := w.possible(t, account, a.ID)
	var possible []alerts.Action
	if before != nil {
		possible = before.Possible
	}
	for _, action := range allActions() {
		if slices.Contains(possible, action) {
			continue
		}
		got := w.take(account, a.ID, action, account)
		if after := w.stored(a.ID); after.Version != a.Version {
			t.Errorf("%s: %s is not possible and changes the alert", what, action)
		}
		if got.status != http.StatusOK && got.problem(t).Code == "" {
			t.Errorf("%s: %s is refused without a code: %s", what, action, got.body)
		}
	}
	for i, action := range possible {
		if i > 0 {
			a = w.prepared(by, addressed, handling, detection)
		}
		got := w.take(account, a.ID, action, account)
		if got.status != http.StatusOK || w.stored(a.ID).Version == a.Version {
			t.Errorf("%s: %s is possible and answers %d: %s", what, action, got.status, got.body)
			continue
		}
		offered[action]++
		var answer HandledAlert
		got.decode(t, &answer)
		if again := w.possible(t, account, a.ID); !slices.Equal(answer.Alert.Possible, again.Possible) {
			t.Errorf("%s: the answer to %s says %v is possible, the alert %v", what, action, answer.Alert.Possible, again.Possible)
		}
	}
}

// prepared is an alert in 370602 in a state of handling, by a person, and of detection.
func (w *world) prepared(by, addressed string, handling alerts.Handling, detection alerts.Detection) alerts.Alert {
	w.t.Helper()
	a := w.raise("dev-02", func(a *alerts.Alert) { a.Divisions = []string{addressed} })
	for _, step := range wayTo(handling) {
		if got := w.take(by, a.ID, step, by); got.status != http.StatusOK {
			w.t.Fatalf("%s by %s: %s", step, by, got.body)
		}
	}
	a = w.stored(a.ID)
	if detection != alerts.Firing {
		a = w.detect(a, detection)
	}
	return a
}

// stored is the alert as it is stored.
func (w *world) stored(id int64) alerts.Alert {
	w.t.Helper()
	a, err := w.db.Alerts.Alert(w.t.Context(), core.Scope{Division: "3706"}, id)
	w.must(err)
	return a
}

// possible is the alert as the account sees it, in its detail and in the list; nil when it may not see it.
func (w *world) possible(t *testing.T, account string, id int64) *alerts.Alert {
	t.Helper()
	a := w.send(account, http.MethodGet, fmt.Sprintf("/api/v1/alerts/%d", id), nil)
	if a.status == http.StatusNotFound {
		return nil
	}
	var d AlertDetail
	a.decode(t, &d)
	var l AlertList
	w.send(account, http.MethodGet, fmt.Sprintf("/api/v1/alerts?limit=1&before=%d", id+1), nil).decode(t, &l)
	if len(l.Items) != 1 || !cmp.Equal(l.Items[0].Possible, d.Alert.Possible) {
		t.Errorf("alert %d as %s: the list says %+v, the detail %v", id, account, l.Items, d.Alert.Possible)
	}
	if d.Alert.Possible == nil {
		t.Errorf("alert %d as %s: possible is missing: %s", id, account, a.body)
	}
	return &d.Alert
}

// Exactly the people that are offered for an alert are accepted.
func TestAssigneesAreWhomTheServerAccepts(t *testing.T) {
	w := newWorld(t, nil)
	for _, account := range []string{commander, r02, r14, accountOf(core.RoleCommander, "370602"), observer} {
		for _, device := range []string{"dev-02", "dev-14"} {
			a := w.raise(device, nil)
			got := w.send(account, http.MethodGet, fmt.Sprintf("/api/v1/assignees?alert=%d", a.ID), nil)
			var people List[alerts.Assignee]
			if got.status == http.StatusOK {
				got.decode(t, &people)
				if len(people.Items) == 0 {
					t.Errorf("%s may assign the alert of %s to nobody", account, device)
				}
			} else if got.problem(t).Code == "" {
				t.Errorf("%s, %s: refused without a code: %s", account, device, got.body)
			}
			var offered []string
			for _, p := range people.Items {
				offered = append(offered, p.User)
			}
			for login := range w.tokens {
				answer := w.take(account, a.ID, alerts.ActAssign, login)
				if (answer.status == http.StatusOK) != slices.Contains(offered, login) {
					t.Errorf("%s assigns the alert of %s to %s: %d %s; offered: %v", account, device, login, answer.status, answer.body, offered)
				}
				if answer.status != http.StatusOK && answer.problem(t).Code == "" {
					t.Errorf("%s to %s: refused without a code: %s", account, login, answer.body)
				}
			}
		}
	}
}

// clientOf is a connected client of an account.
func clientOf(a auth.Account) auth.Client {
	return auth.Client{ID: "client-" + a.Login, Node: "n1", AccountID: a.ID, Division: a.Division, ConnectedAt: time.Now()}
}

// People come with whether they are there: a client that is connected now, or when they were last seen.
func TestAssigneesSayWhoIsThere(t *testing.T) {
	w := newWorld(t, nil)
	accounts, err := w.db.Auth.Accounts(t.Context())
	w.must(err)
	for _, a := range accounts {
		if a.Login == r02 {
			w.must(w.db.Push.ClientConnected(t.Context(), clientOf(a)))
		}
	}
	var people List[alerts.Assignee]
	w.send(commander, http.MethodGet, fmt.Sprintf("/api/v1/assignees?alert=%d", w.alert.ID), nil).decode(t, &people)
	for _, p := range people.Items {
		if p.Online != (p.User == r02) || p.LastSeen == nil {
			t.Errorf("%s is online: %v, last seen %v", p.User, p.Online, p.LastSeen)
		}
	}
}

// No refusal of what people do with alerts leaves without a code: the page has no other words for it.
func TestRefusalsOfAlertActionsHaveCodes(t *testing.T) {
	w := newWorld(t, nil)
	alert := fmt.Sprintf("/api/v1/alerts/%d", w.alert.ID)
	long, _ := json.Marshal(map[string]string{"note": strings.Repeat("长", alerts.MaxNote+1)})
	for name, c := range map[string]struct{ account, method, path, body, code string }{
		"no right":                  {observer, "POST", alert + "/acknowledge", `{}`, "role-may-not"},
		"another division's":        {r14, "POST", alert + "/acknowledge", `{}`, "no-alert"},
		"no such alert":             {commander, "POST", "/api/v1/alerts/99999/acknowledge", `{}`, "no-alert"},
		"no such alert, read":       {commander, "GET", "/api/v1/alerts/99999", ``, "no-alert"},
		"no such alert, assignees":  {commander, "GET", "/api/v1/assignees?alert=99999", ``, "no-alert"},
		"an unknown step":           {commander, "POST", alert + "/eat", `{}`, "action-unknown"},
		"an id of words":            {commander, "POST", "/api/v1/alerts/x/close", `{}`, "malformed"},
		"no JSON":                   {commander, "POST", alert + "/close", `{`, "malformed"},
		"an unknown member":         {commander, "POST", alert + "/close", `{"why":1}`, "unknown-field"},
		"a note of numbers":         {commander, "POST", alert + "/close", `{"note":1}`, "malformed"},
		"a long note":               {commander, "POST", alert + "/acknowledge", string(long), "too-long"},
		"close what is new":         {commander, "POST", alert + "/close", `{"note":"x","confirm":true}`, "step-impossible"},
		"resolve without a note":    {commander, "POST", alert + "/resolve", `{}`, "note-missing"},
		"resolve without confirm":   {commander, "POST", alert + "/resolve", `{"note":"x"}`, "still-firing"},
		"assign nobody":             {commander, "POST", alert + "/assign", `{}`, "assignee-missing"},
		"assign a ghost":            {commander, "POST", alert + "/assign", `{"assignee":"ghost"}`, "no-assignee"},
		"assign a long name":        {commander, "POST", alert + "/assign", `{"assignee":"` + strings.Repeat("a", 100) + `"}`, "too-long"},
		"acknowledge with a person": {commander, "POST", alert + "/acknowledge", `{"assignee":"` + r02 + `"}`, "assignee-unwanted"},
		"bulk of none":              {commander, "POST", "/api/v1/alerts/bulk", `{"action":"acknowledge","ids":[]}`, "bulk-count"},
		"bulk without ids":          {commander, "POST", "/api/v1/alerts/bulk", `{"action":"acknowledge"}`, "required"},
		"bulk of an unknown step":   {commander, "POST", "/api/v1/alerts/bulk", `{"action":"eat","ids":[1]}`, "action-unknown"},
		"bulk without a note":       {commander, "POST", "/api/v1/alerts/bulk", `{"action":"resolve","ids":[1]}`, "note-missing"},
		"bulk of an unknown level":  {commander, "POST", "/api/v1/alerts/bulk", `{"action":"acknowledge","ids":[1],"levels":[7]}`, "level-unknown"},
		"bulk with a level too few": {commander, "POST", "/api/v1/alerts/bulk", `{"action":"acknowledge","ids":[1,2],"levels":[1]}`, "shown-count"},
		"bulk without the right":    {observer, "POST", "/api/v1/alerts/bulk", `{"action":"acknowledge","ids":[1]}`, "role-may-not"},
		"a history of no division":  {commander, "GET", "/api/v1/alerts?division=abc", ``, "no-division"},
		"a history backwards":       {commander, "GET", "/api/v1/alerts?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", ``, "time-range"},
		"a history of another word": {commander, "GET", "/api/v1/alerts?state=lost", ``, "malformed"},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		a := w.send(c.account, c.method, c.path, body)
		if a.status < 400 || a.problem(t).Code != c.code {
			t.Errorf("%s: %d %s, want the code %s", name, a.status, a.body, c.code)
		}
	}
}
