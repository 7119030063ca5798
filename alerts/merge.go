package alerts

import (
	"fmt"
	"slices"

	"onemap/internal/core"
)

// StepReopened is the step of the audit row that says that handling began anew.
const StepReopened = "reopened"

// Merge puts what people have done with the stored alert into the change and returns the alert to
// store, without writing anything: the zero Alert as stored begins an episode. It is to be called with
// the alert as locked, for the engine may not know of the newest handling step. reopened is the audit
// row of a handling that began anew, nil when it did not.
//
//   - A rise makes the confirmations at milder levels no longer current. Data that come back to a stale
//     alert do so with all of them, for nobody knows what happened meanwhile.
//   - Handling begins anew with a rise above the level it was handled at, and with data that come back.
//     Nobody is assigned any more then, and no confirmation is current.
//   - What is resolved or closed was over at the level that the alert fell to: any rise begins it anew.
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

// reopen begins the handling anew and returns the line of the history that says so.
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

// reopenNote is the line of the history that says why handling begins anew, in both languages.
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

// ConfirmedBy reports whether the unit has a confirmation that is current.
func (a Alert) ConfirmedBy(division string) bool {
	return slices.ContainsFunc(a.Confirmations, func(c Confirmation) bool { return c.Division == division && c.Current })
}

// confirm notes that a person of the command's unit knows of the alert as it is.
func (a *Alert) confirm(c Command) {
	mark := Confirmation{Division: c.Division, User: c.Actor, Name: c.Name, Level: a.Level, At: c.At, Current: true}
	if mark.Name == "" {
		mark.Name = c.Actor
	}
	a.Confirmations = append([]Confirmation{}, a.Confirmations...) // the caller's stay as they are
	for i := range a.Confirmations {
		if a.Confirmations[i].Division == c.Division {
			a.Confirmations[i] = mark
			return
		}
	}
	a.Confirmations = append(a.Confirmations, mark)
}
