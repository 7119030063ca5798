// Package catalogueapi is the HTTP API of layers, features, divisions and the search.
package catalogueapi

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/internal/httpx"
)

// Editor changes the features of a layer, and how it is drawn; catalogue.Service is one.
type Editor interface {
	EditFeatures(ctx context.Context, p core.Principal, layer string, ifVersion int64, e catalogue.Edit) (catalogue.Layer, []int64, error)
	ChangeLayer(ctx context.Context, p core.Principal, layer string, ifVersion int64, c catalogue.LayerChange) (catalogue.Layer, error)
	SetStyle(ctx context.Context, p core.Principal, layer string, ifVersion int64, raw []byte) (catalogue.Layer, error)
	RemoveStyle(ctx context.Context, p core.Principal, layer string, ifVersion int64) (catalogue.Layer, error)
}

// Divisions knows the division codes.
type Divisions interface {
	// Divisions lists the county units, or the towns.
	Divisions(ctx context.Context, towns bool) ([]catalogue.Division, error)
}

// Options is what the routes stand on.
type Options struct {
	Catalogue   catalogue.Catalogue
	Editor      Editor
	Search      catalogue.Searcher
	Divisions   Divisions
	Sources     []Source // of the base data
	Attribution string   // the credit line of the map
}

// Complete reports the first required part that is missing.
func (o Options) Complete() error { return httpx.Complete("catalogueapi", o) }

// API serves the HTTP endpoints of the catalogue.
type API struct {
	*httpx.Server

	o Options
}

// Mount puts the routes on the server.
func Mount(h *httpx.Server, o Options) {
	s := &API{h, o}
	httpx.Enum[catalogue.Theme, themeWord](h)
	styleWords(h)
	s.placeRoutes()
	s.layerRoutes()
	s.styleRoutes()
	h.Text("NewFeatureProperties.division", httpx.Pattern{Regexp: httpx.DivisionPattern})
	h.Amend(func(doc *huma.OpenAPI) {
		doc.Components.Schemas.Map()["Layer"].Properties["bbox"].Nullable = true // of a layer without features
	})
}

type themeWord string

// Schema describes a theme.
func (themeWord) Schema(huma.Registry) *huma.Schema { return httpx.Words(catalogue.Themes()...) }
