package httpx

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"onemap/internal/core"
)

const schemas = "#/components/schemas/"

// newHuma returns huma without its own pages and links. The description is served by a route of this server that needs a
// session. huma's page would load scripts from other hosts, which the security headers forbid.
func (s *Server) newHuma() huma.API {
	registry := huma.NewMapRegistry(schemas, huma.DefaultSchemaNamer)
	registry.RegisterTypeAlias(reflect.TypeFor[core.Role](), reflect.TypeFor[roleWord]())
	registry.RegisterTypeAlias(reflect.TypeFor[core.Origin](), reflect.TypeFor[originWord]())
	registry.RegisterTypeAlias(reflect.TypeFor[core.Level](), reflect.TypeFor[levelNumber]())
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

// describe completes the description: it removes huma's error schemas, makes lists not nullable, and adds the routes that are
// not huma operations.
func (s *Server) describe() error {
	doc := s.huma.OpenAPI()
	components := doc.Components.Schemas.Map()
	delete(components, "ErrorModel")
	delete(components, "ErrorDetail")
	for name, schema := range components {
		noNullLists(schema)
		nullableObjects(schema, doc.Components.Schemas.TypeFromRef(schemas+name))
	}
	for _, p := range s.plain {
		doc.Paths[cmp.Or(p.Doc, p.Path)] = &huma.PathItem{Get: s.describePlain(p)}
	}
	for _, amend := range s.amend {
		amend(doc)
	}
	if s.o.Base != "" {
		doc.Servers = []*huma.Server{{URL: s.o.Base}}
	}
	var raw []byte
	err := s.withStated(components, func() (err error) {
		raw, err = json.MarshalIndent(doc, "", "  ")
		return err
	})
	if err != nil {
		return fmt.Errorf("httpx: describe the API: %w", err)
	}
	s.openapi = append(raw, '\n')
	return nil
}

// noNullLists describes every list of a schema as not nullable: handlers always return a list.
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

// nullableObjects describes every member that is a pointer to an object as nullable. huma does this only for pointers to
// numbers and texts.
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

// Plain is a route that is not a huma operation, with its description.
type Plain struct {
	Route

	// Doc is the path in the description, if it differs from the pattern of the mux. The mux has no pattern such as {y}.mvt.
	Doc         string
	ID, Summary string
	ContentType string
	Statuses    []int // in addition to those that follow from the need
	Params      []*huma.Param
	// Amend adds to the description what a body does not show; it may be nil.
	Amend func(o *huma.Operation)
}

// HandlePlain mounts a GET route that is not a huma operation.
func (s *Server) HandlePlain(p Plain, h http.HandlerFunc) {
	p.Method = http.MethodGet
	s.plain = append(s.plain, p)
	s.Handle(p.Route, h)
}

// Amend registers fn, which changes the complete description before it is encoded.
func (s *Server) Amend(fn func(doc *huma.OpenAPI)) { s.amend = append(s.amend, fn) }

// describePlain returns the description of a plain route.
func (s *Server) describePlain(p Plain) *huma.Operation {
	statuses := append(slices.Clone(p.Statuses), http.StatusServiceUnavailable)
	o := &huma.Operation{
		OperationID: p.ID, Summary: p.Summary, Method: http.MethodGet, Parameters: p.Params, Extensions: map[string]any{"x-onemap-needs": p.Need.Name()},
	}
	if p.Need != NeedNothing {
		o.Security = []map[string][]string{{"session": {}}, {"bearer": {}}}
		statuses = append(statuses, http.StatusUnauthorized, http.StatusForbidden)
	}
	o.Responses = s.problems(statuses)
	o.Responses["200"] = &huma.Response{
		Description: "OK", Content: map[string]*huma.MediaType{p.ContentType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}
	if p.Amend != nil {
		p.Amend(o)
	}
	return o
}

// Words returns the schema of a fixed set of words.
func Words[T ~string](list ...T) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, w := range list {
		s.Enum = append(s.Enum, string(w))
	}
	return s
}

type (
	roleWord    string
	originWord  string
	levelNumber uint8
)

// Schema describes a role.
func (roleWord) Schema(huma.Registry) *huma.Schema {
	return Words(append(core.Roles(), core.DisplayRoles()...)...)
}

// Schema describes an origin.
func (originWord) Schema(huma.Registry) *huma.Schema {
	return Words(core.OriginReal, core.OriginSchematic, core.OriginSynthetic, core.OriginFactTable)
}

// Schema describes a level.
func (levelNumber) Schema(huma.Registry) *huma.Schema {
	lowest, highest := float64(core.None), float64(core.Blue)
	return &huma.Schema{Type: huma.TypeInteger, Minimum: &lowest, Maximum: &highest, Description: "1 red, 2 orange, 3 yellow, 4 blue, 0 none"}
}

// Enum uses the schema of W for T. The Schema method of W lists the words of a fixed set. The schema is used in the
// description and in the validation of requests. Call Enum before the operations that use T are registered.
func Enum[T, W any](s *Server) {
	s.huma.OpenAPI().Components.Schemas.RegisterTypeAlias(reflect.TypeFor[T](), reflect.TypeFor[W]())
}

// AnyObject describes a response as a JSON object without listing its members.
func AnyObject(o *huma.Operation) {
	o.Responses["200"].Content["application/json"].Schema = &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}
