package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"onemap/alerts"
	"onemap/auth"
	"onemap/internal/core"
	"onemap/risk"
)

const schemas = "#/components/schemas/"

// newHuma is huma without its own pages and links: the description is served by a route of ours that
// needs a session, the docs page would load scripts from elsewhere.
func (s *Server) newHuma() huma.API {
	registry := huma.NewMapRegistry(schemas, huma.DefaultSchemaNamer)
	for from, to := range enums() {
		registry.RegisterTypeAlias(from, to)
	}
	registry.Schema(reflect.TypeFor[Problem](), true, "")
	return huma.NewAPI(huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "onemap", Version: "1",
				Description: "The HTTP API of onemap. Coordinates are longitude, latitude in EPSG:4326; times are RFC 3339 in UTC; " +
					"division codes are GB/T 2260 without padding; levels are 1 red, 2 orange, 3 yellow, 4 blue, 0 none. " +
					"Every operation says in x-onemap-needs what it needs of the caller. Unknown members and parameters are refused.",
			},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"session": {Type: "apiKey", In: "cookie", Name: SessionCookie},
					"bearer":  {Type: "http", Scheme: "bearer", Description: "The session's token, for programs that keep no cookies"},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": bodyFormat(), "json": bodyFormat()},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{humaProblem},
	}, adapter{s})
}

func (s *Server) problemResponse() *huma.Response {
	return &huma.Response{
		Description: "A problem (RFC 9457)",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: &huma.Schema{Ref: schemas + "Problem"}}},
	}
}

// describe finishes the description: what huma writes of its own errors goes, lists are never null,
// and the plain routes are documented by hand.
func (s *Server) describe() error {
	doc := s.huma.OpenAPI()
	components := doc.Components.Schemas.Map()
	delete(components, "ErrorModel")
	delete(components, "ErrorDetail")
	for _, schema := range components {
		noNullLists(schema)
	}
	if latest := components["Datastream"]; latest != nil {
		latest.Properties["latest"] = &huma.Schema{AnyOf: []*huma.Schema{{Ref: schemas + "Observation"}, {Type: "null"}}}
	}
	for name, text := range map[string]string{"Layer": "bbox"} {
		if p := components[name].Properties[text]; p != nil {
			p.Nullable = true
		}
	}
	maps.Copy(doc.Paths, s.plainPaths())
	raw, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("api: describe the API: %w", err)
	}
	s.openapi = append(raw, '\n')
	return nil
}

// noNullLists says of every list in a schema that it is a list: handlers never answer null for one.
func noNullLists(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
	noNullLists(s.Items)
	for _, p := range s.Properties {
		noNullLists(p)
	}
}

// plainPaths documents what is served beside huma.
func (s *Server) plainPaths() map[string]*huma.PathItem {
	text := func(name, where, doc string) *huma.Param {
		return &huma.Param{Name: name, In: where, Required: where == "path", Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	get := func(id, summary, contentType string, need Need, params ...*huma.Param) *huma.PathItem {
		o := &huma.Operation{
			OperationID: id, Summary: summary, Method: http.MethodGet, Parameters: params,
			Extensions: map[string]any{"x-onemap-needs": string(need)},
			Responses: map[string]*huma.Response{
				"200":     {Description: "OK", Content: map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}},
				"default": s.problemResponse(),
			},
		}
		if need != NeedNothing {
			o.Security = []map[string][]string{{"session": {}}, {"bearer": {}}}
		}
		return &huma.PathItem{Get: o}
	}
	layers := text("layers", "path", "1 to 20 names of layers, joined by commas")
	return map[string]*huma.PathItem{
		"/tiles/{layers}/{z}/{x}/{y}.mvt": get("getTile", "A vector tile of one or more layers (MVT 2.1)", "application/vnd.mapbox-vector-tile", needView,
			layers, text("z", "path", "zoom, 0 to 22"), text("x", "path", "column"), text("y", "path", "row, from the north")),
		"/tiles/{layers}.json":         get("getTileJSON", "TileJSON 3.0 of one or more layers", "application/json", needView, layers),
		"/cap/alerts/{identifier}.xml": get("getCAPMessage", "A CAP 1.2 message", "application/cap+xml", needView, text("identifier", "path", "its CAP identifier")),
		"/cap/feed.atom":               get("getCAPFeed", "The current CAP messages as an Atom feed", "application/atom+xml", needView),
		"/ws":                          get("connectPush", "Live events and state over a WebSocket, subprotocol onemap.v1", "application/json", needView),
		"/metrics":                     get("getMetrics", "Prometheus metrics", "text/plain", NeedMetrics),
		"/healthz":                     get("getLiveness", "The process is alive", "text/plain", NeedNothing),
		"/api/v1/openapi.json":         get("getOpenAPI", "This description", "application/json", needView),
	}
}

// enums gives the domain's closed sets of words their values in the description, and in the check of
// what comes in.
func enums() map[reflect.Type]reflect.Type {
	return map[reflect.Type]reflect.Type{
		reflect.TypeFor[core.Role]():        reflect.TypeFor[roleWord](),
		reflect.TypeFor[core.Origin]():      reflect.TypeFor[originWord](),
		reflect.TypeFor[core.Level]():       reflect.TypeFor[levelNumber](),
		reflect.TypeFor[auth.Permission]():  reflect.TypeFor[permissionWord](),
		reflect.TypeFor[risk.Theme]():       reflect.TypeFor[themeWord](),
		reflect.TypeFor[alerts.Detection](): reflect.TypeFor[detectionWord](),
		reflect.TypeFor[alerts.Handling]():  reflect.TypeFor[handlingWord](),
		reflect.TypeFor[alerts.Direction](): reflect.TypeFor[directionWord](),
	}
}

func words[T ~string](list ...T) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, w := range list {
		s.Enum = append(s.Enum, string(w))
	}
	return s
}

type (
	roleWord       string
	originWord     string
	levelNumber    uint8
	permissionWord string
	themeWord      string
	detectionWord  string
	handlingWord   string
	directionWord  string
)

// Schema describes a role.
func (roleWord) Schema(huma.Registry) *huma.Schema {
	return words(append(core.Roles(), core.DisplayRoles()...)...)
}

// Schema describes an origin.
func (originWord) Schema(huma.Registry) *huma.Schema {
	return words(core.OriginReal, core.OriginSchematic, core.OriginSynthetic, core.OriginFactTable)
}

// Schema describes a level.
func (levelNumber) Schema(huma.Registry) *huma.Schema {
	lowest, highest := float64(core.None), float64(core.Blue)
	return &huma.Schema{Type: huma.TypeInteger, Minimum: &lowest, Maximum: &highest, Description: "1 red, 2 orange, 3 yellow, 4 blue, 0 none"}
}

// Schema describes a permission.
func (permissionWord) Schema(huma.Registry) *huma.Schema { return words(auth.Permissions()...) }

// Schema describes a theme.
func (themeWord) Schema(huma.Registry) *huma.Schema { return words(risk.Themes()...) }

// Schema describes what the machine sees of an alert.
func (detectionWord) Schema(huma.Registry) *huma.Schema {
	return words(alerts.Firing, alerts.Recovering, alerts.Cleared, alerts.Stale)
}

// Schema describes where people are with an alert.
func (handlingWord) Schema(huma.Registry) *huma.Schema {
	return words(alerts.New, alerts.Acknowledged, alerts.Assigned, alerts.Resolved, alerts.Closed)
}

// Schema describes the dangerous side of a threshold.
func (directionWord) Schema(huma.Registry) *huma.Schema { return words(alerts.Above, alerts.Below) }
