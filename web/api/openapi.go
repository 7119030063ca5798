package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"onemap/alerts"
	"onemap/auth"
	"onemap/catalogue"
	"onemap/internal/core"
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

// describe finishes the description: what huma writes of its own errors goes, lists are never null,
// and the plain routes are documented by hand.
func (s *Server) describe() error {
	doc := s.huma.OpenAPI()
	components := doc.Components.Schemas.Map()
	delete(components, "ErrorModel")
	delete(components, "ErrorDetail")
	for name, schema := range components {
		noNullLists(schema)
		nullableObjects(schema, doc.Components.Schemas.TypeFromRef(schemas+name))
	}
	for name, text := range map[string]string{"Layer": "bbox"} {
		if p := components[name].Properties[text]; p != nil {
			p.Nullable = true
		}
	}
	maps.Copy(doc.Paths, s.plainPaths())
	if s.o.Base != "" {
		doc.Servers = []*huma.Server{{URL: s.o.Base}}
	}
	var raw []byte
	err := withPatterns(components, func() (err error) {
		raw, err = json.MarshalIndent(doc, "", "  ")
		return err
	})
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

// nullableObjects says of every member that holds a pointer to an object that it may be null. huma says so of pointers to
// numbers and texts alone.
func nullableObjects(s *huma.Schema, of reflect.Type) {
	if of == nil || of.Kind() != reflect.Struct {
		return
	}
	for _, f := range reflect.VisibleFields(of) {
		member, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		p := s.Properties[member]
		if f.Type.Kind() != reflect.Pointer || p == nil || p.Ref == "" || strings.Contains(options, "omit") {
			continue
		}
		s.Properties[member] = &huma.Schema{AnyOf: []*huma.Schema{{Ref: p.Ref}, {Type: "null"}}, Description: p.Description}
	}
}

// plain is what is served beside huma, as it is described.
type plain struct {
	path, id, summary string
	contentType       string
	need              Need
	statuses          []int // beside those that follow from the need
	params            []*huma.Param
}

// plainPaths documents what is served beside huma.
func (s *Server) plainPaths() map[string]*huma.PathItem {
	text := func(name, doc, pattern string) *huma.Param {
		return &huma.Param{Name: name, In: "path", Required: true, Description: doc, Schema: &huma.Schema{Type: huma.TypeString, Pattern: pattern}}
	}
	number := func(name, doc string, most float64) *huma.Param {
		return &huma.Param{Name: name, In: "path", Required: true, Description: doc, Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: new(0.0), Maximum: &most}}
	}
	query := func(name string, schema *huma.Schema) *huma.Param {
		return &huma.Param{Name: name, In: "query", Description: schema.Description, Schema: schema}
	}
	const maxRow = 1<<22 - 1
	layers := text("layers", "1 to 20 names of layers, joined by commas", `^[a-z][a-z0-9_]{0,62}(\.label)?(,[a-z][a-z0-9_]{0,62}(\.label)?){0,19}$`)
	wrong, unknown := http.StatusBadRequest, http.StatusNotFound
	out := map[string]*huma.PathItem{}
	for _, p := range []plain{
		{"/tiles/{layers}/{z}/{x}/{y}.mvt", "getTile", "A vector tile of one or more layers (MVT 2.1)", "application/vnd.mapbox-vector-tile", needView, []int{wrong, unknown},
			[]*huma.Param{layers, number("z", "zoom", 22), number("x", "column", maxRow), number("y", "row, from the north", maxRow)}},
		{"/tiles/{layers}.json", "getTileJSON", "TileJSON 3.0 of one or more layers", "application/json", needView, []int{wrong, unknown}, []*huma.Param{layers}},
		{"/cap/alerts/{identifier}.xml", "getCAPMessage", "A CAP 1.2 message", "application/cap+xml; charset=utf-8", needView, []int{unknown}, []*huma.Param{text("identifier", "its CAP identifier", "")}},
		{"/cap/feed.atom", "getCAPFeed", "The current CAP messages of the own division as an Atom feed, newest first; a link next leads to more", "application/atom+xml; charset=utf-8", needView, []int{wrong}, []*huma.Param{
			query("after", &huma.Schema{Type: huma.TypeString, MaxLength: new(200), Description: "Only those after the message of this identifier"}),
			query("limit", &huma.Schema{Type: huma.TypeInteger, Minimum: new(1.0), Maximum: new(float64(maxFeedPage)), Default: maxFeedPage}),
		}},
		{pushPath, "connectPush", "Live events and state over a WebSocket, subprotocol onemap.v1", "application/json", needView, []int{wrong, http.StatusTooManyRequests}, nil},
		{"/metrics", "getMetrics", "Prometheus metrics", "text/plain", NeedMetrics, nil, nil},
		{"/healthz", "getLiveness", "The process is alive", "text/plain; charset=utf-8", NeedNothing, nil, nil},
		{"/api/v1/openapi.json", "getOpenAPI", "This description", "application/json", needView, nil, nil},
	} {
		out[p.path] = &huma.PathItem{Get: s.describePlain(p)}
	}
	s.plainAnswers(out)
	return out
}

func (s *Server) describePlain(p plain) *huma.Operation {
	statuses := append(slices.Clone(p.statuses), http.StatusServiceUnavailable)
	o := &huma.Operation{
		OperationID: p.id, Summary: p.summary, Method: http.MethodGet, Parameters: p.params, Extensions: map[string]any{"x-onemap-needs": p.need.name()},
	}
	if p.need != NeedNothing {
		o.Security = []map[string][]string{{"session": {}}, {"bearer": {}}}
		statuses = append(statuses, http.StatusUnauthorized, http.StatusForbidden)
	}
	o.Responses = s.problems(statuses)
	o.Responses["200"] = &huma.Response{
		Description: "OK", Content: map[string]*huma.MediaType{p.contentType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}
	return o
}

// plainAnswers describes what answers have beside a body.
func (s *Server) plainAnswers(paths map[string]*huma.PathItem) {
	tile := paths["/tiles/{layers}/{z}/{x}/{y}.mvt"].Get
	tile.Parameters = append(tile.Parameters, &huma.Param{
		Name: "If-None-Match", In: "header", Description: "The ETag of the tile that is there already", Schema: &huma.Schema{Type: huma.TypeString},
	})
	tag := textHeader("Of the tile; weak")
	tile.Responses["200"].Headers = map[string]*huma.Param{"ETag": tag, thinnedHeader: textHeader("The layers that were over their budget of bytes, with how many features they show of how many")}
	tile.Responses["304"] = &huma.Response{Description: "The tile is the one that If-None-Match names", Headers: map[string]*huma.Param{"ETag": tag}}
	push := paths[pushPath].Get
	push.Responses["101"] = &huma.Response{Description: "The WebSocket begins"}
	delete(push.Responses, "200")
	for _, path := range []string{"/tiles/{layers}.json", "/api/v1/openapi.json"} {
		paths[path].Get.Responses["200"].Content["application/json"].Schema = &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
	}
}

// enums sets the values of the domain's closed sets of words in the description, and in the check of
// what comes in.
func enums() map[reflect.Type]reflect.Type {
	return map[reflect.Type]reflect.Type{
		reflect.TypeFor[core.Role]():          reflect.TypeFor[roleWord](),
		reflect.TypeFor[core.Origin]():        reflect.TypeFor[originWord](),
		reflect.TypeFor[core.Level]():         reflect.TypeFor[levelNumber](),
		reflect.TypeFor[core.Permission]():    reflect.TypeFor[permissionWord](),
		reflect.TypeFor[auth.FailureReason](): reflect.TypeFor[failureWord](),
		reflect.TypeFor[catalogue.Theme]():    reflect.TypeFor[themeWord](),
		reflect.TypeFor[alerts.Detection]():   reflect.TypeFor[detectionWord](),
		reflect.TypeFor[alerts.Handling]():    reflect.TypeFor[handlingWord](),
		reflect.TypeFor[alerts.Direction]():   reflect.TypeFor[directionWord](),
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
	failureWord    string
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

// Schema lists the reasons.
func (failureWord) Schema(huma.Registry) *huma.Schema { return words(auth.FailureReasons()...) }

// Schema describes a permission.
func (permissionWord) Schema(huma.Registry) *huma.Schema {
	return words("view", "acknowledge", "handle-alert", "edit-data", "edit-rules", "accounts")
}

// Schema describes a theme.
func (themeWord) Schema(huma.Registry) *huma.Schema { return words(catalogue.Themes()...) }

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
