package server_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/web/server"
	"onemap/web/server/servertest"
)

// statuses are the expected statuses for a role in the city, in 370602 and in 370614.
type statuses [3]int

// lesson is one line of the permission table: a route, a request to it, and the expected statuses by role. The request is
// built for each principal separately, because some requests need the current version.
type lesson struct {
	route string // as in the route table: method and pattern
	path  string
	body  func(w *world, account string) (body any, headers []string)
	want  map[core.Role]statuses
}

func ok(status int) statuses { return statuses{status, status, status} }

func everyone(s statuses) map[core.Role]statuses {
	m := map[core.Role]statuses{}
	for _, r := range servertest.Roles() {
		m[r] = s
	}
	return m
}

// only expects 403 for every role that is not named.
func only(named map[core.Role]statuses) map[core.Role]statuses {
	m := everyone(ok(http.StatusForbidden))
	maps.Copy(m, named)
	return m
}

func with(body any, headers ...string) func(*world, string) (any, []string) {
	return func(*world, string) (any, []string) { return body, headers }
}

// Names of roles for the table.
const (
	commanders = core.RoleCommander
	responders = core.RoleResponder
	stewards   = core.RoleSteward
	admins     = core.RoleAdministrator
)

// handlers are the roles that handle alerts, dataKeepers those that edit data, and ruleKeepers those that edit rules.
func handlers(s statuses) map[core.Role]statuses {
	return only(map[core.Role]statuses{commanders: s, responders: s})
}

// acknowledgers are the handlers and the displays that may acknowledge.
func acknowledgers(s statuses) map[core.Role]statuses {
	return only(map[core.Role]statuses{commanders: s, responders: s, core.RoleDisplayAck: s})
}

func dataKeepers(s statuses) map[core.Role]statuses {
	return only(map[core.Role]statuses{stewards: s, admins: s})
}

func ruleKeepers(s statuses) map[core.Role]statuses {
	return only(map[core.Role]statuses{commanders: s, stewards: s, admins: s})
}

// people are all roles except the displays'.
func people(s statuses) map[core.Role]statuses {
	m := everyone(s)
	for _, r := range core.DisplayRoles() {
		m[r] = ok(http.StatusForbidden)
	}
	return m
}

func administrators(s statuses) map[core.Role]statuses {
	return only(map[core.Role]statuses{admins: s})
}

// create returns an edit that creates a feature in 370602.
func create(w *world, account string) (any, []string) {
	edit := map[string]any{"create": []any{map[string]any{
		"type": "Feature", "geometry": map[string]any{"type": "Point", "coordinates": []float64{121.4, 37.5}},
		"properties": map[string]any{"division": "370602", "name": map[string]string{"zh": "新", "en": "new"}},
	}}}
	return edit, []string{"If-Match", w.Version(account, "shelters")}
}

// silence returns a silence of one day that is limited by one member.
func silence(member, value string) map[string]any {
	return map[string]any{"kind": "silence", member: value, "level": 2, "reason": "维修", "ends": time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)}
}

// newDisplay returns a new display in 370602, with a different name for each account.
func newDisplay(_ *world, account string) (any, []string) {
	return map[string]any{"name": "screen of " + account, "division": "370602", "mode": "read", "start": "wall"}, nil
}

func device(w *world, account string) (any, []string) { return servertest.Device(w.World, account) }

func newRule(w *world, account string) (any, []string) { return servertest.NewRule(w.World, account) }

// lessons returns the permission table, written by hand: city, 370602, 370614. A resource of another division is answered
// with 404.
func lessons(w *world) []lesson {
	shelter := fmt.Sprintf("/api/v1/layers/shelters/features/%d", w.Features("shelters")["s-02"])
	alert := fmt.Sprintf("/api/v1/alerts/%d", w.Alert.ID)
	rule := fmt.Sprintf("/api/v1/rules/%d", w.Rule.ID)
	stream := fmt.Sprintf("/api/v1/datastreams/%d/observations", w.Streams["dev-02"])
	mine := statuses{200, 200, 404} // what lies in 370602
	cityOnly := statuses{200, 403, 403}
	return []lesson{
		{"GET /api/v1/me", "/api/v1/me", nil, everyone(ok(200))},
		{"POST /api/v1/me/password", "/api/v1/me/password", with(map[string]string{"current_password": "x", "new_password": "short"}), people(ok(400))},
		{"GET /api/v1/push", "/api/v1/push", nil, everyone(ok(204))},
		{"GET /api/v1/sessions", "/api/v1/sessions", nil, everyone(ok(200))},
		{"GET /api/v1/sessions", "/api/v1/sessions?user=" + servertest.Bystander, nil, administrators(mine)},
		{"DELETE /api/v1/sessions/{id}", "/api/v1/sessions/999999", nil, everyone(ok(404))},
		{"GET /api/v1/accounts", "/api/v1/accounts", nil, administrators(ok(200))},
		{"POST /api/v1/accounts", "/api/v1/accounts", with(map[string]any{"user": "x.y", "name": "x", "role": "observer", "division": "370602", "password": "short"}), administrators(statuses{400, 400, 403})},
		{"PATCH /api/v1/accounts/{user}", "/api/v1/accounts/" + servertest.R02, with(map[string]any{"name": "x"}, "If-Match", `"99"`), administrators(statuses{412, 412, 404})},
		{"GET /api/v1/failed-logins", "/api/v1/failed-logins", nil, administrators(ok(200))},
		{"GET /api/v1/displays", "/api/v1/displays", nil, administrators(ok(200))},
		{"POST /api/v1/displays", "/api/v1/displays", newDisplay, administrators(statuses{201, 201, 403})},
		{"POST /api/v1/displays/{id}/link", "/api/v1/displays/999999/link", nil, administrators(ok(404))},
		{"DELETE /api/v1/displays/{id}", "/api/v1/displays/999999", nil, administrators(ok(404))},
		{"GET /api/v1/assignees", "/api/v1/assignees", nil, handlers(ok(200))},
		{"GET /api/v1/assignees", fmt.Sprintf("/api/v1/assignees?alert=%d", w.Alert.ID), nil, handlers(mine)},
		{"GET /api/v1/divisions", "/api/v1/divisions", nil, everyone(ok(200))},
		{"GET /api/v1/search", "/api/v1/search?q=x", nil, everyone(ok(200))},
		{"GET /api/v1/sources", "/api/v1/sources", nil, everyone(ok(200))},
		{"GET /api/v1/layers", "/api/v1/layers", nil, everyone(ok(200))},
		{"GET /api/v1/layers/{layer}", "/api/v1/layers/land", nil, everyone(ok(200))},
		{"GET /api/v1/layers/{layer}", "/api/v1/layers/plans", nil, only(map[core.Role]statuses{commanders: ok(200)})},
		{"PATCH /api/v1/layers/{layer}", "/api/v1/layers/land", with(map[string]any{"min_zoom": 2}, "If-Match", `"99"`), dataKeepers(statuses{412, 403, 403})},
		{"PATCH /api/v1/layers/{layer}", "/api/v1/layers/plans", with(map[string]any{"min_zoom": 2}, "If-Match", `"99"`), only(nil)},
		{"PUT /api/v1/layers/{layer}/style", "/api/v1/layers/land/style", with(servertest.Style(), "If-Match", `"99"`), dataKeepers(statuses{412, 403, 403})},
		{"PUT /api/v1/layers/{layer}/style", "/api/v1/layers/plans/style", with(servertest.Style(), "If-Match", `"99"`), only(nil)},
		{"DELETE /api/v1/layers/{layer}/style", "/api/v1/layers/land/style", with(nil, "If-Match", `"99"`), dataKeepers(statuses{412, 403, 403})},
		{"DELETE /api/v1/layers/{layer}/style", "/api/v1/layers/plans/style", with(nil, "If-Match", `"99"`), only(nil)},
		{"GET /api/v1/layers/{layer}/features", "/api/v1/layers/shelters/features", nil, everyone(ok(200))},
		{"GET /api/v1/layers/{layer}/features", "/api/v1/layers/plans/features", nil, only(map[core.Role]statuses{commanders: ok(200)})},
		{"GET /api/v1/layers/{layer}/features/{id}", shelter, nil, everyone(mine)},
		{"GET /api/v1/layers/{layer}/features/{id}/history", shelter + "/history", nil, everyone(mine)},
		{"PATCH /api/v1/layers/{layer}/features", "/api/v1/layers/shelters/features", create, dataKeepers(statuses{200, 200, 403})},
		{"PATCH /api/v1/layers/{layer}/features", "/api/v1/layers/plans/features", create, only(nil)},
		{"GET /api/v1/tiles/layers", "/api/v1/tiles/layers", nil, dataKeepers(ok(200))},
		{"GET /api/v1/devices", "/api/v1/devices", nil, everyone(ok(200))},
		{"GET /api/v1/devices/{id}", "/api/v1/devices/dev-02", nil, everyone(mine)},
		{"POST /api/v1/devices", "/api/v1/devices", device, dataKeepers(statuses{201, 201, 403})},
		{"POST /api/v1/devices/{id}/secret", "/api/v1/devices/dev-02/secret", nil, dataKeepers(mine)},
		{"PATCH /api/v1/devices/{id}", "/api/v1/devices/dev-02", with(map[string]any{"enabled": true}), dataKeepers(mine)},
		{"PUT /api/v1/devices/{id}/certificate", "/api/v1/devices/dev-02/certificate", with(map[string]any{"sha256": strings.Repeat("ab", 32)}), dataKeepers(mine)},
		{"DELETE /api/v1/devices/{id}/certificate", "/api/v1/devices/dev-02/certificate", nil, dataKeepers(statuses{204, 204, 404})},
		{"GET /api/v1/datastream-types", "/api/v1/datastream-types", nil, everyone(ok(200))},
		{"GET /api/v1/datastreams/{id}/observations", stream, nil, everyone(mine)},
		{"GET /api/v1/datastreams/{id}/chart", fmt.Sprintf("/api/v1/datastreams/%d/chart", w.Streams["dev-02"]), nil, everyone(mine)},
		{"PATCH /api/v1/datastreams/{id}", fmt.Sprintf("/api/v1/datastreams/%d", w.Streams["dev-02"]), with(map[string]any{"interval_s": 60}), dataKeepers(mine)},
		{"GET /api/v1/events", "/api/v1/events?kind=presence.changed", nil, everyone(ok(200))},
		{"GET /api/v1/conflicts", "/api/v1/conflicts", nil, everyone(ok(200))},
		{"GET /api/v1/ingest", "/api/v1/ingest", nil, dataKeepers(cityOnly)},
		{"GET /api/v1/quarantine", "/api/v1/quarantine", nil, dataKeepers(cityOnly)},
		{"GET /api/v1/rules", "/api/v1/rules", nil, everyone(ok(200))},
		{"GET /api/v1/rules/{id}", rule, nil, everyone(ok(200))},
		{"POST /api/v1/rules", "/api/v1/rules", newRule, ruleKeepers(statuses{201, 403, 403})},
		{"PUT /api/v1/rules/{id}", rule, func(w *world, a string) (any, []string) {
			b, _ := servertest.NewRule(w.World, a)
			return b, []string{"If-Match", `"99"`}
		}, ruleKeepers(statuses{412, 403, 403})},
		{"DELETE /api/v1/rules/{id}", rule, with(nil, "If-Match", `"99"`), ruleKeepers(statuses{412, 403, 403})},
		{"GET /api/v1/alerts", "/api/v1/alerts", nil, everyone(ok(200))},
		{"GET /api/v1/alerts/{id}", alert, nil, everyone(mine)},
		{"POST /api/v1/alerts/{id}/{action}", alert + "/acknowledge", with("{}"), acknowledgers(mine)},
		{"POST /api/v1/alerts/{id}/{action}", alert + "/close", with(`{"note":"x"}`), handlers(statuses{409, 409, 404})},
		{"POST /api/v1/alerts/bulk", "/api/v1/alerts/bulk", with(map[string]any{"action": "acknowledge", "ids": []int64{w.Alert.ID}}), acknowledgers(ok(200))},
		{"GET /api/v1/alerts/export", "/api/v1/alerts/export?format=csv", nil, everyone(ok(200))},
		{"GET /api/v1/silences", "/api/v1/silences", nil, everyone(ok(200))},
		{"POST /api/v1/silences", "/api/v1/silences", with(silence("device_id", "dev-02")), handlers(statuses{201, 201, 400})},
		{"POST /api/v1/silences", "/api/v1/silences", with(silence("division", "370602")), handlers(statuses{201, 201, 403})},
		{"POST /api/v1/silences", "/api/v1/silences", with(silence("type", "level")), handlers(statuses{201, 403, 403})},
		{"POST /api/v1/silences/{id}/end", "/api/v1/silences/1/end", nil, handlers(mine)},
		{"GET /api/v1/health", "/api/v1/health", nil, everyone(ok(200))},
		{"GET /api/v1/openapi.json", "/api/v1/openapi.json", nil, everyone(ok(200))},
		{"GET /tiles/{layers}/{z}/{x}/{y}", "/tiles/land,shelters/9/428/198.mvt", nil, everyone(ok(200))},
		{"GET /tiles/{layers}/{z}/{x}/{y}", "/tiles/land,plans/9/428/198.mvt", nil, only(map[core.Role]statuses{commanders: ok(200)})},
		{"GET /tiles/{layers}", "/tiles/land.json", nil, everyone(ok(200))},
		{"GET /tiles/{layers}", "/tiles/plans.json", nil, only(map[core.Role]statuses{commanders: ok(200)})},
		{"GET /cap/alerts/{file}", "/cap/alerts/onemap-1.xml", nil, everyone(mine)},
		{"GET /cap/feed.atom", "/cap/feed.atom", nil, everyone(ok(200))},
		{"GET /ws", "/ws", nil, everyone(ok(200))},
		{"GET /metrics", "/metrics", with(nil, "X-Forwarded-For", "192.0.2.1"), administrators(ok(200))},
	}
}

// open returns the routes that need no session, with the expected status for a client without one.
func open() map[string]int {
	return map[string]int{
		"POST /api/v1/session":               http.StatusUnauthorized, // with a wrong password
		"DELETE /api/v1/session":             http.StatusNoContent,
		"POST /api/v1/display-links/preview": http.StatusNotFound, // with a wrong link
		"POST /api/v1/display-links/claim":   http.StatusNotFound,
		"GET /healthz":                       http.StatusOK,
		"GET /readyz":                        http.StatusOK,
		"/api/":                              http.StatusNotFound,
		"/tiles/":                            http.StatusNotFound,
		"/cap/":                              http.StatusNotFound,
		"/":                                  http.StatusServiceUnavailable, // no UI in this test
	}
}

func name(r httpx.Route) string { return strings.TrimSpace(r.Method + " " + r.Path) }

func TestRolesDivisionsRoutes(t *testing.T) {
	w := newWorld(t, nil)
	taught := map[string]bool{}
	for _, l := range lessons(w) {
		taught[l.route] = true
		method, _, _ := strings.Cut(l.route, " ")
		for _, role := range servertest.Roles() {
			for i, division := range servertest.Divisions() {
				account := servertest.AccountOf(role, division)
				var body any
				var headers []string
				if l.body != nil {
					body, headers = l.body(w, account)
				}
				a := w.Send(account, method, l.path, body, headers...)
				if want := l.want[role][i]; a.Status != want {
					t.Errorf("%s %s as %s: %d, want %d: %.200s", method, l.path, account, a.Status, want, a.Body)
				}
			}
		}
		var body any
		headers := []string{}
		if l.body != nil {
			body, headers = l.body(w, servertest.Commander)
		}
		if a := w.Send("", method, l.path, body, headers...); a.Status != http.StatusUnauthorized || a.Problem(t).Kind != "unauthenticated" {
			t.Errorf("%s %s as nobody: %d, want 401", method, l.path, a.Status)
		}
	}
	for _, r := range w.API.Routes() {
		if status, isOpen := open()[name(r)]; isOpen {
			if r.Need != httpx.NeedNothing {
				t.Errorf("%s needs %s", name(r), r.Need)
			}
			method := r.Method
			if method == "" {
				method = http.MethodGet
			}
			var body any
			if method == http.MethodPost {
				body = map[string]string{"user": "x", "password": "y"}
			}
			if strings.Contains(r.Path, "display-links") {
				body = map[string]string{"token": "x"}
			}
			if a := w.Send("", method, r.Path, body); a.Status != status {
				t.Errorf("%s as nobody: %d, want %d: %s", name(r), a.Status, status, a.Body)
			}
			continue
		}
		if r.Need == httpx.NeedNothing {
			t.Errorf("%s is open and not in the list of open routes", name(r))
		}
		if !taught[name(r)] {
			t.Errorf("the table of what is allowed has no line for %s", name(r))
		}
	}
}

// Every described route is in the table, and every operation states what it needs.
func TestRoutesDeclareWhatTheyNeed(t *testing.T) {
	s, err := server.Assemble(server.Options{HTTP: httpx.Options{Permissions: servertest.Permissions()}})
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]httpx.Need{}
	for _, r := range s.Routes() {
		if !r.Need.Valid(servertest.Permissions()) {
			t.Errorf("%s declares nothing", name(r))
		}
		if _, twice := table[name(r)]; twice {
			t.Errorf("%s stands twice", name(r))
		}
		table[name(r)] = r.Need
	}
	plain := strings.NewReplacer("{y}.mvt", "{y}", "{layers}.json", "{layers}", "{identifier}.xml", "{file}")
	ids := map[string]bool{}
	for path, item := range s.Huma().Paths {
		for method, o := range map[string]any{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete} {
			op := operation(o)
			if op == nil {
				continue
			}
			need, found := table[method+" "+plain.Replace(path)]
			if !found || op.Extensions["x-onemap-needs"] != need.Name() {
				t.Errorf("%s %s is described with the need %v, mounted with %q", method, path, op.Extensions["x-onemap-needs"], need)
			}
			if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" {
				t.Errorf("%s %s: the id %q is missing or there twice, or the summary is missing", method, path, op.OperationID)
			}
			ids[op.OperationID] = true
		}
	}
}

// operation returns o as an operation, or nil.
func operation(o any) *huma.Operation {
	op, _ := o.(*huma.Operation)
	return op
}
