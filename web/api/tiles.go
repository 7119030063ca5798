package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"onemap/internal/core"
	"onemap/tiles"
)

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

// LayerHealth is how the layers are doing in the tile engine.
type LayerHealth struct {
	Items []tiles.LayerState `json:"items"`
	tiles.EngineState
}

func (s *Server) layerHealth(ctx context.Context, p core.Principal, _ *none) (*body[LayerHealth], error) {
	entries, err := s.o.Catalogue.Layers(ctx, p.Scope())
	if err != nil {
		return nil, err
	}
	versions := make(map[string]int64, len(entries))
	for _, l := range entries {
		versions[l.Name] = l.Version
	}
	items := s.o.Tiles.Layers(p.Scope())
	for i := range items {
		items[i].CatalogueVersion = versions[items[i].Layer]
	}
	return &body[LayerHealth]{LayerHealth{Items: orEmpty(items), EngineState: s.o.Tiles.State()}}, nil
}
