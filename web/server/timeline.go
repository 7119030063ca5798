package server

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"onemap/alerts"
	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/sensors"
)

// Timeline lists events.
type Timeline interface {
	// Events returns the events of some kinds that the scope may see, newest first. device selects the events that concern the
	// device or may concern it; "" selects all.
	Events(ctx context.Context, s core.Scope, kinds []string, device string, p core.Page) ([]core.Event, error)
}

// timelineKinds returns the kinds of events in a timeline. Other kinds only tell servers and pages to reload something.
func timelineKinds() []string {
	return []string{
		sensors.EventPresenceChanged, sensors.EventUnevaluated, catalogue.EventLayerChanged,
		alerts.EventIssued, alerts.EventUpdated, alerts.EventCleared, alerts.EventStale,
		alerts.EventAcknowledged, alerts.EventAssigned, alerts.EventResolved, alerts.EventClosed,
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

func (s *Server) timelineRoutes() {
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/events", "listEvents", "What happened in the scope, newest first: devices on and off line, alerts, layers"), s.events)
}

func (s *Server) events(ctx context.Context, p core.Principal, in *eventsInput) (*httpx.Body[httpx.List[core.Event]], error) {
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
