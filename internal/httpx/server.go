// Package httpx is the base of the HTTP API. It has one table of routes, each with what it requires of the caller; JSON
// operations with their description (OpenAPI 3.1); one table of error kinds and statuses (problem+json, RFC 9457); ETags,
// pages of lists, compression and proxies. It knows no domain: the domains mount their routes on a Server.
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

// Sessions finds the principal of a session token.
type Sessions interface {
	// Authenticate returns the principal and counts as use of the session. Identify does not count as use.
	Authenticate(ctx context.Context, token string) (core.Principal, error)
	Identify(ctx context.Context, token string) (core.Principal, error)
}

// Options configures a server. Sessions and Permissions are required.
type Options struct {
	Sessions    Sessions
	Permissions []core.Permission // those of all domains

	Build      string         // name of the build of the pages; it is in a header of every response
	Secure     bool           // users reach this server by TLS through a proxy, so cookies are Secure
	Proxies    []netip.Prefix // trusted peers, whose X-Forwarded-For, -Proto and -Host are used; optional
	Origins    []string       // other origins of the pages, such as "https://map.example.org"; optional
	Base       string         // path below which everything is served, such as "/onemap"; empty: the root
	OwnMetrics bool           // the metrics have their own listener, so this one needs a login for them even locally
	Timeout    time.Duration  // time limit of a response; 0 means 30 s
	Logger     *slog.Logger
	Registerer prometheus.Registerer // optional
	Clock      func() time.Time      // optional
}

// Server is the HTTP server. Domains mount their routes on it before Seal.
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

// New returns a server without routes. It returns an error if an option is wrong.
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

// Seal completes the description and adds the middleware. It returns an error if a route has no valid need. No route can be
// mounted after it.
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

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Routes returns all routes with their needs, in the order of registration.
func (s *Server) Routes() []Route { return s.routes }

// Huma returns the description before Seal, for additions that the types of an operation do not show.
func (s *Server) Huma() *huma.OpenAPI { return s.huma.OpenAPI() }

// OpenAPI returns the description of the API, OpenAPI 3.1 as JSON.
func (s *Server) OpenAPI() []byte { return s.openapi }

// Now returns the time of the server's clock.
func (s *Server) Now() time.Time { return s.now() }

// Log returns the server's logger.
func (s *Server) Log() *slog.Logger { return s.log }

// Base returns the path below which everything is served; "" is the root.
func (s *Server) Base() string { return s.o.Base }

// Build returns the name of the build of the pages.
func (s *Server) Build() string { return s.o.Build }

// Permissions returns the permissions of all domains.
func (s *Server) Permissions() []core.Permission { return s.o.Permissions }

// writeTimeout is the time limit for sending one response.
const writeTimeout = 2 * time.Minute

// HTTPServer returns an http.Server with timeouts against slow clients.
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

// Complete returns an error that names the first required field of options that is nil. It checks interfaces, functions and
// pointers; optional names those that may be nil.
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
