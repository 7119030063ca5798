package alerts

import (
	"context"
	"slices"
	"time"

	"onemap/internal/core"
)

// Assignee is a person that an alert may be assigned to. It is the wire shape too.
type Assignee struct {
	User     string    `json:"user"`
	Name     string    `json:"name"`
	Role     core.Role `json:"role"`
	Division string    `json:"division"`

	Online   bool       `json:"online" doc:"Connected to the live feed now"`
	LastSeen *time.Time `json:"last_seen" doc:"The newest sign of life of any of the person's pages; null: none is known"`
}

// handles reports whether the alert lies in the person's division, so that every step on it is theirs to take.
func (p Assignee) handles(a Alert) bool {
	return core.Scope{Division: p.Division, Role: p.Role}.Covers(a.Division)
}

// Assignees lists whom the principal may assign the alert to: exactly those that Handle accepts. Of alert
// 0 it is everybody of the scope who handles alerts. fault.NotFound when the alert is not the scope's,
// fault.Forbidden when the principal does not assign it.
func (d *Desk) Assignees(ctx context.Context, s core.Scope, alert int64) ([]Assignee, error) {
	if err := mayHandle(s); err != nil {
		return nil, err
	}
	people, err := d.store.Handlers(ctx, s)
	if err != nil || alert == 0 {
		return people, err
	}
	a, err := d.store.Alert(ctx, s, alert)
	if err != nil {
		return nil, err
	}
	if err := admits(s, Command{AlertID: alert, Action: ActAssign}, a); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(people, func(p Assignee) bool { return !p.handles(a) }), nil
}
