package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// stranger is an address that nobody has logged in from, another one for each i.
func stranger(i int) string { return netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}).String() }

// guess fails n logins, each from another address, waiting as long as it must.
func guess(t *testing.T, v *Service, c *clock, user string, n int) {
	t.Helper()
	for i := range n {
		_, _, err := login(v, user, "wrong", stranger(1000+i))
		for waitIn(err) > 0 {
			c.pass(waitIn(err))
			_, _, err = login(v, user, "wrong", stranger(1000+i))
		}
		if !fault.Is(err, fault.Unauthenticated) {
			t.Fatalf("%s, guess %d: %v", user, i, err)
		}
	}
}

// waitIn is how long the error says to wait, 0 when it does not.
func waitIn(err error) time.Duration {
	if e, ok := errors.AsType[*fault.Error](err); ok && e.Kind == fault.TooMany {
		return e.RetryAfter
	}
	return 0
}

// Known and unknown names are slowed alike: the same waits after the same failures, also after a restart and on
// another node, which know only what the store has.
func TestKnownAndUnknownAreSlowedAlike(t *testing.T) {
	v, m, c := newService(t, Options{})
	type answer struct {
		kind fault.Kind
		said string
		wait time.Duration
	}
	ask := func(v *Service, user, password, remote string) answer {
		_, _, err := login(v, user, password, remote)
		return answer{fault.KindOf(err), err.Error(), waitIn(err)}
	}
	for i := range 60 {
		var got [2]answer
		if i%20 == 19 {
			v = NewService(Options{Params: quick()}, m, m, m, nil, nil, c.now) // a restart
		}
		for j, user := range []string{"commander", "nobody"} {
			got[j] = ask(v, user, "wrong", stranger(i%7))
		}
		if got[0] != got[1] {
			t.Fatalf("attempt %d: %v for who is known, %v for who is not", i, got[0], got[1])
		}
		c.pass(time.Duration(i) * 100 * time.Millisecond)
	}
}

func TestUnknownUsersCostAHash(t *testing.T) {
	v, _, _ := newService(t, Options{Patience: time.Millisecond})
	// With every turn taken, an attempt on an unknown user must wait as one on a known user does.
	for range v.o.Hashers {
		if err := v.hashers.enter(t.Context(), "x", false); err != nil {
			t.Fatal(err)
		}
	}
	for _, user := range []string{"nobody", "commander", "No Such Name", "display: x"} {
		_, _, err := login(v, user, secret, "192.0.2.1")
		if e, ok := errors.AsType[*fault.Error](err); !ok || e.Message.Code != CodeLoginBusy.Name() || e.RetryAfter <= 0 {
			t.Errorf("%s: %v, want to be told to come back", user, err)
		}
	}
	for range v.o.Hashers {
		v.hashers.leave()
	}
	if _, _, err := login(v, "commander", secret, "192.0.2.1"); err != nil {
		t.Errorf("not having been compared counted: %v", err)
	}
}

// A request that ends while it waits counts nothing and holds nothing up.
func TestEndOfARequestThatWaits(t *testing.T) {
	v, _, _ := newService(t, Options{})
	for range v.o.Hashers {
		if err := v.hashers.enter(t.Context(), "x", false); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := v.Login(ctx, Login{User: "commander", Password: "wrong"}); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("%v, want unavailable", err)
		}
	}
	for range v.o.Hashers {
		v.hashers.leave()
	}
	if _, _, err := login(v, "commander", secret, "192.0.2.1"); err != nil {
		t.Error(err)
	}
}

// Attempts under way are no failures: right passwords that arrive at the same moment are all let in.
func TestFortyAtOnce(t *testing.T) {
	for _, users := range [][]string{{"commander"}, {"commander", "r370602"}} {
		v, _, _ := newService(t, Options{})
		outcomes := make(chan error)
		for i := range 40 {
			go func() {
				_, _, err := login(v, users[i%len(users)], secret, "192.0.2.1")
				outcomes <- err
			}()
		}
		for range 40 {
			if err := <-outcomes; err != nil {
				t.Errorf("of %v: %v", users, err)
			}
		}
	}
}

// A burst of guesses is slowed as a row of them is.
func TestParallelGuessesAreSlowed(t *testing.T) {
	for name, remote := range map[string]func(int) string{
		"of one address": func(int) string { return "192.0.2.1" },
		"of many":        stranger,
	} {
		v, m, _ := newService(t, Options{})
		outcomes := make(chan error)
		const guesses = 60
		for i := range guesses {
			go func() {
				_, _, err := login(v, "commander", "wrong", remote(i))
				outcomes <- err
			}()
		}
		compared := 0
		for range guesses {
			if err := <-outcomes; fault.Is(err, fault.Unauthenticated) {
				compared++
			}
		}
		if compared != 5 || len(m.listed) != guesses {
			t.Errorf("%s: %d of %d parallel guesses were compared, want 5; %d are listed", name, compared, guesses, len(m.listed))
		}
	}
}

func TestWaitsOfAnAccount(t *testing.T) {
	v, _, c := newService(t, Options{})
	guess(t, v, c, "commander", 5)
	want := time.Second
	for i := range 8 {
		_, _, err := login(v, "commander", secret, stranger(i))
		if waitIn(err) != want {
			t.Fatalf("after %d failures: %v, want a wait of %v whatever the password", 5+i, err, want)
		}
		c.pass(want)
		if _, _, err := login(v, "commander", "wrong", stranger(i)); !fault.Is(err, fault.Unauthenticated) {
			t.Fatalf("after the wait: %v", err)
		}
		want = min(2*want, 30*time.Second)
	}
	// They are forgotten one by one, not with the first success.
	c.pass(time.Minute)
	if _, _, err := login(v, "commander", secret, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := login(v, "commander", "wrong", stranger(50)); !fault.Is(err, fault.Unauthenticated) {
		t.Fatal(err)
	}
	if _, _, err := login(v, "commander", "wrong", stranger(51)); waitIn(err) != 30*time.Second {
		t.Errorf("a success of the owner gave the strangers new guesses: %v", err)
	}
	c.pass(90 * time.Minute)
	for i := range 4 {
		if _, _, err := login(v, "commander", "wrong", stranger(60+i)); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("an hour and a half later: %v", err)
		}
	}
}

// A success neither begins a wait anew nor counts.
func TestSuccessesDoNotCount(t *testing.T) {
	v, _, _ := newService(t, Options{RemoteFailures: 3})
	for i := range 50 {
		if _, _, err := login(v, "commander", secret, "192.0.2.1"); err != nil {
			t.Fatalf("login %d: %v", i, err)
		}
	}
	for range 3 {
		if _, _, err := login(v, "nobody", "wrong", "192.0.2.1"); !fault.Is(err, fault.Unauthenticated) {
			t.Fatal(err)
		}
	}
	if _, _, err := login(v, "nobody", "wrong", "192.0.2.1"); waitIn(err) != time.Second {
		t.Fatal(err)
	}
	if _, _, err := login(v, "commander", secret, "192.0.2.1"); err != nil {
		t.Fatalf("a familiar caller at a slowed address: %v", err)
	}
	if _, _, err := login(v, "nobody", "wrong", "192.0.2.1"); waitIn(err) != time.Second {
		t.Errorf("somebody's success changed the wait of the others there: %v", err)
	}
}

func TestFailuresOfAnAddress(t *testing.T) {
	v, _, c := newService(t, Options{})
	try := func(i int) error {
		// Each guess from another address of the same /64, at another name.
		_, _, err := login(v, fmt.Sprintf("user%d", i), "wrong", fmt.Sprintf("2001:db8::%x", i+1))
		return err
	}
	for i := range 200 {
		if err := try(i); !fault.Is(err, fault.Unauthenticated) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	if err := try(200); waitIn(err) != time.Second {
		t.Fatalf("the 201st guess: %v", err)
	}
	if _, _, err := login(v, "commander", secret, "2001:db8:0:1::1"); err != nil {
		t.Errorf("another network is slowed, too: %v", err)
	}
	c.pass(time.Second)
	if _, _, err := login(v, "commander", secret, "2001:db8::ffff"); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

// A browser or an address that the account has logged in from is judged by its own failures alone.
func TestFamiliarCallers(t *testing.T) {
	const desk = "192.0.2.10"
	v, m, c := newService(t, Options{RemoteFailures: 12})
	first, _, err := v.Login(t.Context(), Login{User: "commander", Password: secret, Remote: netip.MustParseAddr(desk)})
	if err != nil || len(first.Device) != tokenLength {
		t.Fatalf("device %q, %v", first.Device, err)
	}
	from := func(v *Service, remote, device, password string) (Tokens, error) {
		tokens, _, err := v.Login(t.Context(), Login{User: "commander", Password: password, Remote: netip.MustParseAddr(remote), Device: device})
		return tokens, err
	}
	guess(t, v, c, "commander", 20)
	for range 20 { // and the attacker sits in the same network
		_, _, _ = login(v, "commander", "wrong", desk)
		_, _, _ = login(v, "other", "wrong", desk)
	}
	for i, v := range []*Service{v, NewService(Options{Params: quick()}, m, m, m, nil, nil, c.now)} {
		if _, err := from(v, stranger(i), "", secret); waitIn(err) == 0 {
			t.Errorf("a stranger: %v", err)
		}
		if _, err := from(v, stranger(i), strings.Repeat("A", tokenLength), secret); waitIn(err) == 0 {
			t.Errorf("a made-up device: %v", err)
		}
		for _, remote := range []string{desk, "203.0.113.1"} {
			again, err := from(v, remote, first.Device, secret)
			if err != nil || again.Device != first.Device {
				t.Errorf("the owner's browser at %s: %v; the device stays itself: %v", remote, err, again.Device == first.Device)
			}
		}
	}
	// It is slowed by what it fails itself, as a stranger is.
	for range 5 {
		if _, err := from(v, desk, first.Device, "wrong"); !fault.Is(err, fault.Unauthenticated) {
			t.Fatal(err)
		}
	}
	if _, err := from(v, desk, first.Device, secret); waitIn(err) != time.Second {
		t.Errorf("a familiar browser guesses on: %v", err)
	}
	// The device is the account's, not everybody's who has the browser.
	if tokens, _, err := v.Login(t.Context(), Login{User: "r370602", Password: secret, Remote: netip.MustParseAddr("203.0.113.9"), Device: first.Device}); err != nil || tokens.Device != first.Device {
		t.Errorf("another person on the same browser: %v, %v", tokens.Device == first.Device, err)
	}
}

// A device's name that no login has given is not taken: who planted it would share it.
func TestPlantedDeviceIsReplaced(t *testing.T) {
	v, _, _ := newService(t, Options{})
	planted := strings.Repeat("A", tokenLength)
	tokens, _, err := v.Login(t.Context(), Login{User: "commander", Password: secret, Device: planted})
	if err != nil || tokens.Device == planted || len(tokens.Device) != tokenLength {
		t.Errorf("%q, %v", tokens.Device, err)
	}
}

// Whatever strangers try, in whatever order, at whatever times: a caller that has logged in before and fails nothing
// itself is let in, on a server that has just started as on the one that saw it all.
func TestFamiliarIsNeverRefused(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v, m, c := newService(t, Options{RemoteFailures: 4, Patience: time.Hour})
		const desk = "192.0.2.10"
		owner := Login{User: "commander", Password: secret, Remote: netip.MustParseAddr(desk)}
		tokens, _, err := v.Login(t.Context(), owner)
		if err != nil {
			rt.Fatal(err)
		}
		names := rapid.SampledFrom([]string{"commander", "r370602", "nobody", "COMMANDER", "commander ", ""})
		places := rapid.SampledFrom([]string{"198.51.100.1", "198.51.100.2", "2001:db8::1"})
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"guess", "burst", "pass", "back", "restart", "own browser", "own address"}).Draw(rt, "step") {
			case "guess":
				l := Login{User: names.Draw(rt, "name"), Password: "wrong", Remote: netip.MustParseAddr(places.Draw(rt, "place"))}
				_, _, _ = v.Login(t.Context(), l)
			case "burst":
				l := Login{User: names.Draw(rt, "name"), Password: "wrong", Remote: netip.MustParseAddr(places.Draw(rt, "place"))}
				var all sync.WaitGroup
				for range 12 {
					all.Go(func() { _, _, _ = v.Login(context.Background(), l) })
				}
				all.Wait()
			case "pass":
				c.pass(time.Duration(rapid.IntRange(0, 1000).Draw(rt, "seconds")) * time.Second)
			case "back":
				c.pass(-time.Duration(rapid.IntRange(0, 100_000).Draw(rt, "seconds")) * time.Second)
			case "restart":
				v = NewService(v.o, m, m, m, nil, nil, c.now)
			case "own browser":
				l := owner
				l.Device, l.Remote = tokens.Device, netip.MustParseAddr(places.Draw(rt, "place"))
				if _, _, err := v.Login(t.Context(), l); err != nil {
					rt.Fatalf("the owner's browser at %v: %v", l.Remote, err)
				}
				delete(m.callers, caller{1, loginKey("address", remoteKey(l.Remote))}) // the place stays a stranger's
			case "own address":
				if _, _, err := v.Login(t.Context(), owner); err != nil {
					rt.Fatalf("the owner's address: %v", err)
				}
			}
		}
	})
}

func TestFailedLoginsAreListed(t *testing.T) {
	v, m, _ := newService(t, Options{MaxFailures: 2})
	if _, err := v.UpdateAccount(t.Context(), admin("3706"), "r370602", AccountChange{Disabled: new(true)}, 1); err != nil {
		t.Fatal(err)
	}
	for _, l := range []Login{
		{User: "commander", Password: "wrong"}, {User: "commander", Password: "wrong"}, {User: "commander", Password: secret},
		{User: "r370602", Password: secret}, {User: "r370602", Password: "wrong"},
		{User: "nobody", Password: "x"}, {User: "My Secret Passw0rd", Password: "x"},
	} {
		l.Remote = netip.MustParseAddr("192.0.2.1")
		if _, _, err := v.Login(t.Context(), l); err == nil {
			t.Fatalf("%s got in", l.User)
		}
	}
	var got []string
	all, err := v.FailedLogins(t.Context(), admin("3706"), FailedLoginFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		got = append(got, fmt.Sprintf("%s %v %s", f.User, f.Known, f.Reason))
	}
	want := []string{
		"commander true password", "commander true password", "commander true locked",
		"r370602 true disabled", "r370602 true password", "nobody false password", " false password",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("listed\n%q, want\n%q", got, want)
	}
	if _, err := v.FailedLogins(t.Context(), core.Principal{Role: "city_commander", Division: "3706"}, FailedLoginFilter{}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a commander: %v", err)
	}
	if m.accounts[0].LastLogin != nil {
		t.Error("a failed login is an account's last")
	}
}

// The store's absence, when a failure is to be written, lets nobody guess on: this process counts by itself.
func TestFailuresCountWithoutTheStore(t *testing.T) {
	v, m, _ := newService(t, Options{})
	v.store = &unwritable{m}
	for range 5 {
		if _, _, err := login(v, "commander", "wrong", "192.0.2.1"); !fault.Is(err, fault.Unavailable) {
			t.Fatal(err)
		}
	}
	if _, _, err := login(v, "commander", "wrong", "192.0.2.1"); waitIn(err) == 0 {
		t.Errorf("the sixth guess: %v", err)
	}
}

// unwritable is a store that cannot note failures.
type unwritable struct{ *memory }

func (unwritable) LoginFailed(context.Context, FailedAttempt) ([]Failures, error) {
	return nil, fault.New(fault.Unavailable, "read only")
}

// Who forgot the password and was slowed gets in with the one that an administrator sets, at once and where they are.
func TestNewPasswordForgetsFailures(t *testing.T) {
	const desk = "192.0.2.10"
	v, m, c := newService(t, Options{})
	other := NewService(Options{Params: quick()}, m, m, m, nil, nil, c.now)
	for _, remote := range []string{desk, stranger(1)} {
		for range 5 {
			_, _, _ = login(v, "commander", "wrong", remote)
			_, _, _ = login(other, "commander", "wrong", remote)
		}
	}
	const next = "staple battery horse"
	if _, err := v.UpdateAccount(t.Context(), admin("3706"), "commander", AccountChange{Password: new(next)}, 1); err != nil {
		t.Fatal(err)
	}
	for _, v := range []*Service{v, other} {
		if _, _, err := login(v, "commander", next, desk); err != nil {
			t.Error(err)
		}
	}
}
