package authapi_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	authapi "onemap/auth/api"

	"github.com/alexedwards/argon2id"
	"github.com/prometheus/client_golang/prometheus"

	"onemap/auth"
	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/web/server"
	"onemap/web/server/servertest"
)

// restart puts a new server in front of the same database: it remembers nothing.
func (w *world) restart() {
	w.T.Helper()
	people := auth.NewService(auth.Options{
		Params: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	}, w.DB.Auth, w.DB.Auth, w.DB.Auth, nil, nil, w.Clock.Now)
	o := w.Options
	o.Auth.Sessions, o.Auth.Accounts, o.Auth.Displays = people, people, people
	o.HTTP.Sessions, o.HTTP.Registerer = people, prometheus.NewRegistry()
	w.People = people
	w.Serve(o)
}

// cookieNamed is a cookie of an answer; nil: it has none of that name.
func cookieNamed(t *testing.T, a servertest.Answer, name string) *http.Cookie {
	t.Helper()
	for _, line := range a.Header.Values("Set-Cookie") {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatal(err)
		}
		if c.Name == name {
			return c
		}
	}
	return nil
}

// 40 right passwords at the same moment, from one address that nobody has logged in from, for 15 accounts and for one.
func TestFortyLoginsAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	var all []string
	for _, role := range core.Roles() {
		for _, division := range servertest.Divisions() {
			all = append(all, servertest.AccountOf(role, division))
		}
	}
	for _, accounts := range [][]string{all, {servertest.Bystander}} {
		answers := make(chan servertest.Answer)
		for i := range 40 {
			go func() { answers <- w.LogIn(accounts[i%len(accounts)], servertest.Password) }()
		}
		for range 40 {
			if a := <-answers; a.Status != http.StatusOK {
				t.Errorf("of %d accounts: %d, Retry-After %q, %s", len(accounts), a.Status, a.Header.Get("Retry-After"), a.Body)
			}
		}
	}
}

// What a stranger is told of a name that there is and of one that there is not, in every state of the counts, before
// and after a restart.
func TestKnownAndUnknownAnswerAlike(t *testing.T) {
	w := newWorld(t, func(o *server.Options) { o.HTTP.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} })
	type said struct {
		status            int
		retry, body, sets string
	}
	compare := func(what, password string, i int) {
		t.Helper()
		var got [2]said
		for j, user := range []string{servertest.Bystander, "nobody"} {
			a := w.LogIn(user, password, "X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i))
			got[j] = said{a.Status, a.Header.Get("Retry-After"), string(a.Body), strings.Join(a.Header.Values("Set-Cookie"), ";")}
		}
		if got[0] != got[1] {
			t.Errorf("%s: %+v for who is known, %+v for who is not", what, got[0], got[1])
		}
	}
	for i := range 8 { // 5 are compared, then both are slowed
		compare(fmt.Sprintf("attempt %d", i), "wrong", i)
	}
	compare("the right password while it is slowed", servertest.Password, 9)
	w.restart()
	compare("after a restart", "wrong", 1)
	w.Clock.Pass(time.Second)
	compare("after the wait", "wrong", 2)
	compare("then", "wrong", 3)
	w.restart()
	compare("after another restart", "wrong", 4)
}

// A browser that has logged in is known by its cookie, and then only its own failures slow it.
func TestFamiliarBrowserOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	first := w.LogIn(servertest.Bystander, servertest.Password)
	c := cookieNamed(t, first, authapi.DeviceCookie)
	if c == nil || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Expires.Sub(w.Clock.Now()) < 399*24*time.Hour {
		t.Fatalf("the browser's cookie: %+v", c)
	}
	for range 30 { // from the same address, which is the browser's own
		w.LogIn(servertest.Bystander, "wrong")
	}
	if a := w.LogIn(servertest.Bystander, servertest.Password); a.Status != http.StatusTooManyRequests {
		t.Fatalf("without the cookie: %d", a.Status)
	}
	for range 2 {
		a := w.LogIn(servertest.Bystander, servertest.Password, "Cookie", authapi.DeviceCookie+"="+c.Value)
		if again := cookieNamed(t, a, authapi.DeviceCookie); a.Status != http.StatusOK || again == nil || again.Value != c.Value {
			t.Errorf("with the cookie: %d, %v", a.Status, again)
		}
		w.restart()
	}
	if a := w.Send("", http.MethodDelete, "/api/v1/session", nil); cookieNamed(t, a, authapi.DeviceCookie) != nil {
		t.Error("logging out takes the browser's name away")
	}
}

func TestChangePasswordOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	const path, better = "/api/v1/me/password", "staple battery horse"
	other := cookieNamed(t, w.LogIn(servertest.R02, servertest.Password), httpx.SessionCookie).Value
	change := func(current, next string) servertest.Answer {
		return w.Send(servertest.R02, http.MethodPost, path, map[string]string{"current_password": current, "new_password": next})
	}
	for name, tt := range map[string]struct{ current, next, field, code string }{
		"wrong":         {"x", better, "current_password", "password-wrong"},
		"short":         {servertest.Password, "short", "new_password", "password-short"},
		"the same":      {servertest.Password, servertest.Password, "new_password", "password-same"},
		"the user name": {servertest.Password, strings.ToUpper(servertest.R02), "new_password", "password-login"},
	} {
		a := change(tt.current, tt.next)
		if p := a.Problem(t); a.Status != http.StatusBadRequest || p.Field != tt.field || p.Code != tt.code {
			t.Errorf("%s: %d %+v", name, a.Status, p)
		}
	}
	if a := change(servertest.Password, better); a.Status != http.StatusNoContent {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if a := w.Send(servertest.R02, http.MethodGet, "/api/v1/me", nil); a.Status != http.StatusOK {
		t.Errorf("this session: %d", a.Status)
	}
	if a := w.Send("", http.MethodGet, "/api/v1/me", nil, "Authorization", "Bearer "+other); a.Status != http.StatusUnauthorized {
		t.Errorf("another session: %d", a.Status)
	}
	if old, now := w.LogIn(servertest.R02, servertest.Password), w.LogIn(servertest.R02, better); old.Status != http.StatusUnauthorized || now.Status != http.StatusOK {
		t.Errorf("with the old password %d, with the new one %d", old.Status, now.Status)
	}
	for range 5 {
		change("wrong", "another long one")
	}
	if a := change(better, "another long one"); a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" || a.Problem(t).Code != "login-slowed" {
		t.Errorf("after five wrong ones: %d %s", a.Status, a.Body)
	}
}

func TestFailedLoginsOverHTTP(t *testing.T) {
	w := newWorld(t, func(o *server.Options) { o.HTTP.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} })
	const path = "/api/v1/failed-logins"
	if a := w.Send(servertest.Admin, http.MethodGet, path, nil); string(a.Body) != "{\"items\":[]}\n" {
		t.Errorf("an empty list: %s", a.Body)
	}
	for i, user := range []string{servertest.R02, servertest.R02, "nobody", "Not A Name"} {
		w.LogIn(user, "wrong", "X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i/2))
	}
	w.Clock.Pass(time.Minute)
	w.LogIn(servertest.R14, "wrong", "X-Forwarded-For", "2001:db8::1")
	list := func(account, query string) (got []string) {
		t.Helper()
		var all httpx.List[auth.FailedLogin]
		w.Send(account, http.MethodGet, path+query, nil).Decode(t, &all)
		for _, f := range all.Items {
			got = append(got, fmt.Sprintf("%s %v %s %d", f.User, f.Known, f.Remote, f.Attempts))
		}
		return got
	}
	of14, nameless, nobody, of02 := servertest.R14+" true 2001:db8::1 1", " false 198.51.100.1 1", "nobody false 198.51.100.1 1", servertest.R02+" true 198.51.100.0 2"
	for _, tt := range []struct {
		account, query string
		want           []string
	}{
		{servertest.Admin, "", []string{of14, nameless, nobody, of02}},
		{servertest.AccountOf(core.RoleAdministrator, "370602"), "", []string{of02}},
		{servertest.Admin, "?account=unknown", []string{nameless, nobody}},
		{servertest.Admin, "?account=known&user=370602", []string{of02}},
		{servertest.Admin, "?remote=198.51.100.1", []string{nameless, nobody}},
		{servertest.Admin, "?reason=locked", nil},
		{servertest.Admin, "?limit=2", []string{of14, nameless}},
	} {
		if got := list(tt.account, tt.query); !slices.Equal(got, tt.want) {
			t.Errorf("%s as %s: %q, want %q", tt.query, tt.account, got, tt.want)
		}
	}
	w.Refuse(t, []servertest.Wrong{
		{Name: "an unknown reason", Account: servertest.Admin, Method: http.MethodGet, Path: path + "?reason=x", Status: 400, Field: "reason"},
		{Name: "neither known nor unknown", Account: servertest.Admin, Method: http.MethodGet, Path: path + "?account=x", Status: 400, Field: "account"},
		{Name: "a number that is none", Account: servertest.Admin, Method: http.MethodGet, Path: path + "?before=9223372036854775808", Status: 400, Field: "before"},
	})
	var accounts httpx.List[auth.Account]
	w.LogIn(servertest.R02, servertest.Password, "X-Forwarded-For", "203.0.113.7")
	w.Send(servertest.Admin, http.MethodGet, "/api/v1/accounts", nil).Decode(t, &accounts)
	i := slices.IndexFunc(accounts.Items, func(a auth.Account) bool { return a.Login == servertest.R02 })
	if a := accounts.Items[i]; a.LastLogin == nil || a.LastLogin.Sub(w.Clock.Now()).Abs() > time.Millisecond || a.LastRemote != "203.0.113.7" {
		t.Errorf("the last login: %+v", a)
	}
}
