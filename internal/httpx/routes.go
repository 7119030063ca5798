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

// Need is what a route asks of the one who calls it: one of the domains' permissions, or one of the words
// below. There is no zero value that lets anybody in: a route without a need is refused at the start.
type Need string

// The needs beside permissions.
const (
	NeedNothing Need = "nothing" // open to everybody
	NeedSession Need = "session" // any live session
	NeedMetrics Need = "metrics" // a peer on this machine, not through a proxy; or an administrator
)

// Valid reports whether the need is one of the words, or one of the permissions that the domains declare.
func (n Need) Valid(declared []core.Permission) bool {
	return n == NeedNothing || n == NeedSession || n == NeedMetrics || slices.Contains(declared, core.Permission(n))
}

// Name is the need as the description of the API has it.
func (n Need) Name() string { return core.Permission(n).Name() }

// Permits reports whether a role with a live session satisfies the need.
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
	// Upgrade is for a route that takes the connection over. No use of the session is seen in such a request: a browser
	// cannot mark it, and a hidden page connects again by itself.
	Upgrade bool
}

// Time is how long an answer may take.
type Time int

// The times of answers.
const (
	Short   Time = iota // Options.Timeout
	Long                // as long as the sending of it: a file that is made as it is read
	Endless             // it has a bound of its own, or none by design
)

// idleHeader marks a request that no person has caused. A page sends it while it is hidden and not armed. Such a request
// does not extend the session.
const idleHeader = "X-Onemap-Idle"

// Handle is the only way onto the mux: it writes the route into the table and puts its guard before
// the handler.
func (s *Server) Handle(r Route, h http.HandlerFunc) {
	s.routes = append(s.routes, r)
	s.mux.HandleFunc(strings.TrimSpace(r.Method+" "+r.Path), s.limited(r, s.guard(r, h)))
}

// guard lets a request through to h when it brings what the route needs.
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

// adapter mounts huma's operations through handle.
type adapter struct{ s *Server }

// What an operation's metadata say of its route.
const (
	needKey = "need"
	timeKey = "time"
)

// Lasting lets an operation take as long as the sending of its answer.
func Lasting(o huma.Operation) huma.Operation {
	o.Metadata = map[string]any{timeKey: Long}
	return o
}

// Handle mounts one operation.
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

// ServeHTTP is huma's way to test operations.
func (a adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.s.ServeHTTP(w, r) }

// Body is an answer that is only a body.
type Body[T any] struct{ Body T }

// Tagged is an answer with an ETag.
type Tagged[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

// Answer is an answer of a body alone.
func Answer[T any](v T) *Body[T] { return &Body[T]{Body: v} }

// Versioned is an answer with the ETag of its version.
func Versioned[T any](version int64, v T) *Tagged[T] { return &Tagged[T]{ETag: ETag(version), Body: v} }

// None is the input of an operation without one.
type None struct{}

// Register mounts a JSON operation: fn is called with the principal that the need has let in.
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

// Op describes an operation: method, path, its id for generated clients, and what it does in a line.
func Op(method, path, id, summary string) huma.Operation {
	tag, _, _ := strings.Cut(strings.TrimPrefix(path, "/api/v1/"), "/")
	return huma.Operation{Method: method, Path: path, OperationID: id, Summary: summary, Tags: []string{tag}}
}

// Created makes the operation answer 201.
func Created(o huma.Operation) huma.Operation {
	o.DefaultStatus = http.StatusCreated
	return o
}

// declared refuses a table in which a route does not say what it needs.
func declared(routes []Route, permissions []core.Permission) error {
	for _, r := range routes {
		if !r.Need.Valid(permissions) {
			return fmt.Errorf("httpx: the route %s %s does not declare what it needs", r.Method, r.Path)
		}
	}
	return nil
}
