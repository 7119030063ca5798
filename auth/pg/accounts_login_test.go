package authpg_test

import (
	"fmt"
	"math"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/google/go-cmp/cmp"

	"onemap/auth"
	authpg "onemap/auth/pg"
	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/pg"
)

func key(n byte) auth.LoginKey { return auth.LoginKey{n} }

// failLogin counts a failure under the keys, of which one is forgotten a minute, to at most 10.
func failLogin(t testing.TB, db *stores.Stores, at time.Time, keys ...auth.LoginKey) []auth.Failures {
	t.Helper()
	a := auth.FailedAttempt{User: "x.y", Remote: "192.0.2.1", Reason: auth.FailurePassword, At: at}
	for _, k := range keys {
		a.Counts = append(a.Counts, auth.FailureCount{Key: k, Account: key(99), Forget: time.Minute, Highest: 10})
	}
	counts, err := db.Auth.LoginFailed(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

func TestFailuresAreCountedAndForgotten(t *testing.T) {
	db := storetest.NewCity(t, 0)
	at := storetest.Noon()
	for _, step := range []struct {
		after time.Duration
		want  float64
	}{
		{0, 1}, {0, 2}, {time.Minute, 2}, {30 * time.Second, 2.5}, {time.Hour, 1}, {-time.Hour, 2}, {time.Minute, 2},
	} {
		at = at.Add(step.after)
		got := failLogin(t, db, at, key(1))
		if len(got) != 1 || math.Abs(got[0].Count-step.want) > 1e-6 || !got[0].At.Equal(at) {
			t.Errorf("%v later: %+v, want %v", step.after, got, step.want)
		}
	}
	// one that is noted a moment later than a later one does not set the time back
	if got := failLogin(t, db, at.Add(-auth.NoteSlack), key(1)); math.Abs(got[0].Count-3) > 1e-6 || !got[0].At.Equal(at) {
		t.Errorf("noted late: %+v", got)
	}
	var all sync.WaitGroup
	for i := range 40 { // in every order of the keys
		all.Go(func() { failLogin(t, db, at, key(byte(2+i%3)), key(byte(2+(i+1)%3)), key(byte(2+(i+2)%3))) })
	}
	all.Wait()
	facts, err := db.Auth.LoginFacts(t.Context(), auth.LoginQuery{Keys: []auth.LoginKey{key(1), key(2), key(3), key(9)}})
	if err != nil || len(facts.Failures) != 3 || facts.Failures[key(2)].Count != 10 || facts.Known {
		t.Errorf("%+v, %v; want 10 at most under the second key", facts, err)
	}
	for i, k := range []auth.LoginKey{key(2), key(99)} { // one, then all of the account
		if err := db.Auth.ForgetFailures(t.Context(), k); err != nil {
			t.Fatal(err)
		}
		if facts, err = db.Auth.LoginFacts(t.Context(), auth.LoginQuery{Keys: []auth.LoginKey{key(2), key(3)}}); err != nil || len(facts.Failures) != 1-i {
			t.Errorf("after forgetting %v: %+v, %v", k, facts.Failures, err)
		}
	}
}

func TestCallersBecomeFamiliar(t *testing.T) {
	db := storetest.NewCity(t, 0)
	a := storetest.NewAccount(t, db, "r370602", core.RoleResponder, "370602")
	b := storetest.NewAccount(t, db, "r370614", core.RoleResponder, "370614")
	device, address := key(1), key(2)
	failLogin(t, db, storetest.Noon(), key(7), key(8))
	if err := db.Auth.LoginSucceeded(t.Context(), auth.Success{
		AccountID: a.ID, Remote: "192.0.2.1", At: storetest.Noon(), Callers: []auth.LoginKey{device, address}, Caller: key(7),
	}); err != nil {
		t.Fatal(err)
	}
	type facts struct{ known, device, address, any bool }
	for name, tt := range map[string]struct {
		q    auth.LoginQuery
		want facts
	}{
		"both":            {auth.LoginQuery{Login: "r370602", Device: device, Address: address}, facts{true, true, true, true}},
		"elsewhere":       {auth.LoginQuery{Login: "r370602", Device: device, Address: key(3)}, facts{true, true, false, true}},
		"another browser": {auth.LoginQuery{Login: "r370602", Device: key(3), Address: address}, facts{true, false, true, false}},
		"another account": {auth.LoginQuery{Login: "r370614", Device: device, Address: address}, facts{true, false, false, true}},
		"nobody":          {auth.LoginQuery{Login: "nobody", Device: device, Address: address}, facts{false, false, false, true}},
		"long ago":        {auth.LoginQuery{Login: "r370602", Device: device, Address: address, Since: storetest.Noon()}, facts{true, false, false, false}},
	} {
		f, err := db.Auth.LoginFacts(t.Context(), tt.q)
		got := facts{f.Known, f.FamiliarDevice, f.FamiliarAddress, f.KnownDevice}
		if err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, tt.want)
		}
	}
	f, err := db.Auth.LoginFacts(t.Context(), auth.LoginQuery{Login: "r370602", Keys: []auth.LoginKey{key(7), key(8)}})
	if err != nil || len(f.Failures) != 1 || f.Failures[key(8)].Count != 1 {
		t.Errorf("a success forgot %+v, %v; want the caller's failures gone and the others' there", f.Failures, err)
	}
	if c := f.Credentials; c.LastLogin == nil || !c.LastLogin.Equal(storetest.Noon()) || c.LastRemote != "192.0.2.1" || c.PasswordHash != "hash" {
		t.Errorf("credentials: %+v", c)
	}
	for i := range 120 {
		if err := db.Auth.LoginSucceeded(t.Context(), auth.Success{AccountID: b.ID, At: storetest.Noon().Add(time.Duration(i) * time.Second), Callers: []auth.LoginKey{{1, byte(i)}}}); err != nil {
			t.Fatal(err)
		}
	}
	familiar := 0
	for i := range 120 {
		f, err := db.Auth.LoginFacts(t.Context(), auth.LoginQuery{Login: "r370614", Device: auth.LoginKey{1, byte(i)}})
		if err != nil {
			t.Fatal(err)
		}
		if f.FamiliarDevice {
			familiar++
		}
	}
	if familiar != 100 {
		t.Errorf("%d callers of an account are familiar, want the latest 100", familiar)
	}
}

// A flood of failed logins is some rows a minute, and none of its attempts is lost from the count.
func TestListOfFailedLoginsIsBounded(t *testing.T) {
	db := storetest.NewCity(t, 0)
	acc := storetest.NewAccount(t, db, "r370602", core.RoleResponder, "370602")
	fail := func(user string, account int64, remote string, reason auth.FailureReason, at time.Time) {
		t.Helper()
		if _, err := db.Auth.LoginFailed(t.Context(), auth.FailedAttempt{User: user, AccountID: account, Remote: remote, Reason: reason, At: at}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 300 {
		fail(fmt.Sprintf("name%d", i%100), 0, "192.0.2.1", auth.FailurePassword, storetest.Noon().Add(time.Second))
	}
	for range 7 {
		fail("r370602", acc.ID, "192.0.2.1", auth.FailurePassword, storetest.Noon().Add(2*time.Second))
	}
	fail("r370602", acc.ID, "192.0.2.1", auth.FailureLocked, storetest.Noon().Add(3*time.Second))
	fail("r370602", acc.ID, "192.0.2.1", auth.FailurePassword, storetest.Noon().Add(time.Minute))

	list := func(f auth.FailedLoginFilter) []auth.FailedLogin {
		t.Helper()
		f.Scope = core.Scope{Division: "3706", Role: core.RoleAdministrator}
		all, err := db.Auth.FailedLogins(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	yes, no := true, false
	var total int64
	unknown := list(auth.FailedLoginFilter{Known: &no})
	for _, l := range unknown {
		total += l.Attempts
	}
	if len(unknown) != 21 || total != 300 {
		t.Errorf("%d rows count %d attempts, want 21 of 300", len(unknown), total)
	}
	if rest := list(auth.FailedLoginFilter{Reason: auth.FailureRest}); len(rest) != 1 || rest[0].User != "" || rest[0].Attempts != 240 {
		t.Errorf("the rest: %+v", rest)
	}
	known := list(auth.FailedLoginFilter{Known: &yes})
	if len(known) != 3 || known[0].At != storetest.Noon().Add(time.Minute) || known[2].Attempts != 7 || known[2].Division != "370602" || !known[2].Known {
		t.Errorf("of the account: %+v", known)
	}
	if page := list(auth.FailedLoginFilter{Page: core.Page{Limit: 2, Before: known[0].ID}}); len(page) != 2 || page[0].ID != known[1].ID {
		t.Errorf("a page: %+v", page)
	}
	for name, f := range map[string]auth.FailedLoginFilter{
		"user": {User: "0602"}, "upper case": {User: "R3706"}, "remote": {Remote: "192.0", User: "r37"}, "reason": {Reason: auth.FailurePassword, User: "r3"},
	} {
		if got := list(f); len(got) < 2 || got[0].User != "r370602" {
			t.Errorf("by %s: %+v", name, got)
		}
	}
	if got := list(auth.FailedLoginFilter{User: "%"}); len(got) != 0 {
		t.Errorf("a percent sign matches %+v", got)
	}
	county, err := db.Auth.FailedLogins(t.Context(), auth.FailedLoginFilter{Scope: core.Scope{Division: "370602"}})
	if err != nil || len(county) != 3 {
		t.Errorf("the county sees %+v, %v; want its account's", county, err)
	}
	other, err := db.Auth.FailedLogins(t.Context(), auth.FailedLoginFilter{Scope: core.Scope{Division: "370614"}})
	if err != nil || len(other) != 0 {
		t.Errorf("another county sees %+v, %v", other, err)
	}
}

func TestChangePasswordEndsOtherSessions(t *testing.T) {
	db := storetest.NewCity(t, 0)
	acc := storetest.NewAccount(t, db, "r370602", core.RoleResponder, "370602")
	mine, other := storetest.NewSession(t, db, acc.ID, "mine"), storetest.NewSession(t, db, acc.ID, "other")
	change := auth.PasswordHashChange{AccountID: acc.ID, Keep: mine, Was: "hash", Becomes: "new", Actor: "r370602"}
	if err := db.Auth.ChangePassword(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	if got := revocations(t, db); !cmp.Equal(got, []int64{other}) {
		t.Errorf("events of %v, want %v", got, []int64{other})
	}
	if c, err := db.Auth.CredentialsByLogin(t.Context(), "r370602"); err != nil || c.PasswordHash != "new" || c.Version != acc.Version+1 {
		t.Errorf("%+v, %v", c, err)
	}
	if err := db.Auth.ChangePassword(t.Context(), change); !fault.Is(err, fault.Conflict) {
		t.Errorf("from a hash that is no longer: %v", err)
	}
}

func TestFailedLoginsArePruned(t *testing.T) {
	clock := storetest.Noon()
	db, err := stores.Open(t.Context(), stores.Options{URL: storetest.NewURL(t), MaxConns: 4, Clock: func() time.Time { return clock }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	acc := storetest.NewAccount(t, db, "r370602", core.RoleResponder, "370602")
	failLogin(t, db, storetest.Noon(), key(1))
	failLogin(t, db, storetest.Noon().Add(48*time.Hour), key(2)) // a clock that was ahead
	if err := db.Auth.LoginSucceeded(t.Context(), auth.Success{AccountID: acc.ID, At: storetest.Noon(), Callers: []auth.LoginKey{key(5)}}); err != nil {
		t.Fatal(err)
	}
	r, err := db.Prune(t.Context(), stores.PrunePolicy{})
	if err != nil || r.Logins != 1 {
		t.Errorf("at once: %d rows, %v; want the count from the future", r.Logins, err)
	}
	failLogin(t, db, storetest.Noon().Add(time.Minute), key(1))
	if r, err = db.Prune(t.Context(), stores.PrunePolicy{Logins: authpg.LoginsPolicy{FailedRows: 1}}); err != nil || r.Logins != 2 {
		t.Errorf("of three rows of the list one is kept: %d went, %v", r.Logins, err)
	}
	clock = storetest.Noon().Add(365 * 24 * time.Hour)
	if r, err = db.Prune(t.Context(), stores.PrunePolicy{}); err != nil || r.Logins != 3 {
		t.Errorf("a year later %d rows, %v; want a count, a caller and a failure", r.Logins, err)
	}
}

// Who was logged in before the upgrade is familiar at that address after it, and the list of accounts knows the login.
func TestMigrationKnowsWhereSessionsCameFrom(t *testing.T) {
	url := storetest.NewEmptyURL(t)
	conn := storetest.Connect(t, url)
	storetest.MigrateTo(t, conn, 16)
	params := &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	hash, err := argon2id.CreateHash("correct horse battery", params)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `
		with a as (insert into account (login, name, role, division_code, password_hash) values ('admin', 'A', 'administrator', '3706', $1) returning id)
		insert into session (token_sha256, account_id, expires_at, remote)
		select decode(md5(remote), 'hex'), a.id, now(), remote from a, unnest(array['192.0.2.1', '2001:db8::1', 'invalid IP']) remote`, hash); err != nil {
		t.Fatal(err)
	}
	if err := pg.Migrate(t.Context(), url, nil); err != nil {
		t.Fatal(err)
	}
	db, err := stores.Open(t.Context(), stores.Options{URL: url, MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	now := time.Now()
	people := auth.NewService(auth.Options{Params: params}, db.Auth, db.Auth, db.Auth, nil, nil, func() time.Time { return now })
	login := func(password, remote string) error {
		_, _, err := people.Login(t.Context(), auth.Login{User: "admin", Password: password, Remote: netip.MustParseAddr(remote)})
		return err
	}
	for i := range 10 {
		_ = login("wrong", fmt.Sprintf("198.51.100.%d", i))
	}
	if err := login("correct horse battery", "192.0.2.2"); !fault.Is(err, fault.TooMany) {
		t.Errorf("a stranger: %v", err)
	}
	if err := login("correct horse battery", "192.0.2.1"); err != nil {
		t.Errorf("where a session came from: %v", err)
	}
}
