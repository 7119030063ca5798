package catalogueapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/internal/httpx"
)

// LayerStyle describes a style fragment. catalogue.ParseStyle checks one; its limits are the ones here.
type LayerStyle struct {
	From   *float64     `json:"from,omitempty" minimum:"0" maximum:"24" doc:"The zoom from which the layer is drawn, where min_zoom is lower"`
	Legend []LegendRow  `json:"legend,omitempty" maxItems:"16"`
	Layers []StyleLayer `json:"layers" minItems:"1" maxItems:"16"`
}

// StyleLayer describes a style layer of MapLibre whose id and source the page completes.
type StyleLayer struct {
	ID        string              `json:"id" doc:"Unique in the fragment: follows the name of the layer"`
	Slot      catalogue.StyleSlot `json:"slot" doc:"Its place in the order of drawing, the lowest first"`
	Type      catalogue.StyleType `json:"type"`
	Clustered bool                `json:"clustered,omitempty" doc:"true: only where the server draws points that stand close as one"`
	Labels    bool                `json:"labels,omitempty" doc:"true: of the label points that come with the tiles of an area"`
	MinZoom   *float64            `json:"minzoom,omitempty" minimum:"0" maximum:"24"`
	Filter    []any               `json:"filter,omitempty" doc:"An expression of MapLibre"`
	Layout    map[string]any      `json:"layout,omitempty" doc:"Layout properties of the type, without visibility; see docs/data.md for placeholders"`
	Paint     map[string]any      `json:"paint,omitempty" doc:"Paint properties of the type; see docs/data.md for placeholders"`
}

// LegendRow describes a row of the legend: levels, icon, swatch or note.
type LegendRow struct {
	Levels  catalogue.LegendLevel  `json:"levels,omitempty" doc:"Stands for the four levels, as icons or as swatches"`
	Icon    catalogue.StyleIcon    `json:"icon,omitempty" doc:"An icon of the map; with levels, how the names of their icons begin"`
	Swatch  catalogue.LegendSwatch `json:"swatch,omitempty" doc:"The form of a sample of a colour"`
	Color   catalogue.StyleToken   `json:"color,omitempty" doc:"Of a swatch: a colour of the theme"`
	Outline catalogue.StyleToken   `json:"outline,omitempty" doc:"Of a swatch: the colour of its outline"`
	Text    *core.Text             `json:"text,omitempty" doc:"The words of an icon or a swatch"`
	Note    *core.Text             `json:"note,omitempty" doc:"A sentence across the legend"`
}

type (
	slotWord      string
	styleTypeWord string
	tokenWord     string
	iconWord      string
	swatchWord    string
	levelsWord    string
)

// Schema describes a slot.
func (slotWord) Schema(huma.Registry) *huma.Schema { return httpx.Words(catalogue.StyleSlots()...) }

// Schema describes a type of style layers.
func (styleTypeWord) Schema(huma.Registry) *huma.Schema {
	return httpx.Words(catalogue.StyleTypes()...)
}

// Schema describes a token.
func (tokenWord) Schema(huma.Registry) *huma.Schema { return httpx.Words(catalogue.StyleTokens()...) }

// Schema describes an icon of the legend.
func (iconWord) Schema(huma.Registry) *huma.Schema {
	return httpx.Words(append(catalogue.StyleIcons(), catalogue.LegendLevelIcons()...)...)
}

// Schema describes the form of a swatch.
func (swatchWord) Schema(huma.Registry) *huma.Schema {
	return httpx.Words(catalogue.LegendSwatches()...)
}

// Schema describes the form of a row of levels.
func (levelsWord) Schema(huma.Registry) *huma.Schema { return httpx.Words(catalogue.LegendLevels()...) }

type setStyleInput struct {
	LayerPath
	IfMatch string `header:"If-Match" doc:"The layer's version that was seen, in quotes; required"`
	Body    json.RawMessage
}

type removeStyleInput struct {
	LayerPath
	IfMatch string `header:"If-Match" doc:"The layer's version that was seen, in quotes; required"`
}

const stylePath = "/api/v1/layers/{layer}/style"

// styleWords makes the schemas of a fragment. It comes before the operations that answer with a layer.
func styleWords(h *httpx.Server) {
	httpx.Enum[catalogue.Style, LayerStyle](h)
	httpx.Enum[catalogue.StyleSlot, slotWord](h)
	httpx.Enum[catalogue.StyleType, styleTypeWord](h)
	httpx.Enum[catalogue.StyleToken, tokenWord](h)
	httpx.Enum[catalogue.StyleIcon, iconWord](h)
	httpx.Enum[catalogue.LegendSwatch, swatchWord](h)
	httpx.Enum[catalogue.LegendLevel, levelsWord](h)
}

// styleRoutes mounts the routes of a layer's style. Any JSON is let in as a body, so that the service refuses it by the
// path and in both languages; the description says what is taken.
func (s *API) styleRoutes() {
	set := httpx.Op(http.MethodPut, stylePath, "setLayerStyle", "Give a layer a style of its own in place of the built-in one; for the city")
	set.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{}}}}
	httpx.Register(s.Server, httpx.EditData, set, s.setStyle)
	httpx.Register(s.Server, httpx.EditData, httpx.Op(http.MethodDelete, stylePath, "removeLayerStyle",
		"Take a layer's own style away: it is drawn in the built-in one; for the city"), s.removeStyle)
	s.Text("StyleLayer.id", httpx.Pattern{Regexp: fmt.Sprintf(`^-[a-z0-9-]{1,%d}$`, catalogue.MaxStyleSuffix)})
	s.Amend(func(doc *huma.OpenAPI) {
		doc.Paths[stylePath].Put.RequestBody.Content["application/json"].Schema = &huma.Schema{Ref: "#/components/schemas/LayerStyle"}
	})
}

// setStyle gives a layer a style of its own.
func (s *API) setStyle(ctx context.Context, p core.Principal, in *setStyleInput) (*httpx.Tagged[catalogue.Layer], error) {
	version, err := httpx.IfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	l, err := s.o.Editor.SetStyle(ctx, p, in.Layer, version, in.Body)
	if err != nil {
		return nil, err
	}
	return httpx.Versioned(l.Version, wireLayer(l)), nil
}

// removeStyle takes a layer's own style away.
func (s *API) removeStyle(ctx context.Context, p core.Principal, in *removeStyleInput) (*httpx.Tagged[catalogue.Layer], error) {
	version, err := httpx.IfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	l, err := s.o.Editor.RemoveStyle(ctx, p, in.Layer, version)
	if err != nil {
		return nil, err
	}
	return httpx.Versioned(l.Version, wireLayer(l)), nil
}
