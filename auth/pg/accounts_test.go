package authpg_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/auth"
	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
)

func TestSessionsAndTheirEnd(t *testing.T) {
	db := storetest.NewCity(t, 0)
	acc := storetest.NewAccount(t, db, "r370602", core.RoleResponder, "370602")
	one, two := storetest.NewSession(t, db, acc.ID, "one"), storetest.NewSession(t, db, acc.ID, "two")
	s, a, err := db.Auth.SessionByToken(t.Context(), []byte("one"))
	if err != nil || s.ID != one || s.RevokedAt != nil || s.Login != "r370602" || !cmp.Equal(a, acc) {
		t.Errorf("session: %+v of %+v, %v", s, a, err)
	}
	if _, _, err := db.Auth.SessionByToken(t.Context(), []byte("three")); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown token: %v", err)
	}
	if err := db.Auth.TouchSession(t.Context(), one, storetest.Noon().Add(time.Hour), storetest.Noon().Add(13*time.Hour)); err != nil {
		t.Error(err)
	}
	if err := db.Auth.TouchSession(t.Context(), one, storetest.Noon(), storetest.Noon().Add(12*time.Hour)); err != nil {
		t.Error(err)
	}
	if s, _, _ = db.Auth.SessionByToken(t.Context(), []byte("one")); !s.LastSeen.Equal(storetest.Noon().Add(time.Hour)) || !s.ExpiresAt.Equal(storetest.Noon().Add(13*time.Hour)) {
		t.Errorf("last seen %v, expires %v", s.LastSeen, s.ExpiresAt)
	}
	if err := db.Auth.RevokeSessions(t.Context(), acc.ID, one, "r370602"); err != nil {
		t.Error(err)
	}
	if err := db.Auth.RevokeSessions(t.Context(), acc.ID+1, two, "other"); !fault.Is(err, fault.NotFound) {
		t.Errorf("somebody else's session: %v", err)
	}
	for range 2 { // the second time there is nothing left to end
		if err := db.Auth.RevokeSessions(t.Context(), acc.ID, 0, "admin"); err != nil {
			t.Error(err)
		}
	}
	if all, err := db.Auth.Sessions(t.Context(), acc.ID, core.Page{}); err != nil || len(all) != 2 || all[0].RevokedAt == nil || all[1].RevokedAt == nil {
		t.Errorf("sessions: %+v, %v", all, err)
	}
	if got := revocations(t, db); !cmp.Equal(got, []int64{one, two}) {
		t.Errorf("events of %v, want %v", got, []int64{one, two})
	}
}

// revocations are the sessions that the event log says were revoked.
func revocations(t testing.TB, db *stores.Stores) (ids []int64) {
	t.Helper()
	es, err := storetest.EventsAfter(t.Context(), db, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		var p struct {
			SessionID int64 `json:"session_id"`
		}
		if e.Kind == auth.EventSessionRevoked {
			if err := json.Unmarshal(e.Payload, &p); err != nil {
				t.Fatal(err)
			}
			if e.VisibleTo(storetest.CityScope()) || !e.VisibleTo(core.Scope{Division: "3706", Role: core.RoleAdministrator}) {
				t.Errorf("event %d is not for administrators alone", e.Seq)
			}
			ids = append(ids, p.SessionID)
		}
	}
	return ids
}

func TestAccountChangesEndSessions(t *testing.T) {
	tests := map[string]struct {
		change func(*auth.Account)
		hash   string
		ends   bool
	}{
		"name":     {func(a *auth.Account) { a.Name = "新名" }, "", false},
		"role":     {func(a *auth.Account) { a.Role = core.RoleObserver }, "", true},
		"division": {func(a *auth.Account) { a.Division = "370614" }, "", true},
		"state":    {func(a *auth.Account) { a.Disabled = true }, "", true},
		"password": {func(*auth.Account) {}, "other", true},
	}
	db := storetest.NewCity(t, 0)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			acc := storetest.NewAccount(t, db, "a-"+name, core.RoleResponder, "370602")
			storetest.NewSession(t, db, acc.ID, name)
			changed := acc
			tt.change(&changed)
			got, err := db.Auth.UpdateAccount(t.Context(), changed, tt.hash, acc.Version, "admin")
			changed.Version++
			if err != nil || !cmp.Equal(got, changed) {
				t.Errorf("changed: %+v, %v; want %+v", got, err, changed)
			}
			s, _, err := db.Auth.SessionByToken(t.Context(), []byte(name))
			if err != nil || (s.RevokedAt != nil) != tt.ends {
				t.Errorf("session: %+v, %v; ends: %v", s, err, tt.ends)
			}
			if _, err := db.Auth.UpdateAccount(t.Context(), changed, "", acc.Version, "admin"); !fault.Is(err, fault.Precondition) {
				t.Errorf("with an old version: %v", err)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	db := storetest.NewCity(t, 0)
	acc := storetest.NewAccount(t, db, "admin", core.RoleAdministrator, "3706")
	if _, err := db.Auth.CreateAccount(t.Context(), acc, "hash", "x"); !fault.Is(err, fault.Conflict) {
		t.Errorf("a taken login: %v", err)
	}
	if _, err := db.Auth.CredentialsByLogin(t.Context(), "nobody\x00"); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown login: %v", err)
	}
	c, err := db.Auth.CredentialsByLogin(t.Context(), "admin")
	if err != nil || c.PasswordHash != "hash" || c.ID != acc.ID {
		t.Errorf("credentials: %+v, %v", c, err)
	}
	if _, err := db.Auth.UpdateAccount(t.Context(), auth.Account{Login: "nobody"}, "", 1, "x"); !fault.Is(err, fault.NotFound) {
		t.Errorf("change of nobody: %v", err)
	}
	if all, err := db.Auth.Accounts(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("accounts: %+v, %v", all, err)
	}
}
