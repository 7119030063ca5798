// Package tilesapi serves tiles over HTTP.
package tilesapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/tiles"
)

// Tiles makes tiles; engine.Engine is one.
type Tiles interface {
	Tile(ctx context.Context, s core.Scope, r tiles.Request) (tiles.Tile, error)
	TileJSON(ctx context.Context, s core.Scope, layers []string, base string) (tiles.TileJSON, error)
	// Layers tells how each layer that the scope may know of is doing, State how all is.
	Layers(s core.Scope) []tiles.LayerState
	State() tiles.EngineState
}

// Versions knows at which version the catalogue has each layer.
type Versions interface {
	Layers(ctx context.Context, s core.Scope) ([]catalogue.Layer, error)
}

// Options is what the routes stand on.
type Options struct {
	Tiles     Tiles
	Catalogue Versions
}

// Complete reports the first required part that is missing.
func (o Options) Complete() error { return httpx.Complete("tilesapi", o) }

// API serves the HTTP endpoints for tiles.
type API struct {
	*httpx.Server

	o Options
}

// Mount puts the routes on the server. ServeMux has no patterns like {y}.mvt, so the handlers cut the ending off
// themselves.
func Mount(h *httpx.Server, o Options) {
	s := &API{h, o}
	text := func(name, doc, pattern string) *huma.Param {
		return &huma.Param{Name: name, In: "path", Required: true, Description: doc, Schema: &huma.Schema{Type: huma.TypeString, Pattern: pattern}}
	}
	number := func(name, doc string, most float64) *huma.Param {
		return &huma.Param{Name: name, In: "path", Required: true, Description: doc, Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: new(0.0), Maximum: &most}}
	}
	const maxRow = 1<<22 - 1
	layers := text("layers", "1 to 20 names of layers, joined by commas", `^[a-z][a-z0-9_]{0,62}(\.label)?(,[a-z][a-z0-9_]{0,62}(\.label)?){0,19}$`)
	wrong, unknown := http.StatusBadRequest, http.StatusNotFound
	h.HandlePlain(httpx.Plain{
		Route: httpx.Route{Path: "/tiles/{layers}/{z}/{x}/{y}", Need: httpx.View, Time: httpx.Endless}, Doc: "/tiles/{layers}/{z}/{x}/{y}.mvt", ID: "getTile",
		Summary: "A vector tile of one or more layers (MVT 2.1)", ContentType: "application/vnd.mapbox-vector-tile", Statuses: []int{wrong, unknown},
		Params: []*huma.Param{layers, number("z", "zoom", 22), number("x", "column", maxRow), number("y", "row, from the north", maxRow)},
		Amend:  describeTile,
	}, s.tile)
	h.HandlePlain(httpx.Plain{
		Route: httpx.Route{Path: "/tiles/{layers}", Need: httpx.View, Time: httpx.Endless}, Doc: "/tiles/{layers}.json", ID: "getTileJSON",
		Summary: "TileJSON 3.0 of one or more layers", ContentType: "application/json", Statuses: []int{wrong, unknown}, Params: []*huma.Param{layers},
		Amend: httpx.AnyObject,
	}, s.tileJSON)
	httpx.Register(s.Server, httpx.EditData, httpx.Op(http.MethodGet, "/api/v1/tiles/layers", "getLayerHealth",
		"How each layer is doing in the tile engine: size, last change, lag, what could not be drawn and why"), s.layerHealth)
}

// describeTile describes what a tile's answer has beside a body.
func describeTile(o *huma.Operation) {
	o.Parameters = append(o.Parameters, &huma.Param{
		Name: "If-None-Match", In: "header", Description: "The ETag of the tile that is there already", Schema: &huma.Schema{Type: huma.TypeString},
	})
	tag := httpx.TextHeader("Of the tile; weak")
	o.Responses["200"].Headers = map[string]*huma.Param{"ETag": tag, thinnedHeader: httpx.TextHeader("The layers that were over their budget of bytes, with how many features they show of how many")}
	o.Responses["304"] = &huma.Response{Description: "The tile is the one that If-None-Match names", Headers: map[string]*huma.Param{"ETag": tag}}
}

// thinnedHeader names the layers of a tile that were over their budget of bytes, with how many
// features they show of how many.
const thinnedHeader = "X-Onemap-Thinned"

// tile answers with one tile: always 200 or 304, with an empty body where nothing is.
func (s *API) tile(w http.ResponseWriter, r *http.Request) {
	p, _ := httpx.PrincipalOf(r.Context())
	row, ok := strings.CutSuffix(r.PathValue("y"), ".mvt")
	if !ok {
		s.Fail(w, r, httpx.NotFound("a tile's address ends in .mvt"))
		return
	}
	address, err := tiles.ParseAddress(r.PathValue("z"), r.PathValue("x"), row)
	if err != nil {
		s.Fail(w, r, err)
		return
	}
	t, err := s.o.Tiles.Tile(r.Context(), p.Scope(), tiles.Request{
		Layers: r.PathValue("layers"), Address: address, Gzip: httpx.TakesGzip(r), IfNone: r.Header.Get("If-None-Match"),
	})
	if err != nil {
		s.Fail(w, r, err)
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

func (s *API) tileJSON(w http.ResponseWriter, r *http.Request) {
	p, _ := httpx.PrincipalOf(r.Context())
	names, ok := strings.CutSuffix(r.PathValue("layers"), ".json")
	if !ok {
		s.Fail(w, r, httpx.NotFound("the description of tiles ends in .json"))
		return
	}
	layers, err := tiles.ParseLayers(names)
	if err != nil {
		s.Fail(w, r, err)
		return
	}
	doc, err := s.o.Tiles.TileJSON(r.Context(), p.Scope(), layers, s.Address(r))
	if err != nil {
		s.Fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "private, no-cache")
	s.WriteJSON(w, r, doc)
}

// LayerHealth is how the layers are doing in the tile engine.
type LayerHealth struct {
	Items []tiles.LayerState `json:"items"`
	tiles.EngineState
}

func (s *API) layerHealth(ctx context.Context, p core.Principal, _ *httpx.None) (*httpx.Body[LayerHealth], error) {
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
	return httpx.Answer(LayerHealth{Items: httpx.OrEmpty(items), EngineState: s.o.Tiles.State()}), nil
}
