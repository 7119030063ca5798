package httpx

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// Need is what a route requires of its caller: a permission of a domain, or one of the words below. The zero value permits
// nothing: Seal refuses a route without a need.
type Need string

// The needs that are not permissions.
const (
	NeedNothing Need = "nothing" // no session
	NeedSession Need = "session" // any valid session
	NeedMetrics Need = "metrics" // a peer on this machine, not through a proxy; or an administrator
)

// Valid reports whether the need is one of the words above or a declared permission.
func (n Need) Valid(declared []core.Permission) bool {
	return n == NeedNothing || n == NeedSession || n == NeedMetrics || slices.Contains(declared, core.Permission(n))
}

// Name returns the need as the description of the API shows it.
func (n Need) Name() string { return core.Permission(n).Name() }

// Permits reports whether a role satisfies the need. The session must have been checked before.
func (n Need) Permits(r core.Role) bool {
	switch n {
	case NeedNothing, NeedSession:
		return true
	case NeedMetrics:
		return r == core.RoleAdministrator
	default:
		return core.Permission(n).Of(r)
	}
}

// The needs of permissions that belong to no domain.
const (
	View     = Need(core.PermView)
	EditData = Need(core.PermEditData)
)

// Route is one line of the route table.
type Route struct {
	Method string // empty: every method
	Path   string // a pattern of http.ServeMux
	Need   Need
	Time   Time
	// Upgrade is true for a route that takes over the connection. Such a request does not count as use of the session: a browser
	// cannot add the idle header to it, and a hidden page reconnects by itself.
	Upgrade bool
}

// Time is the time limit of a response.
type Time int

// The time limits of responses.
const (
	Short   Time = iota // Options.Timeout
	Long                // writeTimeout: for a file that is created while it is sent
	Endless             // no limit here: the handler has its own, or needs none
)

// idleHeader marks a request that is not caused by the user. A page sends it while it is hidden and cannot ring. Such a
// request does not extend the session.
const idleHeader = "X-Onemap-Idle"

// Handle is the only way to register a route on the mux. It adds the route to the table and checks its need before the
// handler. So no route can be without a check.
func (s *Server) Handle(r Route, h http.HandlerFunc) {
	s.routes = append(s.routes, r)
	s.mux.HandleFunc(strings.TrimSpace(r.Method+" "+r.Path), s.limited(r, s.guard(r, h)))
}

// guard calls h if the request satisfies the need of the route.
func (s *Server) guard(route Route, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ex := exchangeOf(r.Context())
		ex.route, ex.upgrade = route.Path, route.Upgrade
		if route.Need == NeedNothing || (route.Need == NeedMetrics && s.local(r)) {
			h(w, r)
			return
		}
		identify := s.o.Sessions.Authenticate
		if r.Header.Get(idleHeader) != "" || route.Upgrade {
			identify = s.o.Sessions.Identify
		}
		p, err := identify(r.Context(), Token(r))
		if err != nil {
			s.Fail(w, r, err)
			return
		}
		ex.user = p.Login
		if !route.Need.Permits(p.Role) {
			s.Fail(w, r, fault.NewCoded(fault.Forbidden, "", core.CodeRoleMayNot, fault.TokenOf(p.Role), fault.TokenOf(route.Need.Name())))
			return
		}
		h(w, r.WithContext(withPrincipal(r.Context(), p)))
	}
}

// adapter implements huma.Adapter. It mounts huma's operations through Server.Handle.
type adapter struct{ s *Server }

// The keys of an operation's metadata about its route.
const (
	needKey = "need"
	timeKey = "time"
)

// Lasting sets the time limit of an operation to Long.
func Lasting(o huma.Operation) huma.Operation {
	o.Metadata = map[string]any{timeKey: Long}
	return o
}

// Handle implements huma.Adapter. It mounts one operation.
func (a adapter) Handle(op *huma.Operation, h func(huma.Context)) {
	need, _ := op.Metadata[needKey].(Need)
	limit, _ := op.Metadata[timeKey].(Time)
	a.s.Handle(Route{Method: op.Method, Path: op.Path, Need: need, Time: limit}, a.s.compress(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, r))
		body := &readBody{ReadCloser: r.Body}
		r.Body = body
		h(statusContext{humago.NewContext(op, r, w), body})
	})))
}

// ServeHTTP implements huma.Adapter. huma's test functions use it.
func (a adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.s.ServeHTTP(w, r) }

// Body is a response that consists of a body.
type Body[T any] struct{ Body T }

// Tagged is a response with a body and an ETag.
type Tagged[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

// Answer returns a response with the body v.
func Answer[T any](v T) *Body[T] { return &Body[T]{Body: v} }

// Versioned returns a response with the body v and the ETag of its version.
func Versioned[T any](version int64, v T) *Tagged[T] { return &Tagged[T]{ETag: ETag(version), Body: v} }

// None is the input of an operation that has none.
type None struct{}

// Register mounts a JSON operation. fn is called only if the request satisfies the need, with the principal of the session.
func Register[I, O any](s *Server, need Need, op huma.Operation, fn func(ctx context.Context, p core.Principal, in *I) (*O, error)) {
	op.Metadata = map[string]any{needKey: need, timeKey: op.Metadata[timeKey]}
	op.Extensions = map[string]any{"x-onemap-needs": need.Name()}
	if need != NeedNothing {
		op.Security = []map[string][]string{{"session": {}}, {"bearer": {}}}
	}
	op.Responses = s.problems(refusals(op, need, reflect.TypeFor[I]()))
	op.Errors = nil
	huma.Register(s.huma, op, func(ctx context.Context, in *I) (*O, error) {
		p, _ := PrincipalOf(ctx)
		out, err := fn(ctx, p, in)
		if err != nil {
			return nil, s.ProblemOf(ctx, err)
		}
		return out, nil
	})
}

// Op returns the description of an operation: method, path, id for generated clients, and a summary of one line.
func Op(method, path, id, summary string) huma.Operation {
	tag, _, _ := strings.Cut(strings.TrimPrefix(path, "/api/v1/"), "/")
	return huma.Operation{Method: method, Path: path, OperationID: id, Summary: summary, Tags: []string{tag}}
}

// Created sets the status of an operation to 201.
func Created(o huma.Operation) huma.Operation {
	o.DefaultStatus = http.StatusCreated
	return o
}

// declared returns an error if the table contains a route without a valid need.
func declared(routes []Route, permissions []core.Permission) error {
	for _, r := range routes {
		if !r.Need.Valid(permissions) {
			return fmt.Errorf("httpx: the route %s %s does not declare what it needs", r.Method, r.Path)
		}
	}
	return nil
}
