package alerts

import (
	"fmt"
	"slices"

	"onemap/internal/core"
)

// StepReopened is the step of the audit row for handling that restarted.
const StepReopened = "reopened"

// Merge combines the change with the handling of the stored alert and returns the alert to store. It writes nothing. If
// stored is the zero Alert, an episode begins. The caller passes the locked alert, because the engine may not know the
// newest handling step. reopened is the audit row if the handling restarts, and nil if not.
//
//   - After a rise, the confirmations at milder levels are no longer current. When data return to a stale alert, no
//     confirmation is current, because the situation in between is unknown.
//   - The handling restarts after a rise above the level at which the alert was handled, and when data return. The
//     alert then has no assignee and no current confirmation.
//   - A resolved or closed alert counts as handled at the level to which it fell, so any later rise restarts the
//     handling.
func (c Change) Merge(stored Alert) (after Alert, reopened *Audit) {
	after = c.Alert
	if stored.ID == 0 {
		after.Handling, after.Assignee, after.HandledLevel, after.Reopened = New, "", core.None, nil
		after.Version, after.Confirmations = 1, []Confirmation{}
		after.RisenAt, after.RisenFrom = after.OpenedAt, core.None
		return after, nil
	}
	after.Handling, after.Assignee, after.Version = stored.Handling, stored.Assignee, stored.Version+1
	after.HandledLevel, after.Reopened = stored.HandledLevel, stored.Reopened
	after.RisenAt, after.RisenFrom = stored.RisenAt, stored.RisenFrom
	after.Confirmations = append([]Confirmation{}, stored.Confirmations...)
	open := after.Detection != Cleared
	rose := open && after.Level.Worse(stored.Level)
	back := open && after.Detection != Stale && stored.Detection == Stale
	if rose || back {
		after.RisenAt, after.RisenFrom = after.UpdatedAt, stored.Level
	}
	for i := range after.Confirmations {
		mark := &after.Confirmations[i]
		mark.Current = mark.Current && !back && (!rose || !after.Level.Worse(mark.Level))
	}
	if (after.Handling == Resolved || after.Handling == Closed) && after.HandledLevel.Worse(after.Level) {
		after.HandledLevel = after.Level
	}
	switch {
	case after.Handling == New:
	case rose && after.Level.Worse(after.HandledLevel):
		reopened = after.reopen(stored, ReopenRise)
	case back:
		reopened = after.reopen(stored, ReopenData)
	}
	return after, reopened
}

// reopen restarts the handling and returns its audit row.
func (a *Alert) reopen(stored Alert, why ReopenWhy) *Audit {
	a.Reopened = &Reopened{At: a.UpdatedAt, From: stored.Handling, Level: stored.HandledLevel, Why: why}
	a.Handling, a.Assignee, a.HandledLevel = New, "", core.None
	for i := range a.Confirmations {
		a.Confirmations[i].Current = false
	}
	return &Audit{
		At: a.UpdatedAt, Division: a.Division, Step: StepReopened, Level: a.Level,
		Before: string(stored.Handling), After: string(New), Note: reopenNote(a, stored),
	}
}

// reopenNote returns the reason why the handling restarts, in both languages.
func reopenNote(a *Alert, stored Alert) string {
	now, handled := a.Level.ColourName(), a.Reopened.Level.ColourName()
	zh := fmt.Sprintf("升至%s，处置时为%s", now.ZH, handled.ZH)
	en := fmt.Sprintf("rose to %s, was handled at %s", a.Level, a.Reopened.Level)
	if a.Reopened.Why == ReopenData {
		zh, en = "数据恢复，"+now.ZH+"告警仍在", fmt.Sprintf("data are back, still %s", a.Level)
	}
	if stored.Assignee != "" {
		zh, en = zh+"；此前交办 "+stored.Assignee, en+"; was assigned to "+stored.Assignee
	}
	return note(zh, en)
}

// ConfirmedBy reports whether the unit has a current confirmation.
func (a Alert) ConfirmedBy(division string) bool {
	return slices.ContainsFunc(a.Confirmations, func(c Confirmation) bool { return c.Division == division && c.Current })
}

// confirm sets the current confirmation of the command's unit at the alert's level.
func (a *Alert) confirm(c Command) {
	mark := Confirmation{Division: c.Division, User: c.Actor, Name: c.Name, Level: a.Level, At: c.At, Current: true}
	if mark.Name == "" {
		mark.Name = c.Actor
	}
	a.Confirmations = append([]Confirmation{}, a.Confirmations...) // a copy, because the caller keeps the old slice
	for i := range a.Confirmations {
		if a.Confirmations[i].Division == c.Division {
			a.Confirmations[i] = mark
			return
		}
	}
	a.Confirmations = append(a.Confirmations, mark)
}
