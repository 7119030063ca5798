// Package alertsapi is the HTTP API of alerts, rules and silences, and the feed of CAP messages.
package alertsapi

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"onemap/alerts"
	"onemap/internal/core"
	"onemap/internal/httpx"
)

// What the routes need of the caller.
const (
	needAcknowledge = httpx.Need(alerts.PermAcknowledge)
	needHandle      = httpx.Need(alerts.PermHandle)
	needRules       = httpx.Need(alerts.PermEditRules)
)

// Handler takes people's steps on alerts; alerts.Desk is one.
type Handler interface {
	Handle(ctx context.Context, p core.Principal, c alerts.Command) (alerts.Alert, error)
	HandleAll(ctx context.Context, p core.Principal, c alerts.Command, shown []alerts.Shown) ([]alerts.Result, error)
	Assignees(ctx context.Context, s core.Scope, alert int64) ([]alerts.Assignee, error)
	Export(ctx context.Context, s core.Scope, f alerts.Filter, most int, write func(alerts.Alert, []alerts.Audit) error) (more bool, err error)
}

// DivisionNames knows what divisions are called.
type DivisionNames interface {
	// DivisionName is a name, or the code itself when it is in no list.
	DivisionName(ctx context.Context, code string) (core.Text, error)
}

// Options is what the routes stand on.
type Options struct {
	Alerts    alerts.AlertStore
	Handler   Handler
	Silences  Silences
	Rules     *alerts.Rules
	CAP       alerts.CAPStore
	Divisions DivisionNames
	City      core.City // whose name the feed of CAP messages has
}

// Complete reports the first required part that is missing.
func (o Options) Complete() error { return httpx.Complete("alertsapi", o) }

// API serves the HTTP endpoints for alerts.
type API struct {
	*httpx.Server

	o Options
}

// Mount puts the routes on the server.
func Mount(h *httpx.Server, o Options) {
	s := &API{h, o}
	httpx.Enum[alerts.Detection, detectionWord](h)
	httpx.Enum[alerts.Handling, handlingWord](h)
	httpx.Enum[alerts.Direction, directionWord](h)
	s.ruleRoutes()
	s.alertRoutes()
	s.silenceRoutes()
	s.capRoutes()
	h.Text("NewSilence.device_id", httpx.Pattern{Regexp: httpx.DevicePattern})
	h.Text("NewSilence.division", httpx.Pattern{Regexp: httpx.DivisionPattern})
	h.Text("NewSilence.reason", httpx.Pattern{Min: 1, Max: alerts.MaxReason})
	h.Text("RuleInput.datastream_type", httpx.Pattern{Min: 1})
	httpx.OneOf(h, "NewSilence.kind", alerts.KindSilence, alerts.KindMaintenance)
	httpx.OneOf(h, "Silence.kind", alerts.KindSilence, alerts.KindMaintenance)
	httpx.OneOf(h, "Alert.possible", alerts.Actions()...)
	h.Text("AlertStep.note", httpx.Pattern{Max: alerts.MaxNote})
	h.Text("BulkStep.note", httpx.Pattern{Max: alerts.MaxNote})
}

type (
	detectionWord string
	handlingWord  string
	directionWord string
)

// Schema describes what the machine sees of an alert.
func (detectionWord) Schema(huma.Registry) *huma.Schema {
	return httpx.Words(alerts.Firing, alerts.Recovering, alerts.Cleared, alerts.Stale)
}

// Schema describes where people are with an alert.
func (handlingWord) Schema(huma.Registry) *huma.Schema {
	return httpx.Words(alerts.New, alerts.Acknowledged, alerts.Assigned, alerts.Resolved, alerts.Closed)
}

// Schema describes the dangerous side of a threshold.
func (directionWord) Schema(huma.Registry) *huma.Schema {
	return httpx.Words(alerts.Above, alerts.Below)
}
