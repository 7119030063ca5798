package api

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"onemap/alerts"
	"onemap/auth"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// Need is what a route asks of the one who calls it: one of auth's permissions, or one of the words
// below. There is no zero value that lets anybody in: a route without a need is refused at the start.
type Need string

// The needs beside permissions.
const (
	NeedNothing Need = "nothing" // open to everybody
	NeedSession Need = "session" // any live session
	NeedMetrics Need = "metrics" // a peer on this machine, not through a proxy; or an administrator
)

// valid reports whether the need is one of the words, or one of the permissions that the domains declare.
func (n Need) valid(declared []core.Permission) bool {
	return n == NeedNothing || n == NeedSession || n == NeedMetrics || slices.Contains(declared, core.Permission(n))
}

// name is the need as the description of the API has it.
func (n Need) name() string { return core.Permission(n).Name() }

// permits reports whether a role with a live session satisfies the need.
func (n Need) permits(r core.Role) bool {
	switch n {
	case NeedNothing, NeedSession:
		return true
	case NeedMetrics:
		return r == core.RoleAdministrator
	default:
		return core.Permission(n).Of(r)
	}
}

// Needs of permissions, in the words of this table.
const (
	needView     = Need(core.PermView)
	needAck      = Need(alerts.PermAcknowledge)
	needHandle   = Need(alerts.PermHandle)
	needData     = Need(core.PermEditData)
	needRules    = Need(alerts.PermEditRules)
	needAccounts = Need(auth.PermAccounts)
)

// Route is one line of the route table.
type Route struct {
	Method string // empty: every method
	Path   string // a pattern of http.ServeMux
	Need   Need
}

// idleHeader marks a request that nobody is behind: a page sends it that is hidden and not armed. It does not extend
// the session.
const idleHeader = "X-Onemap-Idle"

// mePath is the address that every page asks at its start.
const mePath = "/api/v1/me"

// handle is the only way onto the mux: it writes the route into the table and puts its guard before
// the handler.
func (s *Server) handle(r Route, h http.HandlerFunc) {
	s.routes = append(s.routes, r)
	s.mux.HandleFunc(strings.TrimSpace(r.Method+" "+r.Path), s.guard(r, h))
}

// guard lets a request through to h when it brings what the route needs.
func (s *Server) guard(route Route, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ex := exchangeOf(r.Context())
		ex.route = route.Path
		if route.Need == NeedNothing || (route.Need == NeedMetrics && s.local(r)) {
			h(w, r)
			return
		}
		identify := s.o.Auth.Authenticate
		// A browser cannot mark a WebSocket, and a hidden page connects again by itself: what the page says on the
		// connection counts as its use.
		if r.Header.Get(idleHeader) != "" || route.Path == pushPath {
			identify = s.o.Auth.Identify
		}
		p, err := identify(r.Context(), token(r))
		if err != nil {
			s.fail(w, r, err)
			return
		}
		ex.user = p.Login
		if p.Display != 0 && route.Path == mePath {
			c := s.sessionCookie(r, token(r), p) // a browser forgets a cookie after 400 days
			http.SetCookie(w, &c)
		}
		if !route.Need.permits(p.Role) {
			s.fail(w, r, fault.NewCoded(fault.Forbidden, "", core.CodeRoleMayNot, fault.TokenOf(p.Role), fault.TokenOf(route.Need.name())))
			return
		}
		h(w, r.WithContext(withPrincipal(r.Context(), p)))
	}
}

// adapter mounts huma's operations through handle.
type adapter struct{ s *Server }

const needKey = "need"

// Handle mounts one operation.
func (a adapter) Handle(op *huma.Operation, h func(huma.Context)) {
	need, _ := op.Metadata[needKey].(Need)
	a.s.handle(Route{Method: op.Method, Path: op.Path, Need: need}, a.s.compressing(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, r))
		body := &readBody{ReadCloser: r.Body}
		r.Body = body
		h(statusContext{humago.NewContext(op, r, w), body})
	}))
}

// ServeHTTP is huma's way to test operations.
func (a adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.s.ServeHTTP(w, r) }

// body is an answer that is only a body; tagged is one with an ETag.
type body[T any] struct{ Body T }

type tagged[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

// none is the input of an operation without one.
type none struct{}

// register mounts a JSON operation: fn is called with the principal that the need has let in.
func register[I, O any](s *Server, need Need, op huma.Operation, fn func(ctx context.Context, p core.Principal, in *I) (*O, error)) {
	op.Metadata = map[string]any{needKey: need}
	op.Extensions = map[string]any{"x-onemap-needs": need.name()}
	if need != NeedNothing {
		op.Security = []map[string][]string{{"session": {}}, {"bearer": {}}}
	}
	op.Responses = s.problems(refusals(op, need, reflect.TypeFor[I]()))
	op.Errors = nil
	huma.Register(s.huma, op, func(ctx context.Context, in *I) (*O, error) {
		p, _ := principalOf(ctx)
		out, err := fn(ctx, p, in)
		if err != nil {
			return nil, s.problemOf(ctx, err)
		}
		return out, nil
	})
}

// op describes an operation: method, path, its id for generated clients, and what it does in a line.
func op(method, path, id, summary string) huma.Operation {
	tag, _, _ := strings.Cut(strings.TrimPrefix(path, "/api/v1/"), "/")
	return huma.Operation{Method: method, Path: path, OperationID: id, Summary: summary, Tags: []string{tag}}
}

// created makes the operation answer 201.
func created(o huma.Operation) huma.Operation {
	o.DefaultStatus = http.StatusCreated
	return o
}

// declared refuses a table in which a route does not say what it needs.
func declared(routes []Route, permissions []core.Permission) error {
	for _, r := range routes {
		if !r.Need.valid(permissions) {
			return fmt.Errorf("api: the route %s %s does not declare what it needs", r.Method, r.Path)
		}
	}
	return nil
}
