package alerts

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"onemap/internal/core"
)

// handledAt is a yellow alert on which the county took the step that leads to h, and the city before it.
func handledAt(h Handling) Alert {
	a := Alert{ID: 1, Version: 7, Handling: h, Detection: Firing, Level: core.Yellow, PeakLevel: core.Yellow, Division: "370602",
		OpenedAt: at(), RisenAt: at(), Confirmations: []Confirmation{}}
	if h == New {
		return a
	}
	a.HandledLevel, a.Assignee = core.Yellow, "r370602"
	for _, d := range []string{"3706", "370602"} {
		a.Confirmations = append(a.Confirmations, Confirmation{Division: d, User: "u" + d, Level: core.Yellow, At: at(), Current: true})
	}
	return a
}

// TestMergeOfEveryHandlingAndTransition is the whole rule of when handling begins anew.
func TestMergeOfEveryHandlingAndTransition(t *testing.T) {
	later := at().Add(time.Minute)
	handlings := []Handling{New, Acknowledged, Assigned, Resolved, Closed}
	for _, tc := range []struct {
		name          string
		from          Detection
		to            Detection
		level         core.Level
		handled       core.Level // of who handled it: yellow when 0
		reopened      string     // why, by handling: "rise rise rise rise"
		risen, stands bool       // risen_at is now; confirmations stay current
	}{
		{name: "rises", from: Firing, to: Firing, level: core.Orange, reopened: "rise rise rise rise", risen: true},
		{name: "rises twice", from: Firing, to: Firing, level: core.Red, reopened: "rise rise rise rise", risen: true},
		{name: "falls", from: Firing, to: Recovering, level: core.Blue, reopened: "- - - -", stands: true},
		{name: "stays", from: Firing, to: Firing, level: core.Yellow, reopened: "- - - -", stands: true},
		{name: "clears", from: Firing, to: Cleared, level: core.Yellow, reopened: "- - - -", stands: true},
		{name: "withdrawn while stale", from: Stale, to: Cleared, level: core.Yellow, reopened: "- - - -", stands: true},
		{name: "stops", from: Firing, to: Stale, level: core.Yellow, reopened: "- - - -", stands: true},
		{name: "renewed while stale", from: Stale, to: Stale, level: core.Yellow, reopened: "- - - -", stands: true},
		{name: "data back", from: Stale, to: Firing, level: core.Yellow, reopened: "data data data data", risen: true},
		{name: "data back, milder", from: Stale, to: Recovering, level: core.Blue, reopened: "data data data data", risen: true},
		{name: "data back, worse", from: Stale, to: Firing, level: core.Red, reopened: "rise rise rise rise", risen: true},
		{name: "rises to the level handled", from: Firing, to: Firing, level: core.Orange, handled: core.Orange, reopened: "- - rise rise", risen: true},
		{name: "rises below the level handled", from: Recovering, to: Firing, level: core.Orange, handled: core.Red, reopened: "- - rise rise", risen: true},
		{name: "rises above the level handled", from: Recovering, to: Firing, level: core.Red, handled: core.Orange, reopened: "rise rise rise rise", risen: true},
	} {
		for i, h := range handlings {
			t.Run(tc.name+"/"+string(h), func(t *testing.T) {
				before := handledAt(h)
				before.Detection = tc.from
				if tc.handled != core.None && h != New {
					before = fallen(before, tc.handled)
				}
				change := before
				change.Detection, change.Level, change.UpdatedAt = tc.to, tc.level, later
				change.Handling, change.Assignee, change.Version = Closed, "nobody", 99 // what the engine knew of people does not count
				why := "-"
				if h != New {
					why = strings.Fields(tc.reopened)[i-1]
				}
				checkMerge(t, before, Change{Alert: change}, why, tc.risen)
				after, _ := Change{Alert: change}.Merge(before)
				for _, c := range after.Confirmations {
					stands := tc.stands || (why == "-" && !tc.level.Worse(c.Level))
					if c.Current != stands {
						t.Errorf("%s's confirmation at %s is current: %v", c.Division, c.Level, c.Current)
					}
				}
			})
		}
	}
}

// fallen is the alert when it was handled and confirmed at a worse level than it now has.
func fallen(a Alert, handled core.Level) Alert {
	a.HandledLevel = handled
	for i := range a.Confirmations {
		a.Confirmations[i].Level = handled
	}
	down, _ := Change{Alert: a}.Merge(a) // what is over follows the level
	a.HandledLevel = down.HandledLevel
	return a
}

func checkMerge(t *testing.T, before Alert, c Change, why string, risen bool) {
	t.Helper()
	after, line := c.Merge(before)
	if after.Version != before.Version+1 {
		t.Errorf("version %d after %d", after.Version, before.Version)
	}
	if rises := after.RisenAt.Equal(c.Alert.UpdatedAt); rises != risen || (risen && after.RisenFrom != before.Level) {
		t.Errorf("risen at %v from %s", after.RisenAt, after.RisenFrom)
	}
	if why == "-" {
		if line != nil || after.Handling != before.Handling || after.Assignee != before.Assignee || after.Reopened != before.Reopened {
			t.Errorf("handling %s of %q, reopened %+v, line %+v", after.Handling, after.Assignee, after.Reopened, line)
		}
		return
	}
	want := &Reopened{At: c.Alert.UpdatedAt, From: before.Handling, Level: before.HandledLevel, Why: ReopenWhy(why)}
	if diff := cmp.Diff(want, after.Reopened); diff != "" || after.Handling != New || after.Assignee != "" || after.HandledLevel != core.None {
		t.Errorf("handling %s of %q at %s, reopened (-want +got):\n%s", after.Handling, after.Assignee, after.HandledLevel, diff)
	}
	if line == nil || line.Step != StepReopened || line.Before != string(before.Handling) || line.After != "new" ||
		line.Level != after.Level || !strings.Contains(line.Note, "r370602") {
		t.Errorf("line %+v", line)
	}
}

func TestMergeBeginsAnEpisode(t *testing.T) {
	a := handledAt(Closed)
	a.ID, a.UpdatedAt = 0, at()
	got, line := Change{Alert: a}.Merge(Alert{})
	if got.Handling != New || got.Assignee != "" || got.HandledLevel != core.None || len(got.Confirmations) != 0 || got.Confirmations == nil ||
		got.Version != 1 || !got.RisenAt.Equal(a.OpenedAt) || got.RisenFrom != core.None || line != nil {
		t.Errorf("%+v, %+v", got, line)
	}
}

// TestNewHasNoCurrentConfirmation: whatever the machine and people do by turns, an alert that is new has
// been confirmed by nobody, one that is not has the level it was handled at, and none is current at a
// level milder than the alert's.
func TestNewHasNoCurrentConfirmation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := at()
		a, _ := Change{Alert: Alert{Detection: Firing, Level: core.Blue, OpenedAt: now, UpdatedAt: now}}.Merge(Alert{})
		a.ID = 1
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now = now.Add(time.Second)
			if rapid.Bool().Draw(t, "a person") {
				unit := rapid.SampledFrom([]string{"3706", "370602", "370614"}).Draw(t, "unit")
				c := command(rapid.SampledFrom([]Action{ActAcknowledge, ActAssign, ActResolve, ActClose}).Draw(t, "action"))
				c.Division, c.At, c.Level = unit, now, a.Level
				after, changed, err := handle(a, c)
				if err == nil && (changed || c.Action == ActAcknowledge) && !after.ConfirmedBy(unit) {
					t.Fatalf("%s by %s does not confirm", c.Action, unit)
				}
				a = after
			} else {
				next := a
				next.UpdatedAt = now
				next.Level = rapid.SampledFrom([]core.Level{core.Red, core.Orange, core.Yellow, core.Blue}).Draw(t, "level")
				next.Detection = rapid.SampledFrom([]Detection{Firing, Recovering, Stale}).Draw(t, "detection")
				if next.Detection == Stale {
					next.Level = a.Level // frozen
				}
				a, _ = Change{Alert: next}.Merge(a)
			}
			if fault := inconsistent(a); fault != "" {
				t.Fatalf("%s: %+v", fault, a)
			}
		}
	})
}

func inconsistent(a Alert) string {
	units := map[string]bool{}
	for _, c := range a.Confirmations {
		switch {
		case units[c.Division]:
			return c.Division + " stands twice"
		case c.Current && a.Handling == New:
			return "new, and confirmed by " + c.Division
		case c.Current && a.Level.Worse(c.Level):
			return fmt.Sprintf("confirmed at %s by %s", c.Level, c.Division)
		}
		units[c.Division] = true
	}
	switch {
	case (a.Handling == New) != (a.HandledLevel == core.None):
		return "handled at " + a.HandledLevel.String()
	case a.Handling != New && a.Level.Worse(a.HandledLevel):
		return "worse than it was handled at"
	}
	return ""
}

// TestConfirmationsOfUnits: each unit confirms for itself, also what another has acknowledged or resolved.
func TestConfirmationsOfUnits(t *testing.T) {
	a := handledAt(New)
	take := func(action Action, actor, division string) bool {
		t.Helper()
		c := Command{AlertID: 1, Action: action, Actor: actor, Name: "演示-" + actor, Division: division, At: at(), Note: "done", Confirm: true}
		after, changed, err := handle(a, c)
		if err != nil {
			t.Fatal(err)
		}
		a = after
		return changed
	}
	for _, step := range []struct {
		action          Action
		actor, division string
		changed         bool
	}{
		{ActAcknowledge, "a", "370602", true},
		{ActAcknowledge, "a", "370602", false},
		{ActAcknowledge, "b", "370602", false}, // the unit has
		{ActAcknowledge, "c", "3706", true},
		{ActResolve, "b", "370602", true},
		{ActAcknowledge, "d", "370614", true},
		{ActResolve, "d", "370614", false},
	} {
		if got := take(step.action, step.actor, step.division); got != step.changed {
			t.Errorf("%s by %s of %s: changed %v", step.action, step.actor, step.division, got)
		}
	}
	mark := func(division, user string) Confirmation {
		return Confirmation{Division: division, User: user, Name: "演示-" + user, Level: core.Yellow, At: at(), Current: true}
	}
	want := []Confirmation{mark("370602", "b"), mark("3706", "c"), mark("370614", "d")}
	if diff := cmp.Diff(want, a.Confirmations); diff != "" || a.Handling != Resolved {
		t.Errorf("%s, confirmations (-want +got):\n%s", a.Handling, diff)
	}
}
