package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"onemap/internal/app/stores"

	"github.com/alexedwards/argon2id"
	"github.com/paulmach/orb"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"onemap/alerts"
	"onemap/alerts/cap"
	"onemap/auth"
	"onemap/catalogue"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/tiles/engine"
	"onemap/web/push"
)

const password = "correct horse battery"

// divisions are the three that every test's principals come from: the city and two of its counties.
func divisions() []string { return []string{"3706", "370602", "370614"} }

// permissions are all that the routes of this package need.
func permissions() []core.Permission {
	return []core.Permission{core.PermView, alerts.PermAcknowledge, alerts.PermHandle, core.PermEditData, alerts.PermEditRules, auth.PermAccounts}
}

// world is a whole server on a real database, with every role in every division.
type world struct {
	t      testing.TB
	db     *stores.Stores
	people *auth.Service
	api    *Server
	http   *httptest.Server
	clock  *testClock
	log    *lockedBuffer
	health []core.Health

	tokens  map[string]string // account → session's token
	streams map[string]int64  // device → its datastream
	alert   alerts.Alert      // an open alert in 370602
	rule    alerts.Rule
}

type testClock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *testClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// tiles is a tile engine over the world's database, with its layers loaded.
func (w *world) tiles(o engine.Options) *engine.Engine {
	w.t.Helper()
	feed := w.db.Tiles.ChangeFeed()
	e, err := engine.New(o, engine.Parts{Loader: w.db.Tiles, Feed: feed, Database: w.db.Tiles}, nil, nil, nil)
	w.must(err)
	ctx, stop := context.WithCancel(w.t.Context())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	w.t.Cleanup(func() {
		stop()
		w.must(<-done)
		feed.Close()
	})
	for !e.Ready() {
		time.Sleep(5 * time.Millisecond)
	}
	return e
}

// newWorld builds it; change may replace parts of the options.
func newWorld(t testing.TB, change func(*Options)) *world {
	t.Helper()
	w := &world{
		t: t, db: storetest.NewDB(t), clock: &testClock{t: time.Now().UTC()}, log: &lockedBuffer{},
		tokens: map[string]string{}, streams: map[string]int64{},
		health: []core.Health{{Part: "database", OK: true}, {Part: "broker", OK: true, Detail: "3 clients"}},
	}
	w.people = auth.NewService(auth.Options{
		Params: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	}, w.db.Auth, w.db.Auth, w.db.Auth, nil, nil, w.clock.now)
	w.fillPlaces()
	w.fillDevices()
	w.fillAlerts()
	reg := prometheus.NewRegistry()
	o := Options{
		Version: "1.2.3", Node: "n1", Simulated: true, Attribution: "credits", Sources: []Source{{File: "land.geojson"}},
		City:        core.City{Code: "3706", Name: core.Text{ZH: "烟台市", EN: "Yantai"}, BBox: []float64{119, 36, 122, 39}, Center: []float64{121, 37}},
		Permissions: permissions(),
		Auth:        w.people, Accounts: w.people, Displays: w.people, Divisions: w.db.Catalogue, Catalogue: w.db.Catalogue, Editor: storetest.Catalogue(w.db), Search: w.db.Catalogue, Registry: w.db.Sensors,
		Devices: storetest.Devices(w.db), Alerts: w.db.Alerts, Handler: alerts.NewDesk(w.db.Alerts, slog.New(slog.DiscardHandler), w.clock.now),
		Silences: alerts.NewSilences(w.db.Alerts, slog.New(slog.DiscardHandler), w.clock.now), Rules: storetest.Rules(w.db), CAP: w.db.Alerts,
		Tiles:  w.tiles(engine.Options{}),
		Health: func() []core.Health { return w.health },
		Push:   greeter{}, Ingest: told{}, Timeline: w.db.Sensors,
		Metrics: promhttp.HandlerFor(reg, promhttp.HandlerOpts{}), Registerer: reg,
		Logger: slog.New(slog.NewTextHandler(w.log, nil)), Clock: w.clock.now,
	}
	if change != nil {
		change(&o)
	}
	var err error
	if w.api, err = New(o); err != nil {
		t.Fatal(err)
	}
	w.http = httptest.NewServer(w.api)
	t.Cleanup(func() {
		w.http.CloseClientConnections() // those with half a body would be waited for
		w.http.Close()
	})
	w.fillPeople()
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// bystander is an observer of 370602 who is never logged in.
const bystander = "bystander"

// accountOf is the login of a role in a division.
func accountOf(role core.Role, division string) string {
	return strings.ReplaceAll(string(role), "_", "-") + "." + division
}

// fillPeople makes every role in every division, also those that the rules for accounts would not
// allow together: the routes must hold without those rules.
func (w *world) fillPeople() {
	hash, err := argon2id.CreateHash(password, &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	w.must(err)
	_, err = w.db.Auth.CreateAccount(w.t.Context(), auth.Account{Login: bystander, Name: bystander, Role: core.RoleObserver, Division: "370602"}, hash, "test")
	w.must(err)
	for _, role := range core.Roles() {
		for _, division := range divisions() {
			login := accountOf(role, division)
			_, err := w.db.Auth.CreateAccount(w.t.Context(), auth.Account{Login: login, Name: login, Role: role, Division: division}, hash, "test")
			w.must(err)
			tokens, _, err := w.people.Login(w.t.Context(), auth.Login{User: login, Password: password})
			w.must(err)
			w.tokens[login] = tokens.Session
		}
	}
	for _, role := range core.DisplayRoles() {
		for _, division := range divisions() {
			w.fillDisplay(role, division)
		}
	}
}

// roles lists the roles of people, then those of displays.
func roles() []core.Role { return append(core.Roles(), core.DisplayRoles()...) }

// fillDisplay logs a device in as a display.
func (w *world) fillDisplay(role core.Role, division string) {
	mode := auth.DisplayReads
	if role == core.RoleDisplayAck {
		mode = auth.DisplayAcknowledges
	}
	root := core.Principal{Login: "test", Role: core.RoleAdministrator, Division: "3706"}
	login := accountOf(role, division)
	_, link, err := w.people.CreateDisplay(w.t.Context(), root, auth.NewDisplay{Name: login, Division: division, Mode: mode, Start: auth.StartWall})
	w.must(err)
	w.tokens[login], _, err = w.people.ClaimLink(w.t.Context(), link, netip.Addr{}, "kiosk")
	w.must(err)
}

// records is a catalogue.Reader over features in memory.
type records struct{ rest []catalogue.Feature }

func (r *records) Next() (catalogue.Record, *catalogue.Refusal, error) {
	if len(r.rest) == 0 {
		return catalogue.Record{}, nil, io.EOF
	}
	f := r.rest[0]
	r.rest = r.rest[1:]
	return catalogue.Record{Line: 1, Feature: f}, nil, nil
}

// fillPlaces loads divisions and three layers: land for everybody, plans for commanders, shelters by
// division.
func (w *world) fillPlaces() {
	w.must(storetest.Catalogue(w.db).PutDivisions(w.t.Context(), storetest.Root(), []catalogue.Division{
		{Code: "3706", Name: core.Text{ZH: "烟台市", EN: "Yantai"}, Lon: 121.4, Lat: 37.5},
		{Code: "370602", Name: core.Text{ZH: "芝罘区", EN: "Zhifu"}, Lon: 121.4, Lat: 37.5},
		{Code: "370614", Name: core.Text{ZH: "蓬莱区", EN: "Penglai"}, Lon: 120.8, Lat: 37.8},
		{Code: "370602001", Name: core.Text{ZH: "向阳街道", EN: "Xiangyang"}, Lon: 121.4, Lat: 37.5},
	}))
	layer := func(name string, a core.Audience, features ...catalogue.Feature) {
		_, err := storetest.Catalogue(w.db).ImportLayer(w.t.Context(), storetest.Root(), catalogue.Layer{
			Name: name, Theme: catalogue.ThemeResource, Title: core.Text{ZH: name, EN: name}, Origin: core.OriginSynthetic, Audience: a,
			Source: "test", GeometryType: "Geometry", MaxZoom: 14, UpdatedOn: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Attribution: "© test",
			Fields: []catalogue.Field{{Name: "beds", Type: "integer", Title: core.Text{ZH: "床位", EN: "Beds"}, InTile: true}, {Name: "phone", Type: "string"}},
		}, &records{features}, catalogue.ImportOptions{})
		w.must(err)
	}
	at := func(key, division string, lon, lat float64) catalogue.Feature {
		return catalogue.Feature{
			Key: key, Division: division, Name: core.Text{ZH: "演示-" + key, EN: key}, Origin: core.OriginSynthetic, Source: "test",
			Geometry: orb.Point{lon, lat}, Properties: map[string]any{"beds": 12, "phone": "110"},
		}
	}
	layer("land", core.Audience{Kind: core.AudiencePublic}, at("land-1", "370602", 121.4, 37.5), at("land-2", "370614", 120.8, 37.8))
	layer("plans", core.Audience{Kind: core.AudienceRoles, Roles: []core.Role{core.RoleCommander}}, at("plan-1", "3706", 121.4, 37.5))
	layer("shelters", core.Audience{Kind: core.AudienceDivision}, at("s-02", "370602", 121.4, 37.5), at("s-14", "370614", 120.8, 37.8))
}

// fillDevices makes one device in each county: dev-02 and dev-14.
func (w *world) fillDevices() {
	ctx := w.t.Context()
	w.must(w.db.Sensors.PutHazardTypes(ctx, []sensors.HazardType{{
		Code: "flood", Title: core.Text{ZH: "洪水", EN: "Flood"}, Sector: "natural_disaster", CAPCategory: "Met", RadiusM: 2000, LeadMinutes: 60,
	}}))
	w.must(w.db.Sensors.PutDatastreamTypes(ctx, []sensors.DatastreamType{
		{Code: "level", Title: core.Text{ZH: "水位", EN: "Water level"}, Unit: "m", Symbol: "m", HazardType: "flood", Min: -10, Max: 100, IntervalS: 60},
		{Code: "rain", Title: core.Text{ZH: "雨量", EN: "Rain"}, Unit: "mm/h", Symbol: "mm/h", HazardType: "flood", Min: 0, Max: 500, IntervalS: 60},
	}))
	for _, id := range []string{"dev-02", "dev-14"} {
		d, err := w.db.Sensors.CreateDevice(ctx, sensors.Device{
			ID: id, Division: "3706" + id[4:], Name: core.Text{ZH: "演示-" + id}, HazardType: "flood", Lon: 121.4, Lat: 37.5,
			Origin: core.OriginSynthetic, Source: "test", Enabled: true, Streams: []sensors.Datastream{{Name: "level", Type: "level"}},
		}, sensors.HashSecret("x"), "test")
		w.must(err)
		w.streams[id] = d.Streams[0].ID
		at := w.clock.now().Add(-time.Minute).Truncate(time.Millisecond)
		_, err = w.db.Sensors.CommitBatch(ctx, sensors.Batch{Observations: []sensors.Observation{
			{DatastreamID: w.streams[id], Time: at, Value: 1, QC: sensors.QCGood, TimeSource: sensors.TimeDevice, ReceivedAt: at},
			{DatastreamID: w.streams[id], Time: at.Add(time.Second), Value: 2, QC: sensors.QCGood, TimeSource: sensors.TimeDevice, ReceivedAt: at},
		}})
		w.must(err)
	}
}

// fillAlerts raises one red alert in 370602.
func (w *world) fillAlerts() {
	ctx := w.t.Context()
	var err error
	w.rule, err = w.db.Alerts.CreateRule(ctx, alerts.Rule{
		Name: core.Text{ZH: "水位", EN: "Water level"}, Type: "level", Direction: alerts.Above, Enabled: true, Origin: core.OriginReal,
		Thresholds: []alerts.Threshold{{Level: core.Red, Raise: 5, Clear: 4}},
	}, "test")
	w.must(err)
	now := w.clock.now().Truncate(time.Second)
	xml, err := cap.Marshal(cap.Message{
		Identifier: "onemap-1", Sender: "onemap.test", Sent: now, Status: cap.StatusActual, MsgType: cap.TypeAlert, Scope: cap.ScopePublic,
		Infos: []cap.Info{{
			Language: "zh-CN", Categories: []cap.Category{"Met"}, Event: "洪水", Urgency: cap.UrgencyImmediate, Severity: cap.SeverityExtreme,
			Certainty: cap.CertaintyObserved, Expires: now.Add(time.Hour), Headline: "芝罘区洪水红色预警", Description: "水位 5.5 m",
			Areas: []cap.Area{{Desc: "芝罘区", Polygons: []orb.Ring{{{121, 37}, {122, 37}, {122, 38}, {121, 37}}}}},
		}},
	})
	w.must(err)
	from, err := w.db.Alerts.Cursor(ctx)
	w.must(err)
	stored, err := w.db.Alerts.Apply(ctx, alerts.Step{From: from, To: core.Mark{Seq: from.Seq + 1}, Changes: []alerts.Change{{
		Kind: core.EventAlertIssued,
		Alert: alerts.Alert{
			RuleID: w.rule.ID, DatastreamID: w.streams["dev-02"], DeviceID: "dev-02", Level: core.Red, PeakLevel: core.Red,
			Detection: alerts.Firing, Handling: alerts.New, Division: "370602", Divisions: []string{"370602"},
			Headline: core.Text{ZH: "洪水红色预警", EN: "Red flood alert"}, Lon: 121.4, Lat: 37.5,
			Area: orb.Polygon{{{121, 37}, {122, 37}, {122, 38}, {121, 37}}}, Onset: now, OpenedAt: now, UpdatedAt: now, Value: 5.5, ValueAt: now,
			Threshold: 5, Direction: alerts.Above, Origin: core.OriginSynthetic, Identifier: "onemap-1", Expires: now.Add(time.Hour),
		},
		Message: &alerts.Message{Identifier: "onemap-1", MsgType: "Alert", Sent: now, Expires: now.Add(time.Hour), XML: xml},
	}}})
	w.must(err)
	w.alert = stored[0]
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) problem(t testing.TB) Problem {
	t.Helper()
	var p Problem
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("status %d with %q: %.200s", a.status, got, a.body)
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("%v in %.200s", err, a.body)
	}
	if p.Status != a.status || p.Title == "" || p.Type == "" || p.Kind == "" {
		t.Errorf("the problem %+v does not fit the status %d", p, a.status)
	}
	return p
}

func (a answer) decode(t testing.TB, into any) {
	t.Helper()
	if a.status >= 300 {
		t.Fatalf("status %d: %.300s", a.status, a.body)
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		t.Fatalf("%v in %.300s", err, a.body)
	}
}

// send sends a request as an account; an empty one is nobody. A body that is no string is sent as
// JSON. headers are names and values in turn.
func (w *world) send(account, method, path string, body any, headers ...string) answer {
	w.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	case io.Reader:
		reader = b
	default:
		raw, err := json.Marshal(b)
		w.must(err)
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(w.t.Context()), method, w.http.URL+path, reader)
	w.must(err)
	if account != "" {
		token, ok := w.tokens[account]
		if !ok {
			w.t.Fatalf("there is no account %q", account)
		}
		req.Header.Set("Cookie", SessionCookie+"="+token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	w.must(err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	w.must(err)
	return answer{res.StatusCode, res.Header, raw}
}

// The principals that most tests speak as.
var (
	commander = accountOf(core.RoleCommander, "3706")
	steward   = accountOf(core.RoleSteward, "3706")
	admin     = accountOf(core.RoleAdministrator, "3706")
	observer  = accountOf(core.RoleObserver, "3706")
	r02       = accountOf(core.RoleResponder, "370602")
	r14       = accountOf(core.RoleResponder, "370614")
	steward14 = accountOf(core.RoleSteward, "370614")
)

// version is the ETag of a layer as the account sees it.
func (w *world) version(account, layer string) string {
	w.t.Helper()
	a := w.send(account, http.MethodGet, "/api/v1/layers/"+layer, nil)
	if a.status != http.StatusOK {
		return `"1"`
	}
	return a.header.Get("ETag")
}

// features returns the ids of a layer's features by their keys, as the city's commander sees them.
func (w *world) features(layer string) map[string]int64 {
	w.t.Helper()
	var c FeatureCollection
	w.send(commander, http.MethodGet, "/api/v1/layers/"+layer+"/features", nil).decode(w.t, &c)
	ids := map[string]int64{}
	for _, f := range c.Features {
		ids[f.Properties.Key] = f.ID
	}
	return ids
}

func keys[V any](m map[string]V) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// greeter stands for the push hub, which has tests of its own: it says who was handed to it.
type greeter struct{}

func (greeter) Serve(w http.ResponseWriter, _ *http.Request, p core.Principal) error {
	_, err := io.WriteString(w, p.Login)
	return err
}

func (greeter) Check(_ *http.Request, origin string, _ core.Principal) error {
	if origin == "" || origin == "http://map.example" {
		return nil
	}
	return fault.NewCoded(fault.Forbidden, "Origin", push.CodeOriginForeign, origin, "map.example")
}
