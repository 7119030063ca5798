package auth

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"onemap/internal/core"
	"onemap/internal/fault"
)

func containsWord(list, word string) bool { return slices.Contains(strings.Fields(list), word) }

func TestCreateAccountRefuses(t *testing.T) {
	good := NewAccount{Login: "r370614", Name: "蓬莱区", Role: core.RoleResponder, Division: "370614", Password: "ten letters"}
	for name, c := range map[string]struct {
		change func(*NewAccount)
		field  string
		kind   fault.Kind
	}{
		"login upper case":      {func(n *NewAccount) { n.Login = "Root" }, "user", fault.Invalid},
		"login of one letter":   {func(n *NewAccount) { n.Login = "a" }, "user", fault.Invalid},
		"login too long":        {func(n *NewAccount) { n.Login = strings.Repeat("a", 65) }, "user", fault.Invalid},
		"login with SQL":        {func(n *NewAccount) { n.Login = "a';drop table account" }, "user", fault.Invalid},
		"login with line end":   {func(n *NewAccount) { n.Login = "abc\n" }, "user", fault.Invalid},
		"no name":               {func(n *NewAccount) { n.Name = "  " }, "name", fault.Invalid},
		"name with line end":    {func(n *NewAccount) { n.Name = "a\nb" }, "name", fault.Invalid},
		"name too long":         {func(n *NewAccount) { n.Name = strings.Repeat("名", 101) }, "name", fault.Invalid},
		"name not UTF-8":        {func(n *NewAccount) { n.Name = "\xff" }, "name", fault.Invalid},
		"role":                  {func(n *NewAccount) { n.Role = "god" }, "role", fault.Invalid},
		"division with letters": {func(n *NewAccount) { n.Division = "3706ab" }, "division", fault.Invalid},
		"division of 5 digits":  {func(n *NewAccount) { n.Division = "37060" }, "division", fault.Invalid},
		"no division":           {func(n *NewAccount) { n.Division = "" }, "division", fault.Invalid},
		"responder of the city": {func(n *NewAccount) { n.Division = "3706" }, "division", fault.Invalid},
		"commander of a county": {func(n *NewAccount) { n.Role = core.RoleCommander }, "division", fault.Invalid},
		"another city":          {func(n *NewAccount) { n.Division = "370202" }, "division", fault.Forbidden},
		"short password":        {func(n *NewAccount) { n.Password = "123456789" }, "password", fault.Invalid},
		"password is the login": {func(n *NewAccount) { n.Login, n.Password = "longenough1", "LongEnough1" }, "password", fault.Invalid},
		"endless password":      {func(n *NewAccount) { n.Password = strings.Repeat("a", 2000) }, "password", fault.Invalid},
		"password not UTF-8":    {func(n *NewAccount) { n.Password = "\xff\xfe\xfd0123456789" }, "password", fault.Invalid},
		"login taken":           {func(n *NewAccount) { n.Login = "commander" }, "", fault.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			v, m, _ := newService(t, Options{})
			n := good
			c.change(&n)
			_, err := v.CreateAccount(t.Context(), admin("3706"), n)
			e, ok := errors.AsType[*fault.Error](err)
			if !ok || e.Kind != c.kind || e.Field != c.field {
				t.Errorf("%v (%+v), want %v of field %q", err, e, c.kind, c.field)
			}
			if len(m.accounts) != 2 {
				t.Error("it was stored")
			}
		})
	}
	v, m, _ := newService(t, Options{})
	made, err := v.CreateAccount(t.Context(), admin("3706"), good)
	if err != nil || made.Version != 1 {
		t.Fatal(made, err)
	}
	if hash := m.accounts[2].PasswordHash; !strings.HasPrefix(hash, "$argon2id$") || strings.Contains(hash, good.Password) {
		t.Errorf("stored %q", hash)
	}
	padded := good
	padded.Login, padded.Division = "r370685", "370685000000"
	if made, err = v.CreateAccount(t.Context(), admin("3706"), padded); err != nil || made.Division != "370685" {
		t.Errorf("a padded code: %+v, %v", made, err)
	}
}

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
