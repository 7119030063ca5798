package api

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
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
		"2001:db8::1":  request(t, "[::ffff:127.0.0.1]:1", forwarded, "2001:db8::1"),
		"invalid IP":   request(t, "@"),
	} {
		if got := s.remote(r).String(); got != want {
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
		if s.secure(c.r) != c.want {
			t.Errorf("case %d: secure = %v", i, !c.want)
		}
	}
	if !(&Server{o: Options{Secure: true}}).secure(request(t, "192.0.2.1:1")) {
		t.Error("Options.Secure is not heard")
	}
}

func TestLocal(t *testing.T) {
	s := &Server{}
	for peer, want := range map[string]bool{"127.0.0.1:5": true, "[::1]:5": true, "192.0.2.1:5": false, "": false} {
		if got := s.local(request(t, peer)); got != want {
			t.Errorf("local(%s) = %v", peer, got)
		}
	}
	if s.local(request(t, "127.0.0.1:5", "X-Forwarded-For", "192.0.2.1")) || s.local(request(t, "127.0.0.1:5", "Forwarded", "for=192.0.2.1")) {
		t.Error("a proxy's request counts as made on this machine")
	}
}

func TestToken(t *testing.T) {
	for want, r := range map[string]*http.Request{
		"":       request(t, "192.0.2.1:1"),
		"abc":    request(t, "192.0.2.1:1", "Cookie", "a=b; onemap_session=abc"),
		"def":    request(t, "192.0.2.1:1", "Authorization", "Bearer def", "Cookie", "onemap_session=abc"),
		"cookie": request(t, "192.0.2.1:1", "Authorization", "Basic Zm9v", "Cookie", "onemap_session=cookie"),
	} {
		if got := token(r); got != want {
			t.Errorf("token = %q, want %q", got, want)
		}
	}
}

func TestTakesGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "gzip; q=0.0": false, "*": true, "identity": false,
		"deflate, gzip": true, "gzipx": false, "gzip;q=x": false,
	} {
		if got := takesGzip(request(t, "192.0.2.1:1", "Accept-Encoding", header)); got != want {
			t.Errorf("takesGzip(%q) = %v", header, got)
		}
	}
}
