package alertsapi

import (
	"context"
	"net/http"
	"time"

	"onemap/alerts"
	"onemap/internal/core"
	"onemap/internal/httpx"
)

// Silences creates, ends and lists silences and maintenance windows. alerts.Silences implements it and documents the
// errors.
type Silences interface {
	List(ctx context.Context, p core.Principal, current bool, page core.Page) ([]alerts.Silence, error)
	Create(ctx context.Context, p core.Principal, n alerts.NewSilence) (alerts.Silence, error)
	End(ctx context.Context, p core.Principal, id int64) (alerts.Silence, error)
}

// NewSilence is the body of a request that creates a silence. A silence covers an alert that matches every one of
// device_id, type and division that is given. At least one of them must be given. It has the fields of
// alerts.NewSilence in the same order, so that the handler can convert it; the tags are the description for OpenAPI.
type NewSilence struct {
	Kind     alerts.SilenceKind `json:"kind" doc:"silence or maintenance"`
	DeviceID string             `json:"device_id,omitempty"`
	Type     string             `json:"type,omitempty" doc:"A code of the datastream types; alone it is for the city"`
	Division string             `json:"division,omitempty" doc:"And what lies in it"`
	Level    core.Level         `json:"level" doc:"Alerts of it or milder are covered, never worse ones"`
	Reason   string             `json:"reason"`
	Starts   time.Time          `json:"starts" required:"false" doc:"Without it, and when it is past, now"`
	Ends     time.Time          `json:"ends" doc:"At most 7 days after it starts"`
}

type silencesInput struct {
	httpx.NewestPage

	Current bool `query:"current" doc:"Only those that are in force or will be"`
}

type silenceInput struct {
	ID int64 `path:"id" minimum:"1"`
}

type newSilenceInput struct{ Body NewSilence }

func (s *API) silenceRoutes() {
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/silences", "listSilences", "The silences and maintenance windows that concern the own division, newest first"),
		func(ctx context.Context, p core.Principal, in *silencesInput) (*httpx.Body[httpx.List[alerts.Silence]], error) {
			all, err := s.o.Silences.List(ctx, p, in.Current, httpx.OnePage(in.Limit, in.Before))
			return httpx.Paged(all, in.Limit, func(n alerts.Silence) int64 { return n.ID }), err
		})
	httpx.Register(s.Server, needHandle, httpx.Created(httpx.Op(http.MethodPost, "/api/v1/silences", "createSilence", "Silence a device, a datastream type or a division for a time")),
		func(ctx context.Context, p core.Principal, in *newSilenceInput) (*httpx.Body[alerts.Silence], error) {
			n, err := s.o.Silences.Create(ctx, p, alerts.NewSilence(in.Body))
			return httpx.Answer(n), err
		})
	httpx.Register(s.Server, needHandle, httpx.Op(http.MethodPost, "/api/v1/silences/{id}/end", "endSilence", "End a silence before its time; a repetition changes nothing"),
		func(ctx context.Context, p core.Principal, in *silenceInput) (*httpx.Body[alerts.Silence], error) {
			n, err := s.o.Silences.End(ctx, p, in.ID)
			return httpx.Answer(n), err
		})
}
