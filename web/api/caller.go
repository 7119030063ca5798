package api

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// SessionCookie is the name of the cookie that carries a session's token.
const SessionCookie = "onemap_session"

// DeviceCookie is the name of the cookie by which a browser that has logged in before is known at its next login.
const DeviceCookie = "onemap_device"

// deviceCookieTTL is the longest that a browser keeps a cookie.
const deviceCookieTTL = 400 * 24 * time.Hour

// deviceToken is the token of a browser that has logged in before; empty: it brings none.
func deviceToken(r *http.Request) string {
	c, err := r.Cookie(DeviceCookie)
	if err != nil {
		return ""
	}
	return c.Value
}

// token is the session's token that a request brings: a bearer token, or the cookie's.
func token(r *http.Request) string {
	if kind, value, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(kind, "Bearer") {
		return strings.TrimSpace(value)
	}
	if c, err := r.Cookie(SessionCookie); err == nil {
		return c.Value
	}
	return ""
}

// peer is the other end of the connection.
func peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(host)
	return a.Unmap()
}

func (s *Server) trusted(a netip.Addr) bool {
	return slices.ContainsFunc(s.o.Proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// remote is whom the request comes from: the peer, or behind trusted proxies the last address of
// X-Forwarded-For that is none of them. What a client itself wrote in front of that is not believed.
func (s *Server) remote(r *http.Request) netip.Addr {
	from := peer(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !s.trusted(from) {
			break
		}
		a, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		from = a.Unmap()
	}
	return from
}

// secure reports whether the browser speaks TLS: to us, to a trusted proxy, or always by Options.Secure.
func (s *Server) secure(r *http.Request) bool {
	return s.o.Secure || r.TLS != nil || (s.trusted(peer(r)) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https"))
}

// forwardedHost is the host that the browser asked a trusted proxy for, empty when no such proxy says one.
func (s *Server) forwardedHost(r *http.Request) string {
	if !s.trusted(peer(r)) {
		return ""
	}
	host, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Host"), ",") // the first is what the browser asked for
	host = strings.TrimSpace(host)
	if u, err := url.Parse("http://" + host); err != nil || u.Host != host || host == "" {
		return ""
	}
	return host
}

// local reports whether the request was made on this machine and did not come through a proxy here.
func (s *Server) local(r *http.Request) bool {
	return peer(r).IsLoopback() && r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == ""
}

// base is what stands before the path in the addresses of this server.
func (s *Server) base(r *http.Request) string {
	if s.secure(r) {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
