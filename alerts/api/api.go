// Package alertsapi serves the HTTP API of alerts, rules and silences, and an Atom feed of CAP 1.2 messages.
//
// A handler decodes the request, calls package alerts, and encodes the answer. Rights are checked twice: the route
// refuses a caller without the permission, and the service then checks the role and the division of the caller against
// the alert, rule or silence itself.
package alertsapi

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"onemap/alerts"
	"onemap/internal/core"
	"onemap/internal/httpx"
)

// The permissions that the routes require of the caller.
const (
	needAcknowledge = httpx.Need(alerts.PermAcknowledge)
	needHandle      = httpx.Need(alerts.PermHandle)
	needRules       = httpx.Need(alerts.PermEditRules)
)

// Handler takes the handling steps of people, lists who an alert may be assigned to, and exports alerts. alerts.Desk
// implements Handler and documents the errors.
type Handler interface {
	Handle(ctx context.Context, p core.Principal, c alerts.Command) (alerts.Alert, error)
	HandleAll(ctx context.Context, p core.Principal, c alerts.Command, shown []alerts.Shown) ([]alerts.Result, error)
	Assignees(ctx context.Context, s core.Scope, alert int64) ([]alerts.Assignee, error)
	Export(ctx context.Context, s core.Scope, f alerts.Filter, most int, write func(alerts.Alert, []alerts.Audit) error) (more bool, err error)
}

// DivisionNames returns the names of administrative divisions.
type DivisionNames interface {
	// DivisionName returns the name of the division with this GB/T 2260 code. It returns the code itself if the division is
	// not known.
	DivisionName(ctx context.Context, code string) (core.Text, error)
}

// Options are the services and stores that the routes call.
type Options struct {
	Alerts    alerts.AlertStore
	Handler   Handler
	Silences  Silences
	Rules     *alerts.Rules
	CAP       alerts.CAPStore
	Divisions DivisionNames
	City      core.City // its name is part of the title of the CAP feed
}

// Complete returns an error that names the first required field that is missing.
func (o Options) Complete() error { return httpx.Complete("alertsapi", o) }

// API serves the HTTP endpoints for alerts.
type API struct {
	*httpx.Server

	o Options
}

// Mount registers the routes on the server. h.Text sets the limits of text fields in the OpenAPI description, so that
// the description and the checks of the services use the same constants.
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

// These types only carry the Schema methods below. The schema of an alerts type then lists its allowed words, and
// package alerts does not need to import huma.
type (
	detectionWord string
	handlingWord  string
	directionWord string
)

// Schema lists the states of detection. The rule engine sets them.
func (detectionWord) Schema(huma.Registry) *huma.Schema {
	return httpx.Words(alerts.Firing, alerts.Recovering, alerts.Cleared, alerts.Stale)
}

// Schema lists the states of handling. The steps of people set them.
func (handlingWord) Schema(huma.Registry) *huma.Schema {
	return httpx.Words(alerts.New, alerts.Acknowledged, alerts.Assigned, alerts.Resolved, alerts.Closed)
}

// Schema lists the dangerous sides of a threshold.
func (directionWord) Schema(huma.Registry) *huma.Schema {
	return httpx.Words(alerts.Above, alerts.Below)
}
