// Package httpx is the frame of the HTTP API: one table of routes, each with what it needs of the caller; JSON operations
// with their description (OpenAPI 3.1); errors as problem+json by one table of kinds; ETags, pages of lists, compression,
// proxies. It knows no domain: those mount their routes on a Server.
package httpx

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/core"
)

// Sessions tells who is behind a token.
type Sessions interface {
	// Authenticate counts as a use of the session, Identify does not.
	Authenticate(ctx context.Context, token string) (core.Principal, error)
	Identify(ctx context.Context, token string) (core.Principal, error)
}

// Options says how the server answers. Sessions and Permissions are required.
type Options struct {
	Sessions    Sessions
	Permissions []core.Permission // every domain's

	Build      string         // name of the pages' build, which every answer tells
	Secure     bool           // people reach this server over TLS through a proxy: cookies say so
	Proxies    []netip.Prefix // peers whose X-Forwarded-For, -Proto and -Host are believed; optional
	Origins    []string       // addresses of the pages, as "https://map.example.org", beside the server's own; optional
	Base       string         // path that everything is below, as "/onemap"; empty is the root
	OwnMetrics bool           // the metrics have a listener of their own: here they need a login, also on this machine
	Timeout    time.Duration  // for one answer, 0 is 30 s
	Logger     *slog.Logger
	Registerer prometheus.Registerer // optional
	Clock      func() time.Time      // optional
}

// Server answers HTTP. Domains mount their routes on it; Seal ends that.
type Server struct {
	o        Options
	log      *slog.Logger
	now      func() time.Time
	mux      *http.ServeMux
	huma     huma.API
	routes   []Route
	plain    []Plain
	amend    []func(*huma.OpenAPI)
	texts    map[string]Pattern            // by place: see Text
	stated   map[string]func(*huma.Schema) // by place: what the description states of the member
	openapi  []byte
	metrics  metrics
	handler  http.Handler
	compress func(http.Handler) http.HandlerFunc
}

// New makes a server without routes. An error names what of the options is wrong.
func New(o Options) (*Server, error) {
	if err := validBase(o.Base); err != nil {
		return nil, err
	}
	s := &Server{
		o: o, log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)), now: o.Clock, mux: http.NewServeMux(),
		texts: map[string]Pattern{}, stated: map[string]func(*huma.Schema){}, metrics: newMetrics(o.Registerer),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.o.Timeout <= 0 {
		s.o.Timeout = 30 * time.Second
	}
	var err error
	if s.compress, err = newCompressor(); err != nil {
		return nil, err
	}
	s.huma = s.newHuma()
	return s, nil
}

// Seal describes the API and puts what every request passes before the routes. Nothing can be mounted after it.
func (s *Server) Seal() error {
	if err := s.describe(); err != nil {
		return err
	}
	if err := declared(s.routes, s.o.Permissions); err != nil {
		return err
	}
	handler, err := s.middleware(s.mux)
	s.handler = handler
	return err
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Routes lists every route with what it needs, in the order of registration.
func (s *Server) Routes() []Route { return s.routes }

// Huma is the description under way, for what an operation's types do not say.
func (s *Server) Huma() *huma.OpenAPI { return s.huma.OpenAPI() }

// OpenAPI is the API's description, OpenAPI 3.1 as JSON.
func (s *Server) OpenAPI() []byte { return s.openapi }

// Now is the server's clock.
func (s *Server) Now() time.Time { return s.now() }

// Log is the server's logger.
func (s *Server) Log() *slog.Logger { return s.log }

// Base is the path that everything is below; empty is the root.
func (s *Server) Base() string { return s.o.Base }

// Build is the name of the pages' build.
func (s *Server) Build() string { return s.o.Build }

// Permissions lists every domain's permissions.
func (s *Server) Permissions() []core.Permission { return s.o.Permissions }

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

// Complete reports the first part that a room's options lack: an interface, a function or a pointer that is nil and not
// named as optional.
func Complete(room string, options any, optional ...string) error {
	v := reflect.ValueOf(options)
	for i := range v.NumField() {
		switch f := v.Type().Field(i); f.Type.Kind() {
		case reflect.Interface, reflect.Func, reflect.Pointer:
			if !slices.Contains(optional, f.Name) && v.Field(i).IsNil() {
				return fmt.Errorf("%s: Options.%s is missing", room, f.Name)
			}
		default:
		}
	}
	return nil
}
