package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"net/netip"
	"strings"
	"testing"
	"time"

	"onemap/internal/core"
	"onemap/internal/fault"
)

func login(v *Service, user, password, remote string) (string, core.Principal, error) {
	tokens, p, err := v.Login(context.Background(), Login{User: user, Password: password, Remote: netip.MustParseAddr(remote), Agent: "test"})
	return tokens.Session, p, err
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
		if _, err := v.Authenticate(t.Context(), bad); !fault.Is(err, fault.Unauthenticated) {
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
		if !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("Login(%.20q) = %v, want unauthenticated", l.User, err)
			continue
		}
		said[err.Error()] = true
	}
	if len(said) != 1 {
		t.Errorf("the refusals tell accounts apart: %v", said)
	}
}

func TestStoreAwayIsNoFailure(t *testing.T) {
	v, m, _ := newService(t, Options{})
	m.away = true
	for range 30 {
		if _, _, err := login(v, "commander", secret, "192.0.2.1"); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("%v, want unavailable", err)
		}
	}
	m.away = false
	if _, _, err := login(v, "commander", secret, "192.0.2.1"); err != nil {
		t.Errorf("the database's absence was counted against the person: %v", err)
	}
}
