package authapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"onemap/alerts"
	alertsapi "onemap/alerts/api"
	"onemap/auth"
	authapi "onemap/auth/api"
	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/web/server"
	"onemap/web/server/servertest"
)

// cookieOf is the session's cookie of an answer.
func cookieOf(t *testing.T, a servertest.Answer) *http.Cookie {
	t.Helper()
	for _, line := range a.Header.Values("Set-Cookie") {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatal(err)
		}
		if c.Name == httpx.SessionCookie {
			return c
		}
	}
	t.Fatalf("no session's cookie in %v", a.Header)
	return nil
}

// The cookie lasts as long as the session can, and Me says both ends. A request that nobody is behind extends nothing.
func TestSessionSlidesOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	a := w.LogIn(servertest.R02, servertest.Password)
	cookie := []string{"Cookie", httpx.SessionCookie + "=" + cookieOf(t, a).Value}
	var first, later authapi.Me
	a.Decode(t, &first)
	if first.Ends == nil || first.Ends.Sub(first.Expires) < 6*24*time.Hour || first.Display != nil {
		t.Fatalf("me: %+v", first)
	}
	if c := cookieOf(t, a); c.Expires.Sub(*first.Ends).Abs() > time.Second {
		t.Errorf("the cookie ends %v, the session %v", c.Expires, first.Ends)
	}
	w.Clock.Pass(11 * time.Hour)
	w.Send("", http.MethodGet, "/tiles/land/1/1/0.mvt", nil, append(cookie, "X-Onemap-Idle", "true")...)
	w.Send("", http.MethodGet, "/ws", nil, cookie...) // a hidden page connects again by itself
	w.Send("", http.MethodGet, "/api/v1/me", nil, append(cookie, "X-Onemap-Idle", "true")...).Decode(t, &later)
	if later.Expires.Sub(first.Expires).Abs() > time.Millisecond {
		t.Errorf("nobody was there, and the session goes on to %v instead of %v", later.Expires, first.Expires)
	}
	w.Send("", http.MethodGet, "/api/v1/me", nil, cookie...).Decode(t, &later)
	if got := later.Expires.Sub(first.Expires); (got - 11*time.Hour).Abs() > time.Millisecond {
		t.Errorf("used 11 h later, extended by %v", got)
	}
	w.Clock.Pass(12 * time.Hour)
	if a := w.Send("", http.MethodGet, "/api/v1/me", nil, cookie...); a.Status != http.StatusUnauthorized {
		t.Errorf("12 h after its last use: %d", a.Status)
	}
}

func TestSessionOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	a := w.LogIn(servertest.R02, servertest.Password, "User-Agent", "a browser")
	var me authapi.Me
	a.Decode(t, &me)
	if me.User != servertest.R02 || me.Role != core.RoleResponder || me.DivisionName.ZH != "芝罘区" || me.City.Code != "3706" || me.Timezone != "Asia/Shanghai" ||
		!me.Server.Simulated || me.Server.Version != "1.2.3" || len(me.Permissions) != 3 || !me.Expires.After(w.Clock.Now()) {
		t.Errorf("me: %+v", me)
	}
	c := cookieOf(t, a)
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Secure || len(c.Value) != 43 || c.Expires.IsZero() {
		t.Errorf("cookie: %+v", c)
	}
	if a.Header.Get("Cache-Control") != "no-store" {
		t.Error("the answer may be kept")
	}
	bearer := []string{"Authorization", "Bearer " + c.Value}
	if a := w.Send("", http.MethodGet, "/api/v1/me", nil, bearer...); a.Status != http.StatusOK {
		t.Errorf("as bearer: %d", a.Status)
	}
	var sessions httpx.List[auth.Session]
	w.Send("", http.MethodGet, "/api/v1/sessions", nil, bearer...).Decode(t, &sessions)
	if len(sessions.Items) != 2 || sessions.Items[0].Agent != "a browser" || sessions.Items[0].Remote != "127.0.0.1" {
		t.Errorf("sessions: %+v", sessions.Items)
	}
	a = w.Send("", http.MethodDelete, "/api/v1/session", nil, bearer...)
	if c := cookieOf(t, a); a.Status != http.StatusNoContent || c.MaxAge >= 0 || c.Value != "" {
		t.Errorf("logout: %d %+v", a.Status, c)
	}
	a = w.Send("", http.MethodGet, "/api/v1/me", nil, bearer...)
	if p := a.Problem(t); a.Status != http.StatusUnauthorized || p.Kind != "unauthenticated" || a.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("after logout: %d %v", a.Status, p)
	}
	if a := w.Send("", http.MethodDelete, "/api/v1/session", nil, bearer...); a.Status != http.StatusNoContent {
		t.Errorf("a second logout: %d", a.Status)
	}
}

func TestCookieIsSecureUnderTLS(t *testing.T) {
	w := newWorld(t, func(o *server.Options) { o.HTTP.Secure = true })
	a := w.LogIn(servertest.R02, servertest.Password)
	if !cookieOf(t, a).Secure || a.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%v", a.Header)
	}
}

func TestRevokedSessionIsOutAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	if a := w.Send(servertest.R02, http.MethodGet, "/api/v1/me", nil); a.Status != http.StatusOK { // now it is cached
		t.Fatal(a.Status)
	}
	var sessions httpx.List[auth.Session]
	w.Send(servertest.Admin, http.MethodGet, "/api/v1/sessions?user="+servertest.R02, nil).Decode(t, &sessions)
	if a := w.Send(servertest.Admin, http.MethodDelete, fmt.Sprintf("/api/v1/sessions/%d", sessions.Items[0].ID), nil); a.Status != http.StatusNoContent {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	for _, path := range []string{"/api/v1/me", "/tiles/land/1/1/0.mvt", "/ws", "/cap/feed.atom"} {
		if a := w.Send(servertest.R02, http.MethodGet, path, nil); a.Status != http.StatusUnauthorized {
			t.Errorf("%s after the revocation: %d", path, a.Status)
		}
	}
	// A session revoked elsewhere: the event reaches Forget.
	if a := w.Send(servertest.R14, http.MethodGet, "/api/v1/me", nil); a.Status != http.StatusOK {
		t.Fatal(a.Status)
	}
	p, err := w.People.Authenticate(t.Context(), w.Tokens[servertest.R14])
	w.Must(err)
	w.Must(w.DB.Auth.RevokeSessions(t.Context(), p.AccountID, p.SessionID, "elsewhere"))
	w.People.Forget(p.SessionID)
	if a := w.Send(servertest.R14, http.MethodGet, "/api/v1/me", nil); a.Status != http.StatusUnauthorized {
		t.Errorf("after the event: %d", a.Status)
	}
}

func TestSessionEndsWithItsTime(t *testing.T) {
	w := newWorld(t, nil)
	w.Clock.Pass(12 * time.Hour)
	if a := w.Send(servertest.Commander, http.MethodGet, "/api/v1/me", nil); a.Status != http.StatusUnauthorized {
		t.Errorf("%d after 12 h", a.Status)
	}
}

func TestBruteForceOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 5 {
		if a := w.LogIn(servertest.Bystander, "wrong"); a.Status != http.StatusUnauthorized {
			t.Fatalf("guess %d: %d", i, a.Status)
		}
	}
	a := w.LogIn(servertest.Bystander, servertest.Password)
	if p := a.Problem(t); a.Status != http.StatusTooManyRequests || p.Kind != "too-many" || a.Header.Get("Retry-After") != "1" {
		t.Errorf("the sixth: %d, Retry-After %q, %+v", a.Status, a.Header.Get("Retry-After"), p)
	}
	w.Clock.Pass(2 * time.Second)
	if a := w.LogIn(servertest.Bystander, servertest.Password); a.Status != http.StatusOK {
		t.Errorf("after the wait: %d %s", a.Status, a.Body)
	}
	for i := range 200 {
		w.LogIn(fmt.Sprintf("name%d", i), "wrong")
	}
	if a := w.LogIn("another", "wrong"); a.Status != http.StatusTooManyRequests {
		t.Errorf("after 200 failures of the address: %d", a.Status)
	}
	// An X-Forwarded-For that nobody vouches for does not make another address.
	if a := w.LogIn("another", "wrong", "X-Forwarded-For", "198.51.100.7"); a.Status != http.StatusTooManyRequests {
		t.Errorf("with a made-up address: %d", a.Status)
	}
}

func TestUnknownUserAndWrongPasswordAnswerAlike(t *testing.T) {
	w := newWorld(t, nil)
	known, unknown := w.LogIn(servertest.Bystander, "wrong"), w.LogIn("nobody", "wrong")
	if known.Status != unknown.Status || string(known.Body) != string(unknown.Body) {
		t.Errorf("%s\n%s", known.Body, unknown.Body)
	}
}

func TestCrossOriginPostIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	path := fmt.Sprintf("/api/v1/alerts/%d/acknowledge", w.Alert.ID)
	for name, headers := range map[string][]string{
		"cross-site":    {"Sec-Fetch-Site", "cross-site"},
		"same-site":     {"Sec-Fetch-Site", "same-site"},
		"other origin":  {"Origin", "https://evil.example"},
		"opaque origin": {"Origin", "null"},
	} {
		a := w.Send(servertest.Commander, http.MethodPost, path, "{}", headers...)
		if p := a.Problem(t); a.Status != http.StatusForbidden || p.Kind != "forbidden" {
			t.Errorf("%s: %d %+v", name, a.Status, p)
		}
		if a := w.Send("", http.MethodPost, "/api/v1/session", map[string]string{"user": servertest.Commander, "password": servertest.Password}, headers...); a.Status != http.StatusForbidden {
			t.Errorf("login, %s: %d", name, a.Status)
		}
		if a := w.Send(servertest.Commander, http.MethodDelete, "/api/v1/session", nil, headers...); a.Status != http.StatusForbidden {
			t.Errorf("logout, %s: %d", name, a.Status)
		}
	}
	var detail alertsapi.AlertDetail
	w.Send(servertest.Commander, http.MethodGet, fmt.Sprintf("/api/v1/alerts/%d", w.Alert.ID), nil).Decode(t, &detail)
	if detail.Alert.Handling != alerts.New {
		t.Error("a refused request acknowledged the alert")
	}
	for name, headers := range map[string][]string{"same origin": {"Sec-Fetch-Site", "same-origin"}, "own origin": {"Origin", w.HTTP.URL}, "a program": nil} {
		if a := w.Send(servertest.Commander, http.MethodPost, path, "{}", headers...); a.Status != http.StatusOK {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}

func TestAccountsOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	a := w.Send(servertest.Admin, http.MethodPost, "/api/v1/accounts", map[string]string{
		"user": "r370685", "name": "招远市", "role": "county_responder", "division": "370685", "password": servertest.Password,
	})
	var made auth.Account
	a.Decode(t, &made)
	if a.Status != http.StatusCreated || a.Header.Get("ETag") != `"1"` || made.Login != "r370685" || strings.Contains(string(a.Body), "password") {
		t.Errorf("%d %v %s", a.Status, a.Header, a.Body)
	}
	login := w.LogIn("r370685", servertest.Password)
	token := []string{"Authorization", "Bearer " + cookieOf(t, login).Value}
	const path = "/api/v1/accounts/r370685"
	if a := w.Send(servertest.Admin, http.MethodPatch, path, map[string]string{"name": "x"}); a.Status != http.StatusPreconditionRequired || a.Problem(t).Field != "If-Match" {
		t.Errorf("without If-Match: %d %s", a.Status, a.Body)
	}
	if a := w.Send("", http.MethodGet, "/api/v1/me", nil, token...); a.Status != http.StatusOK {
		t.Fatal(a.Status)
	}
	a = w.Send(servertest.Admin, http.MethodPatch, path, map[string]bool{"disabled": true}, "If-Match", `"1"`)
	if a.Status != http.StatusOK || a.Header.Get("ETag") != `"2"` {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if a := w.Send("", http.MethodGet, "/api/v1/me", nil, token...); a.Status != http.StatusUnauthorized {
		t.Errorf("a disabled account's session: %d", a.Status)
	}
	if a := w.LogIn("r370685", servertest.Password); a.Status != http.StatusUnauthorized {
		t.Errorf("a disabled account's login: %d", a.Status)
	}
	if a := w.Send(servertest.Admin, http.MethodPatch, path, map[string]bool{"disabled": false}, "If-Match", `"1"`); a.Status != http.StatusPreconditionFailed {
		t.Errorf("stale: %d", a.Status)
	}
	var all httpx.List[auth.Account]
	w.Send(servertest.AccountOf(core.RoleAdministrator, "370614"), http.MethodGet, "/api/v1/accounts", nil).Decode(t, &all)
	for _, one := range all.Items {
		if one.Division != "370614" {
			t.Errorf("an administrator of 370614 sees %s of %s", one.Login, one.Division)
		}
	}
	var people httpx.List[alerts.Assignee]
	w.Send(servertest.R02, http.MethodGet, "/api/v1/assignees", nil).Decode(t, &people)
	for _, one := range people.Items {
		if one.Division != "370602" || !alerts.PermHandle.Of(one.Role) {
			t.Errorf("370602 may assign to %+v", one)
		}
	}
}
