package api

import (
	"io"
	"net/http"
)

const (
	pushPath  = "/ws"
	tilesPath = "/tiles/"
)

// plainRoutes mounts what is no JSON operation: tiles, CAP, push, metrics, the pages. ServeMux has no
// patterns like {y}.mvt, so those handlers cut the ending off themselves.
func (s *Server) plainRoutes() {
	get := func(path string, need Need, h http.HandlerFunc) {
		s.handle(Route{Method: http.MethodGet, Path: path, Need: need}, h)
	}
	get("/tiles/{layers}/{z}/{x}/{y}", needView, s.tile)
	get("/tiles/{layers}", needView, s.tileJSON)
	get("/cap/alerts/{file}", needView, s.capMessage)
	get("/cap/feed.atom", needView, s.capFeed)
	get("/api/v1/openapi.json", needView, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(s.openapi)
	})
	get("/healthz", NeedNothing, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "ok\n")
	})
	get(pushPath, needView, s.push)
	get("/metrics", NeedMetrics, func(w http.ResponseWriter, r *http.Request) { s.o.Metrics.ServeHTTP(w, r) })

	for _, prefix := range []string{"/api/", tilesPath, "/cap/"} {
		s.handle(Route{Path: prefix, Need: NeedNothing}, s.unknown)
	}
	s.handle(Route{Path: "/", Need: NeedNothing}, s.page)
}
