package alerts

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"onemap/internal/core"
	"onemap/internal/errs"
)

// Limits of a rule.
const (
	MaxForSeconds = 86400
	MaxRuleName   = 100 // characters
)

// Validate holds a rule against everything that can be known without the registry. The error is of
// kind errs.Invalid; it joins one errs.Error for each field at fault, named as in JSON
// ("thresholds[1].clear"). An empty Origin is left to the store's default.
func (r Rule) Validate() error {
	c := &complaints{}
	c.unless(r.Name.ZH != "", "name.zh", "a rule has a Chinese name")
	c.name("name.zh", r.Name.ZH)
	c.name("name.en", r.Name.EN)
	c.unless(r.Type != "", "datastream_type", "is missing")
	c.unless(r.DatastreamID >= 0, "datastream_id", "is negative")
	c.unless(r.Direction == Above || r.Direction == Below, "direction", "must be %q or %q", Above, Below)
	c.unless(r.ForSeconds >= 0 && r.ForSeconds <= MaxForSeconds, "for_seconds", "must be 0 to %d seconds", MaxForSeconds)
	c.unless(r.Origin == "" || r.Origin.Valid(), "origin", "%q is no origin", r.Origin)
	c.unless(len(r.Thresholds) >= 1 && len(r.Thresholds) <= 4, "thresholds", "has %d levels, a rule has 1 to 4", len(r.Thresholds))
	for i := range r.Thresholds {
		r.validateThreshold(c, i)
	}
	return errors.Join(c.errs...)
}

func (r Rule) validateThreshold(c *complaints, i int) {
	t, at := r.Thresholds[i], fmt.Sprintf("thresholds[%d].", i)
	c.unless(t.Level.Valid() && t.Level != core.None, at+"level", "must be 1 (red) to 4 (blue)")
	if !c.unless(finite(t.Raise), at+"raise", "must be a finite number") ||
		!c.unless(finite(t.Clear), at+"clear", "must be a finite number") {
		return
	}
	c.unless(r.worse(t.Raise, t.Clear), at+"clear", "%v must be on the safe side of raise %v", t.Clear, t.Raise)
	if i == 0 {
		return
	}
	last := r.Thresholds[i-1]
	switch {
	case t.Level == last.Level:
		c.add(at+"level", "%s stands twice", t.Level)
	case !last.Level.Worse(t.Level):
		c.add(at+"level", "%s stands after %s: the worst level comes first", t.Level, last.Level)
	}
	c.unless(r.worse(last.Raise, t.Raise), at+"raise", "%v must be safer than the %v of the worse level", t.Raise, last.Raise)
	c.unless(!r.worse(t.Clear, last.Clear), at+"clear", "%v must not be more dangerous than the %v of the worse level", t.Clear, last.Clear)
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

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// complaints collects what is wrong, by field.
type complaints struct{ errs []error }

func (c *complaints) add(field, format string, args ...any) {
	c.errs = append(c.errs, errs.InvalidField(field, format, args...))
}

func (c *complaints) unless(ok bool, field, format string, args ...any) bool {
	if !ok {
		c.add(field, format, args...)
	}
	return ok
}

func (c *complaints) name(field, s string) {
	c.unless(utf8.ValidString(s) && utf8.RuneCountInString(s) <= MaxRuleName, field, "is longer than %d characters", MaxRuleName)
}
