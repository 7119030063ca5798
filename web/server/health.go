package server

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"onemap/internal/core"
	"onemap/internal/httpx"
)

// ServerHealth is the health of the server's parts.
//
//nolint:revive // its name in the description of the API
type ServerHealth struct {
	OK    bool          `json:"ok"`
	Parts []core.Health `json:"parts"`
}

// health returns the state of all parts, with details. It needs a session.
func (s *Server) health() ServerHealth {
	h := ServerHealth{OK: true, Parts: httpx.OrEmpty(s.o.Health())}
	for _, p := range h.Parts {
		h.OK = h.OK && p.OK
	}
	return h
}

// ready returns the health that requests without a session may see: which parts are not OK, but not why, and the loading
// progress of the layers.
func (s *Server) ready() ServerHealth {
	h := s.health()
	h.OK = true
	parts := make([]core.Health, 0, len(h.Parts))
	for _, p := range h.Parts {
		h.OK = h.OK && p.Ready()
		open := core.Health{Part: p.Part, OK: p.OK}
		if p.Part == "layers" {
			open.Detail, open.Code, open.Params = p.Detail, p.Code, p.Params
		}
		parts = append(parts, open)
	}
	return ServerHealth{OK: h.OK, Parts: parts}
}

type readyOutput struct {
	Status int
	Body   ServerHealth
}

func (s *Server) healthRoutes() {
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/health", "getHealth", "The state of the server's parts"),
		func(context.Context, core.Principal, *httpx.None) (*httpx.Body[ServerHealth], error) {
			return httpx.Answer(s.health()), nil
		})
	ready := httpx.Op(http.MethodGet, "/readyz", "getReadiness", "200 when the server can do its work, 503 with the parts that are away when not")
	ready.Tags = []string{"health"}
	httpx.Register(s.Server, httpx.NeedNothing, ready, func(context.Context, core.Principal, *httpx.None) (*readyOutput, error) {
		out := readyOutput{Status: http.StatusOK, Body: s.ready()}
		if !out.Body.OK {
			out.Status = http.StatusServiceUnavailable
		}
		return &out, nil
	})
	answers := s.Huma().Paths["/readyz"].Get.Responses
	answers["503"] = &huma.Response{Description: "A part is away", Content: answers["200"].Content}
}
