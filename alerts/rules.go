package alerts

import (
	"cmp"
	"context"
	"fmt"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/text"
	"onemap/sensors"
)

// RuleStore keeps rules as Rules has checked them. Each change writes rule.changed.
type RuleStore interface {
	Rules(ctx context.Context) ([]Rule, error)
	Rule(ctx context.Context, id int64) (Rule, error)
	CreateRule(ctx context.Context, r Rule, actor string) (Rule, error)
	UpdateRule(ctx context.Context, r Rule, ifVersion int64, actor string) (Rule, error)
	DeleteRule(ctx context.Context, id, ifVersion int64, actor string) error // open episodes of it are cleared by the engine, with a note
	// PutRules stores those rules whose Chinese name no rule has or has had, and says how many.
	PutRules(ctx context.Context, rules []Rule) (int, error)
}

// DatastreamTypes knows what is observed.
type DatastreamTypes interface {
	DatastreamTypes(ctx context.Context) ([]sensors.DatastreamType, error)
	// DatastreamType returns the code of a datastream's type; fault.NotFound when the scope does not cover its device.
	DatastreamType(ctx context.Context, s core.Scope, id int64) (string, error)
}

// Rules is the one way in for every change of a rule. A rule is for the whole city.
type Rules struct {
	store RuleStore
	types DatastreamTypes
}

// NewRules makes the service.
func NewRules(store RuleStore, types DatastreamTypes) *Rules {
	return &Rules{store: store, types: types}
}

// List returns every rule that is not deleted, the disabled ones too.
func (v *Rules) List(ctx context.Context) ([]Rule, error) { return v.store.Rules(ctx) }

// Get returns one rule; fault.NotFound when there is none or it is deleted.
func (v *Rules) Get(ctx context.Context, id int64) (Rule, error) { return v.store.Rule(ctx, id) }

// Create stores a rule and returns it with its id and version. fault.Invalid names the field; fault.Forbidden is a
// principal who may not change rules, or who is of a part of the city.
func (v *Rules) Create(ctx context.Context, p core.Principal, r Rule) (Rule, error) {
	if err := v.check(ctx, p, r); err != nil {
		return Rule{}, err
	}
	return v.store.CreateRule(ctx, r, p.Login)
}

// Replace makes the rule of r.ID another, and refuses as Create does. fault.Precondition: the rule is not at ifVersion.
func (v *Rules) Replace(ctx context.Context, p core.Principal, r Rule, ifVersion int64) (Rule, error) {
	if err := v.check(ctx, p, r); err != nil {
		return Rule{}, err
	}
	return v.store.UpdateRule(ctx, r, ifVersion, p.Login)
}

// Delete takes a rule out of use; its open alerts are cleared. fault.Precondition: the rule is not at ifVersion.
func (v *Rules) Delete(ctx context.Context, p core.Principal, id, ifVersion int64) error {
	if err := mayEditRules(p); err != nil {
		return err
	}
	return v.store.DeleteRule(ctx, id, ifVersion, p.Login)
}

// Seed stores those rules whose Chinese name no rule has or has had, and says how many. So the rules that a demo begins
// with come once, and stay edited or deleted.
func (v *Rules) Seed(ctx context.Context, p core.Principal, rules []Rule) (int, error) {
	for _, r := range rules {
		if err := v.check(ctx, p, r); err != nil {
			return 0, fmt.Errorf("the rule %s: %w", r.Name.ZH, err)
		}
	}
	return v.store.PutRules(ctx, rules)
}

func mayEditRules(p core.Principal) error {
	return cmp.Or(p.Need(PermEditRules), p.NeedCity())
}

// check holds a rule against the rules of rules: for the city alone, well formed, and of a datastream type and a
// datastream that exist.
func (v *Rules) check(ctx context.Context, p core.Principal, r Rule) error {
	if err := mayEditRules(p); err != nil {
		return err
	}
	if err := r.Validate(); err != nil {
		return fmt.Errorf("rule: %w", err)
	}
	types, err := v.types.DatastreamTypes(ctx)
	if err != nil {
		return err
	}
	for _, t := range types {
		if t.Code == r.Type {
			return v.checkStream(ctx, p, r)
		}
	}
	return fault.InvalidCode("datastream_type", sensors.CodeNoDatastreamType, text.Cut(r.Type, 40))
}

// checkStream looks at the datastream of a rule that is for one alone.
func (v *Rules) checkStream(ctx context.Context, p core.Principal, r Rule) error {
	if r.DatastreamID == 0 {
		return nil
	}
	observes, err := v.types.DatastreamType(ctx, p.Scope(), r.DatastreamID)
	switch {
	case fault.Is(err, fault.NotFound):
		return fault.InvalidCode("datastream_id", sensors.CodeNoDatastream, r.DatastreamID)
	case err == nil && observes != r.Type:
		return fault.InvalidCode("datastream_id", CodeDatastreamObserves, r.DatastreamID, observes, r.Type)
	default:
		return err
	}
}
