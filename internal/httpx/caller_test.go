package httpx

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func request(t *testing.T, peer string, headers ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://map.example/", nil)
	r.RemoteAddr = peer
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestRemoteBelievesOnlyTrustedProxies(t *testing.T) {
	s := &Server{o: Options{Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}}}
	const forwarded = "X-Forwarded-For"
	for want, r := range map[string]*http.Request{
		"192.0.2.9":    request(t, "192.0.2.9:1", forwarded, "198.51.100.1"),
		"198.51.100.1": request(t, "127.0.0.1:1", forwarded, "198.51.100.1"),
		"198.51.100.2": request(t, "127.0.0.1:1", forwarded, "6.6.6.6, 198.51.100.2, 10.1.1.1"),
		"198.51.100.3": request(t, "127.0.0.1:1", forwarded, "6.6.6.6", forwarded, "198.51.100.3"),
		"127.0.0.1":    request(t, "127.0.0.1:1"),
		"10.0.0.7":     request(t, "10.0.0.7:1", forwarded, "garbage"),
		"10.0.0.8":     request(t, "10.0.0.8:1", forwarded, "198.51.100.9", forwarded, "unknown"),
		"198.51.100.4": request(t, "127.0.0.1:1", forwarded, "", forwarded, " 198.51.100.4 ", forwarded, ""),
		"198.51.100.5": request(t, "127.0.0.1:1", forwarded, "6.6.6.6, ,198.51.100.5:4711,, 10.1.1.1:80,"),
		"198.51.100.6": request(t, "127.0.0.1:1", forwarded, "::ffff:198.51.100.6, ::ffff:10.1.1.1"),
		"198.51.100.7": request(t, "[::ffff:10.2.3.4]:1", forwarded, `"198.51.100.7"`),
		"2001:db8::2":  request(t, "127.0.0.1:1", forwarded, "[2001:db8::2]"),
		"2001:db8::3":  request(t, "127.0.0.1:1", forwarded, "[2001:db8::3]:443, 10.0.0.1"),
		"2001:db8::4":  request(t, "127.0.0.1:1", forwarded, "2001:db8::4%eth0"),
		"fe80::1":      request(t, "[fe80::1%eth0]:1", forwarded, "198.51.100.1"),
		"127.0.0.2":    request(t, "127.0.0.2:1", "Forwarded", "for=198.51.100.1"),
		"2001:db8::1":  request(t, "[::ffff:127.0.0.1]:1", forwarded, "2001:db8::1"),
		"invalid IP":   request(t, "@"),
	} {
		if got := s.Remote(r).String(); got != want {
			t.Errorf("remote = %s, want %s", got, want)
		}
	}
}

func TestSecure(t *testing.T) {
	s := &Server{o: Options{Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}
	overTLS := request(t, "192.0.2.1:1")
	overTLS.TLS = &tls.ConnectionState{}
	for i, c := range []struct {
		r    *http.Request
		want bool
	}{
		{request(t, "127.0.0.1:1"), false},
		{overTLS, true},
		{request(t, "127.0.0.1:1", "X-Forwarded-Proto", "https"), true},
		{request(t, "192.0.2.1:1", "X-Forwarded-Proto", "https"), false},
	} {
		if s.Secure(c.r) != c.want {
			t.Errorf("case %d: secure = %v", i, !c.want)
		}
	}
	if !(&Server{o: Options{Secure: true}}).Secure(request(t, "192.0.2.1:1")) {
		t.Error("Options.Secure is not heard")
	}
}

func TestLocal(t *testing.T) {
	s := &Server{}
	for peer, want := range map[string]bool{"127.0.0.1:5": true, "[::1]:5": true, "[::ffff:127.0.0.1]:5": true, "192.0.2.1:5": false, "": false} {
		if got := s.local(request(t, peer)); got != want {
			t.Errorf("local(%s) = %v", peer, got)
		}
	}
	for _, name := range passedOnHeaders() {
		for _, value := range []string{"", "127.0.0.1"} {
			if s.local(request(t, "127.0.0.1:5", name, value)) {
				t.Errorf("a request with %s: %q counts as made on this machine", name, value)
			}
		}
	}
	for what, o := range map[string]Options{
		"--proxy": {Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, "--origin": {Origins: []string{"https://map.example"}},
		"--base": {Base: "/onemap"}, "--metrics": {OwnMetrics: true},
	} {
		if (&Server{o: o}).local(request(t, "127.0.0.1:5")) {
			t.Errorf("with %s a peer on this machine is local", what)
		}
	}
}

// The client may write anything into the headers of proxies. Behind a proxy that adds the client's address, as a header line
// of its own or at the end of the last one, the server takes that address, treats no client as local, and uses the host and
// the scheme that the proxy sets.
func TestNoClientPassesItselfOff(t *testing.T) {
	s := &Server{o: Options{Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}}
	rapid.Check(t, func(rt *rapid.T) {
		lie := rapid.SampledFrom([]string{"", " ", ",", "127.0.0.1", "::1", "[::1]:9", "unknown", "203.0.113.9", "::ffff:127.0.0.1, 10.0.0.1", "x\ty"})
		var headers []string
		for _, name := range passedOnHeaders() {
			for range rapid.IntRange(0, 2).Draw(rt, name) {
				headers = append(headers, name, lie.Draw(rt, "value"))
			}
		}
		r := request(t, "127.0.0.1:4000", headers...)
		client := rapid.SampledFrom([]string{"198.51.100.1", "2001:db8::7"}).Draw(rt, "client")
		lines := r.Header.Values(forwardedFor)
		if len(lines) > 0 && rapid.Bool().Draw(rt, "joined") {
			r.Header[forwardedFor] = []string{strings.Join(append(lines, client), ", ")}
		} else {
			r.Header.Add(forwardedFor, client)
		}
		r.Header.Set(forwardedProto, "http")
		r.Header.Add(forwardedHost, "city.example:80") // this proxy adds; it does not replace
		if got := s.Remote(r); got != netip.MustParseAddr(client) || s.local(r) || s.Secure(r) || s.requestedHost(r) != "city.example" {
			rt.Errorf("%v: from %v, local %v, secure %v, host %q", r.Header, got, s.local(r), s.Secure(r), s.requestedHost(r))
		}
	})
}

func TestAskedHost(t *testing.T) {
	s := &Server{o: Options{Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.1/32")}, Origins: []string{"https://map.example"}}}
	for i, c := range []struct {
		want    string
		headers []string
	}{
		{"map.example", nil},
		{"city.example", []string{"X-Forwarded-Host", "city.example"}},
		{"city.example:8443", []string{"X-Forwarded-Host", "city.example:8443", "X-Forwarded-Proto", "https"}},
		{"city.example", []string{"X-Forwarded-Host", "city.example:443", "X-Forwarded-Proto", "wss"}},
		{"city.example:443", []string{"X-Forwarded-Host", "city.example:443", "X-Forwarded-Proto", "http"}},
		{"[2001:db8::1]", []string{"X-Forwarded-Host", "[2001:db8::1]:80"}},
		{"map.example", []string{"X-Forwarded-Host", "", "X-Forwarded-Host", " , "}},
		{"map.example", []string{"X-Forwarded-Host", "a b"}},
		{"city.example", []string{"X-Forwarded-For", "198.51.100.1, 10.0.0.1", "X-Forwarded-Host", "evil.example, city.example, inner.example"}},
	} {
		if got := s.requestedHost(request(t, "127.0.0.1:1", c.headers...)); got != c.want {
			t.Errorf("case %d: %q, want %q", i, got, c.want)
		}
	}
	if got := s.requestedHost(request(t, "192.0.2.1:1", "X-Forwarded-Host", "city.example")); got != "map.example" {
		t.Errorf("a stranger's host is believed: %q", got)
	}
	if !s.Secure(request(t, "192.0.2.1:1", "Origin", "https://map.example")) || s.Secure(request(t, "192.0.2.1:1", "Origin", "https://evil.example")) {
		t.Error("the page's address does not tell whether the browser speaks TLS")
	}
}

func TestParseNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"127.0.0.1/32": "127.0.0.1/32", "127.0.0.1": "127.0.0.1/32", "10.1.2.3/8": "10.0.0.0/8", "::1": "::1/128", "fe80::1%eth0": "fe80::1/128",
		"::ffff:10.0.0.0/104": "10.0.0.0/8", "::ffff:10.0.0.1": "10.0.0.1/32", "2001:db8::/32": "2001:db8::/32", "10.0.0.0/33": "", "proxy": "", "": "",
	} {
		got, err := ParseNetwork(text)
		if (err != nil) != (want == "") || (err == nil && got.String() != want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestToken(t *testing.T) {
	for want, r := range map[string]*http.Request{
		"":       request(t, "192.0.2.1:1"),
		"abc":    request(t, "192.0.2.1:1", "Cookie", "a=b; onemap_session=abc"),
		"def":    request(t, "192.0.2.1:1", "Authorization", "Bearer def", "Cookie", "onemap_session=abc"),
		"cookie": request(t, "192.0.2.1:1", "Authorization", "Basic Zm9v", "Cookie", "onemap_session=cookie"),
	} {
		if got := Token(r); got != want {
			t.Errorf("token = %q, want %q", got, want)
		}
	}
}

func TestTakesGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "gzip; q=0.0": false, "*": true, "identity": false,
		"deflate, gzip": true, "gzipx": false, "gzip;q=x": false,
	} {
		if got := TakesGzip(request(t, "192.0.2.1:1", "Accept-Encoding", header)); got != want {
			t.Errorf("takesGzip(%q) = %v", header, got)
		}
	}
}
