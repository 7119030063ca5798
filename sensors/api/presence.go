package sensorsapi

import (
	"context"
	"net/http"

	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/sensors"
)

// Conflicts lists readings that were delivered twice with different values.
type Conflicts interface {
	// Conflicts returns the conflicts of the scope's datastreams, newest first; datastream 0 means all.
	Conflicts(ctx context.Context, s core.Scope, datastream int64, p core.Page) ([]sensors.Conflict, error)
}

// DatastreamChange is the request to change a datastream.
type DatastreamChange struct {
	IntervalS *int `json:"interval_s" nullable:"true" minimum:"1" maximum:"604800" doc:"Expected pace, seconds; null is its type's. Three missed make it stale, and never less than 30 s"`
}

// conflictsInput selects a page of conflicts, of one datastream or, with datastream 0, of all.
type conflictsInput struct {
	Datastream int64 `query:"datastream" minimum:"0" doc:"Only this one's"`
	Limit      int   `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Before     int64 `query:"before" minimum:"0" doc:"Only those with a smaller id"`
}

// datastreamInput is the request to change the datastream with this id.
type datastreamInput struct {
	ID   int64 `path:"id" minimum:"1"`
	Body DatastreamChange
}

// presenceRoutes registers the routes of conflicts and of the expected interval of a datastream.
func (s *API) presenceRoutes() {
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/conflicts", "listConflicts", "Readings whose datastream and time were stored already with another value, newest first"),
		func(ctx context.Context, p core.Principal, in *conflictsInput) (*httpx.Body[httpx.List[sensors.Conflict]], error) {
			all, err := s.o.Conflicts.Conflicts(ctx, p.Scope(), in.Datastream, httpx.OnePage(in.Limit, in.Before))
			return httpx.Paged(all, in.Limit, func(c sensors.Conflict) int64 { return c.ID }), err
		})
	httpx.Register(s.Server, httpx.EditData, httpx.Op(http.MethodPatch, "/api/v1/datastreams/{id}", "changeDatastream", "Say how often a datastream is expected to publish"),
		func(ctx context.Context, p core.Principal, in *datastreamInput) (*httpx.Body[sensors.Datastream], error) {
			// The service expects 0 for the interval of the type, where the request has null.
			seconds := 0
			if in.Body.IntervalS != nil {
				seconds = *in.Body.IntervalS
			}
			d, err := s.o.Devices.SetInterval(ctx, p, in.ID, seconds)
			return httpx.Answer(d.WithStaleAfter()), err
		})
}
