package api

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
)

// broken is a search that fails as it is told to.
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
		w := newWorld(t, func(o *Options) { o.Search = broken{fail} })
		a := w.send(commander, http.MethodGet, "/api/v1/search?q=x", nil)
		p := a.problem(t)
		if a.status != http.StatusInternalServerError || p.Kind != "internal" || strings.Contains(string(a.body), "secret") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if p.RequestID == "" || p.RequestID != a.header.Get("X-Request-Id") || !strings.Contains(w.log.String(), p.RequestID) {
			t.Errorf("%s: request %q, header %q; the log must know it", name, p.RequestID, a.header.Get("X-Request-Id"))
		}
		if name != "index" && !strings.Contains(w.log.String(), "the secret detail") {
			t.Errorf("%s: the log lacks the detail", name)
		}
		if a := w.send(commander, http.MethodGet, "/api/v1/me", nil); a.status != http.StatusOK {
			t.Errorf("%s: the server does not go on: %d", name, a.status)
		}
	}
}

func TestSecurityHeadersAreOnEveryAnswer(t *testing.T) {
	w := newWorld(t, nil)
	for _, path := range []string{"/", "/api/v1/me", "/api/v1/nothing", "/tiles/land/1/1/0.mvt", "/healthz", "/ws", "/cap/feed.atom", "/metrics"} {
		for _, account := range []string{"", commander} {
			h := w.send(account, http.MethodGet, path, nil).header
			for header, want := range map[string]string{
				"Content-Security-Policy":    contentSecurityPolicy,
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
	for _, word := range []string{"unsafe-eval", "unsafe-inline", "http:", "*"} {
		if strings.Contains(contentSecurityPolicy, word) {
			t.Errorf("the policy allows %s", word)
		}
	}
}

func TestHealth(t *testing.T) {
	w := newWorld(t, nil)
	if a := w.send("", http.MethodGet, "/healthz", nil); a.status != http.StatusOK {
		t.Errorf("/healthz: %d", a.status)
	}
	var h ServerHealth
	w.send("", http.MethodGet, "/readyz", nil).decode(t, &h)
	if !h.OK || len(h.Parts) != 2 || h.Parts[1].Detail != "" {
		t.Errorf("ready: %+v; details are not for everybody", h)
	}
	w.send(observer, http.MethodGet, "/api/v1/health", nil).decode(t, &h)
	if !h.OK || h.Parts[1].Detail != "3 clients" {
		t.Errorf("health: %+v", h)
	}
	w.health = []core.Health{{Part: "database", OK: true}, {Part: "broker", OK: false, Detail: "refused"}}
	a := w.send("", http.MethodGet, "/readyz", nil)
	if a.status != http.StatusServiceUnavailable || !strings.Contains(string(a.body), `"broker"`) || strings.Contains(string(a.body), "refused") {
		t.Errorf("not ready: %d %s", a.status, a.body)
	}
	if a := w.send("", http.MethodGet, "/healthz", nil); a.status != http.StatusOK {
		t.Errorf("/healthz while a part is away: %d", a.status)
	}
}

func TestDatabaseAwayIs503AndNobodyIsLoggedOut(t *testing.T) {
	w := newWorld(t, nil)
	w.db.Close()
	for _, path := range []string{"/api/v1/me", "/api/v1/devices", "/api/v1/layers", "/tiles/land/1/1/0.mvt", "/cap/feed.atom", "/api/v1/alerts"} {
		a := w.send(r02, http.MethodGet, path, nil)
		if p := a.problem(t); a.status != http.StatusServiceUnavailable || p.Kind != "unavailable" {
			t.Errorf("%s: %d %+v", path, a.status, p)
		}
	}
	if a := w.logIn(r02, password); a.status != http.StatusServiceUnavailable {
		t.Errorf("login: %d %s", a.status, a.body)
	}
}

func TestAnswersEndInTime(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		o.Timeout = time.Millisecond
		o.Search = waiting{}
	})
	if _, err := w.people.Authenticate(t.Context(), w.tokens[commander]); err != nil { // so that the time is spent in the search
		t.Fatal(err)
	}
	if a := w.send(commander, http.MethodGet, "/api/v1/search?q=x", nil); a.status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// waiting is a search that waits for the end of its time.
type waiting struct{}

func (waiting) Search(ctx context.Context, _ core.Scope, _ string, _ int) ([]catalogue.Hit, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestMetrics(t *testing.T) {
	w := newWorld(t, nil)
	w.send(commander, http.MethodGet, "/api/v1/devices/dev-02", nil)
	w.send(commander, http.MethodGet, "/api/v1/devices/dev-14", nil)
	w.send(commander, "BREW", "/coffee", nil)
	a := w.send("", http.MethodGet, "/metrics", nil)
	if a.status != http.StatusOK {
		t.Fatalf("from this machine: %d", a.status)
	}
	for _, line := range []string{
		`onemap_http_requests_total{method="GET",route="/api/v1/devices/{id}",status="200"} 2`,
		`onemap_http_requests_total{method="other",route="/",status="405"} 1`,
		`onemap_http_request_seconds_count{route="/api/v1/devices/{id}"} 2`,
	} {
		if !strings.Contains(string(a.body), line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	if strings.Contains(string(a.body), "dev-02") {
		t.Error("a label holds what a client wrote")
	}
	if a := w.send(commander, http.MethodGet, "/metrics", nil, "X-Forwarded-For", "192.0.2.1"); a.status != http.StatusForbidden {
		t.Errorf("a commander through a proxy: %d", a.status)
	}
}

func TestRequestLog(t *testing.T) {
	w := newWorld(t, nil)
	a := w.send(steward, http.MethodPost, "/api/v1/rules?"+"x=secret", "{}")
	log := w.log.String()
	for _, part := range []string{a.header.Get("X-Request-Id"), "user=" + steward, "method=POST", "path=/api/v1/rules", "status=400"} {
		if !strings.Contains(log, part) {
			t.Errorf("the log lacks %q: %s", part, log)
		}
	}
	if strings.Contains(log, w.tokens[steward]) || strings.Contains(log, "x=secret") {
		t.Error("the log holds a token or a query")
	}
	w.logIn(r02, "a password that was typed")
	if strings.Contains(w.log.String(), "typed") {
		t.Error("the log holds a password")
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	_, err := New(Options{})
	if err == nil || !strings.Contains(err.Error(), "Options.") {
		t.Errorf("%v", err)
	}
}
