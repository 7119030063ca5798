// Package api is onemap's HTTP: the JSON API with its OpenAPI description, vector tiles, CAP
// messages, the mount of the push endpoint, health, metrics, and the files of the UI.
//
// Every route stands in one table with what it needs (see Need); a request without it does not reach
// its handler. Every error leaves as application/problem+json through one table of kinds. The
// packages below decide what a scope may see; handlers hand it to them with every call.
package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"onemap/alerts"
	"onemap/auth"
	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/sensors"
	"onemap/tiles"
)

// Auth is people's sessions and accounts; auth.Service is one.
type Auth interface {
	Login(ctx context.Context, l auth.Login) (tokens auth.Tokens, p core.Principal, err error)
	// Authenticate counts as a use of the session, Identify does not.
	Authenticate(ctx context.Context, token string) (core.Principal, error)
	Identify(ctx context.Context, token string) (core.Principal, error)
	Logout(ctx context.Context, p core.Principal) error
	Sessions(ctx context.Context, actor core.Principal, login string, p core.Page) ([]auth.Session, error)
	RevokeSession(ctx context.Context, actor core.Principal, id int64) error
	ChangePassword(ctx context.Context, p core.Principal, c auth.PasswordChange) error
}

// Accounts is the management of accounts; auth.Service is one.
type Accounts interface {
	Accounts(ctx context.Context, actor core.Principal) ([]auth.Account, error)
	CreateAccount(ctx context.Context, actor core.Principal, n auth.NewAccount) (auth.Account, error)
	UpdateAccount(ctx context.Context, actor core.Principal, login string, c auth.AccountChange, ifVersion int64) (auth.Account, error)
	FailedLogins(ctx context.Context, actor core.Principal, f auth.FailedLoginFilter) ([]auth.FailedLogin, error)
}

// Divisions knows the division codes.
type Divisions interface {
	// Divisions lists the county units, or the towns.
	Divisions(ctx context.Context, towns bool) ([]catalogue.Division, error)
	// DivisionName is a name, or the code itself when it is in no list.
	DivisionName(ctx context.Context, code string) (core.Text, error)
}

// LayerEditor changes the features of a layer, and how it is drawn; catalogue.Service is one.
type LayerEditor interface {
	EditFeatures(ctx context.Context, p core.Principal, layer string, ifVersion int64, e catalogue.Edit) (catalogue.Layer, []int64, error)
	ChangeLayer(ctx context.Context, p core.Principal, layer string, ifVersion int64, c catalogue.LayerChange) (catalogue.Layer, error)
}

// AlertHandler takes people's steps on alerts; alerts.Desk is one.
type AlertHandler interface {
	Handle(ctx context.Context, p core.Principal, c alerts.Command) (alerts.Alert, error)
	HandleAll(ctx context.Context, p core.Principal, c alerts.Command, shown []alerts.Shown) ([]alerts.Result, error)
	Assignees(ctx context.Context, s core.Scope, alert int64) ([]alerts.Assignee, error)
	Export(ctx context.Context, s core.Scope, f alerts.Filter, most int, write func(alerts.Alert, []alerts.Audit) error) (more bool, err error)
}

// Tiles makes tiles; engine.Engine is one.
type Tiles interface {
	Tile(ctx context.Context, s core.Scope, r tiles.Request) (tiles.Tile, error)
	TileJSON(ctx context.Context, s core.Scope, layers []string, base string) (tiles.TileJSON, error)
	// Layers tells how each layer that the scope may know of is doing, State how all is.
	Layers(s core.Scope) []tiles.LayerState
	State() tiles.EngineState
}

// Pusher takes over a WebSocket handshake; push.Hub is one. When it gives an error nothing has been
// answered yet.
type Pusher interface {
	Serve(w http.ResponseWriter, r *http.Request, p core.Principal) error
	// Check returns the error that Serve would refuse a page of the origin with.
	Check(r *http.Request, origin string, p core.Principal) error
}

// Options is everything that the server is made of. The interfaces are required unless said
// otherwise; New names the one that is missing.
type Options struct {
	Version     string
	Node        string // this process's name, for people who look at several
	City        core.City
	Timezone    string // IANA; empty is Asia/Shanghai
	Simulated   bool   // a simulator feeds this server: said on every page
	Sources     []Source
	Attribution string // the credit line of the map

	Permissions []core.Permission // every domain's

	Auth       Auth
	Accounts   Accounts
	Displays   Displays
	Divisions  Divisions
	Catalogue  catalogue.Catalogue
	Editor     LayerEditor
	Search     catalogue.Searcher
	Registry   sensors.DeviceReader
	Devices    *sensors.Devices
	Alerts     alerts.AlertStore
	Handler    AlertHandler
	Silences   Silences
	Rules      *alerts.Rules
	CAP        alerts.CAPStore
	Tiles      Tiles
	Health     func() []core.Health
	Push       Pusher
	Metrics    http.Handler
	Timeline   Timeline
	Ingest     Ingest         // optional: a node that takes readings in
	UI         fs.FS          // the built pages; optional
	Secure     bool           // people reach this server over TLS through a proxy: cookies say so
	Proxies    []netip.Prefix // peers whose X-Forwarded-For, -Proto and -Host are believed; optional
	Origins    []string       // addresses of the pages, as "https://map.example.org", beside the server's own; optional
	Base       string         // path that everything is below, as "/onemap"; empty is the root
	OwnMetrics bool           // the metrics have a listener of their own: here they need a login, also on this machine
	Timeout    time.Duration  // for one answer, 0 is 30 s; not for Push
	Logger     *slog.Logger
	Registerer prometheus.Registerer // optional
	Clock      func() time.Time      // optional
}

// Server answers HTTP.
type Server struct {
	o       Options
	log     *slog.Logger
	now     func() time.Time
	mux     *http.ServeMux
	huma    huma.API
	routes  []Route
	index   []byte // index.html with the base path; nil without the pages
	build   string // of the pages; empty without them
	openapi []byte
	metrics metrics
	handler http.Handler
	writers *sync.Pool
	packed  sync.Map // name of a page's file → its gzip
}

// New makes the server. An error names what Options lack.
func New(o Options) (*Server, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	return build(o)
}

// complete reports the first required part that is missing.
func (o Options) complete() error {
	v := reflect.ValueOf(o)
	for i := range v.NumField() {
		switch f := v.Type().Field(i); f.Type.Kind() {
		case reflect.Interface, reflect.Func, reflect.Pointer:
			if optional := f.Name == "Ingest" || f.Name == "UI" || f.Name == "Registerer" || f.Name == "Clock"; !optional && v.Field(i).IsNil() {
				return fmt.Errorf("api: Options.%s is missing", f.Name)
			}
		default:
		}
	}
	if o.City.Code == "" {
		return errors.New("api: Options.City is missing")
	}
	return nil
}

func build(o Options) (*Server, error) {
	s := &Server{o: o, log: o.Logger, now: o.Clock, mux: http.NewServeMux(), writers: newWriters(), metrics: newMetrics(o.Registerer)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if err := validBase(s.o.Base); err != nil {
		return nil, err
	}
	if s.o.Timezone == "" {
		s.o.Timezone = "Asia/Shanghai"
	}
	if s.o.Timeout <= 0 {
		s.o.Timeout = 30 * time.Second
	}
	s.index = s.pageIndex()
	s.build = s.pageBuild()
	s.huma = s.newHuma()
	s.sessionRoutes()
	s.accountRoutes()
	s.displayRoutes()
	s.placeRoutes()
	s.layerRoutes()
	s.deviceRoutes()
	s.chartRoutes()
	s.ruleRoutes()
	s.alertRoutes()
	s.silenceRoutes()
	s.healthRoutes()
	s.ingestRoutes()
	s.presenceRoutes()
	if err := s.describe(); err != nil {
		return nil, err
	}
	s.plainRoutes()
	if err := declared(s.routes, o.Permissions); err != nil {
		return nil, err
	}
	handler, err := s.middleware(s.mux)
	if err != nil {
		return nil, err
	}
	s.handler = handler
	return s, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Routes lists every route with what it needs, in the order of registration.
func (s *Server) Routes() []Route { return s.routes }

// OpenAPI is the API's description, OpenAPI 3.1 as JSON.
func (s *Server) OpenAPI() []byte { return s.openapi }

// writeTimeout is how long the sending of one answer may take.
const writeTimeout = 2 * time.Minute

// HTTPServer wraps the handler with the timeouts that a server facing people should have.
func (s *Server) HTTPServer() *http.Server {
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}
