package catalogueapi

import (
	"context"
	"net/http"
	"time"

	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/internal/httpx"
)

// Layers is the answer of listLayers: the layers that the caller may see, and all themes.
type Layers struct {
	Items  []catalogue.Layer `json:"items"`
	Themes []Theme           `json:"themes" doc:"In the order of the layer tree"`
}

// Theme is a theme of the layer tree with its title in both languages.
type Theme struct {
	Code  catalogue.Theme `json:"code"`
	Title core.Text       `json:"title"`
}

// Feature is one feature of a layer as a GeoJSON Feature (RFC 7946).
type Feature struct {
	Type       string            `json:"type" enum:"Feature"`
	ID         int64             `json:"id"`
	Geometry   Geometry          `json:"geometry"`
	Properties FeatureProperties `json:"properties"`
}

// FeatureProperties are the properties that every feature has. Fields holds the fields that the layer describes.
type FeatureProperties struct {
	Key        string               `json:"key"`
	Division   string               `json:"division"`
	Name       core.Text            `json:"name"`
	Level      core.Level           `json:"level"`
	Origin     core.Origin          `json:"origin"`
	Source     string               `json:"source" doc:"Where it comes from, in a sentence: the source of its import, and who drew, moved or edited it by hand and when"`
	Import     string               `json:"import" doc:"The source of its import alone; empty when it was drawn by hand"`
	ByHand     catalogue.ByHand     `json:"by_hand" doc:"What people did to it since"`
	ModifiedAt time.Time            `json:"modified_at"`
	Fields     catalogue.Properties `json:"fields"`
}

// FeatureCollection is one page of a layer's features as a GeoJSON FeatureCollection, in the order of their ids.
type FeatureCollection struct {
	Type     string    `json:"type" enum:"FeatureCollection"`
	Features []Feature `json:"features"`
	Next     int64     `json:"next,omitempty" doc:"More follow: ask again with after set to this"`
}

// LayerPath is the path parameter of a layer's name. It is exported, because huma reads only exported embedded fields.
type LayerPath struct {
	Layer string `path:"layer" pattern:"^[a-z][a-z0-9_]{0,62}$" patternDescription:"a layer's name"`
}

type featuresInput struct {
	LayerPath
	BBox  string `query:"bbox" maxLength:"200" doc:"west,south,east,north"`
	After int64  `query:"after" minimum:"0" doc:"Features with a greater id"`
	Limit int    `query:"limit" minimum:"1" maximum:"5000" default:"500"`
}

type featureInput struct {
	LayerPath
	ID int64 `path:"id" minimum:"1"`
}

// layerRoutes registers the routes of layers and features. A change needs the header If-Match with the version of the
// layer, so that two people cannot overwrite each other's work without noticing.
func (s *API) layerRoutes() {
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/layers", "listLayers", "The catalogue: every layer that the caller may see"), s.layers)
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/layers/{layer}", "getLayer", "One layer of the catalogue"),
		func(ctx context.Context, p core.Principal, in *LayerPath) (*httpx.Tagged[catalogue.Layer], error) {
			l, err := s.o.Catalogue.Layer(ctx, p.Scope(), in.Layer)
			return httpx.Versioned(l.Version, wireLayer(l)), err
		})
	httpx.Register(s.Server, httpx.EditData, httpx.Op(http.MethodPatch, "/api/v1/layers/{layer}", "changeLayer",
		"Change how a layer is drawn: zooms, rules for its tiles, which fields go into them; for the city"), s.changeLayer)
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/layers/{layer}/features", "listFeatures", "A layer's features as GeoJSON; the ETag is the layer's version"), s.features)
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/layers/{layer}/features/{id}", "getFeature", "One feature as GeoJSON"),
		func(ctx context.Context, p core.Principal, in *featureInput) (*httpx.Body[Feature], error) {
			f, err := s.o.Catalogue.Feature(ctx, p.Scope(), in.Layer, in.ID)
			if err != nil {
				return nil, err
			}
			return httpx.Answer(wireFeature(f)), nil
		})
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/layers/{layer}/features/{id}/history", "getFeatureHistory",
		"Who changed a feature, what and when, newest first; also of one that was deleted"), s.featureHistory)
	edit := httpx.May(httpx.Op(http.MethodPatch, "/api/v1/layers/{layer}/features", "editFeatures",
		"Make, move, update and delete features of a layer, all or none"), http.StatusConflict)
	edit.MaxBodyBytes = 8 << 20 // 8 MiB, because an edit may have many geometries
	httpx.Register(s.Server, httpx.EditData, edit, s.editFeatures)
}

// layers lists the layers of the scope with all themes, so that a client can build the layer tree from one answer.
func (s *API) layers(ctx context.Context, p core.Principal, _ *httpx.None) (*httpx.Body[Layers], error) {
	all, err := s.o.Catalogue.Layers(ctx, p.Scope())
	if err != nil {
		return nil, err
	}
	out := Layers{Items: make([]catalogue.Layer, 0, len(all))}
	for _, l := range all {
		out.Items = append(out.Items, wireLayer(l))
	}
	for _, t := range catalogue.Themes() {
		out.Themes = append(out.Themes, Theme{t, ThemeTitle(t)})
	}
	return httpx.Answer(out), nil
}

// features answers with one page of a layer's features. The ETag is the version of the layer. It reads one feature more
// than the limit, so that it knows whether a page follows.
func (s *API) features(ctx context.Context, p core.Principal, in *featuresInput) (*httpx.Tagged[FeatureCollection], error) {
	bound, err := parseBBox(in.BBox)
	if err != nil {
		return nil, err
	}
	// The version is read before the features. If the features change in between, the ETag is too old, and an edit with it
	// is refused. In the other order an ETag could be newer than the features, and an edit could overwrite a change that
	// the person has not seen.
	l, err := s.o.Catalogue.Layer(ctx, p.Scope(), in.Layer)
	if err != nil {
		return nil, err
	}
	all, err := s.o.Catalogue.Features(ctx, p.Scope(), in.Layer, bound, in.After, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := FeatureCollection{Type: "FeatureCollection", Features: make([]Feature, 0, len(all))}
	if len(all) > in.Limit {
		all = all[:in.Limit]
		out.Next = all[in.Limit-1].ID
	}
	for _, f := range all {
		out.Features = append(out.Features, wireFeature(f))
	}
	return httpx.Versioned(l.Version, out), nil
}

// wireLayer returns the layer with an empty list of fields instead of nil, so that the JSON never has null for a list.
func wireLayer(l catalogue.Layer) catalogue.Layer {
	l.Fields = httpx.OrEmpty(l.Fields)
	return l
}

// wireFeature returns the feature as GeoJSON.
func wireFeature(f catalogue.Feature) Feature {
	fields := f.Properties
	if fields == nil {
		fields = catalogue.Properties{}
	}
	return Feature{
		Type: "Feature", ID: f.ID, Geometry: wireGeometry(f.Geometry),
		Properties: FeatureProperties{
			Key: f.Key, Division: f.Division, Name: f.Name, Level: f.Level, Origin: f.Origin, Source: f.Provenance(),
			Import: f.Source, ByHand: f.ByHand, ModifiedAt: f.ModifiedAt, Fields: fields,
		},
	}
}

// LayerChange is the body of a request that changes how a layer is drawn. A member that is missing keeps its value. It
// has the fields of catalogue.LayerChange in the same order, so that the handler can convert it.
type LayerChange struct {
	MinZoom *int            `json:"min_zoom,omitempty" minimum:"0" maximum:"22"`
	MaxZoom *int            `json:"max_zoom,omitempty" minimum:"0" maximum:"22"`
	Tile    *core.TileRules `json:"tile,omitempty" doc:"All of the rules: what is left out of them is its default"`
	InTile  []string        `json:"in_tile,omitempty" maxItems:"64" doc:"The names of the fields that go into tiles; all others do not"`
}

type changeLayerInput struct {
	LayerPath
	IfMatch string `header:"If-Match" doc:"The layer's version that was seen, in quotes; required"`
	Body    LayerChange
}

// changeLayer changes how a layer is drawn into tiles. It answers with the layer as the caller sees it.
func (s *API) changeLayer(ctx context.Context, p core.Principal, in *changeLayerInput) (*httpx.Tagged[catalogue.Layer], error) {
	version, err := httpx.IfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	l, err := s.o.Editor.ChangeLayer(ctx, p, in.Layer, version, catalogue.LayerChange(in.Body))
	if err != nil {
		return nil, err
	}
	return httpx.Versioned(l.Version, wireLayer(l)), nil
}

// FeatureEdit is a batch of changes of one layer. Either all of them are stored or none.
type FeatureEdit struct {
	Create []CreateFeature `json:"create,omitempty" maxItems:"10000"`
	Move   []MoveFeature   `json:"move,omitempty" maxItems:"10000"`
	Update []UpdateFeature `json:"update,omitempty" maxItems:"1000"`
	Delete []int64         `json:"delete,omitempty" maxItems:"10000"`
}

// CreateFeature is a new feature as a GeoJSON Feature.
type CreateFeature struct {
	Type       string               `json:"type" enum:"Feature"`
	Geometry   Geometry             `json:"geometry"`
	Properties NewFeatureProperties `json:"properties"`
}

// NewFeatureProperties are the properties of a new feature.
type NewFeatureProperties struct {
	Key      string               `json:"key,omitempty" maxLength:"256" doc:"The source's key, of at most 256 bytes; one is made when it is missing"`
	Division string               `json:"division" doc:"GB/T 2260"`
	Name     core.Text            `json:"name"`
	Level    core.Level           `json:"level,omitempty"`
	Fields   catalogue.Properties `json:"fields,omitempty"`
}

// MoveFeature replaces the geometry of a feature.
type MoveFeature struct {
	ID       int64    `json:"id" minimum:"1"`
	Geometry Geometry `json:"geometry"`
}

// UpdateFeature changes the properties of a feature. A member that is missing keeps its value. It has the fields of
// catalogue.Patch in the same order, so that edit can convert it.
type UpdateFeature struct {
	ID     int64                `json:"id" minimum:"1"`
	Name   *core.Text           `json:"name,omitempty"`
	Level  *core.Level          `json:"level,omitempty"`
	Fields catalogue.Properties `json:"fields,omitempty" doc:"Only the fields that change; null takes one away"`
}

// Edited is the answer to an edit.
type Edited struct {
	Version int64   `json:"version" doc:"The layer's, after the edit"`
	Created []int64 `json:"created" doc:"The ids of the created features, in their order"`
}

type editInput struct {
	LayerPath
	IfMatch string `header:"If-Match" doc:"The layer's version that was seen, in quotes; required"`
	Body    FeatureEdit
}

// Geometry is a GeoJSON geometry (RFC 7946). Positions are [lon, lat] in degrees, EPSG:4326. Coordinates has no fixed Go
// type, because its nesting depends on Type; the decoder of the edit checks it.
type Geometry struct {
	Type        string     `json:"type" enum:"Point,MultiPoint,LineString,MultiLineString,Polygon,MultiPolygon,GeometryCollection"`
	Coordinates any        `json:"coordinates,omitempty"`
	Geometries  []Geometry `json:"geometries,omitempty" doc:"Of a GeometryCollection"`
}

// wireGeometry returns a geometry as GeoJSON. A ring or a bound has no GeoJSON type and becomes a polygon.
func wireGeometry(g orb.Geometry) Geometry {
	switch g := g.(type) {
	case nil:
		return Geometry{}
	case orb.Collection:
		out := Geometry{Type: g.GeoJSONType(), Geometries: make([]Geometry, 0, len(g))}
		for _, part := range g {
			out.Geometries = append(out.Geometries, wireGeometry(part))
		}
		return out
	case orb.Ring:
		return wireGeometry(orb.Polygon{g})
	case orb.Bound:
		return wireGeometry(g.ToPolygon())
	default:
		return Geometry{Type: g.GeoJSONType(), Coordinates: g}
	}
}

// ThemeTitle returns the title of a theme in the layer tree. It returns the code itself for an unknown theme.
func ThemeTitle(t catalogue.Theme) core.Text {
	switch t {
	case catalogue.ThemeHazardSource:
		return core.Text{ZH: "危险源", EN: "Hazard sources"}
	case catalogue.ThemeRiskPoint:
		return core.Text{ZH: "风险点", EN: "Risk points"}
	case catalogue.ThemeResource:
		return core.Text{ZH: "应急资源", EN: "Emergency resources"}
	case catalogue.ThemeTransport:
		return core.Text{ZH: "交通", EN: "Transport"}
	case catalogue.ThemeWater:
		return core.Text{ZH: "水系", EN: "Water"}
	case catalogue.ThemeBoundary:
		return core.Text{ZH: "行政区域界线", EN: "Boundaries"}
	case catalogue.ThemePlace:
		return core.Text{ZH: "地名", EN: "Places"}
	case catalogue.ThemeLandform:
		return core.Text{ZH: "地貌", EN: "Landform"}
	case catalogue.ThemeVegetation:
		return core.Text{ZH: "植被", EN: "Vegetation"}
	case catalogue.ThemeWeather:
		return core.Text{ZH: "气象", EN: "Weather"}
	case catalogue.ThemePopulation:
		return core.Text{ZH: "人口", EN: "Population"}
	default:
		return core.Text{ZH: string(t), EN: string(t)}
	}
}
