package server_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/web/server"
	"onemap/web/server/servertest"
)

// broken is a search that fails in the given way.
type broken struct{ fail func() error }

func (b broken) Search(context.Context, core.Scope, string, int) ([]catalogue.Hit, error) {
	return nil, b.fail()
}

func TestPanicsAndUnforeseenErrorsAreBare500s(t *testing.T) {
	for name, fail := range map[string]func() error{
		"panic": func() error { panic("the secret detail") },
		"error": func() error { return errors.New("the secret detail") },
		"index": func() error { none := []string{}; return errors.New(none[len(os.Args)]) },
	} {
		w := newWorld(t, func(o *server.Options) { o.Catalogue.Search = broken{fail} })
		a := w.Send(servertest.Commander, http.MethodGet, "/api/v1/search?q=x", nil)
		p := a.Problem(t)
		if a.Status != http.StatusInternalServerError || p.Kind != "internal" || strings.Contains(string(a.Body), "secret") {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
		if p.RequestID == "" || p.RequestID != a.Header.Get("X-Request-Id") || !strings.Contains(w.Log.String(), p.RequestID) {
			t.Errorf("%s: request %q, header %q; the log must know it", name, p.RequestID, a.Header.Get("X-Request-Id"))
		}
		if name != "index" && !strings.Contains(w.Log.String(), "the secret detail") {
			t.Errorf("%s: the log lacks the detail", name)
		}
		if a := w.Send(servertest.Commander, http.MethodGet, "/api/v1/me", nil); a.Status != http.StatusOK {
			t.Errorf("%s: the server does not go on: %d", name, a.Status)
		}
	}
}

func TestSecurityHeadersAreOnEveryAnswer(t *testing.T) {
	w := newWorld(t, nil)
	for _, path := range []string{"/", "/api/v1/me", "/api/v1/nothing", "/tiles/land/1/1/0.mvt", "/healthz", "/ws", "/cap/feed.atom", "/metrics"} {
		for _, account := range []string{"", servertest.Commander} {
			h := w.Send(account, http.MethodGet, path, nil).Header
			for header, want := range map[string]string{
				"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
					"font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
				"X-Content-Type-Options":     "nosniff",
				"X-Frame-Options":            "DENY",
				"Referrer-Policy":            "no-referrer",
				"Cross-Origin-Opener-Policy": "same-origin",
			} {
				if got := h.Get(header); got != want {
					t.Errorf("%s as %q: %s = %q", path, account, header, got)
				}
			}
		}
	}
}

func TestHealth(t *testing.T) {
	w := newWorld(t, nil)
	if a := w.Send("", http.MethodGet, "/healthz", nil); a.Status != http.StatusOK {
		t.Errorf("/healthz: %d", a.Status)
	}
	var h server.ServerHealth
	w.Send("", http.MethodGet, "/readyz", nil).Decode(t, &h)
	if !h.OK || len(h.Parts) != 2 || h.Parts[1].Detail != "" {
		t.Errorf("ready: %+v; details are not for everybody", h)
	}
	w.Send(servertest.Observer, http.MethodGet, "/api/v1/health", nil).Decode(t, &h)
	if !h.OK || h.Parts[1].Detail != "3 clients" {
		t.Errorf("health: %+v", h)
	}
	w.Health = []core.Health{{Part: "database", OK: true}, {Part: "broker", OK: false, Detail: "refused"}}
	a := w.Send("", http.MethodGet, "/readyz", nil)
	if a.Status != http.StatusServiceUnavailable || !strings.Contains(string(a.Body), `"broker"`) || strings.Contains(string(a.Body), "refused") {
		t.Errorf("not ready: %d %s", a.Status, a.Body)
	}
	if a := w.Send("", http.MethodGet, "/healthz", nil); a.Status != http.StatusOK {
		t.Errorf("/healthz while a part is away: %d", a.Status)
	}
}

func TestDatabaseAwayIs503AndNobodyIsLoggedOut(t *testing.T) {
	w := newWorld(t, nil)
	w.DB.Close()
	for _, path := range []string{"/api/v1/me", "/api/v1/devices", "/api/v1/layers", "/tiles/land/1/1/0.mvt", "/cap/feed.atom", "/api/v1/alerts"} {
		a := w.Send(servertest.R02, http.MethodGet, path, nil)
		if p := a.Problem(t); a.Status != http.StatusServiceUnavailable || p.Kind != "unavailable" {
			t.Errorf("%s: %d %+v", path, a.Status, p)
		}
	}
	if a := w.LogIn(servertest.R02, servertest.Password); a.Status != http.StatusServiceUnavailable {
		t.Errorf("login: %d %s", a.Status, a.Body)
	}
}

func TestAnswersEndInTime(t *testing.T) {
	w := newWorld(t, func(o *server.Options) {
		o.HTTP.Timeout = time.Millisecond
		o.Catalogue.Search = waiting{}
	})
	if _, err := w.People.Authenticate(t.Context(), w.Tokens[servertest.Commander]); err != nil { // so that the time is spent in the search
		t.Fatal(err)
	}
	if a := w.Send(servertest.Commander, http.MethodGet, "/api/v1/search?q=x", nil); a.Status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// waiting is a search that waits until its time limit.
type waiting struct{}

func (waiting) Search(ctx context.Context, _ core.Scope, _ string, _ int) ([]catalogue.Hit, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestMetrics(t *testing.T) {
	w := newWorld(t, nil)
	w.Send(servertest.Commander, http.MethodGet, "/api/v1/devices/dev-02", nil)
	w.Send(servertest.Commander, http.MethodGet, "/api/v1/devices/dev-14", nil)
	w.Send(servertest.Commander, "BREW", "/coffee", nil)
	a := w.Send("", http.MethodGet, "/metrics", nil)
	if a.Status != http.StatusOK {
		t.Fatalf("from this machine: %d", a.Status)
	}
	for _, line := range []string{
		`onemap_http_requests_total{method="GET",route="/api/v1/devices/{id}",status="200"} 2`,
		`onemap_http_requests_total{method="other",route="/",status="405"} 1`,
		`onemap_http_request_seconds_count{route="/api/v1/devices/{id}"} 2`,
	} {
		if !strings.Contains(string(a.Body), line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	if strings.Contains(string(a.Body), "dev-02") {
		t.Error("a label holds what a client wrote")
	}
	if a := w.Send(servertest.Commander, http.MethodGet, "/metrics", nil, "X-Forwarded-For", "192.0.2.1"); a.Status != http.StatusForbidden {
		t.Errorf("a commander through a proxy: %d", a.Status)
	}
}

func TestRequestLog(t *testing.T) {
	w := newWorld(t, nil)
	a := w.Send(servertest.Steward, http.MethodPost, "/api/v1/rules?"+"x=secret", "{}")
	log := w.Log.String()
	for _, part := range []string{a.Header.Get("X-Request-Id"), "user=" + servertest.Steward, "method=POST", "path=/api/v1/rules", "status=400"} {
		if !strings.Contains(log, part) {
			t.Errorf("the log lacks %q: %s", part, log)
		}
	}
	if strings.Contains(log, w.Tokens[servertest.Steward]) || strings.Contains(log, "x=secret") {
		t.Error("the log holds a token or a query")
	}
	w.LogIn(servertest.R02, "a password that was typed")
	if strings.Contains(w.Log.String(), "typed") {
		t.Error("the log holds a password")
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	_, err := server.New(server.Options{})
	if err == nil || !strings.Contains(err.Error(), "Options.") {
		t.Errorf("%v", err)
	}
}
