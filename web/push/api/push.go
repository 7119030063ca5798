// Package pushapi registers the push endpoint on the HTTP server.
package pushapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/httpx"
)

// Pusher upgrades a request to a WebSocket. push.Hub implements it. If Serve returns an error, no response has been
// written yet.
type Pusher interface {
	Serve(w http.ResponseWriter, r *http.Request, p core.Principal) error
	// Check returns the error with which Serve would refuse a page of the origin, nil if Serve would accept it.
	Check(r *http.Request, origin string, p core.Principal) error
}

// Options holds the dependencies of the routes.
type Options struct {
	Push Pusher
}

// Complete returns an error that names the first required part that is missing.
func (o Options) Complete() error { return httpx.Complete("pushapi", o) }

// API implements the routes of the push.
type API struct {
	*httpx.Server

	o Options
}

type pushInput struct {
	Origin string `query:"origin" maxLength:"300" doc:"The page's own address, as https://map.example.org"`
}

// Mount registers the routes on the server.
func Mount(h *httpx.Server, o Options) {
	s := &API{h, o}
	httpx.Register(s.Server, httpx.NeedSession, httpx.May(httpx.Op(http.MethodGet, "/api/v1/push", "checkPush", "Whether the server lets a page of this address connect to /ws; the problem says why not"), http.StatusForbidden, http.StatusTooManyRequests),
		func(ctx context.Context, p core.Principal, in *pushInput) (*struct{}, error) {
			return nil, s.o.Push.Check(httpx.RequestOf(ctx), in.Origin, p)
		})
	h.HandlePlain(httpx.Plain{
		Route: httpx.Route{Path: "/ws", Need: httpx.View, Time: httpx.Endless, Upgrade: true}, ID: "connectPush",
		Summary: "Live events and state over a WebSocket, subprotocol onemap.v1", ContentType: "application/json",
		Statuses: []int{http.StatusBadRequest, http.StatusTooManyRequests},
		Amend: func(o *huma.Operation) {
			o.Responses["101"] = &huma.Response{Description: "The WebSocket begins"}
			delete(o.Responses, "200")
		},
	}, s.push)
}

// push passes the connection to the hub. If the hub refuses it, push answers with a problem.
func (s *API) push(w http.ResponseWriter, r *http.Request) {
	p, ok := httpx.PrincipalOf(r.Context())
	if !ok {
		s.Fail(w, r, fault.New(fault.Unauthenticated, "log in first"))
		return
	}
	if err := s.o.Push.Serve(w, r, p); err != nil {
		s.Fail(w, r, err)
	}
}
