package httpx

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// The headers in which a proxy describes the original request. Forwarded (RFC 7239) is not read, because a proxy that
// writes the X- headers passes a client's own Forwarded header on.
const (
	forwardedFor   = "X-Forwarded-For"
	forwardedProto = "X-Forwarded-Proto"
	forwardedHost  = "X-Forwarded-Host"
)

// passedOnHeaders returns the headers that proxies add. If a request has one of them, even an empty one, it came through
// a proxy.
func passedOnHeaders() []string {
	return []string{forwardedFor, forwardedProto, forwardedHost, "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Real-Ip", "Forwarded", "Via"}
}

// peer returns the address of the other end of the connection.
func peer(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return bareAddr(a.Addr())
}

// bareAddr returns an address in the form for comparison with networks: IPv4-mapped IPv6 becomes IPv4, without a zone.
func bareAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func (s *Server) trusted(a netip.Addr) bool {
	return slices.ContainsFunc(s.o.Proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// elements returns the elements of a list header from all its lines, without empty ones.
func elements(r *http.Request, name string) []string {
	var all []string
	for _, line := range r.Header.Values(name) {
		for e := range strings.SplitSeq(line, ",") {
			if e = strings.TrimSpace(e); e != "" {
				all = append(all, e)
			}
		}
	}
	return all
}

// hop parses an element of X-Forwarded-For: an address, with or without brackets, quotes and a port. It returns the zero
// Addr if the element is not an address, for example "unknown".
func hop(e string) netip.Addr {
	e = strings.Trim(e, `"`)
	if a, err := netip.ParseAddrPort(e); err == nil {
		return bareAddr(a.Addr())
	}
	if inner, ok := strings.CutPrefix(e, "["); ok {
		e = strings.TrimSuffix(inner, "]")
	}
	a, err := netip.ParseAddr(e)
	if err != nil {
		return netip.Addr{}
	}
	return bareAddr(a)
}

// cameFrom returns the client's address and the number of trusted proxies that the request came through. The client is
// the peer or, behind trusted proxies, the last address of X-Forwarded-For that is not a trusted proxy. The elements
// before it are ignored, because a client can write them itself. If a trusted proxy names no address, the proxy counts
// as the client.
func (s *Server) cameFrom(r *http.Request) (from netip.Addr, proxies int) {
	from = peer(r)
	for _, e := range slices.Backward(elements(r, forwardedFor)) {
		if !s.trusted(from) {
			return from, proxies
		}
		proxies++
		a := hop(e)
		if !a.IsValid() {
			return from, proxies
		}
		from = a
	}
	if proxies == 0 && s.trusted(from) {
		proxies = 1
	}
	return from, proxies
}

// Remote returns the address of the client, also behind trusted proxies; see cameFrom.
func (s *Server) Remote(r *http.Request) netip.Addr {
	from, _ := s.cameFrom(r)
	return from
}

// forwardedValue returns the value that the outermost trusted proxy wrote into a header, empty if there is none. Each
// proxy adds at most one element, so elements further in front come from the client and are ignored. If there is no
// X-Forwarded-For, the number of proxies is not known and it returns the first element.
func (s *Server) forwardedValue(r *http.Request, name string) string {
	_, proxies := s.cameFrom(r)
	all := elements(r, name)
	if proxies == 0 || len(all) == 0 {
		return ""
	}
	if len(elements(r, forwardedFor)) == 0 {
		return all[0]
	}
	return all[max(len(all)-proxies, 0)]
}

// Secure reports whether the browser uses TLS: to this server, to a trusted proxy, because the page's origin is an https
// --origin, or because Options.Secure is set. For a WebSocket, proxies send "wss".
func (s *Server) Secure(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if s.o.Secure || r.TLS != nil || (strings.HasPrefix(origin, "https://") && slices.Contains(s.o.Origins, origin)) {
		return true
	}
	proto := strings.ToLower(s.forwardedValue(r, forwardedProto))
	return proto == "https" || proto == "wss"
}

// requestedHost returns the host that the browser requested from a trusted proxy, otherwise the host of the request. It omits
// the default port of the scheme, as browsers do in Origin.
func (s *Server) requestedHost(r *http.Request) string {
	host := r.Host
	if h := s.forwardedValue(r, forwardedHost); h != "" {
		if u, err := url.Parse("http://" + h); err == nil && u.Host == h {
			host = h
		}
	}
	if s.Secure(r) {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

// local reports whether the request comes from this machine and not through a proxy on it. If an option shows that the
// server is behind a proxy, no request is local, because a proxy that adds no header looks like a local program.
func (s *Server) local(r *http.Request) bool {
	if len(s.o.Proxies) > 0 || len(s.o.Origins) > 0 || s.o.Base != "" || s.o.OwnMetrics || !peer(r).IsLoopback() {
		return false
	}
	return !slices.ContainsFunc(passedOnHeaders(), func(name string) bool { return len(r.Header.Values(name)) > 0 })
}

// Address returns the part before the path in the public URLs of this server: scheme, host and base path. It uses the
// first --origin if the request's host is not one of the origins and no proxy has forwarded a host.
func (s *Server) Address(r *http.Request) string {
	scheme := "http://"
	if s.Secure(r) {
		scheme = "https://"
	}
	own := scheme + r.Host
	for _, origin := range s.o.Origins {
		if _, host, _ := strings.Cut(origin, "://"); host == r.Host {
			own = origin
		}
	}
	if len(s.o.Origins) > 0 && !slices.Contains(s.o.Origins, own) && s.forwardedValue(r, forwardedHost) == "" {
		own = s.o.Origins[0]
	}
	return own + s.o.Base
}

// ParseNetwork parses a network of proxies: 10.0.0.0/8, 2001:db8::/32, or one address. IPv4-mapped IPv6 becomes IPv4.
func ParseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(bareAddr(a), bareAddr(a).BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}
