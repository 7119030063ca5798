package server_test

import (
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"onemap/alerts"
	"onemap/auth"
	"onemap/catalogue"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/web/server/servertest"
)

// principal returns the principal of the account's session.
func (w *world) principal(account string) core.Principal {
	w.T.Helper()
	p, err := w.People.Identify(w.T.Context(), w.Tokens[account])
	w.Must(err)
	return p
}

// services are the domain services for every write, on the test's database.
type services struct {
	people    *auth.Service
	rules     *alerts.Rules
	desk      *alerts.Desk
	silences  *alerts.Silences
	devices   *sensors.Devices
	catalogue *catalogue.Service
}

func (w *world) services() services {
	return services{
		w.People, storetest.Rules(w.DB), alerts.NewDesk(w.DB.Alerts, nil, w.Clock.Now), alerts.NewSilences(w.DB.Alerts, nil, w.Clock.Now),
		storetest.Devices(w.DB), storetest.Catalogue(w.DB),
	}
}

// twice is one invalid input that is sent by HTTP and passed to the service directly.
type twice struct {
	name, account, method, path string
	body                        any
	headers                     []string
	call                        func(p core.Principal) error
}

// HTTP and the service refuse the same invalid input in the same way: kind, field and code. So another caller, such as a
// command or an importer, cannot bypass a check.
func TestServicesRefuseAsRoutesDo(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range slices.Concat(w.badAccounts(), w.badAlerts(), w.badDevices(), w.badLayers()) {
		t.Run(c.name, func(t *testing.T) {
			err := c.call(w.principal(c.account))
			a := w.Send(c.account, c.method, c.path, c.body, c.headers...)
			if err == nil || a.Status < 400 {
				t.Fatalf("by HTTP %d %.300s, by the service %v: want both to refuse", a.Status, a.Body, err)
			}
			p := a.Problem(t)
			var e *fault.Error
			if !errors.As(err, &e) {
				t.Fatalf("the service's error has no kind: %v", err)
			}
			code := fault.MessageOf(err).Code
			if code == fault.CodeOther.Name() { // an error without a code
				code = ""
			}
			if p.Kind != e.Kind.String() || p.Field != e.Field || p.Code != code {
				t.Errorf("by HTTP %s of %q (%s), by the service %s of %q (%s): %s; %v", p.Kind, p.Field, p.Code, e.Kind, e.Field, code, p.Detail, err)
			}
		})
	}
}

func (w *world) badAccounts() []twice {
	s, ctx := w.services(), w.T.Context()
	account := func(change func(*auth.NewAccount)) (map[string]any, func(core.Principal) error) {
		n := auth.NewAccount{Login: "somebody", Name: "Somebody", Role: core.RoleObserver, Division: "370602", Password: "correct horse battery"}
		change(&n)
		body := map[string]any{"user": n.Login, "name": n.Name, "role": n.Role, "division": n.Division, "password": n.Password}
		return body, func(p core.Principal) error {
			_, err := s.people.CreateAccount(ctx, p, n)
			return err
		}
	}
	var all []twice
	for name, change := range map[string]func(*auth.NewAccount){
		"a login of one letter":         func(n *auth.NewAccount) { n.Login = "x" },
		"a login that is taken":         func(n *auth.NewAccount) { n.Login = servertest.Bystander },
		"an account without a name":     func(n *auth.NewAccount) { n.Name = " " },
		"an account of nowhere":         func(n *auth.NewAccount) { n.Division = "12345" },
		"a responder of the whole city": func(n *auth.NewAccount) { n.Role, n.Division = core.RoleResponder, "3706" },
		"a short password":              func(n *auth.NewAccount) { n.Password = "short" },
		"the login as a password":       func(n *auth.NewAccount) { n.Login, n.Password = "somebody.else", "somebody.else" },
	} {
		body, call := account(change)
		all = append(all, twice{name, servertest.Admin, http.MethodPost, "/api/v1/accounts", body, nil, call})
	}
	body, call := account(func(*auth.NewAccount) {})
	return append(all,
		twice{"an account by who may not", servertest.Commander, http.MethodPost, "/api/v1/accounts", body, nil, call},
		twice{"a display without a name", servertest.Admin, http.MethodPost, "/api/v1/displays", map[string]any{"name": "", "division": "370602", "mode": "read", "start": "wall"}, nil,
			func(p core.Principal) error {
				_, _, err := s.people.CreateDisplay(ctx, p, auth.NewDisplay{Division: "370602", Mode: auth.DisplayReads, Start: auth.StartWall})
				return err
			}},
		twice{"a wrong current password", servertest.Observer, http.MethodPost, "/api/v1/me/password", map[string]any{"current_password": "x", "new_password": "another long one"}, nil,
			func(p core.Principal) error {
				return s.people.ChangePassword(ctx, p, auth.PasswordChange{Current: "x", New: "another long one"})
			}},
	)
}

func (w *world) badAlerts() []twice {
	s, ctx := w.services(), w.T.Context()
	var all []twice
	for name, change := range map[string]func(*alerts.Rule){
		"a rule without a name":           func(r *alerts.Rule) { r.Name = core.Text{} },
		"a rule of no type":               func(r *alerts.Rule) { r.Type = "nothing" },
		"a rule of no datastream":         func(r *alerts.Rule) { r.DatastreamID = 99_999 },
		"a rule of another datastream":    func(r *alerts.Rule) { r.Type, r.DatastreamID = "rain", w.Streams["dev-02"] },
		"thresholds the wrong way around": func(r *alerts.Rule) { r.Thresholds[0].Clear = 9 },
		"a rule that holds for ever":      func(r *alerts.Rule) { r.HoldSeconds = 80_000; r.Thresholds = append(r.Thresholds, r.Thresholds[0]) },
	} {
		r := alerts.Rule{
			Name: core.Text{ZH: "水位", EN: "Level"}, Type: "level", Direction: alerts.Above, Enabled: true, Origin: core.OriginReal,
			Thresholds: []alerts.Threshold{{Level: core.Red, Raise: 5, Clear: 4}},
		}
		change(&r)
		body := map[string]any{
			"name": r.Name, "datastream_type": r.Type, "datastream_id": r.DatastreamID, "direction": r.Direction, "thresholds": r.Thresholds,
			"hold_seconds": r.HoldSeconds, "enabled": true,
		}
		all = append(all,
			twice{name, servertest.Commander, http.MethodPost, "/api/v1/rules", body, nil, func(p core.Principal) error {
				_, err := s.rules.Create(ctx, p, r)
				return err
			}},
			twice{name + ", of a county", servertest.AccountOf(core.RoleCommander, "370602"), http.MethodPost, "/api/v1/rules", body, nil, func(p core.Principal) error {
				_, err := s.rules.Create(ctx, p, r)
				return err
			}})
	}
	alert := "/api/v1/alerts/" + strconv.FormatInt(w.Alert.ID, 10)
	step := func(name, account string, c alerts.Command, body map[string]any) twice {
		c.AlertID = w.Alert.ID
		return twice{name, account, http.MethodPost, alert + "/" + string(c.Action), body, nil, func(p core.Principal) error {
			_, err := s.desk.Handle(ctx, p, c)
			return err
		}}
	}
	silence := alerts.NewSilence{Kind: alerts.KindSilence, DeviceID: "dev-02", Level: core.Orange, Ends: w.Clock.Now().Add(time.Hour).UTC().Truncate(time.Second)}
	return append(all,
		step("resolved without a note", servertest.R02, alerts.Command{Action: alerts.ActResolve}, map[string]any{}),
		step("assigned to nobody", servertest.R02, alerts.Command{Action: alerts.ActAssign}, map[string]any{}),
		step("assigned to who is not there", servertest.R02, alerts.Command{Action: alerts.ActAssign, Assignee: "nobody"}, map[string]any{"assignee": "nobody"}),
		step("closed while it fires", servertest.R02, alerts.Command{Action: alerts.ActClose}, map[string]any{}),
		step("another county's alert", servertest.R14, alerts.Command{Action: alerts.ActAcknowledge}, map[string]any{}),
		step("an acknowledgement by who may not", servertest.Observer, alerts.Command{Action: alerts.ActAcknowledge}, map[string]any{}),
		step("a word that is no action", servertest.R02, alerts.Command{Action: "explode"}, map[string]any{}),
		twice{"a silence without a reason", servertest.R02, http.MethodPost, "/api/v1/silences",
			map[string]any{"kind": "silence", "device_id": "dev-02", "level": 2, "reason": "", "ends": silence.Ends}, nil, func(p core.Principal) error {
				_, err := s.silences.Create(ctx, p, silence)
				return err
			}},
		twice{"a silence of another county", servertest.R14, http.MethodPost, "/api/v1/silences",
			map[string]any{"kind": "silence", "device_id": "dev-02", "level": 2, "reason": "x", "ends": silence.Ends}, nil, func(p core.Principal) error {
				n := silence
				n.Reason = "x"
				_, err := s.silences.Create(ctx, p, n)
				return err
			}},
	)
}

func (w *world) badDevices() []twice {
	s, ctx := w.services(), w.T.Context()
	var all []twice
	for name, change := range map[string]func(*sensors.NewDevice){
		"a device of no county":             func(n *sensors.NewDevice) { n.Division = "3706" },
		"a device of no division":           func(n *sensors.NewDevice) { n.Division = "x" },
		"a device without a name":           func(n *sensors.NewDevice) { n.Name = core.Text{} },
		"a device with a long name":         func(n *sensors.NewDevice) { n.Name.ZH = strings.Repeat("水", core.MaxName+1) },
		"a device with a space in its id":   func(n *sensors.NewDevice) { n.ID = "a b" },
		"a device that is there":            func(n *sensors.NewDevice) { n.ID = "dev-02" },
		"a device of no hazard":             func(n *sensors.NewDevice) { n.HazardType = "boredom" },
		"a datastream of no type":           func(n *sensors.NewDevice) { n.Streams[0].Type = "nothing" },
		"a datastream with a space":         func(n *sensors.NewDevice) { n.Streams[0].Name = "a b" },
		"two datastreams of one name":       func(n *sensors.NewDevice) { n.Streams = append(n.Streams, n.Streams[0]) },
		"a datastream's title on two lines": func(n *sensors.NewDevice) { n.Streams[0].Title.EN = "a\nb" },
	} {
		n := sensors.NewDevice{
			ID: "new", Division: "370602", Name: core.Text{ZH: "站"}, HazardType: "flood", Lon: 121.4, Lat: 37.5,
			Streams: []sensors.NewDatastream{{Name: "level", Type: "level"}},
		}
		change(&n)
		streams := []any{}
		for _, st := range n.Streams {
			streams = append(streams, map[string]any{"name": st.Name, "type": st.Type, "title": st.Title})
		}
		body := map[string]any{"id": n.ID, "division": n.Division, "name": n.Name, "hazard_type": n.HazardType, "lon": n.Lon, "lat": n.Lat, "datastreams": streams}
		for account, whose := range map[string]string{servertest.Steward: "", servertest.Commander: ", by who may not", servertest.Steward14: ", by another county"} {
			all = append(all, twice{name + whose, account, http.MethodPost, "/api/v1/devices", body, nil, func(p core.Principal) error {
				_, _, err := s.devices.Create(ctx, p, n)
				return err
			}})
		}
	}
	return append(all,
		twice{"a fingerprint that is none", servertest.Steward, http.MethodPut, "/api/v1/devices/dev-02/certificate", map[string]any{"sha256": "12"}, nil, func(p core.Principal) error {
			_, err := s.devices.PutCertificate(ctx, p, "dev-02", sensors.NewCertificate{SHA256: "12"})
			return err
		}},
		twice{"no certificate at all", servertest.Steward, http.MethodPut, "/api/v1/devices/dev-02/certificate", map[string]any{}, nil, func(p core.Principal) error {
			_, err := s.devices.PutCertificate(ctx, p, "dev-02", sensors.NewCertificate{})
			return err
		}},
		twice{"a device that is not there", servertest.Steward, http.MethodPatch, "/api/v1/devices/nothing", map[string]any{"enabled": false}, nil, func(p core.Principal) error {
			_, err := s.devices.SetEnabled(ctx, p, "nothing", false)
			return err
		}},
		twice{"another county's device", servertest.Steward14, http.MethodPost, "/api/v1/devices/dev-02/secret", nil, nil, func(p core.Principal) error {
			_, err := s.devices.RenewSecret(ctx, p, "dev-02")
			return err
		}},
	)
}

func (w *world) badLayers() []twice {
	s, ctx := w.services(), w.T.Context()
	shelter := w.Features("shelters")
	point := func(lon, lat float64) map[string]any {
		return map[string]any{"type": "Point", "coordinates": []float64{lon, lat}}
	}
	feature := func(division string, g map[string]any) map[string]any {
		return map[string]any{"create": []any{map[string]any{"type": "Feature", "geometry": g, "properties": map[string]any{"division": division, "name": core.Text{ZH: "新"}, "key": "new"}}}}
	}
	made := func(division string, g orb.Geometry) catalogue.Edit {
		return catalogue.Edit{Create: []catalogue.Feature{{Key: "new", Division: division, Name: core.Text{ZH: "新"}, Geometry: g}}}
	}
	var all []twice
	for name, c := range map[string]struct {
		account, layer string
		version        int64
		body           map[string]any
		edit           catalogue.Edit
	}{
		"an edit of nothing":          {servertest.Steward, "shelters", 1, map[string]any{}, catalogue.Edit{}},
		"a feature of another county": {servertest.Steward14, "shelters", 1, feature("370602", point(121, 37)), made("370602", orb.Point{121, 37})},
		"a feature of no division":    {servertest.Steward, "shelters", 1, feature("x", point(121, 37)), made("x", orb.Point{121, 37})},
		"a feature off the globe":     {servertest.Steward, "shelters", 1, feature("370602", point(121, 370)), made("370602", orb.Point{121, 370})},
		"a feature that is not there": {servertest.Steward, "shelters", 1, map[string]any{"delete": []int64{99_999}}, catalogue.Edit{Delete: []int64{99_999}}},
		"a feature twice":             {servertest.Steward, "shelters", 1, map[string]any{"delete": []int64{shelter["s-02"], shelter["s-02"]}}, catalogue.Edit{Delete: []int64{shelter["s-02"], shelter["s-02"]}}},
		"another county's feature":    {servertest.Steward14, "shelters", 1, map[string]any{"delete": []int64{shelter["s-02"]}}, catalogue.Edit{Delete: []int64{shelter["s-02"]}}},
		"another version":             {servertest.Steward, "shelters", 77, map[string]any{"delete": []int64{shelter["s-02"]}}, catalogue.Edit{Delete: []int64{shelter["s-02"]}}},
		"a layer that is not there":   {servertest.Steward, "nothing", 1, map[string]any{"delete": []int64{1}}, catalogue.Edit{Delete: []int64{1}}},
		"a layer for others":          {servertest.Steward, "plans", 1, map[string]any{"delete": []int64{1}}, catalogue.Edit{Delete: []int64{1}}},
		"an edit by who may not":      {servertest.Commander, "shelters", 1, map[string]any{"delete": []int64{shelter["s-02"]}}, catalogue.Edit{Delete: []int64{shelter["s-02"]}}},
	} {
		all = append(all, twice{name, c.account, http.MethodPatch, "/api/v1/layers/" + c.layer + "/features", c.body, []string{"If-Match", `"` + strconv.FormatInt(c.version, 10) + `"`},
			func(p core.Principal) error {
				_, _, err := s.catalogue.EditFeatures(ctx, p, c.layer, c.version, c.edit)
				return err
			}})
	}
	all = append(all, w.badStyles(s)...)
	for name, c := range map[string]struct {
		account string
		body    map[string]any
		change  catalogue.LayerChange
	}{
		"a change of nothing":       {servertest.Steward, map[string]any{}, catalogue.LayerChange{}},
		"zooms the wrong way":       {servertest.Steward, map[string]any{"min_zoom": 9, "max_zoom": 3}, catalogue.LayerChange{MinZoom: new(9), MaxZoom: new(3)}},
		"a field that is not there": {servertest.Steward, map[string]any{"in_tile": []string{"nothing"}}, catalogue.LayerChange{InTile: []string{"nothing"}}},
		"rules that cannot be":      {servertest.Steward, map[string]any{"tile": core.TileRules{Severity: "phone"}}, catalogue.LayerChange{Tile: &core.TileRules{Severity: "phone"}}},
		"a layer by a county":       {servertest.Steward14, map[string]any{"max_zoom": 9}, catalogue.LayerChange{MaxZoom: new(9)}},
	} {
		all = append(all, twice{name, c.account, http.MethodPatch, "/api/v1/layers/land", c.body, []string{"If-Match", `"1"`}, func(p core.Principal) error {
			_, err := s.catalogue.ChangeLayer(ctx, p, "land", 1, c.change)
			return err
		}})
	}
	return all
}

func (w *world) badStyles(s services) []twice {
	ctx := w.T.Context()
	var all []twice
	for name, c := range map[string]struct{ account, layer, text string }{
		"a style without layers":        {servertest.Steward, "land", `{}`},
		"a style that is a list":        {servertest.Steward, "land", `[]`},
		"a style of null":               {servertest.Steward, "land", `null`},
		"a style of an unknown token":   {servertest.Steward, "land", strings.Replace(servertest.Style(), "levels.1", "leveles.1", 1)},
		"a style of another type":       {servertest.Steward, "land", strings.Replace(servertest.Style(), `"type":"fill"`, `"type":"line"`, 1)},
		"a style with an address":       {servertest.Steward, "land", strings.Replace(servertest.Style(), `{"$token":"levels.1"}`, `"http://x"`, 1)},
		"a style with a member more":    {servertest.Steward, "land", strings.Replace(servertest.Style(), `"layers"`, `"base":true,"layers"`, 1)},
		"a style by a county":           {servertest.Steward14, "land", servertest.Style()},
		"a style by who may not":        {servertest.Commander, "land", servertest.Style()},
		"a style of no layer":           {servertest.Steward, "nothing", servertest.Style()},
		"a style of a layer for others": {servertest.Steward, "plans", servertest.Style()},
		"a style of another version":    {servertest.Steward, "shelters", servertest.Style()},
	} {
		version := int64(1)
		if c.layer == "shelters" {
			version = 77
		}
		headers := []string{"If-Match", `"` + strconv.FormatInt(version, 10) + `"`}
		path := "/api/v1/layers/" + c.layer + "/style"
		all = append(all, twice{name, c.account, http.MethodPut, path, c.text, headers, func(p core.Principal) error {
			_, err := s.catalogue.SetStyle(ctx, p, c.layer, version, []byte(c.text))
			return err
		}})
		if c.text == servertest.Style() {
			all = append(all, twice{name + ", removed", c.account, http.MethodDelete, path, nil, headers, func(p core.Principal) error {
				_, err := s.catalogue.RemoveStyle(ctx, p, c.layer, version)
				return err
			}})
		}
	}
	return all
}

// may reduces the result of a call to a status of the permission table: 200 if the principal may call it (whatever else is
// wrong with the input), 403 or 404.
func may(err error) int {
	switch {
	case fault.Is(err, fault.Forbidden):
		return http.StatusForbidden
	case fault.Is(err, fault.NotFound):
		return http.StatusNotFound
	default:
		return http.StatusOK
	}
}

// Every role in every division may call of each service exactly what the permission table allows it on the routes. Every
// method that takes a principal is in the table.
func TestRolesDivisionsServices(t *testing.T) {
	w := newWorld(t, nil)
	s := w.services()
	methods := map[string]bool{}
	for _, service := range []any{s.people, s.rules, s.desk, s.silences, s.devices, s.catalogue} {
		of := reflect.TypeOf(service)
		for m := range of.Methods() {
			if m.Type.NumIn() > 2 && m.Type.In(2) == reflect.TypeFor[core.Principal]() {
				methods[strings.TrimPrefix(of.String(), "*")+"."+m.Name] = false
			}
		}
	}
	for _, c := range w.serviceCalls(s) {
		if _, there := methods[c.method]; !there {
			t.Errorf("there is no method %s that takes a principal", c.method)
		}
		methods[c.method] = true
		for _, role := range servertest.Roles() {
			for i, division := range servertest.Divisions() {
				err := c.call(w.principal(servertest.AccountOf(role, division)))
				if got := may(err); got != c.want[role][i] {
					t.Errorf("%s by %s of %s: %d (%v), want %d", c.method, role, division, got, err, c.want[role][i])
				}
			}
		}
	}
	for method, tried := range methods {
		if !tried {
			t.Errorf("the table does not say who may call %s", method)
		}
	}
}

// serviceCall is one line of that table.
type serviceCall struct {
	method string
	call   func(p core.Principal) error
	want   map[core.Role]statuses
}

func (w *world) serviceCalls(s services) []serviceCall {
	ctx := w.T.Context()
	mine, cityOnly := statuses{200, 200, 404}, statuses{200, 403, 403}
	shelter := w.Features("shelters")["s-02"]
	edit := catalogue.Edit{Move: []catalogue.Feature{{ID: shelter, Geometry: orb.Point{121.4, 37.5}}}}
	rule := alerts.Rule{Type: "level"}
	return []serviceCall{
		{"auth.Service.Logout", func(core.Principal) error { return s.people.Logout(ctx, core.Principal{}) }, everyone(ok(200))},
		{"auth.Service.Sessions", func(p core.Principal) error {
			_, err := s.people.Sessions(ctx, p, servertest.Bystander, core.Page{})
			return err
		}, administrators(mine)},
		{"auth.Service.RevokeSession", func(p core.Principal) error { return s.people.RevokeSession(ctx, p, 999_999) }, everyone(ok(404))},
		{"auth.Service.ChangePassword", func(p core.Principal) error {
			return s.people.ChangePassword(ctx, p, auth.PasswordChange{Current: "x", New: "short"})
		}, people(ok(200))},
		{"auth.Service.Accounts", func(p core.Principal) error {
			_, err := s.people.Accounts(ctx, p)
			return err
		}, administrators(ok(200))},
		{"auth.Service.FailedLogins", func(p core.Principal) error {
			_, err := s.people.FailedLogins(ctx, p, auth.FailedLoginFilter{})
			return err
		}, administrators(ok(200))},
		{"auth.Service.CreateAccount", func(p core.Principal) error {
			_, err := s.people.CreateAccount(ctx, p, auth.NewAccount{Login: servertest.Bystander, Name: "B", Role: core.RoleObserver, Division: "370602", Password: "correct horse battery"})
			return err
		}, administrators(statuses{200, 200, 403})},
		{"auth.Service.UpdateAccount", func(p core.Principal) error {
			_, err := s.people.UpdateAccount(ctx, p, servertest.Bystander, auth.AccountChange{}, 99)
			return err
		}, administrators(mine)},
		{"auth.Service.Displays", func(p core.Principal) error {
			_, err := s.people.Displays(ctx, p, core.Page{})
			return err
		}, administrators(ok(200))},
		{"auth.Service.CreateDisplay", func(p core.Principal) error {
			_, _, err := s.people.CreateDisplay(ctx, p, auth.NewDisplay{Name: "screen of " + p.Login, Division: "370602", Mode: auth.DisplayReads, Start: auth.StartWall})
			return err
		}, administrators(statuses{200, 200, 403})},
		{"auth.Service.RenewLink", func(p core.Principal) error {
			_, _, err := s.people.RenewLink(ctx, p, 999_999)
			return err
		}, administrators(ok(404))},
		{"auth.Service.RevokeDisplay", func(p core.Principal) error { return s.people.RevokeDisplay(ctx, p, 999_999) }, administrators(ok(404))},

		{"alerts.Rules.Create", func(p core.Principal) error {
			_, err := s.rules.Create(ctx, p, rule)
			return err
		}, ruleKeepers(cityOnly)},
		{"alerts.Rules.Replace", func(p core.Principal) error {
			_, err := s.rules.Replace(ctx, p, rule, 99)
			return err
		}, ruleKeepers(cityOnly)},
		{"alerts.Rules.Delete", func(p core.Principal) error { return s.rules.Delete(ctx, p, w.Rule.ID, 99) }, ruleKeepers(cityOnly)},
		{"alerts.Rules.Seed", func(p core.Principal) error {
			_, err := s.rules.Seed(ctx, p, []alerts.Rule{rule})
			return err
		}, ruleKeepers(cityOnly)},
		{"alerts.Desk.Handle", func(p core.Principal) error {
			_, err := s.desk.Handle(ctx, p, alerts.Command{AlertID: w.Alert.ID, Action: alerts.ActAcknowledge})
			return err
		}, acknowledgers(mine)},
		{"alerts.Desk.Handle", func(p core.Principal) error {
			_, err := s.desk.Handle(ctx, p, alerts.Command{AlertID: w.Alert.ID, Action: alerts.ActClose})
			return err
		}, handlers(mine)},
		{"alerts.Desk.HandleAll", func(p core.Principal) error {
			results, err := s.desk.HandleAll(ctx, p, alerts.Command{Action: alerts.ActAcknowledge}, []alerts.Shown{{ID: w.Alert.ID}})
			if err == nil {
				err = results[0].Err
			}
			return err
		}, acknowledgers(mine)},
		{"alerts.Silences.List", func(p core.Principal) error {
			_, err := s.silences.List(ctx, p, false, core.Page{})
			return err
		}, everyone(ok(200))},
		{"alerts.Silences.Create", func(p core.Principal) error {
			_, err := s.silences.Create(ctx, p, alerts.NewSilence{Kind: alerts.KindSilence, Division: "370602", Level: core.Orange, Reason: "x", Ends: w.Clock.Now().Add(time.Hour)})
			return err
		}, handlers(statuses{200, 200, 403})},
		{"alerts.Silences.End", func(p core.Principal) error {
			_, err := s.silences.End(ctx, p, 999_999)
			return err
		}, handlers(ok(404))},

		{"sensors.Devices.Create", func(p core.Principal) error {
			_, _, err := s.devices.Create(ctx, p, sensors.NewDevice{ID: "dev-02", Division: "370602", Name: core.Text{ZH: "站"}, HazardType: "flood", Lon: 121, Lat: 37})
			return err
		}, dataKeepers(statuses{200, 200, 403})},
		{"sensors.Devices.RenewSecret", func(p core.Principal) error {
			_, err := s.devices.RenewSecret(ctx, p, "dev-02")
			return err
		}, dataKeepers(mine)},
		{"sensors.Devices.SetEnabled", func(p core.Principal) error {
			_, err := s.devices.SetEnabled(ctx, p, "dev-02", true)
			return err
		}, dataKeepers(mine)},
		{"sensors.Devices.SetInterval", func(p core.Principal) error {
			_, err := s.devices.SetInterval(ctx, p, w.Streams["dev-02"], 60)
			return err
		}, dataKeepers(mine)},
		{"sensors.Devices.PutCertificate", func(p core.Principal) error {
			_, err := s.devices.PutCertificate(ctx, p, "dev-02", sensors.NewCertificate{SHA256: strings.Repeat("a1", 32)})
			return err
		}, dataKeepers(mine)},
		{"sensors.Devices.RemoveCertificate", func(p core.Principal) error { return s.devices.RemoveCertificate(ctx, p, "dev-02") }, dataKeepers(mine)},
		{"sensors.Devices.Seed", func(p core.Principal) error { return s.devices.Seed(ctx, p, sensors.SeedData{}) }, dataKeepers(cityOnly)},

		{"catalogue.Service.EditFeatures", func(p core.Principal) error {
			_, _, err := s.catalogue.EditFeatures(ctx, p, "shelters", -1, edit)
			return err
		}, dataKeepers(mine)},
		{"catalogue.Service.EditFeatures", func(p core.Principal) error { // a layer whose features all may see
			_, _, err := s.catalogue.EditFeatures(ctx, p, "land", -1, catalogue.Edit{Move: []catalogue.Feature{{ID: w.Features("land")["land-1"], Geometry: orb.Point{121.4, 37.5}}}})
			return err
		}, dataKeepers(statuses{200, 200, 403})},
		{"catalogue.Service.ChangeLayer", func(p core.Principal) error {
			_, err := s.catalogue.ChangeLayer(ctx, p, "land", 99, catalogue.LayerChange{MaxZoom: new(9)})
			return err
		}, dataKeepers(cityOnly)},
		{"catalogue.Service.SetStyle", func(p core.Principal) error {
			_, err := s.catalogue.SetStyle(ctx, p, "land", 99, []byte(servertest.Style()))
			return err
		}, dataKeepers(cityOnly)},
		{"catalogue.Service.RemoveStyle", func(p core.Principal) error {
			_, err := s.catalogue.RemoveStyle(ctx, p, "land", 99)
			return err
		}, dataKeepers(cityOnly)},
		{"catalogue.Service.PutLayer", func(p core.Principal) error {
			_, err := s.catalogue.PutLayer(ctx, p, catalogue.Layer{Name: "land"})
			return err
		}, dataKeepers(cityOnly)},
		{"catalogue.Service.ImportLayer", func(p core.Principal) error {
			_, err := s.catalogue.ImportLayer(ctx, p, catalogue.Layer{Name: "NONE"}, empty{}, catalogue.ImportOptions{})
			return err
		}, dataKeepers(cityOnly)},
		{"catalogue.Service.PutDivisions", func(p core.Principal) error {
			return s.catalogue.PutDivisions(ctx, p, []catalogue.Division{{Code: "none"}})
		}, dataKeepers(cityOnly)},
	}
}

// empty is a file without records.
type empty struct{}

func (empty) Next() (catalogue.Record, *catalogue.Refusal, error) {
	return catalogue.Record{}, nil, io.EOF
}
