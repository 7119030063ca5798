package auth

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"onemap/internal/core"
	"onemap/internal/fault"
)

func open(t *testing.T, v *Service) (string, core.Principal) {
	t.Helper()
	token, p, err := login(v, "commander", secret, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	return token, p
}

func alive(t *testing.T, v *Service, token string) bool {
	t.Helper()
	_, err := v.Authenticate(t.Context(), token)
	if err != nil && !fault.Is(err, fault.Unauthenticated) {
		t.Fatal(err)
	}
	return err == nil
}

func TestSessionExpires(t *testing.T) {
	v, _, c := newService(t, Options{SessionTTL: time.Hour, CacheTTL: 2 * time.Hour})
	token, _ := open(t, v)
	known := func() bool {
		_, err := v.Identify(t.Context(), token)
		return err == nil
	}
	if !known() {
		t.Fatal("a new session is dead")
	}
	c.pass(time.Hour - time.Second)
	if !known() {
		t.Error("dead before its time")
	}
	c.pass(time.Second)
	if known() || alive(t, v, token) {
		t.Error("alive after its time, from the cache")
	}
}

// A session that is used lasts a TTL from its last use, up to its absolute end.
func TestSessionSlidesWithUse(t *testing.T) {
	for _, every := range []time.Duration{20 * time.Second, 7 * time.Minute, 11 * time.Hour} {
		v, _, c := newService(t, Options{})
		token, p := open(t, v)
		born := c.t
		if want := born.Add(7 * 24 * time.Hour); !p.Ends.Equal(want) || !p.Expires.Equal(born.Add(12*time.Hour)) {
			t.Errorf("a new session expires %v and ends %v, want %v", p.Expires, p.Ends, want)
		}
		for c.t.Before(p.Ends.Add(-every)) {
			c.pass(every)
			q, err := v.Authenticate(t.Context(), token)
			if err != nil {
				t.Fatalf("used every %v, ended after %v: %v", every, c.t.Sub(born), err)
			}
			if q.Expires.After(p.Ends) || (q.Expires.Before(c.t.Add(12*time.Hour-writeEvery)) && !q.Expires.Equal(p.Ends)) {
				t.Fatalf("used at %v, expires at %v", c.t, q.Expires)
			}
		}
		c.pass(every)
		if alive(t, v, token) {
			t.Errorf("alive %v after the login, whatever the bound", c.t.Sub(born))
		}
	}
}

// Without a use a session ends 12 hours after the last one; a request that is no use, and asking, are none.
func TestIdleSessionEnds(t *testing.T) {
	v, _, c := newService(t, Options{})
	token, p := open(t, v)
	c.pass(time.Hour)
	alive(t, v, token)
	for range 11 {
		c.pass(time.Hour)
		if _, err := v.Identify(t.Context(), token); err != nil {
			t.Fatalf("ended after %v: %v", c.t, err)
		}
		if _, err := v.Recheck(t.Context(), p.SessionID); err != nil {
			t.Fatal(err)
		}
	}
	c.pass(time.Hour)
	if alive(t, v, token) {
		t.Error("alive 12 hours after its last use")
	}
}

// A connection in use extends the session as a request does, and the request sees it.
func TestUseOfAConnectionExtends(t *testing.T) {
	v, _, c := newService(t, Options{SessionTTL: time.Hour, SessionMax: 3 * time.Hour})
	token, p := open(t, v)
	for range 5 {
		c.pass(30 * time.Minute)
		q, err := v.Use(t.Context(), p.SessionID)
		if err != nil {
			t.Fatal(err)
		}
		if want := c.t.Add(time.Hour); !q.Expires.Equal(want) && !q.Expires.Equal(p.Ends) {
			t.Errorf("expires %v, want %v", q.Expires, want)
		}
	}
	if !alive(t, v, token) {
		t.Error("dead before the absolute end")
	}
	c.pass(30 * time.Minute)
	if _, err := v.Use(t.Context(), p.SessionID); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("in use after its absolute end: %v", err)
	}
}

// A use does not bring back what has ended, and a store that cannot write it ends nothing early.
func TestUseBringsNothingBack(t *testing.T) {
	v, m, c := newService(t, Options{SessionTTL: time.Hour})
	token, p := open(t, v)
	c.pass(time.Hour)
	if alive(t, v, token) {
		t.Error("a use brought an expired session back")
	}
	if _, err := v.Use(t.Context(), p.SessionID); !fault.Is(err, fault.Unauthenticated) || m.touched != 0 {
		t.Errorf("used after its end: %v, %d writes", err, m.touched)
	}
}

func TestLogoutAndRevocation(t *testing.T) {
	v, _, c := newService(t, Options{})
	token, p := open(t, v)
	other, _ := open(t, v)
	alive(t, v, token)
	alive(t, v, other)
	if err := v.Logout(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if alive(t, v, token) {
		t.Error("alive after logout")
	}
	if !alive(t, v, other) {
		t.Error("the other session of the account died with it")
	}

	// A revocation on another node: this one believes its cache until the event, or the TTL.
	third, q := open(t, v)
	alive(t, v, third)
	if err := v.store.RevokeSessions(t.Context(), q.AccountID, q.SessionID, "x"); err != nil {
		t.Fatal(err)
	}
	if !alive(t, v, third) {
		t.Error("the cache is not used")
	}
	v.Forget(q.SessionID)
	if alive(t, v, third) {
		t.Error("alive after the event")
	}
	fourth, q := open(t, v)
	alive(t, v, fourth)
	if err := v.store.RevokeSessions(t.Context(), q.AccountID, 0, "x"); err != nil {
		t.Fatal(err)
	}
	c.pass(15 * time.Second)
	if alive(t, v, fourth) || alive(t, v, other) {
		t.Error("alive after the cache's time")
	}
}

// What was read before a revocation must not be remembered after it.
func TestForgetBeatsALoadUnderWay(t *testing.T) {
	v, _, c := newService(t, Options{})
	token, p := open(t, v)
	generation := v.cache.generation()
	v.ForgetAccount(p.AccountID)
	sum := [32]byte{1}
	v.cache.put(sum, cached{principal: p}, c.t, generation)
	if _, ok := v.cache.get(sum, c.t); ok {
		t.Error("a session read before the revocation is kept")
	}
	if !alive(t, v, token) {
		t.Error("an unrelated session died")
	}
}

func TestDisabledAccountIsOut(t *testing.T) {
	v, _, _ := newService(t, Options{})
	token, _ := open(t, v)
	alive(t, v, token)
	if _, err := v.UpdateAccount(t.Context(), admin("3706"), "commander", AccountChange{Disabled: new(true)}, 1); err != nil {
		t.Fatal(err)
	}
	if alive(t, v, token) {
		t.Error("the session of a disabled account is alive")
	}
}

func TestAuthenticateWithoutAStore(t *testing.T) {
	v, m, c := newService(t, Options{})
	token, _ := open(t, v)
	alive(t, v, token)
	m.away = true
	if !alive(t, v, token) {
		t.Error("the cache is not used while the database is away")
	}
	c.pass(time.Minute)
	if _, err := v.Authenticate(t.Context(), token); !fault.Is(err, fault.Unavailable) {
		t.Errorf("%v, want unavailable: nobody is logged out because the database is away", err)
	}
}

func TestLastSeenIsKeptByTheMinute(t *testing.T) {
	v, m, c := newService(t, Options{})
	token, _ := open(t, v)
	for range 40 {
		alive(t, v, token)
		c.pass(10 * time.Second)
	}
	if m.touched < 5 || m.touched > 7 {
		t.Errorf("touched %d times in 400 s", m.touched)
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newSessionCache(time.Minute)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range maxCached + 100 {
		c.put([32]byte{byte(i), byte(i >> 8), byte(i >> 16)}, cached{}, now, 0)
	}
	if len(c.known) > maxCached {
		t.Errorf("%d sessions are cached", len(c.known))
	}
}

func TestSessionsOfOthers(t *testing.T) {
	v, _, _ := newService(t, Options{})
	_, p := open(t, v)
	token, r, err := login(v, "r370602", secret, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	own, err := v.Sessions(t.Context(), p, "", core.Page{})
	if err != nil || len(own) != 1 || own[0].Login != "commander" {
		t.Errorf("own sessions: %+v, %v", own, err)
	}
	if _, err := v.Sessions(t.Context(), p, "r370602", core.Page{}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a commander reads another's sessions: %v", err)
	}
	if err := v.RevokeSession(t.Context(), p, r.SessionID); !fault.Is(err, fault.NotFound) {
		t.Errorf("a commander ends another's session: %v", err)
	}
	if _, err := v.Sessions(t.Context(), admin("370614"), "r370602", core.Page{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("an administrator of another county: %v", err)
	}
	foreign := v.RevokeSession(t.Context(), admin("370614"), r.SessionID)
	if !fault.Is(foreign, fault.NotFound) {
		t.Errorf("an administrator of another county: %v", foreign)
	}
	const nobodys = 999
	unknown := v.RevokeSession(t.Context(), admin("370614"), nobodys)
	if !fault.Is(unknown, fault.NotFound) || strings.ReplaceAll(unknown.Error(), strconv.Itoa(nobodys), strconv.FormatInt(r.SessionID, 10)) != foreign.Error() {
		t.Errorf("a session that there is not: %v; one of another county: %v", unknown, foreign)
	}
	if !alive(t, v, token) {
		t.Error("ended by somebody who may not")
	}
	if err := v.RevokeSession(t.Context(), admin("3706"), r.SessionID); err != nil {
		t.Error(err)
	}
	if alive(t, v, token) {
		t.Error("alive after its revocation")
	}
	if err := v.RevokeSession(t.Context(), p, p.SessionID); err != nil {
		t.Errorf("ending the own session: %v", err)
	}
}

// However many sessions an account has had since, each can be ended.
func TestRevokeOldSession(t *testing.T) {
	v, m, c := newService(t, Options{})
	token, r, err := login(v, "r370602", secret, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	s, owner, err := m.SessionByID(t.Context(), r.SessionID)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 600 {
		newer := Session{AccountID: owner.ID, CreatedAt: c.now(), ExpiresAt: s.ExpiresAt, EndsAt: s.EndsAt}
		if _, err := m.CreateSession(t.Context(), newer, []byte{byte(i), byte(i >> 8)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.RevokeSession(t.Context(), admin("370602"), r.SessionID); err != nil {
		t.Error(err)
	}
	if alive(t, v, token) {
		t.Error("alive after its revocation")
	}
}

// The login of a display ends with its display: the list of people's sessions does not reach it.
func TestRevokeDisplaySession(t *testing.T) {
	d := Account{ID: 9, Division: "3706", Display: 4}
	if mayEndSession(admin("3706"), d) {
		t.Error("an administrator ends the login of a display by its session")
	}
	if d.Display = 0; !mayEndSession(admin("3706"), d) || mayEndSession(admin("370602"), d) {
		t.Error("the scope of administrators")
	}
}

func TestRecheckSeesTheStoreAndNotTheCache(t *testing.T) {
	v, m, _ := newService(t, Options{})
	token, p := open(t, v)
	alive(t, v, token)
	if got, err := v.Recheck(t.Context(), p.SessionID); err != nil || got != p {
		t.Errorf("%+v, %v", got, err)
	}
	if err := m.RevokeSessions(t.Context(), p.AccountID, p.SessionID, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Recheck(t.Context(), p.SessionID); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("revoked: %v", err)
	}
	if _, err := v.Recheck(t.Context(), 99); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("unknown: %v", err)
	}
	m.away = true
	if _, err := v.Recheck(t.Context(), p.SessionID); !fault.Is(err, fault.Unavailable) {
		t.Errorf("away: %v", err)
	}
}
