package alerts

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// deskStore keeps one alert; what it does not need for Handle it does not have.
type deskStore struct {
	AlertStore
	alert   Alert
	changed bool
	last    Command
}

func (s *deskStore) Handle(_ context.Context, _ core.Scope, c Command, next func(Alert) (Alert, bool, error)) (Alert, error) {
	a, changed, err := next(s.alert)
	if err != nil {
		return Alert{}, err
	}
	s.alert, s.changed, s.last = a, changed, c
	return a, nil
}

func (s *deskStore) Alert(context.Context, core.Scope, int64) (Alert, error) { return s.alert, nil }

func (s *deskStore) Handlers(context.Context, core.Scope) ([]Assignee, error) {
	return []Assignee{
		{User: "commander", Role: core.RoleCommander, Division: "3706"}, {User: "r370602", Role: core.RoleResponder, Division: "370602"},
		{User: "r370613", Role: core.RoleResponder, Division: "370613"},
	}, nil
}

func scopeOf(role core.Role, division string) core.Scope {
	return core.Scope{Role: role, Division: division}
}

// by is a principal of the scope.
func by(s core.Scope) core.Principal {
	return core.Principal{Login: "commander", Name: "The commander", Role: s.Role, Division: s.Division}
}

func at() time.Time { return time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC) }

func command(action Action) Command {
	c := Command{AlertID: 1, Action: action, Actor: "commander", Note: "done", Confirm: true}
	if action == ActAssign {
		c.Assignee = "r370602"
	}
	return c
}

// TestHandlingTable walks every state and every action.
func TestHandlingTable(t *testing.T) {
	want := map[Handling]map[Action]Handling{ // absent: refused
		New:          {ActAcknowledge: Acknowledged, ActAssign: Assigned, ActResolve: Resolved},
		Acknowledged: {ActAcknowledge: Acknowledged, ActAssign: Assigned, ActResolve: Resolved},
		Assigned:     {ActAcknowledge: Assigned, ActAssign: Assigned, ActResolve: Resolved},
		Resolved:     {ActAcknowledge: Resolved, ActResolve: Resolved, ActClose: Closed},
		Closed:       {ActClose: Closed},
	}
	for _, from := range []Handling{New, Acknowledged, Assigned, Resolved, Closed} {
		for _, a := range actions() {
			s := &deskStore{alert: Alert{ID: 1, Handling: from, Detection: Cleared, Division: "370602", Divisions: []string{"370602"},
				Confirmations: []Confirmation{{Division: "3706", Current: from != New}}}}
			d := NewDesk(s, quiet(), at)
			got, err := d.Handle(t.Context(), by(scopeOf(core.RoleCommander, "3706")), command(a.action))
			to, legal := want[from][a.action]
			switch {
			case legal && (err != nil || got.Handling != to):
				t.Errorf("%s %s: %s, %v", from, a.action, got.Handling, err)
			case !legal && !fault.Is(err, fault.Conflict):
				t.Errorf("%s %s: %v", from, a.action, err)
			case !legal && fault.MessageOf(err).Code != CodeStepImpossible.Name():
				t.Errorf("%s %s does not say that it is impossible: %v", from, a.action, err)
			}
			if legal && s.changed != (from != to || a.action == ActAssign) {
				t.Errorf("%s %s: changed %v", from, a.action, s.changed)
			}
			if s.changed && !got.UpdatedAt.Equal(at()) {
				t.Errorf("%s %s: at %v", from, a.action, got.UpdatedAt)
			}
		}
	}
}

func TestHandlingRules(t *testing.T) {
	city, county, other := scopeOf(core.RoleCommander, "3706"), scopeOf(core.RoleResponder, "370602"), scopeOf(core.RoleResponder, "370614")
	here := Alert{ID: 1, Handling: New, Detection: Firing, Division: "370602001", Divisions: []string{"370602"}}
	wide := Alert{ID: 1, Handling: New, Detection: Firing, Division: "3706", Divisions: []string{"3706"}}
	with := func(a Alert, change func(*Alert)) Alert { change(&a); return a }
	for name, tc := range map[string]struct {
		alert Alert
		scope core.Scope
		cmd   Command
		kind  fault.Kind
		ok    bool
	}{
		"responder at home":             {here, county, command(ActAcknowledge), 0, true},
		"responder elsewhere":           {here, other, command(ActAcknowledge), fault.NotFound, false},
		"steward":                       {here, scopeOf(core.RoleSteward, "3706"), command(ActAcknowledge), fault.Forbidden, false},
		"observer":                      {here, scopeOf(core.RoleObserver, "3706"), command(ActAcknowledge), fault.Forbidden, false},
		"administrator":                 {here, scopeOf(core.RoleAdministrator, "3706"), command(ActAcknowledge), fault.Forbidden, false},
		"city-wide, told":               {wide, other, command(ActAcknowledge), 0, true},
		"city-wide, not theirs":         {wide, other, command(ActAssign), fault.Forbidden, false},
		"city-wide, the city's":         {wide, city, Command{AlertID: 1, Action: ActAssign, Actor: "c", Assignee: "commander"}, 0, true},
		"no division":                   {here, scopeOf(core.RoleResponder, ""), command(ActAcknowledge), fault.NotFound, false},
		"unknown action":                {here, city, command("escalate"), fault.Invalid, false},
		"assign to nobody":              {here, city, Command{AlertID: 1, Action: ActAssign, Actor: "c", Assignee: " "}, fault.Invalid, false},
		"assignee of an acknowledgment": {here, city, Command{AlertID: 1, Action: ActAcknowledge, Actor: "c", Assignee: "x"}, fault.Invalid, false},
		"resolve without a note":        {with(here, func(a *Alert) { a.Handling = Assigned }), city, Command{AlertID: 1, Action: ActResolve, Actor: "c", Note: " "}, fault.Invalid, false},
		"a long note":                   {here, city, Command{AlertID: 1, Action: ActAcknowledge, Actor: "c", Note: strings.Repeat("长", MaxNote+1)}, fault.Invalid, false},
		"close while firing":            {with(here, func(a *Alert) { a.Handling = Resolved }), city, Command{AlertID: 1, Action: ActClose, Actor: "c"}, fault.Conflict, false},
		"close unconfirmed":             {with(here, func(a *Alert) { a.Handling = Resolved }), city, Command{AlertID: 1, Action: ActClose, Actor: "c", Note: "why"}, fault.Conflict, false},
		"resolve unconfirmed":           {here, city, Command{AlertID: 1, Action: ActResolve, Actor: "c", Note: "why"}, fault.Conflict, false},
		"resolve while stale":           {with(here, func(a *Alert) { a.Detection = Stale }), city, Command{AlertID: 1, Action: ActResolve, Actor: "c", Note: "why"}, fault.Conflict, false},
		"resolve when cleared":          {with(here, func(a *Alert) { a.Detection = Cleared }), city, Command{AlertID: 1, Action: ActResolve, Actor: "c", Note: "why"}, 0, true},
		"assign to another county":      {here, city, Command{AlertID: 1, Action: ActAssign, Actor: "c", Assignee: "r370613"}, fault.Invalid, false},
		"a note of bytes":               {here, city, Command{AlertID: 1, Action: ActAcknowledge, Actor: "c", Note: "\xff"}, fault.Invalid, false},
		"close while firing, with why":  {with(here, func(a *Alert) { a.Handling = Resolved }), city, command(ActClose), 0, true},
		"close when cleared":            {with(here, func(a *Alert) { a.Handling, a.Detection = Resolved, Cleared }), city, Command{AlertID: 1, Action: ActClose, Actor: "c"}, 0, true},
	} {
		_, err := NewDesk(&deskStore{alert: tc.alert}, quiet(), at).Handle(t.Context(), by(tc.scope), tc.cmd)
		if tc.ok != (err == nil) || (err != nil && fault.KindOf(err) != tc.kind) {
			t.Errorf("%s: %v", name, err)
		}
		if said := fault.MessageOf(err); err != nil && said.Code == fault.CodeOther.Name() {
			t.Errorf("%s: refused without a code: %v", name, err)
		}
	}
}

// What is still firing is told with how it stands, so that the page can ask.
func TestStillFiringSaysHowItStands(t *testing.T) {
	s := &deskStore{alert: Alert{ID: 1, Handling: New, Detection: Firing, Level: core.Red, Division: "370602"}}
	_, err := NewDesk(s, quiet(), at).Handle(t.Context(), by(scopeOf(core.RoleCommander, "3706")), Command{AlertID: 1, Action: ActResolve, Actor: "c", Note: "why"})
	want := map[string]string{"detection": "firing", "level": "red", "action": "resolve"}
	if said := fault.MessageOf(err); said.Code != "still-firing" || !cmp.Equal(said.Params, want) {
		t.Errorf("%+v", said)
	}
}

func TestRepeatedAssignment(t *testing.T) {
	s := &deskStore{alert: Alert{ID: 1, Handling: Assigned, Assignee: "r370602", Detection: Firing, Division: "370602",
		Confirmations: []Confirmation{{Division: "3706", Current: true}}}}
	d := NewDesk(s, nil, nil)
	do := func(assignee, note string) bool {
		t.Helper()
		c := Command{AlertID: 1, Action: ActAssign, Actor: "c", Assignee: assignee, Note: note}
		if _, err := d.Handle(t.Context(), by(scopeOf(core.RoleCommander, "3706")), c); err != nil {
			t.Fatal(err)
		}
		return s.changed
	}
	if do("r370602", "") {
		t.Error("the same again is a change")
	}
	if !do("r370602", "take the boat") || !do("commander", "") || s.alert.Assignee != "commander" {
		t.Error("a new note or person is none")
	}
	if s.last.Role != core.RoleCommander || s.last.Division != "3706" || s.last.At.IsZero() {
		t.Errorf("the command is not the principal's: %+v", s.last)
	}
}

// Nobody confirms, assigns, resolves or closes at a level that they were not shown. Who does not say what was
// shown is believed where the alert has never been milder, or is over.
func TestStepIsForTheLevelShown(t *testing.T) {
	levels := []core.Level{core.None, core.Red, core.Orange, core.Yellow, core.Blue}
	for _, handling := range []Handling{New, Acknowledged, Assigned, Resolved, Closed} {
		for _, detection := range []Detection{Firing, Recovering, Stale, Cleared} {
			for _, a := range actions() {
				for _, now := range levels[1:] {
					for _, from := range levels {
						for _, shown := range levels {
							alert := Alert{ID: 1, Handling: handling, Detection: detection, Level: now, RisenFrom: from, Division: "370602", Assignee: "x"}
							checkShown(t, alert, a.action, shown)
						}
					}
				}
			}
		}
	}
}

func checkShown(t *testing.T, alert Alert, action Action, shown core.Level) {
	t.Helper()
	want := ""
	switch {
	case handlingTable()[alert.Handling][action] == illegal:
		want = "step-impossible"
	case shown == core.None && alert.RisenFrom != core.None && alert.Detection != Cleared:
		want = "shown-missing"
	case shown != core.None && shown > alert.Level: // a milder level has the larger number
		want = "alert-risen"
	}
	c := command(action)
	c.Level = shown
	s := &deskStore{alert: alert}
	_, err := NewDesk(s, quiet(), at).Handle(t.Context(), by(scopeOf(core.RoleCommander, "3706")), c)
	if (err != nil) != (want != "") || (err != nil && (fault.MessageOf(err).Code != want || fault.KindOf(err) != fault.Conflict)) {
		t.Errorf("%s of %s %s %s from %s, shown %s: %v, want %q", action, alert.Handling, alert.Detection, alert.Level, alert.RisenFrom, shown, err, want)
	}
}

// What is refused says what it is and what was shown, so that the page can ask again.
func TestRisenSaysBothLevels(t *testing.T) {
	s := &deskStore{alert: Alert{ID: 1, Handling: New, Detection: Firing, Level: core.Red, RisenFrom: core.Yellow, Division: "370602"}}
	_, err := NewDesk(s, quiet(), at).Handle(t.Context(), by(scopeOf(core.RoleCommander, "3706")), Command{AlertID: 1, Action: ActAcknowledge, Actor: "c", Level: core.Yellow})
	want := map[string]string{"level": "red", "before": "yellow", "action": "acknowledge"}
	if said := fault.MessageOf(err); said.Code != "alert-risen" || !cmp.Equal(said.Params, want) {
		t.Errorf("%+v", said)
	}
	_, err = NewDesk(s, quiet(), at).Handle(t.Context(), by(scopeOf(core.RoleCommander, "3706")), Command{AlertID: 1, Action: ActAcknowledge, Actor: "c", Level: 5})
	if said := fault.MessageOf(err); said.Code != "level-unknown" {
		t.Errorf("level 5: %v", err)
	}
}
