package httpx

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// The headers by which a proxy says whom it asks for. Forwarded (RFC 7239) is not read: a proxy that
// writes the X- headers lets a client's own Forwarded pass.
const (
	forwardedFor   = "X-Forwarded-For"
	forwardedProto = "X-Forwarded-Proto"
	forwardedHost  = "X-Forwarded-Host"
)

// passedOnHeaders are headers that proxies add. One of them, also an empty one, says that a request was not made here.
func passedOnHeaders() []string {
	return []string{forwardedFor, forwardedProto, forwardedHost, "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Real-Ip", "Forwarded", "Via"}
}

// peer is the other end of the connection.
func peer(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return bareAddr(a.Addr())
}

// bareAddr is an address as networks are compared with: IPv4 is not written as IPv6, and there is no zone.
func bareAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func (s *Server) trusted(a netip.Addr) bool {
	return slices.ContainsFunc(s.o.Proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// elements are the elements of a list header, over all its lines, without the empty ones.
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

// hop reads an element of X-Forwarded-For: an address, with or without brackets, quotes and a port. The zero Addr is
// what is none, as "unknown".
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

// cameFrom is whom a request comes from, and how many trusted proxies it came through: the peer, or behind trusted
// proxies the last address of X-Forwarded-For that is none of them. What a client itself wrote in front of that is not
// believed. A trusted proxy that names no address is itself the one.
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

// Remote is the address that a request comes from, behind trusted proxies the client's; see cameFrom.
func (s *Server) Remote(r *http.Request) netip.Addr {
	from, _ := s.cameFrom(r)
	return from
}

// said is what the outermost trusted proxy wrote into a header; empty when there is none. Each proxy adds at most one
// element, so what stands further in front is the client's own. Where X-Forwarded-For does not tell how many proxies
// there are, it is the first element.
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

// Secure reports whether the browser speaks TLS: to us, to a trusted proxy, by the address of the page that sends the
// request (an --origin), or always by Options.Secure. Proxies say "wss" for a WebSocket.
func (s *Server) Secure(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if s.o.Secure || r.TLS != nil || (strings.HasPrefix(origin, "https://") && slices.Contains(s.o.Origins, origin)) {
		return true
	}
	proto := strings.ToLower(s.forwardedValue(r, forwardedProto))
	return proto == "https" || proto == "wss"
}

// askedHost is the host that the browser asked a trusted proxy for, else the one that the request names. Its port is
// left out where it is the scheme's own, as browsers write it in Origin.
func (s *Server) askedHost(r *http.Request) string {
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

// local reports whether the request was made on this machine and did not come through a proxy here. Behind proxies,
// which an option of theirs tells, nobody is local: a proxy that adds no header looks as a program here does.
func (s *Server) local(r *http.Request) bool {
	if len(s.o.Proxies) > 0 || len(s.o.Origins) > 0 || s.o.Base != "" || s.o.OwnMetrics || !peer(r).IsLoopback() {
		return false
	}
	return !slices.ContainsFunc(passedOnHeaders(), func(name string) bool { return len(r.Header.Values(name)) > 0 })
}

// Address is what stands before the path in the addresses of this server, as people open it: an --origin when the
// request names none of their hosts.
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

// ParseNetwork reads a network of proxies: 10.0.0.0/8, 2001:db8::/32, or one address. IPv4 written as IPv6 is IPv4.
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
