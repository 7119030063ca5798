package page_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"onemap/internal/httpx"
	"onemap/web/server"
	"onemap/web/server/servertest"
)

func TestParseBase(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "/": "", "onemap": "/onemap", "/onemap": "/onemap", "/onemap/": "/onemap", "/city/one-map.2": "/city/one-map.2",
	} {
		if got, err := httpx.ParseBase(text); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"a b", "/a//b", "/../x", "/.hidden", "/a?b", "/a#b", "/a%20b", "https://x/onemap", "/<x>", "/一张图", "/api", "/ws/x", "/assets"} {
		if got, err := httpx.ParseBase(text); err == nil {
			t.Errorf("%q passes as %q", text, got)
		}
	}
}

// Every address works below the base path, and also without it, for a proxy that removes it.
func TestBelowABasePath(t *testing.T) {
	index := `<!doctype html><meta name="onemap-build" content="b1" /><meta name="onemap-base" content="/" /><script src="./assets/i.js"></script>`
	s, err := server.Assemble(server.Options{HTTP: httpx.Options{Permissions: servertest.Permissions(), Base: "/onemap"}, UI: fstest.MapFS{"index.html": {Data: []byte(index)}, "assets/i.js": {Data: []byte("1")}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{"/onemap", ""} {
		for path, want := range map[string]string{
			"/": `content="/onemap/" /><script src="/onemap/assets/i.js">`, "/admin/rules": `src="/onemap/assets/i.js"`, "/assets/i.js": "1", "/healthz": "ok",
		} {
			if res := get(t, s, base+path); res.StatusCode != http.StatusOK || !strings.Contains(read(t, res), want) || res.Header.Get("X-Onemap-Build") != "b1" {
				t.Errorf("%s: %d %v", base+path, res.StatusCode, res.Header)
			}
		}
	}
	for from, to := range map[string]string{"/onemap?lon=1": "/onemap/?lon=1", "/onemap/api//v1/me": "/onemap/api/v1/me", "/onemap/a/../m": "/onemap/m"} {
		if res := get(t, s, from); res.StatusCode/100 != 3 || res.Header.Get("Location") != to {
			t.Errorf("%s: %d to %q, want %q", from, res.StatusCode, res.Header.Get("Location"), to)
		}
	}
	if res := get(t, s, "/onemapper/healthz"); res.StatusCode != http.StatusNotFound {
		t.Errorf("a path that only begins alike: %d", res.StatusCode)
	}
	var doc struct{ Servers []struct{ URL string } }
	if err := json.Unmarshal(s.OpenAPI(), &doc); err != nil || len(doc.Servers) != 1 || doc.Servers[0].URL != "/onemap" {
		t.Errorf("%v %+v", err, doc.Servers)
	}
	if _, err := server.Assemble(server.Options{HTTP: httpx.Options{Permissions: servertest.Permissions(), Base: "onemap"}}); err == nil {
		t.Error("a base path without its slash passes")
	}
}

func TestPagesAtTheRootNameTheirFilesFromThere(t *testing.T) {
	index := `<meta name="onemap-base" content="/" /><script src="./assets/i.js"></script>`
	h := pages(t, fstest.MapFS{"index.html": {Data: []byte(index)}})
	if got := read(t, get(t, h, "/admin/rules")); got != `<meta name="onemap-base" content="/" /><script src="/assets/i.js"></script>` {
		t.Error(got)
	}
}
