package authapi

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"onemap/internal/httpx"
)

func TestTheCookieIsOfTheBasePath(t *testing.T) {
	for base, path := range map[string]string{"": "/", "/onemap": "/onemap/"} {
		h, err := httpx.New(httpx.Options{Base: base})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://map.example/", nil)
		if c := (&API{Server: h}).cookie(r, "x"); c.Path != path {
			t.Errorf("%q: %q", base, c.Path)
		}
	}
}
