// Package catalogueapi serves the HTTP API of layers, features, divisions and the search. Geometry is GeoJSON: positions
// are [lon, lat] in degrees, EPSG:4326.
package catalogueapi

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/internal/httpx"
)

// Editor changes the features of a layer and how the layer is drawn. catalogue.Service implements Editor and documents
// the errors. ifVersion is the version of the layer that the caller saw.
type Editor interface {
	EditFeatures(ctx context.Context, p core.Principal, layer string, ifVersion int64, e catalogue.Edit) (catalogue.Layer, []int64, error)
	ChangeLayer(ctx context.Context, p core.Principal, layer string, ifVersion int64, c catalogue.LayerChange) (catalogue.Layer, error)
	SetStyle(ctx context.Context, p core.Principal, layer string, ifVersion int64, raw []byte) (catalogue.Layer, error)
	RemoveStyle(ctx context.Context, p core.Principal, layer string, ifVersion int64) (catalogue.Layer, error)
}

// Divisions lists administrative divisions.
type Divisions interface {
	// Divisions lists the county units (six digits), or the towns (nine digits) if towns is true.
	Divisions(ctx context.Context, towns bool) ([]catalogue.Division, error)
}

// Options are the services and stores that the routes call.
type Options struct {
	Catalogue   catalogue.Catalogue
	Editor      Editor
	Search      catalogue.Searcher
	Divisions   Divisions
	Sources     []Source // of the base data
	Attribution string   // the credit line of the map
}

// Complete returns an error that names the first required field that is missing.
func (o Options) Complete() error { return httpx.Complete("catalogueapi", o) }

// API serves the HTTP endpoints of the catalogue.
type API struct {
	*httpx.Server

	o Options
}

// Mount registers the routes on the server.
func Mount(h *httpx.Server, o Options) {
	s := &API{h, o}
	httpx.Enum[catalogue.Theme, themeWord](h)
	styleWords(h)
	s.placeRoutes()
	s.layerRoutes()
	s.styleRoutes()
	h.Text("NewFeatureProperties.division", httpx.Pattern{Regexp: httpx.DivisionPattern})
	s.statedTileRules()
	h.Amend(func(doc *huma.OpenAPI) {
		doc.Components.Schemas.Map()["Layer"].Properties["bbox"].Nullable = true // null if the layer has no features
	})
}

// statedTileRules states the limits of tile rules.
func (s *API) statedTileRules() {
	s.Number("TileRules.simplify", httpx.Range{Max: core.MaxSimplify})
	s.Number("TileRules.buffer", httpx.Range{Max: core.MaxTileBuffer})
	s.Number("TileGrid.cell", httpx.Range{Max: core.TileExtent})
	s.Number("TileGrid.to_zoom", httpx.Range{Max: core.MaxGridZoom})
}

// themeWord only carries the Schema method, so that package catalogue does not need to import huma.
type themeWord string

// Schema lists the themes.
func (themeWord) Schema(huma.Registry) *huma.Schema { return httpx.Words(catalogue.Themes()...) }
