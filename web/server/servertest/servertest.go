// Package servertest provides a complete server on a real database for tests, with every role in every division.
package servertest

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

	"github.com/alexedwards/argon2id"
	"github.com/paulmach/orb"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"onemap/alerts"
	alertsapi "onemap/alerts/api"
	"onemap/alerts/cap"
	"onemap/auth"
	authapi "onemap/auth/api"
	"onemap/catalogue"
	catalogueapi "onemap/catalogue/api"
	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/httpx"
	"onemap/sensors"
	sensorsapi "onemap/sensors/api"
	tilesapi "onemap/tiles/api"
	"onemap/tiles/engine"
	pushapi "onemap/web/push/api"
	"onemap/web/server"
)

// Password is the password of every account.
const Password = "correct horse battery"

// Divisions returns the divisions of the tests' principals: the city and two of its counties.
func Divisions() []string { return []string{"3706", "370602", "370614"} }

// Permissions returns all permissions that the routes need.
func Permissions() []core.Permission {
	return []core.Permission{core.PermView, alerts.PermAcknowledge, alerts.PermHandle, core.PermEditData, alerts.PermEditRules, auth.PermAccounts}
}

// World is a complete server on a real database, with an account for every role in every division.
type World struct {
	T       testing.TB
	DB      *stores.Stores
	People  *auth.Service
	API     *server.Server
	Options server.Options // options of API
	HTTP    *httptest.Server
	Clock   *TestClock
	Log     *LockedBuffer
	Health  []core.Health

	Tokens  map[string]string // session token by account
	Streams map[string]int64  // datastream id by device
	Alert   alerts.Alert      // an open alert in 370602
	Rule    alerts.Rule
}

// TestClock is a clock that the test sets.
type TestClock struct {
	mu sync.Mutex
	t  time.Time
}

// Now returns the time of the clock.
func (c *TestClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// Pass moves the clock forward.
func (c *TestClock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// LockedBuffer is a buffer for a log that several goroutines write.
type LockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *LockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns what was written.
func (l *LockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Tiles returns a tile engine on the world's database, with its layers loaded.
func (w *World) Tiles(o engine.Options) *engine.Engine {
	w.T.Helper()
	feed := w.DB.Tiles.ChangeFeed()
	e, err := engine.New(o, engine.Parts{Loader: w.DB.Tiles, Feed: feed, Database: w.DB.Tiles}, nil, nil, nil)
	w.Must(err)
	ctx, stop := context.WithCancel(w.T.Context())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	w.T.Cleanup(func() {
		stop()
		w.Must(<-done)
		feed.Close()
	})
	for !e.Ready() {
		time.Sleep(5 * time.Millisecond)
	}
	return e
}

// NewWorld returns a world. change may replace parts of the options.
func NewWorld(t testing.TB, change func(*server.Options)) *World {
	t.Helper()
	w := &World{
		T: t, DB: storetest.NewDB(t), Clock: &TestClock{t: time.Now().UTC()}, Log: &LockedBuffer{},
		Tokens: map[string]string{}, Streams: map[string]int64{},
		Health: []core.Health{{Part: "database", OK: true}, {Part: "broker", OK: true, Detail: "3 clients"}},
	}
	w.People = auth.NewService(auth.Options{
		Params: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	}, w.DB.Auth, w.DB.Auth, w.DB.Auth, nil, nil, w.Clock.Now)
	w.fillPlaces()
	w.fillDevices()
	w.fillAlerts()
	reg := prometheus.NewRegistry()
	quiet := slog.New(slog.DiscardHandler)
	city := core.City{Code: "3706", Name: core.Text{ZH: "烟台市", EN: "Yantai"}, BBox: []float64{119, 36, 122, 39}, Center: []float64{121, 37}}
	o := server.Options{
		HTTP: httpx.Options{
			Sessions: w.People, Permissions: Permissions(), Registerer: reg, Logger: slog.New(slog.NewTextHandler(w.Log, nil)), Clock: w.Clock.Now,
		},
		Auth: authapi.Options{
			Sessions: w.People, Accounts: w.People, Displays: w.People, Divisions: w.DB.Catalogue, City: city, Version: "1.2.3", Node: "n1", Simulated: true,
		},
		Alerts: alertsapi.Options{
			Alerts: w.DB.Alerts, Handler: alerts.NewDesk(w.DB.Alerts, quiet, w.Clock.Now), Silences: alerts.NewSilences(w.DB.Alerts, quiet, w.Clock.Now),
			Rules: storetest.Rules(w.DB), CAP: w.DB.Alerts, Divisions: w.DB.Catalogue, City: city,
		},
		Sensors: sensorsapi.Options{Reader: w.DB.Sensors, Devices: storetest.Devices(w.DB), Conflicts: w.DB.Sensors, Ingest: Told{}},
		Catalogue: catalogueapi.Options{
			Catalogue: w.DB.Catalogue, Editor: storetest.Catalogue(w.DB), Search: w.DB.Catalogue, Divisions: w.DB.Catalogue,
			Sources: []catalogueapi.Source{{File: "land.geojson"}}, Attribution: "credits",
		},
		Tiles: tilesapi.Options{Tiles: w.Tiles(engine.Options{}), Catalogue: w.DB.Catalogue}, Push: pushapi.Options{Push: greeter{}},
		Timeline: w.DB.Sensors, Health: func() []core.Health { return w.Health }, Metrics: promhttp.HandlerFor(reg, promhttp.HandlerOpts{}),
	}
	if change != nil {
		change(&o)
	}
	w.Serve(o)
	w.fillPeople()
	return w
}

// Serve replaces the server by a new one with the given options, on the same database.
func (w *World) Serve(o server.Options) {
	w.T.Helper()
	var err error
	w.Options = o
	w.API, err = server.New(o)
	w.Must(err)
	w.HTTP = httptest.NewServer(w.API)
	w.T.Cleanup(func() {
		w.HTTP.CloseClientConnections() // otherwise Close would wait for requests with an incomplete body
		w.HTTP.Close()
	})
}

// Must fails the test if err is not nil.
func (w *World) Must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// Bystander is an observer of 370602 who is never logged in.
const Bystander = "bystander"

// AccountOf returns the login of a role in a division.
func AccountOf(role core.Role, division string) string {
	return strings.ReplaceAll(string(role), "_", "-") + "." + division
}

// fillPeople creates an account for every role in every division, including combinations that the rules for accounts do not
// allow. The checks of the routes must not depend on those rules.
func (w *World) fillPeople() {
	hash, err := argon2id.CreateHash(Password, &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	w.Must(err)
	_, err = w.DB.Auth.CreateAccount(w.T.Context(), auth.Account{Login: Bystander, Name: Bystander, Role: core.RoleObserver, Division: "370602"}, hash, "test")
	w.Must(err)
	for _, role := range core.Roles() {
		for _, division := range Divisions() {
			login := AccountOf(role, division)
			_, err := w.DB.Auth.CreateAccount(w.T.Context(), auth.Account{Login: login, Name: login, Role: role, Division: division}, hash, "test")
			w.Must(err)
			tokens, _, err := w.People.Login(w.T.Context(), auth.Login{User: login, Password: Password})
			w.Must(err)
			w.Tokens[login] = tokens.Session
		}
	}
	for _, role := range core.DisplayRoles() {
		for _, division := range Divisions() {
			w.fillDisplay(role, division)
		}
	}
}

// Roles returns the roles of people and then those of displays.
func Roles() []core.Role { return append(core.Roles(), core.DisplayRoles()...) }

// fillDisplay logs a device in as a display.
func (w *World) fillDisplay(role core.Role, division string) {
	mode := auth.DisplayReads
	if role == core.RoleDisplayAck {
		mode = auth.DisplayAcknowledges
	}
	root := core.Principal{Login: "test", Role: core.RoleAdministrator, Division: "3706"}
	login := AccountOf(role, division)
	_, link, err := w.People.CreateDisplay(w.T.Context(), root, auth.NewDisplay{Name: login, Division: division, Mode: mode, Start: auth.StartWall})
	w.Must(err)
	w.Tokens[login], _, err = w.People.ClaimLink(w.T.Context(), link, netip.Addr{}, "kiosk")
	w.Must(err)
}

// records is a catalogue.Reader of features in memory.
type records struct{ rest []catalogue.Feature }

// Next implements catalogue.Reader.
func (r *records) Next() (catalogue.Record, *catalogue.Refusal, error) {
	if len(r.rest) == 0 {
		return catalogue.Record{}, nil, io.EOF
	}
	f := r.rest[0]
	r.rest = r.rest[1:]
	return catalogue.Record{Line: 1, Feature: f}, nil, nil
}

// fillPlaces creates divisions and three layers: land for all users, plans for commanders, shelters by division.
func (w *World) fillPlaces() {
	w.Must(storetest.Catalogue(w.DB).PutDivisions(w.T.Context(), storetest.Root(), []catalogue.Division{
		{Code: "3706", Name: core.Text{ZH: "烟台市", EN: "Yantai"}, Lon: 121.4, Lat: 37.5},
		{Code: "370602", Name: core.Text{ZH: "芝罘区", EN: "Zhifu"}, Lon: 121.4, Lat: 37.5},
		{Code: "370614", Name: core.Text{ZH: "蓬莱区", EN: "Penglai"}, Lon: 120.8, Lat: 37.8},
		{Code: "370602001", Name: core.Text{ZH: "向阳街道", EN: "Xiangyang"}, Lon: 121.4, Lat: 37.5},
	}))
	layer := func(name string, a core.Audience, features ...catalogue.Feature) {
		_, err := storetest.Catalogue(w.DB).ImportLayer(w.T.Context(), storetest.Root(), catalogue.Layer{
			Name: name, Theme: catalogue.ThemeResource, Title: core.Text{ZH: name, EN: name}, Origin: core.OriginSynthetic, Audience: a,
			Source: "test", GeometryType: "Geometry", MaxZoom: 14, UpdatedOn: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Attribution: "© test",
			Fields: []catalogue.Field{{Name: "beds", Type: "integer", Title: core.Text{ZH: "床位", EN: "Beds"}, InTile: true}, {Name: "phone", Type: "string"}},
		}, &records{features}, catalogue.ImportOptions{})
		w.Must(err)
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

// fillDevices creates one device in each county, dev-02 and dev-14, with two readings.
func (w *World) fillDevices() {
	ctx := w.T.Context()
	w.Must(w.DB.Sensors.PutHazardTypes(ctx, []sensors.HazardType{{
		Code: "flood", Title: core.Text{ZH: "洪水", EN: "Flood"}, Sector: "natural_disaster", CAPCategory: "Met", RadiusM: 2000, LeadMinutes: 60,
	}}))
	w.Must(w.DB.Sensors.PutDatastreamTypes(ctx, []sensors.DatastreamType{
		{Code: "level", Title: core.Text{ZH: "水位", EN: "Water level"}, Unit: "m", Symbol: "m", HazardType: "flood", Min: -10, Max: 100, IntervalS: 60},
		{Code: "rain", Title: core.Text{ZH: "雨量", EN: "Rain"}, Unit: "mm/h", Symbol: "mm/h", HazardType: "flood", Min: 0, Max: 500, IntervalS: 60},
	}))
	for _, id := range []string{"dev-02", "dev-14"} {
		d, err := w.DB.Sensors.CreateDevice(ctx, sensors.Device{
			ID: id, Division: "3706" + id[4:], Name: core.Text{ZH: "演示-" + id}, HazardType: "flood", Lon: 121.4, Lat: 37.5,
			Origin: core.OriginSynthetic, Source: "test", Enabled: true, Streams: []sensors.Datastream{{Name: "level", Type: "level"}},
		}, sensors.HashSecret("x"), "test")
		w.Must(err)
		w.Streams[id] = d.Streams[0].ID
		at := w.Clock.Now().Add(-time.Minute).Truncate(time.Millisecond)
		_, err = w.DB.Sensors.CommitBatch(ctx, sensors.Batch{Observations: []sensors.Observation{
			{DatastreamID: w.Streams[id], Time: at, Value: 1, QC: sensors.QCGood, TimeSource: sensors.TimeDevice, ReceivedAt: at},
			{DatastreamID: w.Streams[id], Time: at.Add(time.Second), Value: 2, QC: sensors.QCGood, TimeSource: sensors.TimeDevice, ReceivedAt: at},
		}})
		w.Must(err)
	}
}

// fillAlerts creates one red alert in 370602.
func (w *World) fillAlerts() {
	ctx := w.T.Context()
	var err error
	w.Rule, err = w.DB.Alerts.CreateRule(ctx, alerts.Rule{
		Name: core.Text{ZH: "水位", EN: "Water level"}, Type: "level", Direction: alerts.Above, Enabled: true, Origin: core.OriginReal,
		Thresholds: []alerts.Threshold{{Level: core.Red, Raise: 5, Clear: 4}},
	}, "test")
	w.Must(err)
	now := w.Clock.Now().Truncate(time.Second)
	xml, err := cap.Marshal(cap.Message{
		Identifier: "onemap-1", Sender: "onemap.test", Sent: now, Status: cap.StatusActual, MsgType: cap.TypeAlert, Scope: cap.ScopePublic,
		Infos: []cap.Info{{
			Language: "zh-CN", Categories: []cap.Category{"Met"}, Event: "洪水", Urgency: cap.UrgencyImmediate, Severity: cap.SeverityExtreme,
			Certainty: cap.CertaintyObserved, Expires: now.Add(time.Hour), Headline: "芝罘区洪水红色预警", Description: "水位 5.5 m",
			Areas: []cap.Area{{Desc: "芝罘区", Polygons: []orb.Ring{{{121, 37}, {122, 37}, {122, 38}, {121, 37}}}}},
		}},
	})
	w.Must(err)
	from, err := w.DB.Alerts.Cursor(ctx)
	w.Must(err)
	stored, err := w.DB.Alerts.Apply(ctx, alerts.Step{From: from, To: core.Mark{Seq: from.Seq + 1}, Changes: []alerts.Change{{
		Kind: alerts.EventIssued,
		Alert: alerts.Alert{
			RuleID: w.Rule.ID, DatastreamID: w.Streams["dev-02"], DeviceID: "dev-02", Level: core.Red, PeakLevel: core.Red,
			Detection: alerts.Firing, Handling: alerts.New, Division: "370602", Divisions: []string{"370602"},
			Headline: core.Text{ZH: "洪水红色预警", EN: "Red flood alert"}, Lon: 121.4, Lat: 37.5,
			Area: orb.Polygon{{{121, 37}, {122, 37}, {122, 38}, {121, 37}}}, Onset: now, OpenedAt: now, UpdatedAt: now, Value: 5.5, ValueAt: now,
			Threshold: 5, Direction: alerts.Above, Origin: core.OriginSynthetic, Identifier: "onemap-1", Expires: now.Add(time.Hour),
		},
		Message: &alerts.Message{Identifier: "onemap-1", MsgType: "Alert", Sent: now, Expires: now.Add(time.Hour), XML: xml},
	}}})
	w.Must(err)
	w.Alert = stored[0]
}

// Answer is a response.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Problem decodes a response that must be a problem.
func (a Answer) Problem(t testing.TB) httpx.Problem {
	t.Helper()
	var p httpx.Problem
	if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("status %d with %q: %.200s", a.Status, got, a.Body)
	}
	if err := json.Unmarshal(a.Body, &p); err != nil {
		t.Fatalf("%v in %.200s", err, a.Body)
	}
	if p.Status != a.Status || p.Title == "" || p.Type == "" || p.Kind == "" {
		t.Errorf("the problem %+v does not fit the status %d", p, a.Status)
	}
	return p
}

// Decode decodes a response that must not be a problem.
func (a Answer) Decode(t testing.TB, into any) {
	t.Helper()
	if a.Status >= 300 {
		t.Fatalf("status %d: %.300s", a.Status, a.Body)
	}
	if err := json.Unmarshal(a.Body, into); err != nil {
		t.Fatalf("%v in %.300s", err, a.Body)
	}
}

// Send sends a request as an account. An empty account sends no session. A body that is not a string is sent as JSON.
// headers are alternating names and values.
func (w *World) Send(account, method, path string, body any, headers ...string) Answer {
	w.T.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	case io.Reader:
		reader = b
	default:
		raw, err := json.Marshal(b)
		w.Must(err)
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(w.T.Context()), method, w.HTTP.URL+path, reader)
	w.Must(err)
	if account != "" {
		token, ok := w.Tokens[account]
		if !ok {
			w.T.Fatalf("there is no account %q", account)
		}
		req.Header.Set("Cookie", httpx.SessionCookie+"="+token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	w.Must(err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	w.Must(err)
	return Answer{res.StatusCode, res.Header, raw}
}

// The accounts that most tests use.
const (
	Commander = "city-commander.3706"
	Steward   = "data-steward.3706"
	Admin     = "administrator.3706"
	Observer  = "observer.3706"
	R02       = "county-responder.370602"
	R14       = "county-responder.370614"
	Steward14 = "data-steward.370614"
)

// Version returns the ETag of a layer as the account sees it.
func (w *World) Version(account, layer string) string {
	w.T.Helper()
	a := w.Send(account, http.MethodGet, "/api/v1/layers/"+layer, nil)
	if a.Status != http.StatusOK {
		return `"1"`
	}
	return a.Header.Get("ETag")
}

// Features returns the ids of a layer's features by their keys, as the city's commander sees them.
func (w *World) Features(layer string) map[string]int64 {
	w.T.Helper()
	var c catalogueapi.FeatureCollection
	w.Send(Commander, http.MethodGet, "/api/v1/layers/"+layer+"/features", nil).Decode(w.T, &c)
	ids := map[string]int64{}
	for _, f := range c.Features {
		ids[f.Properties.Key] = f.ID
	}
	return ids
}

// Keys returns the sorted keys of a map.
func Keys[V any](m map[string]V) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// greeter replaces the push hub, which has its own tests. It answers with the login of the principal.
type greeter struct{}

// Serve implements pushapi.Pusher.
func (greeter) Serve(w http.ResponseWriter, _ *http.Request, p core.Principal) error {
	_, err := io.WriteString(w, p.Login)
	return err
}

// Check implements pushapi.Pusher.
func (greeter) Check(_ *http.Request, origin string, _ core.Principal) error {
	if origin == "" || origin == "http://map.example" {
		return nil
	}
	return fault.NewCoded(fault.Forbidden, "Origin", httpx.CodeOriginForeign, origin, "map.example")
}

// LogIn sends a login.
func (w *World) LogIn(user, password string, headers ...string) Answer {
	w.T.Helper()
	return w.Send("", http.MethodPost, "/api/v1/session", map[string]string{"user": user, "password": password}, headers...)
}
