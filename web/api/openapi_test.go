package api

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files")

const goldenOpenAPI = "../../docs/openapi.json"

// TestOpenAPI keeps docs/openapi.json, from which the UI's client is generated.
func TestOpenAPI(t *testing.T) {
	s, err := build(Options{})
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
		t.Error("docs/openapi.json is not what the routes say: go test ./web/api -run TestOpenAPI -update, then rebuild the UI's client")
	}
}
