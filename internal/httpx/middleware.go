package httpx

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"onemap/internal/fault"
)

// contentSecurityPolicy allows only what the built UI loads from this server: no inline script, no eval, no frame.
// connect-src 'self' includes the WebSocket of the same origin.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
	"font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; " +
	"frame-ancestors 'none'"

// exchange collects the data of one request for the log and the metrics.
type exchange struct {
	id    string
	route string // the route pattern; empty until a route has matched
	user  string

	upgrade bool
}

type exchangeKey struct{}

// exchangeOf returns the exchange of a request. It never returns nil: outside of a request it returns an empty one.
func exchangeOf(ctx context.Context) *exchange {
	if ex, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return ex
	}
	return &exchange{}
}

// NoteUser sets the user in the request's log entry. It is for a request that logs a person in.
func NoteUser(ctx context.Context, login string) { exchangeOf(ctx).user = login }

// RequestID returns the id of the request in the log.
func RequestID(ctx context.Context) string { return exchangeOf(ctx).id }

type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	under    prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) metrics {
	f := promauto.With(reg)
	return metrics{
		requests: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onemap_http_requests_total", Help: "Answered requests by route pattern, method and status.",
		}, []string{"route", "method", "status"}),
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "onemap_http_request_seconds", Help: "Time to answer by route pattern, without the push endpoint.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 11),
		}, []string{"route"}),
		under: f.NewGauge(prometheus.GaugeOpts{Name: "onemap_http_requests_under_way", Help: "Requests being answered."}),
	}
}

// middleware wraps next in the handlers that every request passes before the mux. From the outside in: log and metrics,
// recovery from a panic, the requested host, the security headers, the base path, and the check of the origin. It returns
// an error if Options.Origins contains an invalid origin.
func (s *Server) middleware(next http.Handler) (http.Handler, error) {
	checked, err := s.sameOrigin(next)
	if err != nil {
		return nil, err
	}
	return s.recorded(s.recovered(s.addressed(s.secured(s.based(checked))))), nil
}

// addressed sets r.Host to the host that the browser requested, for requests through a trusted proxy.
func (s *Server) addressed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host := s.requestedHost(r); host != r.Host {
			r = r.WithContext(r.Context())
			r.Host = host
		}
		next.ServeHTTP(w, r)
	})
}

// recorded logs and counts every request. It is the outermost handler, so it sees the final status.
func (s *Server) recorded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		ex := &exchange{id: strconv.FormatUint(rand.Uint64(), 36)}
		rec := &recorder{ResponseWriter: w}
		r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, ex))
		w.Header().Set("X-Request-Id", ex.id)
		s.metrics.under.Inc()
		next.ServeHTTP(rec, r)
		s.metrics.under.Dec()

		took := time.Since(start)
		status := rec.code()
		s.metrics.requests.WithLabelValues(ex.route, method(r), strconv.Itoa(status)).Inc()
		if !ex.upgrade {
			s.metrics.seconds.WithLabelValues(ex.route).Observe(took.Seconds())
		}
		level := logLevel(r.Method, status)
		if !s.log.Enabled(r.Context(), level) {
			return
		}
		s.log.LogAttrs(r.Context(), level, "request",
			slog.String("request_id", ex.id), slog.String("method", r.Method), slog.String("path", r.URL.Path),
			slog.Int("status", status), slog.Int64("bytes", rec.bytes), slog.Duration("took", took),
			slog.String("user", ex.user), slog.String("remote", s.Remote(r).String()))
	})
}

// method returns the method for the metric's label. It limits the number of labels, because a client can send any word.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	default:
		return "other"
	}
}

// logLevel returns the log level of a request. Requests that change something or fail are logged; plain reads only at
// debug level, because one map needs thousands of tiles.
func logLevel(method string, status int) slog.Level {
	switch {
	case status >= 500:
		return slog.LevelWarn
	case method != http.MethodGet && method != http.MethodHead, status >= 400 && status != http.StatusNotFound:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}

// recovered turns a panic into a 500, so that one request cannot end the server.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // a sentinel panic value, compared as net/http does
				panic(v)
			}
			s.log.ErrorContext(r.Context(), "panic", slog.String("request_id", RequestID(r.Context())),
				slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
			if rec, ok := w.(*recorder); ok && rec.status != 0 {
				panic(http.ErrAbortHandler) // part of the response is sent: abort the connection, so that it does not look complete
			}
			s.Fail(w, r, fmt.Errorf("panic: %v", v))
		}()
		next.ServeHTTP(w, r)
	})
}

// buildHeader is the header with the build name of the pages. An open page compares it with its own build.
const buildHeader = "X-Onemap-Build"

// securityHeaders returns the headers of every response. All responses share the slices, so they must not be modified.
func securityHeaders() map[string][]string {
	return map[string][]string{
		"Content-Security-Policy":      {contentSecurityPolicy},
		"X-Content-Type-Options":       {"nosniff"},
		"X-Frame-Options":              {"DENY"},
		"Referrer-Policy":              {"no-referrer"},
		"Cross-Origin-Opener-Policy":   {"same-origin"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
		"Permissions-Policy":           {"camera=(), microphone=(), geolocation=(self)"},
		"Cache-Control":                {"no-store"}, // a handler whose response may be cached overwrites it
	}
}

// secured adds the security headers to every response.
func (s *Server) secured(next http.Handler) http.Handler {
	headers := securityHeaders()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		maps.Copy(h, headers)
		if s.Secure(r) {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if s.o.Build != "" {
			h.Set(buildHeader, s.o.Build)
		}
		next.ServeHTTP(w, r)
	})
}

// sameOrigin refuses requests that a page of a foreign origin makes a browser send (CSRF).
func (s *Server) sameOrigin(next http.Handler) (http.Handler, error) {
	p := http.NewCrossOriginProtection()
	for _, origin := range s.o.Origins {
		if err := p.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("httpx: Options.Origins: %w", err)
		}
	}
	p.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		origin = origin[:min(len(origin), 200)]
		s.log.WarnContext(r.Context(), "refused a request of a page at another address; see --origin",
			slog.String("origin", origin), slog.String("host", r.Host), slog.String("path", r.URL.Path))
		s.Fail(w, r, fault.NewCoded(fault.Forbidden, "Origin", CodeOriginForeign, origin, r.Host))
	}))
	return p.Handler(next), nil
}

// limited cancels a request's context after the time limit of its route.
func (s *Server) limited(route Route, h http.HandlerFunc) http.HandlerFunc {
	timeout := s.o.Timeout
	switch route.Time {
	case Endless:
		return h
	case Long:
		timeout = max(timeout, writeTimeout)
	case Short:
	}
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		h(w, r.WithContext(ctx))
	}
}

// recorder records the status and the size of a response.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader records the first final status.
func (r *recorder) WriteHeader(code int) {
	if r.status == 0 && code >= 200 {
		r.status = code
	}
	r.ResponseWriter.WriteHeader(code)
}

// Write counts the bytes.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap returns the wrapped writer, for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Hijack implements http.Hijacker for the push endpoint.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(r.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("httpx: take the connection over: %w", err)
	}
	r.status = http.StatusSwitchingProtocols
	return c, rw, nil
}

// code returns the status. A handler that writes nothing has answered 200, as in net/http.
func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}
