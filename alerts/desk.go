package alerts

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/text"
)

// maxQuoted is the largest part of a request's text that an error message repeats. Units: bytes.
const maxQuoted = 120

// MaxNote is the longest note of a handling step, characters.
const MaxNote = 2000

// Desk takes the handling steps of people.
type Desk struct {
	store AlertStore
	log   *slog.Logger
	clock func() time.Time
}

// NewDesk returns a desk. With a nil logger it does not log. With a nil clock it uses the system clock.
func NewDesk(store AlertStore, log *slog.Logger, clock func() time.Time) *Desk {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if clock == nil {
		clock = time.Now
	}
	return &Desk{store: store, log: log, clock: clock}
}

// outcome is the result of an action in one state of handling.
type outcome uint8

const (
	illegal outcome = iota
	move            // the alert moves to the state of the action
	already         // the step, or a later one, was already taken: nothing changes
)

// handlingTable is the whole state machine:
//
//	             acknowledge  assign    resolve   close
//	new          move         move      move      illegal
//	acknowledged already      move      move      illegal
//	assigned     already      move      move      illegal
//	resolved     already      illegal   already   move
//	closed       illegal      illegal   illegal   already
//
// It returns the outcome of each action, by state. A missing action is illegal.
func handlingTable() map[Handling]map[Action]outcome {
	return map[Handling]map[Action]outcome{
		New:          {ActAcknowledge: move, ActAssign: move, ActResolve: move},
		Acknowledged: {ActAcknowledge: already, ActAssign: move, ActResolve: move},
		Assigned:     {ActAcknowledge: already, ActAssign: move, ActResolve: move},
		Resolved:     {ActAcknowledge: already, ActResolve: already, ActClose: move},
		Closed:       {ActClose: already},
	}
}

// handlingStep is an action with the state that it leads to.
type handlingStep struct {
	action Action
	to     Handling
}

// actions lists the actions with the states that they lead to, in the order in which they are taken.
func actions() []handlingStep {
	return []handlingStep{{ActAcknowledge, Acknowledged}, {ActAssign, Assigned}, {ActResolve, Resolved}, {ActClose, Closed}}
}

// Actions lists the actions in the order in which they are taken.
func Actions() []Action {
	var all []Action
	for _, step := range actions() {
		all = append(all, step.action)
	}
	return all
}

// PossibleFor returns the actions that a principal of the scope may take on the alert now, in the order of the steps. An
// action is listed if Handle accepts it and it changes something. A repeated acknowledge is listed only while the
// principal's unit has not confirmed the alert.
func PossibleFor(s core.Scope, a Alert) []Action {
	possible := []Action{}
	for _, step := range actions() {
		// The command has every field that an action can need, so only the principal or the alert can cause a refusal.
		c := Command{Action: step.action, Division: s.Division, Role: s.Role, Note: "-", Confirm: true, Level: a.Level}
		if admits(s, c, a) != nil {
			continue
		}
		if _, changed, err := handle(a, c); err == nil && changed {
			possible = append(possible, step.action)
		}
	}
	return possible
}

// Handle takes one step. The step is also a confirmation by the actor's unit at the alert's level. A repeated step
// returns no error and changes nothing. Each error has a code. Handle returns fault.Invalid if a note or an assignee is
// missing or wrong, fault.Forbidden if the role or division does not handle this alert, fault.NotFound if the scope has
// no such alert, and fault.Conflict if the state of the alert does not allow the step, if the alert has risen above the
// level that the person saw, or if the alert has not cleared and the command does not set Confirm.
func (d *Desk) Handle(ctx context.Context, p core.Principal, c Command) (Alert, error) {
	s := p.Scope()
	c, err := d.prepare(p, c)
	if err != nil {
		return Alert{}, err
	}
	people, err := d.people(ctx, s, c)
	if err != nil {
		return Alert{}, err
	}
	return d.take(ctx, s, c, people)
}

// take takes a step that prepare has checked. people are the people to whom the principal may assign alerts.
func (d *Desk) take(ctx context.Context, s core.Scope, c Command, people []Assignee) (Alert, error) {
	a, err := d.store.Handle(ctx, s, c, func(a Alert) (Alert, bool, error) {
		if err := admits(s, c, a); err != nil {
			return a, false, err
		}
		if c.Action == ActAssign && !slices.ContainsFunc(people, func(p Assignee) bool { return p.User == c.Assignee && p.handles(a) }) {
			return a, false, fault.InvalidCode("assignee", CodeNoAssignee, text.Cut(c.Assignee, maxQuoted), a.Division)
		}
		return handle(a, c)
	})
	if err != nil {
		return Alert{}, fmt.Errorf("%s alert %d: %w", c.Action, c.AlertID, err)
	}
	d.log.InfoContext(ctx, "alert handled", "alert", a.ID, "action", c.Action, "actor", c.Actor, "handling", a.Handling)
	return a, nil
}

// prepare sets the principal as the actor of the command and validates the command without the alert.
func (d *Desk) prepare(p core.Principal, c Command) (Command, error) {
	if err := mayTake(p.Scope(), c.Action); err != nil {
		return c, err
	}
	c.Note, c.Assignee = strings.TrimSpace(c.Note), strings.TrimSpace(c.Assignee)
	c.Actor, c.Name, c.Role, c.Division = p.Login, p.Name, p.Role, p.Division
	if c.At.IsZero() {
		c.At = d.clock()
	}
	return c, c.validate()
}

// people returns the people to whom the principal may assign alerts. It returns nil if the action is not assign.
func (d *Desk) people(ctx context.Context, s core.Scope, c Command) ([]Assignee, error) {
	if c.Action != ActAssign {
		return nil, nil
	}
	return d.store.Handlers(ctx, s)
}

// mayTake returns an error if the role may not take the action. A duty phone may only acknowledge.
func mayTake(s core.Scope, action Action) error {
	if action == ActAcknowledge && PermAcknowledge.Of(s.Role) {
		return nil
	}
	return mayHandle(s)
}

// mayHandle returns fault.Forbidden if the role does not handle alerts.
func mayHandle(s core.Scope) error {
	if !PermHandle.Of(s.Role) {
		return fault.NewCoded(fault.Forbidden, "", core.CodeRoleMayNot, fault.TokenOf(s.Role), fault.TokenOf(PermHandle.Name()))
	}
	return nil
}

// validate checks the command without the alert. It returns fault.Invalid for a wrong field.
func (c Command) validate() error {
	known := slices.ContainsFunc(actions(), func(s handlingStep) bool { return s.action == c.Action })
	switch {
	case !known:
		return fault.InvalidCode("action", CodeActionUnknown, text.Cut(string(c.Action), maxQuoted))
	case c.Actor == "":
		return fault.InvalidCode("actor", fault.CodeRequired)
	case !utf8.ValidString(c.Note):
		return fault.InvalidCode("note", CodeNoteNotText)
	case utf8.RuneCountInString(c.Note) > MaxNote:
		return fault.InvalidCode("note", fault.CodeTooLong, MaxNote)
	case c.Action == ActResolve && c.Note == "":
		return fault.InvalidCode("note", CodeNoteMissing, fault.TokenOf(c.Action))
	case c.Action == ActAssign && c.Assignee == "":
		return fault.InvalidCode("assignee", CodeAssigneeMissing)
	case c.Action != ActAssign && c.Assignee != "":
		return fault.InvalidCode("assignee", CodeAssigneeUnwanted)
	case !c.Level.Valid():
		return fault.InvalidCode("level", CodeLevelUnknown)
	}
	return nil
}

// admits checks whether a principal of the scope may take the step on the alert. It returns fault.NotFound for an alert
// that the principal may not see. If the alert is only addressed to the principal's division and lies in another one,
// the principal may acknowledge it. The other steps require that the alert lies in the principal's division.
func admits(s core.Scope, c Command, a Alert) error {
	lies := s.Covers(a.Division)
	switch {
	case mayTake(s, c.Action) != nil:
		return mayTake(s, c.Action)
	case !lies && !s.CoversAny(a.Divisions):
		return fault.NewCoded(fault.NotFound, "", CodeNoAlert, a.ID)
	case !lies && c.Action != ActAcknowledge:
		return fault.NewCoded(fault.Forbidden, "", CodeAlertElsewhere, a.Division)
	}
	return nil
}

// handle returns the alert after the step. It is pure. Every step is also a confirmation by the actor's unit. A repeated
// acknowledgement changes the alert only if the unit had not confirmed it.
func handle(a Alert, c Command) (Alert, bool, error) {
	after, moved, err := moveOn(a, c)
	if err != nil || (!moved && (c.Action != ActAcknowledge || a.ConfirmedBy(c.Division))) {
		return a, false, err
	}
	if moved {
		after.HandledLevel = a.Level
	}
	after.confirm(c)
	after.UpdatedAt = c.At
	return after, true, nil
}

// moveOn applies the step to the state machine. moved is false if the step was already taken.
func moveOn(a Alert, c Command) (after Alert, moved bool, err error) {
	outcome := handlingTable()[a.Handling][c.Action]
	if outcome == illegal {
		return a, false, fault.NewCoded(fault.Conflict, "", CodeStepImpossible, fault.TokenOf(a.Handling), fault.TokenOf(c.Action))
	}
	if err := knowsLevel(a, c); err != nil || outcome == already {
		return a, false, err
	}
	ends := c.Action == ActResolve || c.Action == ActClose
	switch {
	case ends && a.Detection != Cleared && c.Note == "":
		return a, false, fault.NewCoded(fault.Conflict, "note", CodeNoteMissing, fault.TokenOf(c.Action))
	case ends && a.Detection != Cleared && !c.Confirm:
		return a, false, fault.NewCoded(fault.Conflict, "confirm", CodeStillFiring,
			fault.TokenOf(a.Detection), fault.Token(a.Level.String()), fault.TokenOf(c.Action))
	case c.Action == ActAssign && a.Handling == Assigned && a.Assignee == c.Assignee && c.Note == "":
		return a, false, nil
	case c.Action == ActAssign:
		a.Assignee = c.Assignee
	}
	for _, step := range actions() {
		if step.action == c.Action {
			a.Handling = step.to
		}
	}
	return a, true, nil
}

// knowsLevel returns fault.Conflict if the person saw a milder level than the alert has now. For example, a step on a
// yellow alert must not silence it after it has become red. A command without a level is accepted only while the alert
// has not risen, because the person cannot have seen a milder level then, or after it has cleared.
func knowsLevel(a Alert, c Command) error {
	now := fault.Token(a.Level.String())
	switch {
	case c.Level != core.None && a.Level.Worse(c.Level):
		return fault.NewCoded(fault.Conflict, "level", CodeAlertRisen, now, fault.Token(c.Level.String()), fault.TokenOf(c.Action))
	case c.Level == core.None && a.RisenFrom != core.None && a.Detection != Cleared:
		return fault.NewCoded(fault.Conflict, "level", CodeShownMissing, now, fault.Token(a.RisenFrom.String()), fault.TokenOf(c.Action))
	}
	return nil
}
