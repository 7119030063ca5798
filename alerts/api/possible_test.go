package alertsapi_test

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
	alertsapi "onemap/alerts/api"
	"onemap/auth"
	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/web/push"
	"onemap/web/server/servertest"
)

// take takes a step as an account, with every member that the step can need.
func (w *world) take(account string, id int64, action alerts.Action, assignee string) servertest.Answer {
	body := map[string]any{"confirm": true, "note": "说明"}
	if action == alerts.ActAssign {
		body["assignee"] = assignee
	}
	return w.Send(account, http.MethodPost, fmt.Sprintf("/api/v1/alerts/%d/%s", id, action), body)
}

func allActions() []alerts.Action {
	return []alerts.Action{alerts.ActAcknowledge, alerts.ActAssign, alerts.ActResolve, alerts.ActClose}
}

// wayTo returns the steps that bring a new alert to a state of handling.
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

// The server accepts every action that an answer lists as possible, and the action changes something. Every other
// action is refused with a code or changes nothing. This holds for each role, division, handling and detection, and
// whether or not the unit has handled the alert before.
func TestPossibleIsWhatTheServerAccepts(t *testing.T) {
	w := newWorld(t, nil)
	offered := map[alerts.Action]int{}
	for _, handling := range []alerts.Handling{alerts.New, alerts.Acknowledged, alerts.Assigned, alerts.Resolved, alerts.Closed} {
		for _, detection := range []alerts.Detection{alerts.Firing, alerts.Recovering, alerts.Stale, alerts.Cleared} {
			for _, addressed := range []string{"370602", "3706"} {
				for _, by := range []string{servertest.Commander, servertest.R02} {
					for _, role := range core.Roles() {
						for _, division := range servertest.Divisions() {
							if addressed == "3706" && by == servertest.R02 {
								continue // the alert lies in 370602 all the same
							}
							w.checkPossible(t, servertest.AccountOf(role, division), by, addressed, handling, detection, offered)
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

// checkPossible tries every action. It tries all impossible actions on one alert, which must not change, and each
// possible action on a new alert.
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
		if got.Status != http.StatusOK && got.Problem(t).Code == "" {
			t.Errorf("%s: %s is refused without a code: %s", what, action, got.Body)
		}
	}
	for i, action := range possible {
		if i > 0 {
			a = w.prepared(by, addressed, handling, detection)
		}
		got := w.take(account, a.ID, action, account)
		if got.Status != http.StatusOK || w.stored(a.ID).Version == a.Version {
			t.Errorf("%s: %s is possible and answers %d: %s", what, action, got.Status, got.Body)
			continue
		}
		offered[action]++
		var answer alertsapi.HandledAlert
		got.Decode(t, &answer)
		if again := w.possible(t, account, a.ID); !slices.Equal(answer.Alert.Possible, again.Possible) {
			t.Errorf("%s: the answer to %s says %v is possible, the alert %v", what, action, answer.Alert.Possible, again.Possible)
		}
	}
}

// prepared returns an alert in 370602 in a state of handling, brought about by a person, and a state of detection.
func (w *world) prepared(by, addressed string, handling alerts.Handling, detection alerts.Detection) alerts.Alert {
	w.T.Helper()
	a := w.Raise("dev-02", func(a *alerts.Alert) { a.Divisions = []string{addressed} })
	for _, step := range wayTo(handling) {
		if got := w.take(by, a.ID, step, by); got.Status != http.StatusOK {
			w.T.Fatalf("%s by %s: %s", step, by, got.Body)
		}
	}
	a = w.stored(a.ID)
	if detection != alerts.Firing {
		a = w.Detect(a, detection)
	}
	return a
}

// stored returns the stored alert.
func (w *world) stored(id int64) alerts.Alert {
	w.T.Helper()
	a, err := w.DB.Alerts.Alert(w.T.Context(), core.Scope{Division: "3706"}, id)
	w.Must(err)
	return a
}

// possible returns the alert as the account sees it, and nil if the account may not see it. It checks that the detail
// and the list agree.
func (w *world) possible(t *testing.T, account string, id int64) *alerts.Alert {
	t.Helper()
	a := w.Send(account, http.MethodGet, fmt.Sprintf("/api/v1/alerts/%d", id), nil)
	if a.Status == http.StatusNotFound {
		return nil
	}
	var d alertsapi.AlertDetail
	a.Decode(t, &d)
	var l alertsapi.AlertList
	w.Send(account, http.MethodGet, fmt.Sprintf("/api/v1/alerts?limit=1&before=%d", id+1), nil).Decode(t, &l)
	if len(l.Items) != 1 || !cmp.Equal(l.Items[0].Possible, d.Alert.Possible) {
		t.Errorf("alert %d as %s: the list says %+v, the detail %v", id, account, l.Items, d.Alert.Possible)
	}
	if d.Alert.Possible == nil {
		t.Errorf("alert %d as %s: possible is missing: %s", id, account, a.Body)
	}
	return &d.Alert
}

// An alert can be assigned exactly to the people that the list of assignees has.
func TestAssigneesAreWhomTheServerAccepts(t *testing.T) {
	w := newWorld(t, nil)
	for _, account := range []string{servertest.Commander, servertest.R02, servertest.R14, servertest.AccountOf(core.RoleCommander, "370602"), servertest.Observer} {
		for _, device := range []string{"dev-02", "dev-14"} {
			a := w.Raise(device, nil)
			got := w.Send(account, http.MethodGet, fmt.Sprintf("/api/v1/assignees?alert=%d", a.ID), nil)
			var people httpx.List[alerts.Assignee]
			if got.Status == http.StatusOK {
				got.Decode(t, &people)
				if len(people.Items) == 0 {
					t.Errorf("%s may assign the alert of %s to nobody", account, device)
				}
			} else if got.Problem(t).Code == "" {
				t.Errorf("%s, %s: refused without a code: %s", account, device, got.Body)
			}
			var offered []string
			for _, p := range people.Items {
				offered = append(offered, p.User)
			}
			for login := range w.Tokens {
				answer := w.take(account, a.ID, alerts.ActAssign, login)
				if (answer.Status == http.StatusOK) != slices.Contains(offered, login) {
					t.Errorf("%s assigns the alert of %s to %s: %d %s; offered: %v", account, device, login, answer.Status, answer.Body, offered)
				}
				if answer.Status != http.StatusOK && answer.Problem(t).Code == "" {
					t.Errorf("%s to %s: refused without a code: %s", account, login, answer.Body)
				}
			}
		}
	}
}

// clientOf returns a connected client of an account.
func clientOf(a auth.Account) push.Client {
	return push.Client{ID: "client-" + a.Login, Node: "n1", AccountID: a.ID, Division: a.Division, ConnectedAt: time.Now()}
}

// The list of assignees states whether each person is connected now, and when the person was last seen.
func TestAssigneesSayWhoIsThere(t *testing.T) {
	w := newWorld(t, nil)
	accounts, err := w.DB.Auth.Accounts(t.Context())
	w.Must(err)
	for _, a := range accounts {
		if a.Login == servertest.R02 {
			w.Must(w.DB.Push.ClientConnected(t.Context(), clientOf(a)))
		}
	}
	var people httpx.List[alerts.Assignee]
	w.Send(servertest.Commander, http.MethodGet, fmt.Sprintf("/api/v1/assignees?alert=%d", w.Alert.ID), nil).Decode(t, &people)
	for _, p := range people.Items {
		if p.Online != (p.User == servertest.R02) || p.LastSeen == nil {
			t.Errorf("%s is online: %v, last seen %v", p.User, p.Online, p.LastSeen)
		}
	}
}

// Every refusal of a step on an alert has a code, because the page takes its text from the code.
func TestRefusalsOfAlertActionsHaveCodes(t *testing.T) {
	w := newWorld(t, nil)
	alert := fmt.Sprintf("/api/v1/alerts/%d", w.Alert.ID)
	long, _ := json.Marshal(map[string]string{"note": strings.Repeat("长", alerts.MaxNote+1)})
	for name, c := range map[string]struct{ account, method, path, body, code string }{
		"no right":                  {servertest.Observer, "POST", alert + "/acknowledge", `{}`, "role-may-not"},
		"another division's":        {servertest.R14, "POST", alert + "/acknowledge", `{}`, "no-alert"},
		"no such alert":             {servertest.Commander, "POST", "/api/v1/alerts/99999/acknowledge", `{}`, "no-alert"},
		"no such alert, read":       {servertest.Commander, "GET", "/api/v1/alerts/99999", ``, "no-alert"},
		"no such alert, assignees":  {servertest.Commander, "GET", "/api/v1/assignees?alert=99999", ``, "no-alert"},
		"an unknown step":           {servertest.Commander, "POST", alert + "/eat", `{}`, "action-unknown"},
		"an id of words":            {servertest.Commander, "POST", "/api/v1/alerts/x/close", `{}`, "malformed"},
		"no JSON":                   {servertest.Commander, "POST", alert + "/close", `{`, "malformed"},
		"an unknown member":         {servertest.Commander, "POST", alert + "/close", `{"why":1}`, "unknown-field"},
		"a note of numbers":         {servertest.Commander, "POST", alert + "/close", `{"note":1}`, "malformed"},
		"a long note":               {servertest.Commander, "POST", alert + "/acknowledge", string(long), "too-long"},
		"close what is new":         {servertest.Commander, "POST", alert + "/close", `{"note":"x","confirm":true}`, "step-impossible"},
		"resolve without a note":    {servertest.Commander, "POST", alert + "/resolve", `{}`, "note-missing"},
		"resolve without confirm":   {servertest.Commander, "POST", alert + "/resolve", `{"note":"x"}`, "still-firing"},
		"assign nobody":             {servertest.Commander, "POST", alert + "/assign", `{}`, "assignee-missing"},
		"assign a ghost":            {servertest.Commander, "POST", alert + "/assign", `{"assignee":"ghost"}`, "no-assignee"},
		"assign a long name":        {servertest.Commander, "POST", alert + "/assign", `{"assignee":"` + strings.Repeat("a", 100) + `"}`, "too-long"},
		"acknowledge with a person": {servertest.Commander, "POST", alert + "/acknowledge", `{"assignee":"` + servertest.R02 + `"}`, "assignee-unwanted"},
		"bulk of none":              {servertest.Commander, "POST", "/api/v1/alerts/bulk", `{"action":"acknowledge","ids":[]}`, "bulk-count"},
		"bulk without ids":          {servertest.Commander, "POST", "/api/v1/alerts/bulk", `{"action":"acknowledge"}`, "required"},
		"bulk of an unknown step":   {servertest.Commander, "POST", "/api/v1/alerts/bulk", `{"action":"eat","ids":[1]}`, "action-unknown"},
		"bulk without a note":       {servertest.Commander, "POST", "/api/v1/alerts/bulk", `{"action":"resolve","ids":[1]}`, "note-missing"},
		"bulk of an unknown level":  {servertest.Commander, "POST", "/api/v1/alerts/bulk", `{"action":"acknowledge","ids":[1],"levels":[7]}`, "level-unknown"},
		"bulk with a level too few": {servertest.Commander, "POST", "/api/v1/alerts/bulk", `{"action":"acknowledge","ids":[1,2],"levels":[1]}`, "shown-count"},
		"bulk without the right":    {servertest.Observer, "POST", "/api/v1/alerts/bulk", `{"action":"acknowledge","ids":[1]}`, "role-may-not"},
		"a history of no division":  {servertest.Commander, "GET", "/api/v1/alerts?division=abc", ``, "no-division"},
		"a history backwards":       {servertest.Commander, "GET", "/api/v1/alerts?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", ``, "time-range"},
		"a history of another word": {servertest.Commander, "GET", "/api/v1/alerts?state=lost", ``, "malformed"},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		a := w.Send(c.account, c.method, c.path, body)
		if a.Status < 400 || a.Problem(t).Code != c.code {
			t.Errorf("%s: %d %s, want the code %s", name, a.Status, a.Body, c.code)
		}
	}
}
