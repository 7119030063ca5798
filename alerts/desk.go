package alerts

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"onemap/internal/core"
	"onemap/internal/errs"
)

// MaxNote is the longest note of a handling step, characters.
const MaxNote = 2000

// Desk takes the handling steps of people.
type Desk struct {
	store DeskStore
	log   *slog.Logger
	clock func() time.Time
}

// NewDesk makes a desk; a nil logger is the default one, a nil clock the system's.
func NewDesk(store DeskStore, log *slog.Logger, clock func() time.Time) *Desk {
	if log == nil {
		log = slog.Default()
	}
	if clock == nil {
		clock = time.Now
	}
	return &Desk{store: store, log: log, clock: clock}
}

// outcome is what an action makes of an alert in one state of handling.
type outcome uint8

const (
	illegal outcome = iota
	move            // to the action's own state
	already         // it has been done, or more than it: nothing changes
)

// handlingTable is the whole state machine:
//
//	             acknowledge  assign    resolve   close
//	new          move         move      illegal   illegal
//	acknowledged already      move      move      illegal
//	assigned     already      move      move      illegal
//	resolved     already      illegal   already   move
//	closed       illegal      illegal   illegal   already
//
// It gives for each state what each action does.
func handlingTable() map[Handling]map[Action]outcome {
	return map[Handling]map[Action]outcome{
		New:          {ActAcknowledge: move, ActAssign: move},
		Acknowledged: {ActAcknowledge: already, ActAssign: move, ActResolve: move},
		Assigned:     {ActAcknowledge: already, ActAssign: move, ActResolve: move},
		Resolved:     {ActAcknowledge: already, ActResolve: already, ActClose: move},
		Closed:       {ActClose: already},
	}
}

// actions lists the actions in the order in which they are taken, with the state each leads to.
func actions() []struct {
	action Action
	to     Handling
} {
	return []struct {
		action Action
		to     Handling
	}{{ActAcknowledge, Acknowledged}, {ActAssign, Assigned}, {ActResolve, Resolved}, {ActClose, Closed}}
}

// Possible lists the actions that change an alert in a state of handling, in their order.
func Possible(h Handling) []Action {
	var possible []Action
	for _, a := range actions() {
		if handlingTable()[h][a.action] == move {
			possible = append(possible, a.action)
		}
	}
	return possible
}

// Handle takes one step. A repetition of a step is no error and changes nothing. The errors are
// errs.Invalid (a note or an assignee is missing), errs.Forbidden (the role or division does not
// handle this alert), errs.NotFound (no such alert in the scope) and errs.Conflict (the alert is not
// in a state for it; the message says what is possible).
func (d *Desk) Handle(ctx context.Context, s core.Scope, c Command) (Alert, error) {
	if s.Role != core.RoleCommander && s.Role != core.RoleResponder {
		return Alert{}, errs.New(errs.Forbidden, "a %s does not handle alerts", s.Role)
	}
	c.Note, c.Assignee = strings.TrimSpace(c.Note), strings.TrimSpace(c.Assignee)
	c.Role, c.Division = s.Role, s.Division
	if c.At.IsZero() {
		c.At = d.clock()
	}
	if err := c.validate(); err != nil {
		return Alert{}, err
	}
	a, err := d.store.Handle(ctx, s, c, func(a Alert) (Alert, bool, error) {
		if err := admits(s, c, a); err != nil {
			return a, false, err
		}
		return handle(a, c)
	})
	if err != nil {
		return Alert{}, fmt.Errorf("%s alert %d: %w", c.Action, c.AlertID, err)
	}
	d.log.InfoContext(ctx, "alert handled", "alert", a.ID, "action", c.Action, "actor", c.Actor, "handling", a.Handling)
	return a, nil
}

// validate holds the command alone against the rules.
func (c Command) validate() error {
	known := false
	for _, a := range actions() {
		known = known || a.action == c.Action
	}
	switch {
	case !known:
		return errs.InvalidField("action", "%q is none of acknowledge, assign, resolve, close", c.Action)
	case c.Actor == "":
		return errs.InvalidField("actor", "is missing")
	case !utf8.ValidString(c.Note) || utf8.RuneCountInString(c.Note) > MaxNote:
		return errs.InvalidField("note", "is longer than %d characters", MaxNote)
	case c.Action == ActResolve && c.Note == "":
		return errs.InvalidField("note", "say what was done: resolving needs a note")
	case c.Action == ActAssign && c.Assignee == "":
		return errs.InvalidField("assignee", "say to whom: assigning needs a login")
	case c.Action != ActAssign && c.Assignee != "":
		return errs.InvalidField("assignee", "only assigning has one")
	}
	return nil
}

// admits says whether a principal of the scope may take the step on the alert. What it may not see
// does not exist for it. Who was only told, because the alert is addressed to a wider division, may
// confirm that with acknowledge; the other steps are for those whose division the alert lies in.
func admits(s core.Scope, c Command, a Alert) error {
	lies := s.Covers(a.Division)
	switch {
	case !lies && !s.CoversAny(a.Divisions):
		return errs.New(errs.NotFound, "no alert %d", a.ID)
	case !lies && c.Action != ActAcknowledge:
		return errs.New(errs.Forbidden, "alert %d lies in division %s", a.ID, a.Division)
	}
	return nil
}

// handle is the state machine's step: pure.
func handle(a Alert, c Command) (Alert, bool, error) {
	switch handlingTable()[a.Handling][c.Action] {
	case already:
		return a, false, nil
	case move:
	default:
		return a, false, errs.New(errs.Conflict, "an alert that is %s cannot take %s; possible: %s", a.Handling, c.Action, possibleText(a.Handling))
	}
	switch c.Action {
	case ActAssign:
		if a.Handling == Assigned && a.Assignee == c.Assignee && c.Note == "" {
			return a, false, nil
		}
		a.Assignee = c.Assignee
	case ActClose:
		if a.Detection != Cleared && c.Note == "" {
			return a, false, errs.New(errs.Conflict, "an alert that is still %s closes only with a note that says why; possible: close with a note", a.Detection)
		}
	case ActAcknowledge, ActResolve:
	}
	for _, step := range actions() {
		if step.action == c.Action {
			a.Handling = step.to
		}
	}
	a.UpdatedAt = c.At
	return a, true, nil
}

func possibleText(h Handling) string {
	var names []string
	for _, a := range Possible(h) {
		names = append(names, string(a))
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}
