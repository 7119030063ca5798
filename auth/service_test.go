package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"onemap/internal/core"
	"onemap/internal/errs"
)

func login(v *Service, user, password, remote string) (string, Principal, error) {
	return v.Login(context.Background(), Login{User: user, Password: password, Remote: netip.MustParseAddr(remote), Agent: "test"})
}

func TestLoginAndAuthenticate(t *testing.T) {
	v, m, c := newService(t, Options{})
	token, p, err := login(v, "r370602", secret, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	if p.Role != core.RoleResponder || p.Division != "370602" || !p.Expires.Equal(c.t.Add(12*time.Hour)) {
		t.Errorf("principal %+v", p)
	}
	if len(token) != tokenLength {
		t.Errorf("a token of %d characters, want %d: 256 bits", len(token), tokenLength)
	}
	if sum := sha256.Sum256([]byte(token)); !bytes.Equal(m.tokens[0], sum[:]) {
		t.Error("the store must get the token's SHA-256")
	}
	got, err := v.Authenticate(t.Context(), token)
	if err != nil || got != p {
		t.Errorf("Authenticate: %+v, %v; want %+v", got, err, p)
	}
	for _, bad := range []string{"", "x", strings.Repeat("A", tokenLength), token + "A", strings.Repeat("\x00", tokenLength)} {
		if _, err := v.Authenticate(t.Context(), bad); !errs.Is(err, errs.Unauthenticated) {
			t.Errorf("Authenticate(%q) = %v", bad, err)
		}
	}
}

func TestTokensDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		token := newToken()
		if seen[token] {
			t.Fatal("a token came twice")
		}
		seen[token] = true
	}
}

func TestLoginRefusesAlike(t *testing.T) {
	v, _, _ := newService(t, Options{})
	_, err := v.UpdateAccount(t.Context(), admin("3706"), "r370602", AccountChange{Disabled: new(true)}, 1)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for _, l := range []Login{
		{User: "commander", Password: "wrong"}, {User: "nobody", Password: secret}, {User: "r370602", Password: secret},
		{User: "", Password: ""}, {User: "commander", Password: ""}, {User: strings.Repeat("a", 100), Password: secret},
		{User: "commander", Password: strings.Repeat("a", 100_000)}, {User: "a'; drop table account; --", Password: secret},
	} {
		_, _, err := v.Login(t.Context(), l)
		if !errs.Is(err, errs.Unauthenticated) {
			t.Errorf("Login(%.20q) = %v, want unauthenticated", l.User, err)
			continue
		}
		said[err.Error()] = true
	}
	if len(said) != 1 {
		t.Errorf("the refusals tell accounts apart: %v", said)
	}
}

func TestUnknownUsersCostAHash(t *testing.T) {
	v, _, _ := newService(t, Options{})
	// With both places taken, an attempt on an unknown user must wait as one on a known user does.
	for range cap(v.hashers) {
		v.hashers <- struct{}{}
	}
	for _, user := range []string{"nobody", "commander"} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := v.Login(ctx, Login{User: user, Password: secret}); !errs.Is(err, errs.Unavailable) {
			t.Errorf("%s: %v, want unavailable while no hash can be computed", user, err)
		}
	}
	if n := len(v.waiting); n != 0 {
		t.Errorf("%d places are still taken", n)
	}
}

func TestOnlySoManyWait(t *testing.T) {
	v, _, _ := newService(t, Options{Waiting: 2})
	v.waiting <- struct{}{}
	v.waiting <- struct{}{}
	_, _, err := login(v, "commander", secret, "192.0.2.1")
	e, ok := errors.AsType[*errs.Error](err)
	if !ok || e.Kind != errs.TooMany || e.RetryAfter <= 0 {
		t.Fatalf("%v, want too many with a time to wait", err)
	}
	<-v.waiting
	if _, _, err := login(v, "commander", secret, "192.0.2.1"); err != nil {
		t.Errorf("being turned away counted as a failure: %v", err)
	}
}

func TestBruteForceOnAnAccountIsSlowed(t *testing.T) {
	v, m, c := newService(t, Options{})
	for _, user := range []string{"commander", "nobody"} {
		wait := guessUntilSlowed(t, v, user)
		if wait != time.Second {
			t.Errorf("%s: the first wait is %v, want 1 s", user, wait)
		}
		// The right password is slowed, too, or the wait would tell nothing apart but cost nothing.
		if _, _, err := login(v, user, secret, "192.0.2.200"); !errs.Is(err, errs.TooMany) {
			t.Errorf("%s: the right password passed during the wait: %v", user, err)
		}
		last := wait
		for range 8 {
			c.pass(last)
			if _, _, err := login(v, user, "wrong", "192.0.2.201"); !errs.Is(err, errs.Unauthenticated) {
				t.Fatalf("%s: after the wait: %v", user, err)
			}
			next := waitOf(t, v, user)
			if next != min(2*last, 30*time.Second) {
				t.Errorf("%s: after %v the wait is %v", user, last, next)
			}
			last = next
		}
	}
	if n := m.accounts[0].FailedLogins; n != 13 {
		t.Errorf("the store has %d failures, want the 13 that were compared", n)
	}
	c.pass(time.Minute)
	if _, _, err := login(v, "commander", secret, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := login(v, "commander", "wrong", "192.0.2.1"); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("success did not clear the failures: %v", err)
	}
}

// guessUntilSlowed guesses five times from different addresses and gives the wait of the sixth.
func guessUntilSlowed(t *testing.T, v *Service, user string) time.Duration {
	t.Helper()
	for i := range 5 {
		remote := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}).String()
		if _, _, err := login(v, user, "wrong", remote); !errs.Is(err, errs.Unauthenticated) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	return waitOf(t, v, user)
}

func waitOf(t *testing.T, v *Service, user string) time.Duration {
	t.Helper()
	_, _, err := login(v, user, "wrong", "192.0.2.250")
	e, ok := errors.AsType[*errs.Error](err)
	if !ok || e.Kind != errs.TooMany {
		t.Fatalf("%s: %v, want too many", user, err)
	}
	return e.RetryAfter
}

func TestBruteForceFromAnAddressIsSlowed(t *testing.T) {
	v, _, c := newService(t, Options{})
	const remote = "2001:db8::1"
	guess := func(i int) error {
		// Each guess from another address of the same /64, at another name.
		_, _, err := login(v, "user"+string(rune('a'+i)), "wrong", "2001:db8::"+string(rune('1'+i%9)))
		return err
	}
	for i := range 20 {
		if err := guess(i); !errs.Is(err, errs.Unauthenticated) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	if err := guess(20); !errs.Is(err, errs.TooMany) {
		t.Fatalf("the 21st guess: %v", err)
	}
	if _, _, err := login(v, "commander", secret, "2001:db8:0:1::1"); err != nil {
		t.Errorf("another network is slowed, too: %v", err)
	}
	c.pass(time.Second)
	if _, _, err := login(v, "commander", secret, remote); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

// A refusal for the address must not count against the account: else one address could lock anybody out.
func TestSlowedAddressDoesNotHurtAccounts(t *testing.T) {
	v, _, _ := newService(t, Options{RemoteFailures: 2})
	for range 50 {
		_, _, _ = login(v, "commander", "wrong", "192.0.2.66")
	}
	if _, _, err := login(v, "commander", secret, "192.0.2.1"); err != nil {
		t.Errorf("from elsewhere: %v", err)
	}
}

func TestFailuresOfOtherNodesCount(t *testing.T) {
	v, m, c := newService(t, Options{})
	at := c.t
	m.accounts[0].FailedLogins, m.accounts[0].FailedAt = 7, &at
	_, _, err := login(v, "commander", secret, "192.0.2.1")
	e, ok := errors.AsType[*errs.Error](err)
	if !ok || e.Kind != errs.TooMany || e.RetryAfter != 4*time.Second {
		t.Fatalf("%v, want a wait of 4 s after 7 failures", err)
	}
	c.pass(4 * time.Second)
	if _, _, err := login(v, "commander", secret, "192.0.2.1"); err != nil {
		t.Error(err)
	}
}

func TestParallelGuessesAreCountedBeforeTheyAreCompared(t *testing.T) {
	v, _, _ := newService(t, Options{})
	outcomes := make(chan error)
	const guesses = 40
	for range guesses {
		go func() {
			_, _, err := login(v, "commander", "wrong", "192.0.2.1")
			outcomes <- err
		}()
	}
	compared := 0
	for range guesses {
		if err := <-outcomes; errs.Is(err, errs.Unauthenticated) {
			compared++
		}
	}
	if compared > 5 {
		t.Errorf("%d of %d parallel guesses were compared, want at most 5", compared, guesses)
	}
}

func TestStoreAwayIsNoFailure(t *testing.T) {
	v, m, _ := newService(t, Options{})
	m.away = true
	for range 30 {
		if _, _, err := login(v, "commander", secret, "192.0.2.1"); !errs.Is(err, errs.Unavailable) {
			t.Fatalf("%v, want unavailable", err)
		}
	}
	m.away = false
	if _, _, err := login(v, "commander", secret, "192.0.2.1"); err != nil {
		t.Errorf("the database's absence was counted against the person: %v", err)
	}
}

func TestThrottleForgets(t *testing.T) {
	th := newThrottle(1, time.Second, time.Hour)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 3 {
		_ = th.begin("a", now)
	}
	if err := th.begin("a", now.Add(forgetAfter+time.Second)); err != nil {
		t.Error("failures of more than an hour ago still count")
	}
	for i := range maxKeys + 10 {
		_ = th.begin(string(rune('b'))+time.Duration(i).String(), now.Add(time.Duration(i)*time.Millisecond))
	}
	if len(th.seen) > maxKeys {
		t.Errorf("the throttle remembers %d keys", len(th.seen))
	}
}

// Another node's clock may be ahead: its failures must not make anybody wait longer than the delay.
func TestFailuresInTheFutureWaitNoLonger(t *testing.T) {
	th := newThrottle(5, time.Second, time.Minute)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ahead := now.Add(10 * time.Minute)
	if err := th.check(4, &ahead, now); err != nil {
		t.Errorf("four failures are free: %v", err)
	}
	if e, ok := errors.AsType[*errs.Error](th.check(5, &ahead, now)); !ok || e.RetryAfter != time.Second {
		t.Errorf("%v, want a wait of 1 s", e)
	}
}

// A stranger who guesses all the time must not keep the owner out, who comes from where it always comes from.
func TestOwnerGetsInWhileStrangersGuess(t *testing.T) {
	v, m, c := newService(t, Options{})
	const desk = "192.0.2.10"
	if _, _, err := login(v, "commander", secret, desk); err != nil {
		t.Fatal(err)
	}
	guessUntilSlowed(t, v, "commander")
	if _, _, err := login(v, "commander", secret, "192.0.2.99"); !errs.Is(err, errs.TooMany) {
		t.Errorf("a stranger with the right password: %v", err)
	}
	if _, _, err := login(v, "commander", secret, desk); err != nil {
		t.Errorf("the owner: %v", err)
	}
	// Another node has counted the failures: this one has no memory of them.
	fresh := NewService(Options{Params: quick()}, m, m, m, nil, nil, c.now)
	at := c.t
	m.accounts[0].FailedLogins, m.accounts[0].FailedAt = 50, &at
	if _, _, err := login(fresh, "commander", secret, "192.0.2.99"); !errs.Is(err, errs.TooMany) {
		t.Errorf("a stranger on another node: %v", err)
	}
	if _, _, err := login(fresh, "commander", secret, desk); err != nil {
		t.Errorf("the owner on another node: %v", err)
	}
	// From the familiar address, too, guessing is slowed.
	guesses := 0
	for range 50 {
		if _, _, err := login(v, "commander", "wrong", desk); errs.Is(err, errs.Unauthenticated) {
			guesses++
		}
	}
	if guesses > 10 {
		t.Errorf("%d guesses from the familiar address", guesses)
	}
}
