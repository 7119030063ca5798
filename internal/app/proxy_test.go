package app_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"onemap/demo"
	"onemap/internal/app"
	"onemap/internal/config"
)

// behind is a client that reaches a server through a proxy, from the address from.
type behind struct {
	*user
	p    *proxy
	from string
}

func (p *proxy) person(t testing.TB, d demo.Info, base, from, name string) *behind {
	t.Helper()
	acct, ok := d.Account(name)
	if !ok {
		t.Fatalf("the demo has no account %q", name)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	u := &user{t: t, base: base, http: &http.Client{Jar: jar, Timeout: patience, Transport: p.transport(t, from)}, acct: acct}
	return &behind{user: u, p: p, from: from}
}

func (b *behind) login(password string, header ...string) (int, http.Header) {
	b.t.Helper()
	status, _, h := b.raw(http.MethodPost, "/api/v1/session", map[string]string{"user": b.acct.User, "password": password}, header...)
	return status, h
}

// dial opens the push endpoint as a page of origin and returns the status of the answer.
func (b *behind) dial(origin string) int {
	b.t.Helper()
	d := websocket.Dialer{Jar: b.http.Jar, Subprotocols: []string{"onemap.v1"}, HandshakeTimeout: patience, TLSClientConfig: b.p.tlsConfig()}
	conn, res, err := d.DialContext(b.t.Context(), strings.Replace(b.base, "http", "ws", 1)+"/ws", http.Header{"Origin": {origin}})
	if res == nil {
		b.t.Fatalf("connect through %s: %v", b.p.name, err)
	}
	_ = res.Body.Close()
	if err != nil {
		return res.StatusCode
	}
	defer func() { _ = conn.Close() }()
	l := &live{t: b.t, conn: conn}
	l.send(map[string]any{"type": "hello", "client": "client-behind", "epoch": "", "last_seq": 0})
	l.until("welcome", func(f frame) bool { return f.Type == "welcome" })
	return http.StatusSwitchingProtocols
}

// lies are header fields by which a client pretends to be local or to be another client.
func lies() []http.Header {
	const f = "X-Forwarded-For"
	return []http.Header{
		nil, {f: {""}}, {f: {"", ""}}, {f: {" , "}}, {f: {"127.0.0.1"}}, {f: {"", "127.0.0.1"}}, {f: {"127.0.0.1", ""}}, {f: {"::1"}}, {f: {"[::1]:80"}},
		{f: {"::ffff:127.0.0.1"}}, {f: {"unknown"}}, {f: {"127.0.0.1, 127.0.0.1"}}, {f: {"203.0.113.7"}}, {f: {"203.0.113.7:99, 198.51.100.1"}},
		{"Forwarded": {"for=127.0.0.1"}}, {"Forwarded": {""}}, {"X-Real-Ip": {"127.0.0.1"}}, {"X-Forwarded-Host": {"127.0.0.1"}},
		{"X-Forwarded-Host": {""}, f: {""}}, {"X-Forwarded-Proto": {"https"}}, {"X-Forwarded-Proto": {""}, "Via": {""}},
		{"Connection": {"close, X-Forwarded-For"}, f: {"127.0.0.1"}}, {"Connection": {"X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto"}},
	}
}

// TestBehindRealProxies runs Debian's HAProxy and nginx with the configuration of docs/proxy, over HTTP and over TLS. The
// metrics stay closed whatever headers the client sends, the login sees the client's address, the cookie is Secure where the
// browser uses TLS, and WebSockets connect, except those of other origins.
func TestBehindRealProxies(t *testing.T) {
	o := demoOptions(t, demoDir(t))
	o.Proxy, o.Metrics = []string{"127.0.0.1"}, "127.0.0.1:0"
	d := startDemoOn(t, o)
	upstream := strings.TrimPrefix(d.URL(), "http://")
	for name, file := range map[string]string{"haproxy": "haproxy.cfg", "nginx": "nginx.conf"} {
		p := newProxy(t, name)
		p.start(t, file, upstream)
		for _, base := range p.urls() {
			t.Run(name+" "+base[:5], func(t *testing.T) {
				metricsStayClosed(t, p, base)
				addressesAreTrue(t, p, d.Info(), base)
			})
		}
	}
	if status, text := get(t, http.DefaultTransport, "http://"+d.MetricsAddr()+"/metrics", nil); status != http.StatusOK || !strings.Contains(text, "onemap_http_requests_total") {
		t.Errorf("the metrics' own listener: %d", status)
	}
	if status, _ := get(t, http.DefaultTransport, "http://"+d.MetricsAddr()+"/api/v1/me", nil); status != http.StatusNotFound {
		t.Errorf("the metrics' own listener has more: %d", status)
	}
	if status, _ := get(t, http.DefaultTransport, d.URL()+"/metrics", nil); status != http.StatusUnauthorized {
		t.Errorf("a trusted peer is local: %d", status)
	}
}

func get(t testing.TB, tr http.RoundTripper, url string, header http.Header) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header.Clone()
	}
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func metricsStayClosed(t *testing.T, p *proxy, base string) {
	for _, from := range []string{"127.0.0.1", "127.0.0.2"} {
		tr := p.transport(t, from)
		for _, lie := range lies() {
			if status, _ := get(t, tr, base+"/metrics", lie); status != http.StatusUnauthorized {
				t.Errorf("/metrics from %s with %v: %d", from, lie, status)
			}
		}
	}
}

// addressesAreTrue checks which address the server sees for a client at 127.0.0.2 that pretends to be another.
func addressesAreTrue(t *testing.T, p *proxy, d demo.Info, base string) {
	b := p.person(t, d, base, "127.0.0.2", "commander")
	for _, lie := range [][]string{{}, {"X-Forwarded-For", ""}, {"X-Forwarded-For", "203.0.113.7"}, {"X-Forwarded-For", "127.0.0.1", "X-Forwarded-Proto", "https"}} {
		status, h := b.login(b.acct.Password, lie...)
		secure := strings.HasPrefix(base, "https")
		if status != http.StatusOK || strings.Contains(h.Get("Set-Cookie"), "Secure") != secure || !strings.Contains(h.Get("Set-Cookie"), "Path=/;") {
			t.Errorf("login with %v: %d, %s", lie, status, h.Get("Set-Cookie"))
		}
	}
	var sessions struct {
		Items []struct {
			Remote  string `json:"remote"`
			Current bool   `json:"current"`
		} `json:"items"`
	}
	if status := b.call(http.MethodGet, "/api/v1/sessions", nil, &sessions); status != http.StatusOK || len(sessions.Items) == 0 {
		t.Fatalf("sessions: %d", status)
	}
	for _, s := range sessions.Items {
		if s.Remote != "127.0.0.2" {
			t.Errorf("a session is of %q", s.Remote)
		}
	}
	if status := b.dial(base); status != http.StatusSwitchingProtocols {
		t.Errorf("the page's WebSocket: %d", status)
	}
	for _, foreign := range []string{"https://evil.example", "http://127.0.0.1"} {
		if status := b.dial(foreign); status != http.StatusForbidden {
			t.Errorf("a WebSocket of %s: %d", foreign, status)
		}
		if status, _ := b.login(b.acct.Password, "Origin", foreign); status != http.StatusForbidden {
			t.Errorf("a login of %s: %d", foreign, status)
		}
	}
	guessesAreTheClients(t, p, d, base)
}

// guessesAreTheClients checks that a client that guesses passwords is slowed down whatever address it writes into its
// requests, and that another client of the same proxy is not.
func guessesAreTheClients(t *testing.T, p *proxy, d demo.Info, base string) {
	guesser := p.person(t, d, base, "127.0.0.3", "observer")
	const many = 200
	refused := false
	for i := range many {
		status, _ := guesser.login("wrong", "X-Forwarded-For", "203.0.113."+string(rune('0'+i%10)))
		if refused = status == http.StatusTooManyRequests; refused {
			break
		}
	}
	if !refused {
		t.Errorf("%d guesses from changing addresses, and no wait", many)
	}
	other := p.person(t, d, base, "127.0.0.4", "steward")
	if status, _ := other.login(other.acct.Password); status != http.StatusOK {
		t.Errorf("another client pays for it: %d", status)
	}
}

// nodeBehind starts another server on a demo's database with options for proxies, and returns its address.
func nodeBehind(t *testing.T, d demo.Info, o config.Server) string {
	t.Helper()
	o.HTTP, o.MQTT, o.City, o.Sender, o.Node = "127.0.0.1:0", "127.0.0.1:0", "3706", "test.onemap", "behind"
	o.BaseData = filepath.Join("..", "..", "data", "base")
	a, err := app.Start(t.Context(), app.Options{Server: o, DatabaseURL: d.Database})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return strings.TrimSuffix(strings.TrimPrefix(a.URL(), "http://"), o.Base)
}

// TestBelowAPath: everything works below a path, whether the proxy keeps the path or removes it.
func TestBelowAPath(t *testing.T) {
	d := startDemo(t, demoDir(t)).Info()
	upstream := nodeBehind(t, d, config.Server{Base: "/onemap", Proxy: []string{"127.0.0.1/32"}})
	for name, c := range map[string]struct {
		program, file string
		changes       []string
	}{
		"nginx, kept":      {"nginx", "nginx-path.conf", nil},
		"nginx, taken off": {"nginx", "nginx-path.conf", []string{"proxy_pass http://" + upstream + ";", "proxy_pass http://" + upstream + "/;"}},
		"haproxy":          {"haproxy", "haproxy-path.cfg", nil},
	} {
		p := newProxy(t, c.program)
		p.start(t, c.file, upstream, c.changes...)
		for _, root := range p.urls() {
			t.Run(name+" "+root[:5], func(t *testing.T) { belowPath(t, p, d, root) })
		}
	}
}

func belowPath(t *testing.T, p *proxy, d demo.Info, root string) {
	b := p.person(t, d, root+"/onemap", "127.0.0.2", "steward")
	status, h := b.login(b.acct.Password)
	if status != http.StatusOK || !strings.Contains(h.Get("Set-Cookie"), "Path=/onemap/;") {
		t.Fatalf("login: %d, %s", status, h.Get("Set-Cookie"))
	}
	for path, want := range map[string]string{
		"":                     `content="/onemap/"`, // redirected
		"/":                    `src="/onemap/assets/`,
		"/admin/rules":         `src="/onemap/assets/`,
		"/nowhere":             `there is nothing at /nowhere`,
		"/sw.js":               `icon.svg`,
		"/tiles/land.json":     `"` + root + `/onemap/tiles/land/{z}/{x}/{y}.mvt"`,
		"/cap/feed.atom":       `href="` + root + `/onemap/cap/feed.atom"`,
		"/api/v1/openapi.json": `"url": "/onemap"`,
		"/api//v1/health":      `"parts":`, // cleaned by a redirect
	} {
		status, text, _ := b.raw(http.MethodGet, path, nil)
		if (status != http.StatusOK) != (path == "/nowhere") || !strings.Contains(string(text), want) {
			t.Errorf("%s: %d, no %s in %.300s", path, status, want, text)
		}
	}
	if status := b.dial(root); status != http.StatusSwitchingProtocols {
		t.Errorf("the page's WebSocket: %d", status)
	}
	if status, _ := get(t, p.transport(t, "127.0.0.1"), root+"/onemap/metrics", http.Header{"X-Forwarded-For": {""}}); status != http.StatusUnauthorized {
		t.Errorf("/metrics: %d", status)
	}
	if status, _ := get(t, p.transport(t, "127.0.0.1"), root+"/api/v1/me", nil); status < 400 || status == http.StatusUnauthorized {
		t.Errorf("the proxy gives more than the path: %d", status)
	}
}

// TestHostRewritten: a proxy that sends the server's own host (nginx without proxy_set_header Host) works with --origin, for
// logins and for WebSockets. Without --origin both are refused with the reason.
func TestHostRewritten(t *testing.T) {
	d := startDemo(t, demoDir(t)).Info()
	p := newProxy(t, "nginx")
	with := nodeBehind(t, d, config.Server{Origin: p.urls()})
	p.start(t, "nginx.conf", with, "proxy_set_header Host              $http_host;", "", "proxy_set_header X-Forwarded-Host  $http_host;", "",
		"proxy_set_header X-Forwarded-Proto $scheme;", "")
	bare := newProxy(t, "nginx")
	bare.start(t, "nginx.conf", strings.TrimPrefix(d.HTTP, "http://"), "proxy_set_header Host              $http_host;", "",
		"proxy_set_header X-Forwarded-Host  $http_host;", "")
	for i, base := range p.urls() {
		b := p.person(t, d, base, "127.0.0.2", "steward")
		status, h := b.login(b.acct.Password, "Origin", base)
		if status != http.StatusOK || strings.Contains(h.Get("Set-Cookie"), "Secure") != strings.HasPrefix(base, "https") {
			t.Errorf("%s: %d %s", base, status, h.Get("Set-Cookie"))
		}
		if status := b.dial(base); status != http.StatusSwitchingProtocols {
			t.Errorf("%s: WebSocket: %d", base, status)
		}
		if _, text, _ := b.raw(http.MethodGet, "/tiles/land.json", nil); !strings.Contains(string(text), `"`+p.urls()[0]+"/tiles/land/") {
			t.Errorf("%s: tiles at another address: %s", base, text)
		}
		if status, _ := get(t, p.transport(t, "127.0.0.1"), base+"/metrics", nil); status != http.StatusUnauthorized {
			t.Errorf("%s: /metrics behind an --origin: %d", base, status)
		}
		refusedForItsOrigin(t, bare, d, bare.urls()[i])
	}
}

func refusedForItsOrigin(t *testing.T, p *proxy, d demo.Info, base string) {
	t.Helper()
	b := p.person(t, d, base, "127.0.0.2", "steward")
	if status, _ := b.login(b.acct.Password, "Origin", base); status != http.StatusForbidden {
		t.Errorf("%s: a login with another host: %d", base, status)
	}
	if status, _ := b.login(b.acct.Password, "Origin", base, "Sec-Fetch-Site", "same-origin"); status != http.StatusOK {
		t.Errorf("%s: a login that the browser vouches for: %d", base, status)
	}
	if status := b.dial(base); status != http.StatusForbidden {
		t.Errorf("%s: a WebSocket with another host: %d", base, status)
	}
	var why struct {
		Code   string            `json:"code"`
		Params map[string]string `json:"params"`
	}
	status, text, _ := b.raw(http.MethodGet, "/api/v1/push?origin="+base, nil)
	if err := json.Unmarshal(text, &why); err != nil || status != http.StatusForbidden || why.Code != "origin-foreign" || why.Params["origin"] != base {
		t.Errorf("%s: %d %s %v", base, status, text, err)
	}
	if host, _, err := net.SplitHostPort(why.Params["host"]); err != nil || host == "" || strings.Contains(base, why.Params["host"]) {
		t.Errorf("%s: host %q", base, why.Params["host"])
	}
}
