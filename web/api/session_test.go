package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"onemap/alerts"
	"onemap/auth"
	"onemap/internal/core"
)

func (w *world) logIn(user, password string, headers ...string) answer {
	w.t.Helper()
	return w.send("", http.MethodPost, "/api/v1/session", map[string]string{"user": user, "password": password}, headers...)
}

// cookieOf is the session's cookie of an answer.
func cookieOf(t *testing.T, a answer) *http.Cookie {
	t.Helper()
	for _, line := range a.header.Values("Set-Cookie") {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatal(err)
		}
		if c.Name == SessionCookie {
			return c
		}
	}
	t.Fatalf("no session's cookie in %v", a.header)
	return nil
}

// The cookie lasts as long as the session can, and Me says both ends. A request that nobody is behind extends nothing.
func TestSessionSlidesOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	a := w.logIn(r02, password)
	cookie := []string{"Cookie", SessionCookie + "=" + cookieOf(t, a).Value}
	var first, later Me
	a.decode(t, &first)
	if first.Ends == nil || first.Ends.Sub(first.Expires) < 6*24*time.Hour || first.Display != nil {
		t.Fatalf("me: %+v", first)
	}
	if c := cookieOf(t, a); c.Expires.Sub(*first.Ends).Abs() > time.Second {
		t.Errorf("the cookie ends %v, the session %v", c.Expires, first.Ends)
	}
	w.clock.pass(11 * time.Hour)
	w.send("", http.MethodGet, "/tiles/land/1/1/0.mvt", nil, append(cookie, idleHeader, "true")...)
	w.send("", http.MethodGet, pushPath, nil, cookie...) // a hidden page connects again by itself
	w.send("", http.MethodGet, "/api/v1/me", nil, append(cookie, idleHeader, "true")...).decode(t, &later)
	if later.Expires.Sub(first.Expires).Abs() > time.Millisecond {
		t.Errorf("nobody was there, and the session goes on to %v instead of %v", later.Expires, first.Expires)
	}
	w.send("", http.MethodGet, "/api/v1/me", nil, cookie...).decode(t, &later)
	if got := later.Expires.Sub(first.Expires); (got - 11*time.Hour).Abs() > time.Millisecond {
		t.Errorf("used 11 h later, extended by %v", got)
	}
	w.clock.pass(12 * time.Hour)
	if a := w.send("", http.MethodGet, "/api/v1/me", nil, cookie...); a.status != http.StatusUnauthorized {
		t.Errorf("12 h after its last use: %d", a.status)
	}
}

func TestSessionOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	a := w.logIn(r02, password, "User-Agent", "a browser")
	var me Me
	a.decode(t, &me)
	if me.User != r02 || me.Role != core.RoleResponder || me.DivisionName.ZH != "芝罘区" || me.City.Code != "3706" || me.Timezone != "Asia/Shanghai" ||
		!me.Server.Simulated || me.Server.Version != "1.2.3" || len(me.Permissions) != 3 || !me.Expires.After(w.clock.now()) {
		t.Errorf("me: %+v", me)
	}
	c := cookieOf(t, a)
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Secure || len(c.Value) != 43 || c.Expires.IsZero() {
		t.Errorf("cookie: %+v", c)
	}
	if a.header.Get("Cache-Control") != "no-store" {
		t.Error("the answer may be kept")
	}
	bearer := []string{"Authorization", "Bearer " + c.Value}
	if a := w.send("", http.MethodGet, "/api/v1/me", nil, bearer...); a.status != http.StatusOK {
		t.Errorf("as bearer: %d", a.status)
	}
	var sessions List[auth.Session]
	w.send("", http.MethodGet, "/api/v1/sessions", nil, bearer...).decode(t, &sessions)
	if len(sessions.Items) != 2 || sessions.Items[0].Agent != "a browser" || sessions.Items[0].Remote != "127.0.0.1" {
		t.Errorf("sessions: %+v", sessions.Items)
	}
	a = w.send("", http.MethodDelete, "/api/v1/session", nil, bearer...)
	if c := cookieOf(t, a); a.status != http.StatusNoContent || c.MaxAge >= 0 || c.Value != "" {
		t.Errorf("logout: %d %+v", a.status, c)
	}
	a = w.send("", http.MethodGet, "/api/v1/me", nil, bearer...)
	if p := a.problem(t); a.status != http.StatusUnauthorized || p.Kind != "unauthenticated" || a.header.Get("WWW-Authenticate") == "" {
		t.Errorf("after logout: %d %v", a.status, p)
	}
	if a := w.send("", http.MethodDelete, "/api/v1/session", nil, bearer...); a.status != http.StatusNoContent {
		t.Errorf("a second logout: %d", a.status)
	}
}

func TestCookieIsSecureUnderTLS(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Secure = true })
	a := w.logIn(r02, password)
	if !cookieOf(t, a).Secure || a.header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%v", a.header)
	}
}

func TestRevokedSessionIsOutAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	if a := w.send(r02, http.MethodGet, "/api/v1/me", nil); a.status != http.StatusOK { // now it is cached
		t.Fatal(a.status)
	}
	var sessions List[auth.Session]
	w.send(admin, http.MethodGet, "/api/v1/sessions?user="+r02, nil).decode(t, &sessions)
	if a := w.send(admin, http.MethodDelete, fmt.Sprintf("/api/v1/sessions/%d", sessions.Items[0].ID), nil); a.status != http.StatusNoContent {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for _, path := range []string{"/api/v1/me", "/tiles/land/1/1/0.mvt", "/ws", "/cap/feed.atom"} {
		if a := w.send(r02, http.MethodGet, path, nil); a.status != http.StatusUnauthorized {
			t.Errorf("%s after the revocation: %d", path, a.status)
		}
	}
	// A session revoked elsewhere: the event reaches Forget.
	if a := w.send(r14, http.MethodGet, "/api/v1/me", nil); a.status != http.StatusOK {
		t.Fatal(a.status)
	}
	p, err := w.people.Authenticate(t.Context(), w.tokens[r14])
	w.must(err)
	w.must(w.db.Auth.RevokeSessions(t.Context(), p.AccountID, p.SessionID, "elsewhere"))
	w.people.Forget(p.SessionID)
	if a := w.send(r14, http.MethodGet, "/api/v1/me", nil); a.status != http.StatusUnauthorized {
		t.Errorf("after the event: %d", a.status)
	}
}

func TestSessionEndsWithItsTime(t *testing.T) {
	w := newWorld(t, nil)
	w.clock.pass(12 * time.Hour)
	if a := w.send(commander, http.MethodGet, "/api/v1/me", nil); a.status != http.StatusUnauthorized {
		t.Errorf("%d after 12 h", a.status)
	}
}

func TestBruteForceOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 5 {
		if a := w.logIn(bystander, "wrong"); a.status != http.StatusUnauthorized {
			t.Fatalf("guess %d: %d", i, a.status)
		}
	}
	a := w.logIn(bystander, password)
	if p := a.problem(t); a.status != http.StatusTooManyRequests || p.Kind != "too-many" || a.header.Get("Retry-After") != "1" {
		t.Errorf("the sixth: %d, Retry-After %q, %+v", a.status, a.header.Get("Retry-After"), p)
	}
	w.clock.pass(2 * time.Second)
	if a := w.logIn(bystander, password); a.status != http.StatusOK {
		t.Errorf("after the wait: %d %s", a.status, a.body)
	}
	for i := range 200 {
		w.logIn(fmt.Sprintf("name%d", i), "wrong")
	}
	if a := w.logIn("another", "wrong"); a.status != http.StatusTooManyRequests {
		t.Errorf("after 200 failures of the address: %d", a.status)
	}
	// An X-Forwarded-For that nobody vouches for does not make another address.
	if a := w.logIn("another", "wrong", "X-Forwarded-For", "198.51.100.7"); a.status != http.StatusTooManyRequests {
		t.Errorf("with a made-up address: %d", a.status)
	}
}

func TestUnknownUserAndWrongPasswordAnswerAlike(t *testing.T) {
	w := newWorld(t, nil)
	known, unknown := w.logIn(bystander, "wrong"), w.logIn("nobody", "wrong")
	if known.status != unknown.status || string(known.body) != string(unknown.body) {
		t.Errorf("%s\n%s", known.body, unknown.body)
	}
}

func TestCrossOriginPostIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	path := fmt.Sprintf("/api/v1/alerts/%d/acknowledge", w.alert.ID)
	for name, headers := range map[string][]string{
		"cross-site":    {"Sec-Fetch-Site", "cross-site"},
		"same-site":     {"Sec-Fetch-Site", "same-site"},
		"other origin":  {"Origin", "https://evil.example"},
		"opaque origin": {"Origin", "null"},
	} {
		a := w.send(commander, http.MethodPost, path, "{}", headers...)
		if p := a.problem(t); a.status != http.StatusForbidden || p.Kind != "forbidden" {
			t.Errorf("%s: %d %+v", name, a.status, p)
		}
		if a := w.send("", http.MethodPost, "/api/v1/session", map[string]string{"user": commander, "password": password}, headers...); a.status != http.StatusForbidden {
			t.Errorf("login, %s: %d", name, a.status)
		}
		if a := w.send(commander, http.MethodDelete, "/api/v1/session", nil, headers...); a.status != http.StatusForbidden {
			t.Errorf("logout, %s: %d", name, a.status)
		}
	}
	var detail AlertDetail
	w.send(commander, http.MethodGet, fmt.Sprintf("/api/v1/alerts/%d", w.alert.ID), nil).decode(t, &detail)
	if detail.Alert.Handling != alerts.New {
		t.Error("a refused request acknowledged the alert")
	}
	for name, headers := range map[string][]string{"same origin": {"Sec-Fetch-Site", "same-origin"}, "own origin": {"Origin", w.http.URL}, "a program": nil} {
		if a := w.send(commander, http.MethodPost, path, "{}", headers...); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestAccountsOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	a := w.send(admin, http.MethodPost, "/api/v1/accounts", map[string]string{
		"user": "r370685", "name": "招远市", "role": "county_responder", "division": "370685", "password": password,
	})
	var made auth.Account
	a.decode(t, &made)
	if a.status != http.StatusCreated || a.header.Get("ETag") != `"1"` || made.Login != "r370685" || strings.Contains(string(a.body), "password") {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	login := w.logIn("r370685", password)
	token := []string{"Authorization", "Bearer " + cookieOf(t, login).Value}
	const path = "/api/v1/accounts/r370685"
	if a := w.send(admin, http.MethodPatch, path, map[string]string{"name": "x"}); a.status != http.StatusPreconditionRequired || a.problem(t).Field != "If-Match" {
		t.Errorf("without If-Match: %d %s", a.status, a.body)
	}
	if a := w.send("", http.MethodGet, "/api/v1/me", nil, token...); a.status != http.StatusOK {
		t.Fatal(a.status)
	}
	a = w.send(admin, http.MethodPatch, path, map[string]bool{"disabled": true}, "If-Match", `"1"`)
	if a.status != http.StatusOK || a.header.Get("ETag") != `"2"` {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := w.send("", http.MethodGet, "/api/v1/me", nil, token...); a.status != http.StatusUnauthorized {
		t.Errorf("a disabled account's session: %d", a.status)
	}
	if a := w.logIn("r370685", password); a.status != http.StatusUnauthorized {
		t.Errorf("a disabled account's login: %d", a.status)
	}
	if a := w.send(admin, http.MethodPatch, path, map[string]bool{"disabled": false}, "If-Match", `"1"`); a.status != http.StatusPreconditionFailed {
		t.Errorf("stale: %d", a.status)
	}
	var all List[auth.Account]
	w.send(accountOf(core.RoleAdministrator, "370614"), http.MethodGet, "/api/v1/accounts", nil).decode(t, &all)
	for _, one := range all.Items {
		if one.Division != "370614" {
			t.Errorf("an administrator of 370614 sees %s of %s", one.Login, one.Division)
		}
	}
	var people List[alerts.Assignee]
	w.send(r02, http.MethodGet, "/api/v1/assignees", nil).decode(t, &people)
	for _, one := range people.Items {
		if one.Division != "370602" || !alerts.PermHandle.Of(one.Role) {
			t.Errorf("370602 may assign to %+v", one)
		}
	}
}
