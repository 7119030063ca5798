package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"onemap/alerts"
	"onemap/auth"
	"onemap/internal/core"
	"onemap/internal/errs"
)

// AlertList is a page of alerts; it holds what the event log has up to Seq of Epoch.
type AlertList struct {
	Epoch string         `json:"epoch"`
	Seq   int64          `json:"seq"`
	Items []alerts.Alert `json:"items"`
}

// AlertDetail is an alert with its papers and its people.
type AlertDetail struct {
	Alert      alerts.Alert      `json:"alert"`
	History    []alerts.Audit    `json:"history"`
	Messages   []alerts.Message  `json:"messages"`
	Deliveries []alerts.Delivery `json:"deliveries"`
}

// AlertStep is a handling step.
type AlertStep struct {
	Note     string `json:"note,omitempty" doc:"Resolving needs one; closing what has not cleared, too"`
	Assignee string `json:"assignee,omitempty" maxLength:"64" doc:"The user to assign to; assigning needs one"`
}

// HandledAlert is the alert after a step.
type HandledAlert struct {
	Alert alerts.Alert `json:"alert"`
}

type alertsInput struct {
	Open     bool     `query:"open" doc:"Only those that are not cleared, or not closed"`
	Level    []int    `query:"level" minimum:"1" maximum:"4" maxItems:"4" doc:"Joined by commas"`
	Handling []string `query:"handling" enum:"new,acknowledged,assigned,resolved,closed" maxItems:"5" doc:"Joined by commas"`
	Device   string   `query:"device" maxLength:"64"`
	Q        string   `query:"q" maxLength:"100" doc:"Part of the headline, the device or the rule"`
	Limit    int      `query:"limit" minimum:"1" maximum:"500" default:"200"`
	Before   int64    `query:"before" minimum:"0" doc:"Only those with a smaller id"`
}

type alertInput struct {
	ID int64 `path:"id" minimum:"1"`
}

type alertStepInput struct {
	ID     int64         `path:"id" minimum:"1"`
	Action alerts.Action `path:"action" enum:"acknowledge,assign,resolve,close"`
	Body   *AlertStep
}

func (s *Server) alertRoutes() {
	register(s, needView, op(http.MethodGet, "/api/v1/alerts", "listAlerts", "The alerts of the scope, newest first"), s.alerts)
	register(s, needView, op(http.MethodGet, "/api/v1/alerts/{id}", "getAlert", "One alert with its history, messages and deliveries"), s.alert)
	register(s, needHandle, op(http.MethodPost, "/api/v1/alerts/{id}/{action}", "handleAlert", "Acknowledge, assign, resolve or close an alert; a repetition changes nothing"), s.handleAlert)
}

func (s *Server) alerts(ctx context.Context, p auth.Principal, in *alertsInput) (*body[AlertList], error) {
	if !utf8.ValidString(in.Q) || strings.ContainsRune(in.Q, 0) {
		return nil, errs.InvalidField("q", "must be a text to look for")
	}
	f := alerts.Filter{Open: in.Open, DeviceID: in.Device, Query: strings.TrimSpace(in.Q), Limit: in.Limit, Before: in.Before}
	for _, l := range in.Level {
		f.Levels = append(f.Levels, core.Level(l))
	}
	for _, h := range in.Handling {
		f.Handling = append(f.Handling, alerts.Handling(h))
	}
	snap, err := s.o.Alerts.Alerts(ctx, p.Scope(), f)
	if err != nil {
		return nil, err
	}
	out := AlertList{Epoch: snap.Epoch, Seq: snap.Seq, Items: make([]alerts.Alert, 0, len(snap.Alerts))}
	for _, a := range snap.Alerts {
		out.Items = append(out.Items, wireAlert(a))
	}
	return &body[AlertList]{out}, nil
}

func wireAlert(a alerts.Alert) alerts.Alert {
	a.Divisions = orEmpty(a.Divisions)
	a.Area = orEmpty(a.Area)
	return a
}

// alert reads the alert in the scope first: what follows from its id alone is for those who may see it.
func (s *Server) alert(ctx context.Context, p auth.Principal, in *alertInput) (*body[AlertDetail], error) {
	a, err := s.o.Alerts.Alert(ctx, p.Scope(), in.ID)
	if err != nil {
		return nil, err
	}
	out := AlertDetail{Alert: wireAlert(a)}
	if out.History, err = s.o.Alerts.History(ctx, a.ID); err != nil {
		return nil, err
	}
	if out.Messages, err = s.o.Alerts.Messages(ctx, a.ID); err != nil {
		return nil, err
	}
	if out.Deliveries, err = s.o.Alerts.Deliveries(ctx, a.ID); err != nil {
		return nil, err
	}
	out.History, out.Messages = orEmpty(out.History), orEmpty(out.Messages)
	out.Deliveries = slices.Clone(orEmpty(out.Deliveries))
	for i := range out.Deliveries {
		d := &out.Deliveries[i]
		d.Connected, d.Received, d.Confirmed = orEmpty(d.Connected), orEmpty(d.Received), orEmpty(d.Confirmed)
	}
	return &body[AlertDetail]{out}, nil
}

func (s *Server) handleAlert(ctx context.Context, p auth.Principal, in *alertStepInput) (*body[HandledAlert], error) {
	step := AlertStep{}
	if in.Body != nil {
		step = *in.Body
	}
	a, err := s.o.Alerts.Alert(ctx, p.Scope(), in.ID)
	if err != nil {
		return nil, err
	}
	if in.Action == alerts.ActAssign && step.Assignee != "" {
		if err := s.checkAssignee(ctx, p, step.Assignee, a); err != nil {
			return nil, err
		}
	}
	after, err := s.o.Handler.Handle(ctx, p.Scope(), alerts.Command{
		AlertID: in.ID, Action: in.Action, Actor: p.Login, Role: p.Role, Division: p.Division,
		Note: step.Note, Assignee: step.Assignee, At: s.now(),
	})
	if err != nil {
		return nil, err
	}
	return &body[HandledAlert]{HandledAlert{wireAlert(after)}}, nil
}

// checkAssignee refuses to hand an alert to somebody who is not there, who may not handle alerts,
// or who could not see this one.
func (s *Server) checkAssignee(ctx context.Context, p auth.Principal, login string, a alerts.Alert) error {
	all, err := s.o.Accounts.Assignees(ctx, p)
	if err != nil {
		return err
	}
	for _, one := range all {
		if one.Login == login && (core.Scope{Division: one.Division, Role: one.Role}).Covers(a.Division) {
			return nil
		}
	}
	return errs.InvalidField("assignee", "there is no %q in your division who handles alerts of %s", cut(login), a.Division)
}

// checkRule holds a rule against the rules of rules: for the city alone, well formed, and of a
// datastream type and a datastream that exist.
func (s *Server) checkRule(ctx context.Context, p auth.Principal, r alerts.Rule) error {
	if err := cityWide(p, "rules"); err != nil {
		return err
	}
	if err := r.Validate(); err != nil {
		return fmt.Errorf("rule: %w", err)
	}
	types, err := s.o.Registry.DatastreamTypes(ctx)
	if err != nil {
		return err
	}
	for _, t := range types {
		if t.Code == r.Type {
			return s.checkRuleStream(ctx, p, r)
		}
	}
	return errs.Refuse("datastream_type", errs.NoDatastreamType, cut(r.Type))
}

func (s *Server) checkRuleStream(ctx context.Context, p auth.Principal, r alerts.Rule) error {
	if r.DatastreamID == 0 {
		return nil
	}
	snap, err := s.o.Registry.Devices(ctx, p.Scope())
	if err != nil {
		return err
	}
	for _, d := range snap.Devices {
		for _, ds := range d.Streams {
			if ds.ID != r.DatastreamID {
				continue
			}
			if ds.Type != r.Type {
				return errs.Refuse("datastream_id", errs.DatastreamObserves, ds.ID, ds.Type, r.Type)
			}
			return nil
		}
	}
	return errs.Refuse("datastream_id", errs.NoDatastream, r.DatastreamID)
}
