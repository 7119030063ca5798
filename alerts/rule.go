package alerts

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// Limits of a rule.
const (
	MaxForSeconds  = 86400
	MaxHoldSeconds = 86400
	MaxRuleName    = 100 // characters
)

// DefaultHoldSeconds is the hold of a rule that does not say.
const DefaultHoldSeconds = 180

// Validate holds a rule against everything that can be known without the registry. The error is of
// kind fault.Invalid; it joins one fault.Error for each field at fault, named as in JSON
// ("thresholds[1].clear"). An empty Origin is left to the store's default.
func (r Rule) Validate() error {
	c := &complaints{}
	c.unless(r.Name.ZH != "", "name.zh", CodeNameZHMissing)
	c.name("name.zh", r.Name.ZH)
	c.name("name.en", r.Name.EN)
	c.unless(r.Type != "", "datastream_type", fault.CodeRequired)
	c.unless(r.DatastreamID >= 0, "datastream_id", fault.CodeBelowZero)
	c.unless(r.Direction == Above || r.Direction == Below, "direction", fault.CodeNeitherOf, Above, Below)
	c.unless(r.ForSeconds >= 0 && r.ForSeconds <= MaxForSeconds, "for_seconds", CodeSecondsRange, MaxForSeconds)
	c.unless(r.HoldSeconds >= 0 && r.HoldSeconds <= MaxHoldSeconds, "hold_seconds", CodeSecondsRange, MaxHoldSeconds)
	c.unless(r.Origin == "" || r.Origin.Valid(), "origin", CodeNoOrigin, r.Origin)
	c.unless(len(r.Thresholds) >= 1 && len(r.Thresholds) <= 4, "thresholds", CodeLevelCount, len(r.Thresholds))
	for i := range r.Thresholds {
		r.validateThreshold(c, i)
	}
	return errors.Join(c.errs...)
}

// validateThreshold checks one pair of values, and its order against the pair before it. Levels go from the worst
// to the mildest; each raise value is on the safe side of the one before, and each clear value on the safe side of
// its own raise value. So a level is never entered and left by the same value.
func (r Rule) validateThreshold(c *complaints, i int) {
	t, at := r.Thresholds[i], fmt.Sprintf("thresholds[%d].", i)
	c.unless(t.Level.Valid() && t.Level != core.None, at+"level", CodeLevelUnknown)
	if !c.unless(finite(t.Raise), at+"raise", fault.CodeNotFinite) ||
		!c.unless(finite(t.Clear), at+"clear", fault.CodeNotFinite) {
		return
	}
	c.unless(r.worse(t.Raise, t.Clear), at+"clear", CodeClearUnsafe, t.Clear, t.Raise)
	if i == 0 {
		return
	}
	last := r.Thresholds[i-1]
	switch {
	case t.Level == last.Level:
		c.add(at+"level", CodeLevelTwice, colour(t.Level))
	case !last.Level.Worse(t.Level):
		c.add(at+"level", CodeLevelOrder, colour(t.Level), colour(last.Level))
	}
	c.unless(r.worse(last.Raise, t.Raise), at+"raise", CodeRaiseOrder, t.Raise, last.Raise)
	c.unless(!r.worse(t.Clear, last.Clear), at+"clear", CodeClearOrder, t.Clear, last.Clear)
}

// worse reports whether a is strictly on the dangerous side of b.
func (r Rule) worse(a, b float64) bool {
	if r.Direction == Below {
		return a < b
	}
	return a > b
}

// met reports whether v is at or past the level's raise value.
func (r *Rule) met(t Threshold, v float64) bool {
	if r.Direction == Below {
		return v <= t.Raise
	}
	return v >= t.Raise
}

// left reports whether v is at or past the level's clear value, on the safe side.
func (r *Rule) left(t Threshold, v float64) bool {
	if r.Direction == Below {
		return v >= t.Clear
	}
	return v <= t.Clear
}

// threshold is the rule's pair for a level.
func (r *Rule) threshold(l core.Level) (Threshold, bool) {
	for _, t := range r.Thresholds {
		if t.Level == l {
			return t, true
		}
	}
	return Threshold{}, false
}

// colour is a level in a sentence.
func colour(l core.Level) fault.Token { return fault.Token(l.String()) }

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// complaints collects what is wrong, by field.
type complaints struct{ errs []error }

func (c *complaints) add(field string, code fault.Code, values ...any) {
	c.errs = append(c.errs, fault.InvalidCode(field, code, values...))
}

// unless adds a complaint when ok is false, and returns ok.
func (c *complaints) unless(ok bool, field string, code fault.Code, values ...any) bool {
	if !ok {
		c.add(field, code, values...)
	}
	return ok
}

func (c *complaints) name(field, s string) {
	c.unless(utf8.ValidString(s) && utf8.RuneCountInString(s) <= MaxRuleName, field, fault.CodeTooLong, MaxRuleName)
}
