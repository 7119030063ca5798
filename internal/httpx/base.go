package httpx

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"onemap/internal/fault"
)

var basePattern = regexp.MustCompile(`^(/[A-Za-z0-9_-][A-Za-z0-9._~-]*)+$`)

// ParseBase parses the path below which the server is reachable. "/onemap", "onemap/" and "/onemap/" are the same. "" and "/"
// are the root, for which it returns "".
func ParseBase(text string) (string, error) {
	trimmed := strings.Trim(text, "/")
	if trimmed == "" {
		return "", nil
	}
	base := "/" + trimmed
	return base, validBase(base)
}

// validBase returns an error if base is not a valid path, or if it begins like a path of this server. If a proxy removes
// the base path, the server could not distinguish the two.
func validBase(base string) error {
	if base == "" {
		return nil
	}
	if !basePattern.MatchString(base) {
		return fault.New(fault.Invalid, "%q is not a path like /onemap, of letters, digits, '-', '_', '.' and '~'", base)
	}
	first, _, _ := strings.Cut(base[1:], "/")
	switch first {
	case "api", "tiles", "cap", "ws", "assets", "metrics", "healthz", "readyz":
		return fault.New(fault.Invalid, "%q begins with an address of the server's own; choose another, as /onemap", base)
	default:
		return nil
	}
}

// based removes the base path from a request. It accepts a request without the base path too: the proxy may have removed it,
// and local programs call the server without it.
func (s *Server) based(next http.Handler) http.Handler {
	if s.o.Base == "" {
		return next
	}
	below := http.StripPrefix(s.o.Base, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w = &relocated{ResponseWriter: w, base: s.o.Base}
		switch {
		case r.URL.Path == s.o.Base:
			http.Redirect(w, r, (&url.URL{Path: "/", RawQuery: r.URL.RawQuery}).String(), http.StatusPermanentRedirect)
		case strings.HasPrefix(r.URL.Path, s.o.Base+"/"):
			below.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// relocated adds the base path to the target of a redirect.
type relocated struct {
	http.ResponseWriter
	base string
}

// WriteHeader implements http.ResponseWriter. It changes the Location of a redirect.
func (r *relocated) WriteHeader(code int) {
	if to := r.Header().Get("Location"); strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") {
		r.Header().Set("Location", r.base+to)
	}
	r.ResponseWriter.WriteHeader(code)
}

// Unwrap returns the wrapped writer, for http.ResponseController.
func (r *relocated) Unwrap() http.ResponseWriter { return r.ResponseWriter }
