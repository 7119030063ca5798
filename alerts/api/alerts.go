package alertsapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"onemap/alerts"
	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/httpx"
)

// AlertList is a page of alerts. It includes every event up to Seq of the event log Epoch. A client can therefore show
// the page, open the WebSocket with this position, and apply the later events without a gap.
type AlertList struct {
	Epoch string         `json:"epoch"`
	Seq   int64          `json:"seq"`
	SeqID string         `json:"seq_id" doc:"The id of the newest event up to seq: a hello's last_id"`
	Items []alerts.Alert `json:"items"`
	Next  string         `json:"next,omitempty" doc:"More follow: ask again with before set to this"`
	Count *int64         `json:"count,omitempty" doc:"How many match in all, when it was asked for"`
}

// AlertDetail is an alert with its history, its CAP messages and its deliveries.
type AlertDetail struct {
	Alert      alerts.Alert      `json:"alert"`
	History    []alerts.Audit    `json:"history" doc:"Oldest first; the newest 1,000"`
	Messages   []alerts.Message  `json:"messages" doc:"Oldest first; the newest 1,000"`
	Deliveries []alerts.Delivery `json:"deliveries"`
}

// AlertStep is a handling step on one alert.
type AlertStep struct {
	StepWords

	Level core.Level `json:"level,omitempty" minimum:"0" maximum:"4" doc:"The level of the alert that the person was shown. One that has risen above it refuses the step with alert-risen. Left out or 0: not known; it is refused with shown-missing while the alert has not cleared and its risen_from is not 0"`
}

// StepWords are the fields that a step on one alert and a step on several alerts share.
type StepWords struct {
	Note     string `json:"note,omitempty" doc:"Resolving needs one; closing what has not cleared, too"`
	Assignee string `json:"assignee,omitempty" maxLength:"64" doc:"The user to assign to; assigning needs one"`
	Confirm  bool   `json:"confirm,omitempty" doc:"Resolving or closing what has not cleared needs it, with a note"`
}

// HandledAlert is the answer to a handling step: the alert after the step.
type HandledAlert struct {
	Alert alerts.Alert `json:"alert"`
}

// AlertFilter are the query parameters that narrow a list or an export of alerts. A parameter that is not given does not
// narrow it.
type AlertFilter struct {
	Open     bool      `query:"open" doc:"Only those that are not cleared, or not closed"`
	State    string    `query:"state" enum:"open,cleared,closed,all" doc:"open: not cleared, or not closed; cleared: cleared and not closed; closed; all"`
	Level    []int     `query:"level" minimum:"1" maximum:"4" maxItems:"4" doc:"Joined by commas"`
	Peak     []int     `query:"peak" minimum:"1" maximum:"4" maxItems:"4" doc:"The worst levels that they reached, joined by commas"`
	Handling []string  `query:"handling" enum:"new,acknowledged,assigned,resolved,closed" maxItems:"5" doc:"Joined by commas"`
	Device   string    `query:"device" maxLength:"64"`
	Hazard   string    `query:"hazard" maxLength:"64" doc:"A code of the hazard types"`
	Division string    `query:"division" maxLength:"12" doc:"Where they lie: this code, or below it"`
	From     time.Time `query:"from" doc:"Opened at or after this time"`
	To       time.Time `query:"to" doc:"Opened before this time"`
	Q        string    `query:"q" maxLength:"100" doc:"Part of the headline, the device or the rule"`
}

type alertsInput struct {
	AlertFilter

	Count  bool  `query:"count" doc:"Say how many match in all"`
	Limit  int   `query:"limit" minimum:"1" maximum:"500" default:"200"`
	Before int64 `query:"before" minimum:"0" doc:"Only those with a smaller id"`
}

type alertInput struct {
	ID int64 `path:"id" minimum:"1"`
}

type alertStepInput struct {
	ID     int64         `path:"id" minimum:"1"`
	Action alerts.Action `path:"action" doc:"acknowledge, assign, resolve or close"`
	Body   *AlertStep
}

// alertRoutes registers the routes of alerts. The two routes of handling steps require only the permission to
// acknowledge, which a duty display has too. The service requires the permission to handle for the other actions.
func (s *API) alertRoutes() {
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/alerts", "listAlerts", "The alerts of the scope, newest first"), s.alerts)
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/alerts/{id}", "getAlert", "One alert with its history, messages and deliveries"), s.alert)
	httpx.Register(s.Server, needAcknowledge, httpx.May(httpx.Op(http.MethodPost, "/api/v1/alerts/{id}/{action}", "handleAlert", "Acknowledge, assign, resolve or close an alert; a repetition changes nothing"), http.StatusConflict), s.handleAlert)
	httpx.Register(s.Server, needAcknowledge, httpx.Op(http.MethodPost, "/api/v1/alerts/bulk", "handleAlerts", "One step on several alerts, each by itself: some may be refused"), s.handleAlerts)
	httpx.Register(s.Server, needHandle, httpx.May(httpx.Op(http.MethodGet, "/api/v1/assignees", "listAssignees", "Who an alert may be assigned to: exactly those that the step accepts"), http.StatusNotFound, http.StatusConflict),
		func(ctx context.Context, p core.Principal, in *assigneesInput) (*httpx.Body[httpx.List[alerts.Assignee]], error) {
			people, err := s.o.Handler.Assignees(ctx, p.Scope(), in.Alert)
			return httpx.ByLogin(people, in.LoginPage, func(a alerts.Assignee) string { return a.User }), err
		})
	s.exportRoute()
}

// filter returns the filter for the store. It returns fault.Invalid with the parameter's name if q is not valid UTF-8 or
// has a NUL character, which PostgreSQL cannot store, if from is not before to, or if the division has no valid code.
func (in AlertFilter) filter() (alerts.Filter, error) {
	f := alerts.Filter{
		Open: in.Open, State: alerts.FilterState(in.State), DeviceID: in.Device, Hazard: in.Hazard, From: in.From, To: in.To, Query: strings.TrimSpace(in.Q),
	}
	switch {
	case !utf8.ValidString(in.Q) || strings.ContainsRune(in.Q, 0):
		return f, fault.InvalidCode("q", httpx.CodeQueryText)
	case !in.From.IsZero() && !in.To.IsZero() && !in.From.Before(in.To):
		return f, fault.InvalidCode("from", httpx.CodeTimeRange)
	case in.Division != "":
		code, err := geo.ParseDivision(in.Division)
		if err != nil {
			return f, fault.InvalidCode("division", geo.CodeNoDivision, httpx.Cut(in.Division))
		}
		f.Division = code
	}
	for _, l := range in.Level {
		f.Levels = append(f.Levels, core.Level(l))
	}
	for _, l := range in.Peak {
		f.Peaks = append(f.Peaks, core.Level(l))
	}
	for _, h := range in.Handling {
		f.Handling = append(f.Handling, alerts.Handling(h))
	}
	return f, nil
}

// alerts lists one page of the alerts. It reads one alert more than the limit, so that it knows whether a page follows.
func (s *API) alerts(ctx context.Context, p core.Principal, in *alertsInput) (*httpx.Body[AlertList], error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	// Pages follow the ids, which grow with time. A page stays the same when new alerts open, unlike pages by offset.
	f.Count, f.Limit, f.Before = in.Count, in.Limit+1, in.Before
	snap, err := s.o.Alerts.Alerts(ctx, p.Scope(), f)
	if err != nil {
		return nil, err
	}
	out := AlertList{Epoch: snap.Epoch, Seq: snap.Head.Seq, SeqID: snap.Head.ID, Items: make([]alerts.Alert, 0, len(snap.Alerts))}
	snap.Alerts, out.Next = httpx.CutPage(snap.Alerts, in.Limit, func(a alerts.Alert) string { return strconv.FormatInt(a.ID, 10) })
	for _, a := range snap.Alerts {
		out.Items = append(out.Items, possibleFor(p, a))
	}
	if f.Count {
		out.Count = &snap.Count
	}
	return httpx.Answer(out), nil
}

// possibleFor returns the alert as the answer to the principal shows it, with the actions that the principal may take.
func possibleFor(p core.Principal, a alerts.Alert) alerts.Alert {
	a = wireAlert(a)
	a.Possible = alerts.PossibleFor(p.Scope(), a)
	return a
}

// wireAlert returns the alert with empty lists instead of nil, because the JSON of an answer never has null for a list.
func wireAlert(a alerts.Alert) alerts.Alert {
	a.Divisions = httpx.OrEmpty(a.Divisions)
	a.Area = httpx.OrEmpty(a.Area)
	return a
}

// alert returns one alert with its details. It reads the alert in the scope of the caller first. The other three reads
// use only the id and do not check the scope, so this order keeps the details from callers who may not see the alert.
func (s *API) alert(ctx context.Context, p core.Principal, in *alertInput) (*httpx.Body[AlertDetail], error) {
	a, err := s.o.Alerts.Alert(ctx, p.Scope(), in.ID)
	if err != nil {
		return nil, err
	}
	out := AlertDetail{Alert: possibleFor(p, a)}
	if out.History, err = s.o.Alerts.History(ctx, a.ID); err != nil {
		return nil, err
	}
	if out.Messages, err = s.o.Alerts.Messages(ctx, a.ID); err != nil {
		return nil, err
	}
	if out.Deliveries, err = s.o.Alerts.Deliveries(ctx, a.ID); err != nil {
		return nil, err
	}
	out.History, out.Messages = httpx.OrEmpty(out.History), httpx.OrEmpty(out.Messages)
	out.Deliveries = slices.Clone(httpx.OrEmpty(out.Deliveries)) // a copy, because the loop changes the entries
	for i := range out.Deliveries {
		d := &out.Deliveries[i]
		d.Connected, d.Received, d.Confirmed = httpx.OrEmpty(d.Connected), httpx.OrEmpty(d.Received), httpx.OrEmpty(d.Confirmed)
	}
	return httpx.Answer(out), nil
}

// handleAlert takes one handling step. The body is optional, because acknowledging needs no note.
func (s *API) handleAlert(ctx context.Context, p core.Principal, in *alertStepInput) (*httpx.Body[HandledAlert], error) {
	step := AlertStep{}
	if in.Body != nil {
		step = *in.Body
	}
	after, err := s.o.Handler.Handle(ctx, p, command(in.Action, in.ID, step.StepWords, step.Level))
	if err != nil {
		return nil, err
	}
	return httpx.Answer(HandledAlert{possibleFor(p, after)}), nil
}

// command returns the command for the service. shown is the level at which the person saw the alert; core.None: not
// known. The service adds the actor and the time.
func command(action alerts.Action, id int64, step StepWords, shown core.Level) alerts.Command {
	return alerts.Command{AlertID: id, Action: action, Note: step.Note, Assignee: step.Assignee, Confirm: step.Confirm, Level: shown}
}

type assigneesInput struct {
	httpx.LoginPage

	Alert int64 `query:"alert" minimum:"0" doc:"The alert to assign; without it, everybody of the own division who handles alerts"`
}
