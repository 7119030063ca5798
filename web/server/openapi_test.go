package server_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"onemap/internal/httpx"
	"onemap/web/server"
	"onemap/web/server/servertest"
)

var update = flag.Bool("update", false, "rewrite golden files")

const goldenOpenAPI = "../../docs/openapi.json"

// TestOpenAPI compares docs/openapi.json, from which the page's client is generated, with the server.
func TestOpenAPI(t *testing.T) {
	s, err := server.Assemble(server.Options{HTTP: httpx.Options{Permissions: servertest.Permissions()}})
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(goldenOpenAPI, s.OpenAPI(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenOpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.OpenAPI(), want) {
		t.Error("docs/openapi.json is not what the routes say: go test ./web/server -run TestOpenAPI -update, then rebuild the UI's client")
	}
}

func TestOpenAPIIsServed(t *testing.T) {
	w := newWorld(t, nil)
	a := w.Send(servertest.Observer, http.MethodGet, "/api/v1/openapi.json", nil)
	var doc map[string]any
	if err := json.Unmarshal(a.Body, &doc); err != nil || doc["openapi"] != "3.1.0" || strings.Contains(string(a.Body), "$schema") {
		t.Errorf("%v %v", err, doc["openapi"])
	}
	for _, path := range []string{"/docs", "/openapi.json", "/schemas/Me.json", "/api/v1/docs"} {
		if a := w.Send(servertest.Observer, http.MethodGet, path, nil); a.Status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
	if a := w.Send(servertest.Observer, http.MethodGet, "/api/v1/me", nil); strings.Contains(string(a.Body), "$schema") || a.Header.Get("Link") != "" {
		t.Errorf("links to schemas: %v %s", a.Header, a.Body)
	}
}

// A member that may be null is described so: whatever is null in the empty value of a type must be allowed by its schema.
// Lists, maps and bytes are excluded, because handlers never answer null for them.
func TestWhatMayBeNullIsSaid(t *testing.T) {
	s, err := server.Assemble(server.Options{HTTP: httpx.Options{Permissions: servertest.Permissions()}})
	if err != nil {
		t.Fatal(err)
	}
	schemas, seen := s.Huma().Components.Schemas, 0
	for name, schema := range schemas.Map() {
		of := schemas.TypeFromRef("#/components/schemas/" + name)
		if of == nil || of.Kind() != reflect.Struct {
			continue
		}
		b, err := json.Marshal(reflect.New(of).Interface())
		var members map[string]json.RawMessage
		if err != nil || json.Unmarshal(b, &members) != nil {
			continue // a type that writes itself
		}
		for member, value := range members {
			p := schema.Properties[member]
			if p == nil || string(value) != "null" || p.Type == huma.TypeArray || p.Type == huma.TypeObject || p.ContentEncoding == "base64" {
				continue
			}
			seen++
			anything := p.Type == "" && p.Ref == "" && p.AnyOf == nil
			if !p.Nullable && !anything && !slices.ContainsFunc(p.AnyOf, func(one *huma.Schema) bool { return one.Type == "null" }) {
				t.Errorf("%s.%s may be null, and its schema does not say so", name, member)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d members that may be null were found", seen)
	}
}
