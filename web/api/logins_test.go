package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/prometheus/client_golang/prometheus"

	"onemap/auth"
	"onemap/internal/core"
)

// restart puts a new server in front of the same database: it remembers nothing.
func (w *world) restart() {
	w.t.Helper()
	people := auth.NewService(auth.Options{
		Params: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	}, w.db.Auth, w.db.Auth, w.db.Auth, nil, nil, w.clock.now)
	o := w.api.o
	o.Auth, o.Accounts, o.Displays, o.Registerer = people, people, people, prometheus.NewRegistry()
	var err error
	w.people = people
	w.api, err = New(o)
	w.must(err)
	w.http = httptest.NewServer(w.api)
	w.t.Cleanup(w.http.Close)
}

// cookieNamed is a cookie of an answer; nil: it has none of that name.
func cookieNamed(t *testing.T, a answer, name string) *http.Cookie {
	t.Helper()
	for _, line := range a.header.Values("Set-Cookie") {
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
		for _, division := range divisions() {
			all = append(all, accountOf(role, division))
		}
	}
	for _, accounts := range [][]string{all, {bystander}} {
		answers := make(chan answer)
		for i := range 40 {
			go func() { answers <- w.logIn(accounts[i%len(accounts)], password) }()
		}
		for range 40 {
			if a := <-answers; a.status != http.StatusOK {
				t.Errorf("of %d accounts: %d, Retry-After %q, %s", len(accounts), a.status, a.header.Get("Retry-After"), a.body)
			}
		}
	}
}

// What a stranger is told of a name that there is and of one that there is not, in every state of the counts, before
// and after a restart.
func TestKnownAndUnknownAnswerAlike(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} })
	type said struct {
		status            int
		retry, body, sets string
	}
	compare := func(what, password string, i int) {
		t.Helper()
		var got [2]said
		for j, user := range []string{bystander, "nobody"} {
			a := w.logIn(user, password, "X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i))
			got[j] = said{a.status, a.header.Get("Retry-After"), string(a.body), strings.Join(a.header.Values("Set-Cookie"), ";")}
		}
		if got[0] != got[1] {
			t.Errorf("%s: %+v for who is known, %+v for who is not", what, got[0], got[1])
		}
	}
	for i := range 8 { // 5 are compared, then both are slowed
		compare(fmt.Sprintf("attempt %d", i), "wrong", i)
	}
	compare("the right password while it is slowed", password, 9)
	w.restart()
	compare("after a restart", "wrong", 1)
	w.clock.pass(time.Second)
	compare("after the wait", "wrong", 2)
	compare("then", "wrong", 3)
	w.restart()
	compare("after another restart", "wrong", 4)
}

// A browser that has logged in is known by its cookie, and then only its own failures slow it.
func TestFamiliarBrowserOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	first := w.logIn(bystander, password)
	c := cookieNamed(t, first, DeviceCookie)
	if c == nil || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Expires.Sub(w.clock.now()) < 399*24*time.Hour {
		t.Fatalf("the browser's cookie: %+v", c)
	}
	for range 30 { // from the same address, which is the browser's own
		w.logIn(bystander, "wrong")
	}
	if a := w.logIn(bystander, password); a.status != http.StatusTooManyRequests {
		t.Fatalf("without the cookie: %d", a.status)
	}
	for range 2 {
		a := w.logIn(bystander, password, "Cookie", DeviceCookie+"="+c.Value)
		if again := cookieNamed(t, a, DeviceCookie); a.status != http.StatusOK || again == nil || again.Value != c.Value {
			t.Errorf("with the cookie: %d, %v", a.status, again)
		}
		w.restart()
	}
	if a := w.send("", http.MethodDelete, "/api/v1/session", nil); cookieNamed(t, a, DeviceCookie) != nil {
		t.Error("logging out takes the browser's name away")
	}
}

func TestChangePasswordOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	const path, better = "/api/v1/me/password", "staple battery horse"
	other := cookieNamed(t, w.logIn(r02, password), SessionCookie).Value
	change := func(current, next string) answer {
		return w.send(r02, http.MethodPost, path, map[string]string{"current_password": current, "new_password": next})
	}
	for name, tt := range map[string]struct{ current, next, field, code string }{
		"wrong":         {"x", better, "current_password", "password-wrong"},
		"short":         {password, "short", "new_password", "password-short"},
		"the same":      {password, password, "new_password", "password-same"},
		"the user name": {password, strings.ToUpper(r02), "new_password", "password-login"},
	} {
		a := change(tt.current, tt.next)
		if p := a.problem(t); a.status != http.StatusBadRequest || p.Field != tt.field || p.Code != tt.code {
			t.Errorf("%s: %d %+v", name, a.status, p)
		}
	}
	if a := change(password, better); a.status != http.StatusNoContent {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := w.send(r02, http.MethodGet, "/api/v1/me", nil); a.status != http.StatusOK {
		t.Errorf("this session: %d", a.status)
	}
	if a := w.send("", http.MethodGet, "/api/v1/me", nil, "Authorization", "Bearer "+other); a.status != http.StatusUnauthorized {
		t.Errorf("another session: %d", a.status)
	}
	if old, now := w.logIn(r02, password), w.logIn(r02, better); old.status != http.StatusUnauthorized || now.status != http.StatusOK {
		t.Errorf("with the old password %d, with the new one %d", old.status, now.status)
	}
	for range 5 {
		change("wrong", "another long one")
	}
	if a := change(better, "another long one"); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" || a.problem(t).Code != "login-slowed" {
		t.Errorf("after five wrong ones: %d %s", a.status, a.body)
	}
}

func TestFailedLoginsOverHTTP(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} })
	const path = "/api/v1/failed-logins"
	if a := w.send(admin, http.MethodGet, path, nil); string(a.body) != "{\"items\":[]}\n" {
		t.Errorf("an empty list: %s", a.body)
	}
	for i, user := range []string{r02, r02, "nobody", "Not A Name"} {
		w.logIn(user, "wrong", "X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i/2))
	}
	w.clock.pass(time.Minute)
	w.logIn(r14, "wrong", "X-Forwarded-For", "2001:db8::1")
	list := func(account, query string) (got []string) {
		t.Helper()
		var all List[auth.FailedLogin]
		w.send(account, http.MethodGet, path+query, nil).decode(t, &all)
		for _, f := range all.Items {
			got = append(got, fmt.Sprintf("%s %v %s %d", f.User, f.Known, f.Remote, f.Attempts))
		}
		return got
	}
	of14, nameless, nobody, of02 := r14+" true 2001:db8::1 1", " false 198.51.100.1 1", "nobody false 198.51.100.1 1", r02+" true 198.51.100.0 2"
	for _, tt := range []struct {
		account, query string
		want           []string
	}{
		{admin, "", []string{of14, nameless, nobody, of02}},
		{accountOf(core.RoleAdministrator, "370602"), "", []string{of02}},
		{admin, "?account=unknown", []string{nameless, nobody}},
		{admin, "?account=known&user=370602", []string{of02}},
		{admin, "?remote=198.51.100.1", []string{nameless, nobody}},
		{admin, "?reason=locked", nil},
		{admin, "?limit=2", []string{of14, nameless}},
	} {
		if got := list(tt.account, tt.query); !slices.Equal(got, tt.want) {
			t.Errorf("%s as %s: %q, want %q", tt.query, tt.account, got, tt.want)
		}
	}
	w.refuse(t, []wrong{
		{"an unknown reason", admin, http.MethodGet, path + "?reason=x", nil, nil, 400, "reason"},
		{"neither known nor unknown", admin, http.MethodGet, path + "?account=x", nil, nil, 400, "account"},
		{"a number that is none", admin, http.MethodGet, path + "?before=9223372036854775808", nil, nil, 400, "before"},
	})
	var accounts List[auth.Account]
	w.logIn(r02, password, "X-Forwarded-For", "203.0.113.7")
	w.send(admin, http.MethodGet, "/api/v1/accounts", nil).decode(t, &accounts)
	i := slices.IndexFunc(accounts.Items, func(a auth.Account) bool { return a.Login == r02 })
	if a := accounts.Items[i]; a.LastLogin == nil || a.LastLogin.Sub(w.clock.now()).Abs() > time.Millisecond || a.LastRemote != "203.0.113.7" {
		t.Errorf("the last login: %+v", a)
	}
}
