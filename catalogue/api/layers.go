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

// Layers is the catalogue.
type Layers struct {
	Items  []catalogue.Layer `json:"items"`
	Themes []Theme           `json:"themes" doc:"In the order of the layer tree"`
}

// Theme is a theme with its title.
type Theme struct {
	Code  catalogue.Theme `json:"code"`
	Title core.Text       `json:"title"`
}

// Feature is one thing on a layer, as GeoJSON.
type Feature struct {
	Type       string            `json:"type" enum:"Feature"`
	ID         int64             `json:"id"`
	Geometry   Geometry          `json:"geometry"`
	Properties FeatureProperties `json:"properties"`
}

// FeatureProperties are what every feature has; the layer's own fields are in Fields.
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

// FeatureCollection is a page of a layer's features, in the order of their ids.
type FeatureCollection struct {
	Type     string    `json:"type" enum:"FeatureCollection"`
	Features []Feature `json:"features"`
	Next     int64     `json:"next,omitempty" doc:"More follow: ask again with after set to this"`
}

// LayerPath is the layer in a path. It is exported because huma reads exported fields only.
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
	edit.MaxBodyBytes = 8 << 20
	httpx.Register(s.Server, httpx.EditData, edit, s.editFeatures)
}

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

func (s *API) features(ctx context.Context, p core.Principal, in *featuresInput) (*httpx.Tagged[FeatureCollection], error) {
	bound, err := parseBBox(in.BBox)
	if err != nil {
		return nil, err
	}
	// The version is read first: features that change in between make the tag too old, never too new.
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

func wireLayer(l catalogue.Layer) catalogue.Layer {
	l.Fields = httpx.OrEmpty(l.Fields)
	return l
}

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

// LayerChange is what of a layer can be changed; what is missing stays.
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

// changeLayer changes how a layer is drawn.
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

// FeatureEdit is a batch of changes.
type FeatureEdit struct {
	Create []CreateFeature `json:"create,omitempty" maxItems:"10000"`
	Move   []MoveFeature   `json:"move,omitempty" maxItems:"10000"`
	Update []UpdateFeature `json:"update,omitempty" maxItems:"1000"`
	Delete []int64         `json:"delete,omitempty" maxItems:"10000"`
}

// CreateFeature is a new feature, as GeoJSON.
type CreateFeature struct {
	Type       string               `json:"type" enum:"Feature"`
	Geometry   Geometry             `json:"geometry"`
	Properties NewFeatureProperties `json:"properties"`
}

// NewFeatureProperties are what a new feature must or may say of itself.
type NewFeatureProperties struct {
	Key      string               `json:"key,omitempty" maxLength:"256" doc:"The source's key, of at most 256 bytes; one is made when it is missing"`
	Division string               `json:"division" doc:"GB/T 2260"`
	Name     core.Text            `json:"name"`
	Level    core.Level           `json:"level,omitempty"`
	Fields   catalogue.Properties `json:"fields,omitempty"`
}

// MoveFeature sets a feature's geometry.
type MoveFeature struct {
	ID       int64    `json:"id" minimum:"1"`
	Geometry Geometry `json:"geometry"`
}

// UpdateFeature changes a feature's properties; what is missing stays.
type UpdateFeature struct {
	ID     int64                `json:"id" minimum:"1"`
	Name   *core.Text           `json:"name,omitempty"`
	Level  *core.Level          `json:"level,omitempty"`
	Fields catalogue.Properties `json:"fields,omitempty" doc:"Only the fields that change; null takes one away"`
}

// Edited is what an edit made.
type Edited struct {
	Version int64   `json:"version" doc:"The layer's, after the edit"`
	Created []int64 `json:"created" doc:"The ids of the created features, in their order"`
}

type editInput struct {
	LayerPath
	IfMatch string `header:"If-Match" doc:"The layer's version that was seen, in quotes; required"`
	Body    FeatureEdit
}

// Geometry is a GeoJSON geometry, lon, lat in EPSG:4326.
type Geometry struct {
	Type        string     `json:"type" enum:"Point,MultiPoint,LineString,MultiLineString,Polygon,MultiPolygon,GeometryCollection"`
	Coordinates any        `json:"coordinates,omitempty"`
	Geometries  []Geometry `json:"geometries,omitempty" doc:"Of a GeometryCollection"`
}

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

// ThemeTitle is a theme's title in the layer tree.
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
