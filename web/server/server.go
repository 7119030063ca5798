// Package server assembles the HTTP server: the routes of all domains, the pages, and the server's own routes for health,
// metrics and the description of the API.
package server

import (
	"errors"
	"io"
	"io/fs"
	"net/http"

	alertsapi "onemap/alerts/api"
	authapi "onemap/auth/api"
	catalogueapi "onemap/catalogue/api"
	"onemap/internal/core"
	"onemap/internal/httpx"
	sensorsapi "onemap/sensors/api"
	tilesapi "onemap/tiles/api"
	"onemap/web/page"
	pushapi "onemap/web/push/api"
)

// Options holds all parts of the server. New checks that none is missing.
type Options struct {
	HTTP      httpx.Options
	Auth      authapi.Options
	Alerts    alertsapi.Options
	Sensors   sensorsapi.Options
	Catalogue catalogueapi.Options
	Tiles     tilesapi.Options
	Push      pushapi.Options
	UI        fs.FS // the built pages; optional
	Timeline  Timeline
	Health    func() []core.Health
	Metrics   http.Handler
}

// Server is the complete HTTP server.
type Server struct {
	*httpx.Server

	o Options
}

// New returns the server. It returns an error that names a missing option.
func New(o Options) (*Server, error) {
	err := httpx.Complete("server", o, "UI")
	for _, room := range []interface{ Complete() error }{o.Auth, o.Alerts, o.Sensors, o.Catalogue, o.Tiles, o.Push} {
		if err == nil {
			err = room.Complete()
		}
	}
	if err == nil && o.HTTP.Sessions == nil {
		err = errors.New("server: Options.HTTP.Sessions is missing")
	}
	if err != nil {
		return nil, err
	}
	return Assemble(o)
}

// Assemble returns the server without checking the options. Its routes and its description are complete, which is enough to
// write the description.
func Assemble(o Options) (*Server, error) {
	pages := page.New(o.UI, o.HTTP.Base)
	o.HTTP.Build = pages.Build()
	h, err := httpx.New(o.HTTP)
	if err != nil {
		return nil, err
	}
	s := &Server{h, o}
	authapi.Mount(h, o.Auth)
	catalogueapi.Mount(h, o.Catalogue)
	sensorsapi.Mount(h, o.Sensors)
	alertsapi.Mount(h, o.Alerts)
	tilesapi.Mount(h, o.Tiles)
	pushapi.Mount(h, o.Push)
	s.healthRoutes()
	s.timelineRoutes()
	s.ownRoutes()
	// last, because the pages match every path that no other route does
	pages.Mount(h)
	return s, h.Seal()
}

// ownRoutes mounts the routes that are not JSON operations, and the errors for unknown paths of the API.
func (s *Server) ownRoutes() {
	s.HandlePlain(httpx.Plain{
		Route: httpx.Route{Path: "/api/v1/openapi.json", Need: httpx.View}, ID: "getOpenAPI", Summary: "This description",
		ContentType: "application/json", Amend: httpx.AnyObject,
	}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(s.OpenAPI())
	})
	s.HandlePlain(httpx.Plain{
		Route: httpx.Route{Path: "/healthz", Need: httpx.NeedNothing}, ID: "getLiveness", Summary: "The process is alive",
		ContentType: "text/plain; charset=utf-8",
	}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "ok\n")
	})
	s.HandlePlain(httpx.Plain{
		Route: httpx.Route{Path: "/metrics", Need: httpx.NeedMetrics}, ID: "getMetrics", Summary: "Prometheus metrics", ContentType: "text/plain",
	}, func(w http.ResponseWriter, r *http.Request) { s.o.Metrics.ServeHTTP(w, r) })
	for _, prefix := range []string{"/api/", "/tiles/", "/cap/"} {
		s.Handle(httpx.Route{Path: prefix, Need: httpx.NeedNothing}, s.Unknown)
	}
}
