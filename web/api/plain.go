package api

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"onemap/internal/fault"
	"onemap/tiles"
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

// push hands the connection over to the hub; what it refuses leaves as a problem.
func (s *Server) push(w http.ResponseWriter, r *http.Request) {
	p, ok := principalOf(r.Context())
	if !ok {
		s.fail(w, r, fault.New(fault.Unauthenticated, "log in first"))
		return
	}
	if err := s.o.Push.Serve(w, r, p); err != nil {
		s.fail(w, r, err)
	}
}

// unknown answers what no route takes: 405 when another method would do, else 404.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = m
		if _, pattern := s.mux.Handler(probe); strings.HasPrefix(pattern, m+" ") {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) > 0 {
		s.methodNotAllowed(w, r, allowed)
		return
	}
	s.fail(w, r, notFound("there is nothing at %s", cut(r.URL.Path)))
}

func (s *Server) methodNotAllowed(w http.ResponseWriter, r *http.Request, allowed []string) {
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	p := newProblem(fault.Invalid, "this takes "+strings.Join(allowed, ", "))
	p.Status, p.Title = http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed)
	s.fail(w, r, p)
}

// thinnedHeader names the layers of a tile that were over their budget of bytes, with how many
// features they show of how many.
const thinnedHeader = "X-Onemap-Thinned"

// tile answers with one tile: always 200 or 304, with an empty body where nothing is.
func (s *Server) tile(w http.ResponseWriter, r *http.Request) {
	p, _ := principalOf(r.Context())
	row, ok := strings.CutSuffix(r.PathValue("y"), ".mvt")
	if !ok {
		s.fail(w, r, notFound("a tile's address ends in .mvt"))
		return
	}
	address, err := tiles.ParseAddress(r.PathValue("z"), r.PathValue("x"), row)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	t, err := s.o.Tiles.Tile(r.Context(), p.Scope(), tiles.Request{
		Layers: r.PathValue("layers"), Address: address, Gzip: takesGzip(r), IfNone: r.Header.Get("If-None-Match"),
	})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("ETag", t.ETag)
	if t.Thinned != "" {
		h.Set(thinnedHeader, t.Thinned)
	}
	h.Set("Cache-Control", "private, no-cache")
	h.Add("Vary", "Accept-Encoding")
	if t.NotModified {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/vnd.mapbox-vector-tile")
	if t.Gzip {
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(t.Bytes)))
	_, _ = w.Write(t.Bytes)
}

func (s *Server) tileJSON(w http.ResponseWriter, r *http.Request) {
	p, _ := principalOf(r.Context())
	names, ok := strings.CutSuffix(r.PathValue("layers"), ".json")
	if !ok {
		s.fail(w, r, notFound("the description of tiles ends in .json"))
		return
	}
	layers, err := tiles.ParseLayers(names)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	doc, err := s.o.Tiles.TileJSON(r.Context(), p.Scope(), layers, s.address(r))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "private, no-cache")
	s.writeJSON(w, r, doc)
}

// takesGzip reports whether the client accepts gzip: named without a weight of zero.
func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, params, _ := strings.Cut(part, ";")
		if coding = strings.TrimSpace(coding); coding != "gzip" && coding != "*" {
			continue
		}
		weight, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		if !ok {
			return true
		}
		q, err := strconv.ParseFloat(weight, 64)
		return err == nil && q > 0
	}
	return false
}
