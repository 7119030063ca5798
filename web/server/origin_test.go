package server_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"onemap/internal/httpx"
	"onemap/web/server"
	"onemap/web/server/servertest"
)

// A page behind a proxy that changes the host may send requests if its origin is named by --origin or by the headers of a
// trusted proxy.
func TestOriginBehindAProxy(t *testing.T) {
	log := &servertest.LockedBuffer{}
	o := server.Options{HTTP: httpx.Options{Permissions: servertest.Permissions(), Origins: []string{"https://map.example.org"}, Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
	o.HTTP.Logger = slog.New(slog.NewTextHandler(log, nil))
	s, err := server.Assemble(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, peer string
		headers    []string
		allowed    bool
	}{
		{"own", "192.0.2.1:1", []string{"Origin", "http://127.0.0.1:8080"}, true},
		{"named by --origin", "192.0.2.1:1", []string{"Origin", "https://map.example.org"}, true},
		{"named, and said to be another site's", "192.0.2.1:1", []string{"Origin", "https://map.example.org", "Sec-Fetch-Site", "cross-site"}, true},
		{"said by a trusted proxy", "10.0.0.1:1", []string{"Origin", "http://county.example.org", "X-Forwarded-Host", "county.example.org"}, true},
		{"the first of several proxies", "10.0.0.1:1", []string{"Origin", "http://county.example.org:81", "X-Forwarded-Host", "county.example.org:81, inner"}, true},
		{"said by a stranger", "192.0.2.1:1", []string{"Origin", "http://county.example.org", "X-Forwarded-Host", "county.example.org"}, false},
		{"said as garbage", "10.0.0.1:1", []string{"Origin", "http://county.example.org", "X-Forwarded-Host", "a b/c"}, false},
		{"foreign", "10.0.0.1:1", []string{"Origin", "http://evil.example.org", "X-Forwarded-Host", "county.example.org"}, false},
		{"lookalike", "192.0.2.1:1", []string{"Origin", "https://map.example.org.evil.example"}, false},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodDelete, "http://127.0.0.1:8080/api/v1/nothing", nil)
		r.RemoteAddr = c.peer
		for i := 0; i+1 < len(c.headers); i += 2 {
			r.Header.Set(c.headers[i], c.headers[i+1])
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if allowed := w.Code != http.StatusForbidden; allowed != c.allowed {
			t.Errorf("%s: %d", c.name, w.Code)
		}
		if !c.allowed && !strings.Contains(w.Body.String(), `"code":"origin-foreign"`) {
			t.Errorf("%s: the reason is not said: %s", c.name, w.Body.String())
		}
	}
	if said := log.String(); !strings.Contains(said, "origin=http://evil.example.org host=county.example.org") || !strings.Contains(said, "--origin") {
		t.Errorf("the log does not say why: %s", said)
	}
}

func TestOriginThatIsNone(t *testing.T) {
	for _, origin := range []string{"map.example.org", "https://map.example.org/map", "null", ""} {
		if _, err := server.Assemble(server.Options{HTTP: httpx.Options{Permissions: servertest.Permissions(), Origins: []string{origin}}}); err == nil {
			t.Errorf("the origin %q passes", origin)
		}
	}
}

// A page can ask why its WebSocket is refused.
func TestPushCheckSaysWhy(t *testing.T) {
	w := newWorld(t, nil)
	if a := w.Send(servertest.Commander, http.MethodGet, "/api/v1/push?origin=http://map.example", nil); a.Status != http.StatusNoContent {
		t.Errorf("the own address: %d %s", a.Status, a.Body)
	}
	a := w.Send(servertest.Commander, http.MethodGet, "/api/v1/push?origin=http://other.example", nil)
	if p := a.Problem(t); a.Status != http.StatusForbidden || p.Code != "origin-foreign" || p.Params["origin"] != "http://other.example" || p.Params["host"] != "map.example" {
		t.Errorf("another address: %d %+v", a.Status, p)
	}
}
