package alerts

import (
	"context"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// MaxBulk is how many alerts one bulk step may name.
const MaxBulk = 500

// Shown is an alert of a bulk step, with the level that the person was shown; 0: not known.
type Shown struct {
	ID    int64
	Level core.Level
}

// Result is what became of one alert of a bulk step: the alert as it then is, or why not.
type Result struct {
	ID    int64
	Alert Alert
	Err   error
}

// HandleAll takes one step on each of the alerts, each in a transaction of its own, and returns what became
// of each, in the order given. What is wrong with the command itself refuses the whole, as Handle does.
func (d *Desk) HandleAll(ctx context.Context, p core.Principal, c Command, shown []Shown) ([]Result, error) {
	s := p.Scope()
	c, err := d.prepare(p, c)
	if err != nil {
		return nil, err
	}
	if len(shown) == 0 || len(shown) > MaxBulk {
		return nil, fault.InvalidCode("ids", CodeBulkCount, len(shown), MaxBulk)
	}
	people, err := d.people(ctx, s, c)
	if err != nil {
		return nil, err
	}
	results := make([]Result, 0, len(shown))
	for _, one := range shown {
		c.AlertID, c.Level = one.ID, one.Level
		a, err := d.take(ctx, s, c, people)
		if ctx.Err() != nil && err != nil {
			err = fault.NewCoded(fault.Unavailable, "", fault.CodeAwayNow) // no time is left for this one
		}
		results = append(results, Result{ID: one.ID, Alert: a, Err: err})
	}
	return results, nil
}
