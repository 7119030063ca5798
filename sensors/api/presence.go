package sensorsapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/sensors"
)

// Timeline tells what happened, and which readings came twice with different values.
type Timeline interface {
	// Events lists the events of some kinds that the scope may see, newest first; of a device those that
	// concern it or may, empty is all.
	Events(ctx context.Context, s core.Scope, kinds []string, device string, p core.Page) ([]core.Event, error)
	// Conflicts lists those of the scope's datastreams, newest first; datastream 0 is all of them.
	Conflicts(ctx context.Context, s core.Scope, datastream int64, p core.Page) ([]sensors.Conflict, error)
}

// DatastreamChange is what a steward changes of a datastream.
type DatastreamChange struct {
	IntervalS *int `json:"interval_s" nullable:"true" minimum:"1" maximum:"604800" doc:"Expected pace, seconds; null is its type's. Three missed make it stale, and never less than 30 s"`
}

// timelineKinds are the events that a timeline shows. The others concern memory of servers and pages.
func timelineKinds() []string {
	return []string{
		core.EventPresenceChanged, core.EventDeviceUnevaluated, core.EventLayerChanged,
		core.EventAlertIssued, core.EventAlertUpdated, core.EventAlertCleared, core.EventAlertStale,
		core.EventAlertAcknowledged, core.EventAlertAssigned, core.EventAlertResolved, core.EventAlertClosed,
	}
}

// timelineKind is one of timelineKinds.
type timelineKind string

// Schema implements huma.SchemaProvider: its enum is timelineKinds.
func (timelineKind) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, kind := range timelineKinds() {
		s.Enum = append(s.Enum, kind)
	}
	return s
}

type eventsInput struct {
	Kind   []timelineKind `query:"kind" maxItems:"11" doc:"Joined by commas; none is all of them"`
	Device string         `query:"device" maxLength:"64" doc:"Only those of this device: its alerts', those that list it, and those of its division that leave something out (more is not 0)"`
	Limit  int            `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Before int64          `query:"before" minimum:"0" doc:"Only those with a smaller seq"`
}

type conflictsInput struct {
	Datastream int64 `query:"datastream" minimum:"0" doc:"Only this one's"`
	Limit      int   `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Before     int64 `query:"before" minimum:"0" doc:"Only those with a smaller id"`
}

type datastreamInput struct {
	ID   int64 `path:"id" minimum:"1"`
	Body DatastreamChange
}

func (s *API) presenceRoutes() {
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/events", "listEvents", "What happened in the scope, newest first: devices on and off line, alerts, layers"), s.events)
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/conflicts", "listConflicts", "Readings whose datastream and time were stored already with another value, newest first"),
		func(ctx context.Context, p core.Principal, in *conflictsInput) (*httpx.Body[httpx.List[sensors.Conflict]], error) {
			all, err := s.o.Timeline.Conflicts(ctx, p.Scope(), in.Datastream, httpx.OnePage(in.Limit, in.Before))
			return httpx.Paged(all, in.Limit, func(c sensors.Conflict) int64 { return c.ID }), err
		})
	httpx.Register(s.Server, httpx.EditData, httpx.Op(http.MethodPatch, "/api/v1/datastreams/{id}", "changeDatastream", "Say how often a datastream is expected to publish"),
		func(ctx context.Context, p core.Principal, in *datastreamInput) (*httpx.Body[sensors.Datastream], error) {
			seconds := 0
			if in.Body.IntervalS != nil {
				seconds = *in.Body.IntervalS
			}
			d, err := s.o.Devices.SetInterval(ctx, p, in.ID, seconds)
			return httpx.Answer(d), err
		})
}

func (s *API) events(ctx context.Context, p core.Principal, in *eventsInput) (*httpx.Body[httpx.List[core.Event]], error) {
	kinds := timelineKinds()
	if len(in.Kind) > 0 {
		kinds = make([]string, len(in.Kind))
		for i, k := range in.Kind {
			kinds[i] = string(k)
		}
	}
	all, err := s.o.Timeline.Events(ctx, p.Scope(), kinds, in.Device, httpx.OnePage(in.Limit, in.Before))
	return httpx.Paged(all, in.Limit, func(e core.Event) int64 { return e.Seq }), err
}
