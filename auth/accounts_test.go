package auth

import (
	"testing"

	"onemap/internal/core"
	"onemap/internal/fault"
)

func TestOnlyAdministratorsManage(t *testing.T) {
	v, _, _ := newService(t, Options{})
	for _, role := range core.Roles() {
		actor := admin("3706")
		actor.Role = role
		_, list := v.Accounts(t.Context(), actor)
		_, create := v.CreateAccount(t.Context(), actor, NewAccount{})
		_, update := v.UpdateAccount(t.Context(), actor, "commander", AccountChange{}, 1)
		for what, err := range map[string]error{"list": list, "create": create, "update": update} {
			if forbidden := fault.Is(err, fault.Forbidden); forbidden == (role == core.RoleAdministrator) {
				t.Errorf("%s: %s: %v", role, what, err)
			}
		}
	}
}

func TestUpdateAccount(t *testing.T) {
	v, _, _ := newService(t, Options{})
	ctx := t.Context()
	token, p := open(t, v)
	alive(t, v, token)
	changed, err := v.UpdateAccount(ctx, admin("3706"), "r370602", AccountChange{Name: new("值班"), Password: new("another password")}, 1)
	if err != nil || changed.Name != "值班" || changed.Role != core.RoleResponder || changed.Version != 2 {
		t.Fatalf("%+v, %v", changed, err)
	}
	if _, _, err := login(v, "r370602", "another password", "192.0.2.1"); err != nil {
		t.Error(err)
	}
	if _, err := v.UpdateAccount(ctx, admin("3706"), "r370602", AccountChange{}, 1); !fault.Is(err, fault.Precondition) {
		t.Errorf("a stale version: %v", err)
	}
	if _, err := v.UpdateAccount(ctx, admin("3706"), "nobody", AccountChange{}, 1); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown login: %v", err)
	}
	if _, err := v.UpdateAccount(ctx, admin("370614"), "r370602", AccountChange{}, 2); !fault.Is(err, fault.NotFound) {
		t.Errorf("outside the scope: %v", err)
	}
	if _, err := v.UpdateAccount(ctx, admin("370602"), "r370602", AccountChange{Division: new("370614")}, 2); !fault.Is(err, fault.Forbidden) {
		t.Errorf("out of the scope: %v", err)
	}
	self := admin("3706")
	self.AccountID = p.AccountID
	for _, c := range []AccountChange{{Disabled: new(true)}, {Role: new(core.RoleObserver)}, {Division: new("37")}} {
		if _, err := v.UpdateAccount(ctx, self, "commander", c, 1); err == nil {
			t.Errorf("an administrator locked itself out: %+v", c)
		}
	}
}

func TestAccountsInScope(t *testing.T) {
	v, _, _ := newService(t, Options{})
	if _, err := v.CreateAccount(t.Context(), admin("3706"), NewAccount{Login: "observer", Name: "o", Role: core.RoleObserver, Division: "370602", Password: secret}); err != nil {
		t.Fatal(err)
	}
	all, err := v.Accounts(t.Context(), admin("370602"))
	if err != nil || len(all) != 2 {
		t.Errorf("%+v, %v; want the two of 370602", all, err)
	}
}
