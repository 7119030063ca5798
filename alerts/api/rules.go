package alertsapi

import (
	"context"
	"net/http"
	"strconv"

	"onemap/alerts"
	"onemap/internal/core"
	"onemap/internal/httpx"
)

// RuleInput is the body of a request that creates or replaces a rule. The thresholds are in the unit of the datastream
// type.
type RuleInput struct {
	Name         core.Text          `json:"name"`
	Type         string             `json:"datastream_type" doc:"A code of the datastream types"`
	DatastreamID int64              `json:"datastream_id,omitempty" minimum:"0" doc:"0: all of the type"`
	Direction    alerts.Direction   `json:"direction"`
	Thresholds   []alerts.Threshold `json:"thresholds" minItems:"1" maxItems:"4" doc:"Worst first"`
	ForSeconds   int                `json:"for_seconds,omitempty" minimum:"0" maximum:"86400" doc:"How long, in event time, the value must stay raised before the alert rises to a level"`
	HoldSeconds  *int               `json:"hold_seconds,omitempty" minimum:"0" maximum:"86400" doc:"How long, in event time, the value must stay at the safe side before the alert leaves a level; 180 when not given"`
	Enabled      bool               `json:"enabled"`
	Origin       core.Origin        `json:"origin,omitempty"`
}

// rule returns the rule with the defaults of the fields that are not given. HoldSeconds is a pointer, because 0 is a
// valid value that differs from "not given".
func (r RuleInput) rule() alerts.Rule {
	out := alerts.Rule{
		Name: r.Name, Type: r.Type, DatastreamID: r.DatastreamID, Direction: r.Direction, Thresholds: r.Thresholds,
		ForSeconds: r.ForSeconds, HoldSeconds: alerts.DefaultHoldSeconds, Enabled: r.Enabled, Origin: r.Origin,
	}
	if r.HoldSeconds != nil {
		out.HoldSeconds = *r.HoldSeconds
	}
	if out.Origin == "" {
		out.Origin = core.OriginReal
	}
	return out
}

type rulesInput struct {
	Limit int   `query:"limit" minimum:"1" maximum:"1000" default:"500"`
	After int64 `query:"after" minimum:"0" doc:"Only those with a greater id"`
}

type ruleID struct {
	ID int64 `path:"id" minimum:"1"`
}

type createRuleInput struct{ Body RuleInput }

type replaceRuleInput struct {
	ID      int64  `path:"id" minimum:"1"`
	IfMatch string `header:"If-Match" doc:"The rule's version that was seen, in quotes; required"`
	Body    RuleInput
}

type deleteRuleInput struct {
	ID      int64  `path:"id" minimum:"1"`
	IfMatch string `header:"If-Match" doc:"The rule's version that was seen, in quotes; required"`
}

// ruleRoutes registers the routes of rules. A change needs the header If-Match with the version that the person saw. The
// service refuses it if somebody else has changed the rule since.
func (s *API) ruleRoutes() {
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/rules", "listRules", "The rules, oldest first"),
		func(ctx context.Context, _ core.Principal, in *rulesInput) (*httpx.Body[httpx.List[alerts.Rule]], error) {
			all, err := s.o.Rules.List(ctx)
			return httpx.PagedFrom(all, in.After, in.Limit, func(r alerts.Rule) int64 { return r.ID }, func(id int64) string { return strconv.FormatInt(id, 10) }), err
		})
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/rules/{id}", "getRule", "One rule"),
		func(ctx context.Context, _ core.Principal, in *ruleID) (*httpx.Tagged[alerts.Rule], error) {
			return taggedRule(s.o.Rules.Get(ctx, in.ID))
		})
	httpx.Register(s.Server, needRules, httpx.Created(httpx.Op(http.MethodPost, "/api/v1/rules", "createRule", "Make a rule; for the city")),
		func(ctx context.Context, p core.Principal, in *createRuleInput) (*httpx.Tagged[alerts.Rule], error) {
			return taggedRule(s.o.Rules.Create(ctx, p, in.Body.rule()))
		})
	httpx.Register(s.Server, needRules, httpx.Op(http.MethodPut, "/api/v1/rules/{id}", "replaceRule", "Change a rule; for the city"),
		func(ctx context.Context, p core.Principal, in *replaceRuleInput) (*httpx.Tagged[alerts.Rule], error) {
			version, err := httpx.IfMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			r := in.Body.rule()
			r.ID = in.ID
			return taggedRule(s.o.Rules.Replace(ctx, p, r, version))
		})
	httpx.Register(s.Server, needRules, httpx.Op(http.MethodDelete, "/api/v1/rules/{id}", "deleteRule", "Delete a rule; its open alerts are cleared. For the city"),
		func(ctx context.Context, p core.Principal, in *deleteRuleInput) (*struct{}, error) {
			version, err := httpx.IfMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			return nil, s.o.Rules.Delete(ctx, p, in.ID, version)
		})
}

func taggedRule(r alerts.Rule, err error) (*httpx.Tagged[alerts.Rule], error) {
	return httpx.Versioned(r.Version, r), err
}
