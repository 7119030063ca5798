package page_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/gzip"

	"onemap/internal/httpx"
	"onemap/web/server"
	"onemap/web/server/servertest"
)

func pages(t *testing.T, files fstest.MapFS) http.Handler {
	t.Helper()
	o := server.Options{HTTP: httpx.Options{Permissions: servertest.Permissions()}}
	if files != nil {
		o.UI = files
	}
	s, err := server.Assemble(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func get(t *testing.T, h http.Handler, path string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func read(t *testing.T, res *http.Response) string {
	t.Helper()
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestPages(t *testing.T) {
	script := strings.Repeat("console.log(1);", 200)
	h := pages(t, fstest.MapFS{
		"index.html":          {Data: []byte("<!doctype html><title>onemap</title>")},
		"assets/index-abc.js": {Data: []byte(script)},
		"assets/font.woff2":   {Data: []byte("font")},
		"assets/big.css":      {Data: []byte(strings.Repeat("a{}", 1000))},
		"assets/big.css.gz":   {Data: []byte("packed by the build")},
		"favicon.svg":         {Data: []byte("<svg/>")},
		".gitkeep":            {},
	})
	for _, path := range []string{"/", "/login", "/m", "/admin/rules", "/admin/accounts", "/about", "/?lon=121"} {
		res := get(t, h, path)
		if res.StatusCode != http.StatusOK || !strings.Contains(read(t, res), "<title>onemap") || res.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %v", path, res.StatusCode, res.Header)
		}
		if res.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(res.Header.Get("Content-Security-Policy"), "script-src 'self'") {
			t.Errorf("%s: %v", path, res.Header)
		}
	}
	res := get(t, h, "/assets/index-abc.js")
	if read(t, res) != script || res.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/javascript") {
		t.Errorf("asset: %v", res.Header)
	}
	for range 2 { // made, then kept
		res = get(t, h, "/assets/index-abc.js", "Accept-Encoding", "gzip")
		zr, err := gzip.NewReader(res.Body)
		if err != nil || res.Header.Get("Content-Encoding") != "gzip" {
			t.Fatal(err, res.Header)
		}
		if raw, err := io.ReadAll(zr); err != nil || string(raw) != script {
			t.Errorf("unpacks to %d bytes, %v", len(raw), err)
		}
	}
	if got := read(t, get(t, h, "/assets/big.css", "Accept-Encoding", "gzip")); got != "packed by the build" {
		t.Errorf("the build's own gzip is not used: %.30q", got)
	}
	tag := get(t, h, "/assets/index-abc.js").Header.Get("ETag")
	if res := get(t, h, "/assets/index-abc.js", "If-None-Match", tag); res.StatusCode != http.StatusNotModified {
		t.Errorf("known: %d", res.StatusCode)
	}
	for _, path := range []string{"/nothing", "/assets", "/assets/", "/assets/gone.js", "/.gitkeep", "/assets/..%2f..%2fgo.mod", "/index.html/x", "/administrator"} {
		res := get(t, h, path)
		if body := read(t, res); res.StatusCode != http.StatusNotFound || !strings.Contains(body, `"kind":"not-found"`) {
			t.Errorf("%s: %d %.80s", path, res.StatusCode, body)
		}
	}
}

func TestPagesThatAreNotBuilt(t *testing.T) {
	for name, h := range map[string]http.Handler{"no files": pages(t, nil), "empty": pages(t, fstest.MapFS{".gitkeep": {}})} {
		res := get(t, h, "/")
		if body := read(t, res); res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "not built") {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
		}
	}
}

// An unknown address is answered with the pages' own 404 for a browser, and with JSON for a script and below /api/.
func TestNowhere(t *testing.T) {
	h := pages(t, fstest.MapFS{"index.html": {Data: []byte("<!doctype html><title>onemap</title>")}})
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	for _, c := range []struct {
		path, accept string
		html         bool
	}{
		{"/nosuch/page", browser, true},
		{"/nosuch", "text/html", true},
		{"/nosuch.png", browser, true},
		{"/admin/nosuch", browser, true},
		{"/m/nosuch", browser, true},
		{"/nosuch/page", "application/json", false},
		{"/nosuch/page", "*/*", false},
		{"/nosuch/page", "", false},
		{"/nosuch/page", "text/html;q=0, application/json", false},
		{"/assets/gone-abc.js", browser, false},
		{"/api/v1/nothing", browser, false},
		{"/tiles/", browser, false},
		{"/cap/nothing", browser, false},
	} {
		res := get(t, h, c.path, "Accept", c.accept)
		kind := res.Header.Get("Content-Type")
		isHTML := strings.HasPrefix(kind, "text/html") && strings.Contains(read(t, res), "<title>onemap")
		if res.StatusCode != http.StatusNotFound || isHTML != c.html || (!c.html && kind != "application/problem+json") {
			t.Errorf("%s for %q: %d %s", c.path, c.accept, res.StatusCode, kind)
		}
		if !strings.Contains(res.Header.Get("Cache-Control"), "no-") {
			t.Errorf("%s may be kept: %s", c.path, res.Header.Get("Cache-Control"))
		}
	}
}

// Every address of the pages' router is answered with the page and status 200.
func TestRouterAddressesAreKnown(t *testing.T) {
	source, err := os.ReadFile("../ui/src/router.ts")
	if err != nil {
		t.Fatal(err)
	}
	paths := regexp.MustCompile(`\bpath: '(/[^':*]*)'`).FindAllSubmatch(source, -1)
	if len(paths) < 8 {
		t.Fatalf("found %d addresses in the router", len(paths))
	}
	h := pages(t, fstest.MapFS{"index.html": {Data: []byte("<p>the page")}})
	for _, m := range paths {
		if res := get(t, h, string(m[1])); res.StatusCode != http.StatusOK || read(t, res) != "<p>the page" {
			t.Errorf("the server does not know %s: %d", m[1], res.StatusCode)
		}
	}
}

// Every answer names the build, so that an open page notices a new one, and the files that decide which build is loaded are
// revalidated.
func TestBuildIsTold(t *testing.T) {
	h := pages(t, fstest.MapFS{
		"index.html": {Data: []byte(`<!doctype html><meta name="onemap-build" content="b-123"><title>onemap</title>`)},
		"sw.js":      {Data: []byte("self")},
	})
	for _, path := range []string{"/", "/api/v1/nothing", "/healthz"} {
		if got := get(t, h, path).Header.Get("X-Onemap-Build"); got != "b-123" {
			t.Errorf("%s: build %q", path, got)
		}
	}
	if got := get(t, h, "/sw.js").Header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("sw.js: %s", got)
	}
	if got := get(t, pages(t, fstest.MapFS{"index.html": {Data: []byte(`<meta name="onemap-build" content="a b">`)}}), "/").Header.Get("X-Onemap-Build"); got != "" {
		t.Errorf("build %q", got)
	}
}

func TestUnknownAddresses(t *testing.T) {
	h := pages(t, nil)
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{http.MethodGet, "/api/v1/nothing", 404, ""},
		{http.MethodDelete, "/api/v1/nothing", 404, ""},
		{http.MethodGet, "/api/", 404, ""},
		{http.MethodDelete, "/api/v1/layers", 405, "GET"},
		{http.MethodPost, "/api/v1/rules/1", 405, "GET, PUT, DELETE"},
		{http.MethodPost, "/tiles/land/0/0/0.mvt", 405, "GET"},
		{http.MethodPost, "/", 405, "GET"},
		{http.MethodPut, "/ws", 405, "GET"},
		{"BREW", "/", 405, "GET"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status || w.Header().Get("Allow") != c.allow || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d, Allow %q, %s", c.method, c.path, w.Code, w.Header().Get("Allow"), w.Body)
		}
	}
}
