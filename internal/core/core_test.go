package core_test

import (
	"testing"

	"pgregory.net/rapid"

	"onemap/internal/core"
)

func TestWorst(t *testing.T) {
	for _, c := range []struct {
		in   []core.Level
		want core.Level
	}{
		{nil, core.None},
		{[]core.Level{core.None, core.Blue}, core.Blue},
		{[]core.Level{core.Blue, core.Red, core.Yellow}, core.Red},
	} {
		if got := core.Worst(c.in...); got != c.want {
			t.Errorf("worst of %v is %v", c.in, got)
		}
	}
	if core.None.Worse(core.Blue) || core.Blue.Worse(core.Blue) || !core.Red.Worse(core.Orange) {
		t.Error("the order of levels is wrong")
	}
}

func TestScopes(t *testing.T) {
	city, here, there := core.Scope{Division: "3706"}, core.Scope{Division: "370602"}, core.Scope{Division: "370614"}
	for _, c := range []struct {
		s        core.Scope
		division string
		want     bool
	}{
		{city, "370602", true}, {city, "", true}, {city, "3707", false},
		{here, "370602", true}, {here, "370602001", true}, {here, "3706", false}, {here, "", false},
		{there, "370602", false}, {core.Scope{}, "370602", false}, {core.Scope{}, "", false},
	} {
		if got := c.s.Covers(c.division); got != c.want {
			t.Errorf("%q covers %q: %v", c.s.Division, c.division, got)
		}
	}
	if !here.CoversAny([]string{"3706"}) || here.CoversAny([]string{"370614"}) || here.CoversAny(nil) || !city.CoversAny(nil) {
		t.Error("what is addressed to the city reaches its counties, what is addressed to another county does not")
	}
}

// An event that is addressed to one county is visible to no wider scope and to no other county.
func TestEventsStayInTheirScope(t *testing.T) {
	code := rapid.StringMatching(`[1-9][0-9]{5}`)
	rapid.Check(t, func(t *rapid.T) {
		to, mine := code.Draw(t, "to"), code.Draw(t, "mine")
		e := core.Event{Divisions: []string{to}}
		for n := 2; n <= 6; n += 2 {
			s := core.Scope{Division: mine[:n], Role: core.RoleResponder}
			if got, want := e.VisibleTo(s), mine[:n] == to[:n]; got != want {
				t.Fatalf("%s sees what is addressed to %s: %v", s.Division, to, got)
			}
		}
		e.Roles = []core.Role{core.RoleAdministrator}
		if e.VisibleTo(core.Scope{Division: to, Role: core.RoleResponder}) {
			t.Fatal("a role that is not addressed sees the event")
		}
	})
}

func TestAudiences(t *testing.T) {
	steward := core.Scope{Division: "3706", Role: core.RoleSteward}
	for _, c := range []struct {
		a    core.Audience
		want bool
	}{
		{core.Audience{Kind: core.AudiencePublic}, true},
		{core.Audience{Kind: core.AudienceDivision}, true},
		{core.Audience{Kind: core.AudienceRoles, Roles: []core.Role{core.RoleSteward}}, true},
		{core.Audience{Kind: core.AudienceRoles, Roles: []core.Role{core.RoleCommander}}, false},
		{core.Audience{}, false},
	} {
		if got := c.a.Admits(steward); got != c.want {
			t.Errorf("%+v admits a steward: %v", c.a, got)
		}
	}
	if (core.Audience{Kind: core.AudiencePublic}).Admits(core.Scope{}) {
		t.Error("nobody is admitted")
	}
}
