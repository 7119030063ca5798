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

// maxQuoted is how much of a sender's text a refusal repeats, bytes.
const maxQuoted = 120

// MaxNote is the longest note of a handling step, characters.
const MaxNote = 2000

// Desk takes the handling steps of people.
type Desk struct {
	store AlertStore
	log   *slog.Logger
	clock func() time.Time
}

// NewDesk makes a desk; a nil logger is silent, a nil clock the system's.
func NewDesk(store AlertStore, log *slog.Logger, clock func() time.Time) *Desk {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
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
//	new          move         move      move      illegal
//	acknowledged already      move      move      illegal
//	assigned     already      move      move      illegal
//	resolved     already      illegal   already   move
//	closed       illegal      illegal   illegal   already
//
// It gives for each state what each action does.
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

// actions lists the actions in the order in which they are taken.
func actions() []handlingStep {
	return []handlingStep{{ActAcknowledge, Acknowledged}, {ActAssign, Assigned}, {ActResolve, Resolved}, {ActClose, Closed}}
}

// PossibleFor lists what a principal of the scope may do with the alert now, in the order in which steps
// are taken: what Handle accepts of it and what changes something. Of those that only repeat what is done,
// acknowledge is in it while the principal's unit has not confirmed the alert.
func PossibleFor(s core.Scope, a Alert) []Action {
	possible := []Action{}
	for _, step := range actions() {
		// The command has all that the action can need, so what refuses it is the principal or the alert.
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

// Handle takes one step. It counts as a confirmation of the actor's unit at the alert's level. A
// repetition of a step is no error and changes nothing. Each refusal has a code. The kinds are
// fault.Invalid (a note or an assignee is missing or wrong), fault.Forbidden (the role or division does
// not handle this alert), fault.NotFound (no such alert in the scope) and fault.Conflict (the alert is
// not in a state for it, has risen above the level that the person was shown, or has not cleared and
// the step was not confirmed).
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

// take takes a step that prepare has checked; people are those whom the principal may assign to.
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

// prepare makes the command the principal's, and holds it alone against the rules.
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

// people are those whom the principal may assign to; none for a command that assigns nobody.
func (d *Desk) people(ctx context.Context, s core.Scope, c Command) ([]Assignee, error) {
	if c.Action != ActAssign {
		return nil, nil
	}
	return d.store.Handlers(ctx, s)
}

// mayTake refuses a role that does not take the action: a duty phone acknowledges, and no more.
func mayTake(s core.Scope, action Action) error {
	if action == ActAcknowledge && PermAcknowledge.Of(s.Role) {
		return nil
	}
	return mayHandle(s)
}

// mayHandle refuses a role that does not handle alerts.
func mayHandle(s core.Scope) error {
	if !PermHandle.Of(s.Role) {
		return fault.NewCoded(fault.Forbidden, "", core.CodeRoleMayNot, fault.TokenOf(s.Role), fault.TokenOf(PermHandle.Name()))
	}
	return nil
}

// validate holds the command alone against the rules.
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

// admits says whether a principal of the scope may take the step on the alert. What it may not see
// does not exist for it. Who was only told, because the alert is addressed to a wider division, may
// confirm that with acknowledge; the other steps are for those whose division the alert lies in.
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

// handle takes the step: pure. Whatever the step, the actor's unit has confirmed the alert by it. An
// acknowledgement of what is acknowledged changes something where the unit had not confirmed it.
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

// moveOn is the state machine's step; moved is false when it had been taken already.
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

// knowsLevel refuses a step of somebody who was shown a milder level than the alert has: a tap on yellow
// must not silence the red that it has become. A command that does not say what was shown is taken only
// while the alert has not risen since it began, for then no milder level can have been shown.
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
