package auth

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"onemap/internal/fault"
)

func TestChangePassword(t *testing.T) {
	v, _, _ := newService(t, Options{})
	token, p := open(t, v)
	other, _ := open(t, v)
	const better = "staple battery horse"
	for name, tt := range map[string]struct {
		c     PasswordChange
		field string
		code  fault.Code
	}{
		"a wrong one": {PasswordChange{Current: "wrong", New: better}, "current_password", CodePasswordWrong},
		"none":        {PasswordChange{New: better}, "current_password", CodePasswordWrong},
		"a long one":  {PasswordChange{Current: strings.Repeat("x", maxPassword+1), New: better}, "current_password", CodePasswordWrong},
		"short":       {PasswordChange{Current: secret, New: "short"}, "new_password", CodePasswordShort},
		"long":        {PasswordChange{Current: secret, New: strings.Repeat("x", maxPassword+1)}, "new_password", CodePasswordLong},
		"not text":    {PasswordChange{Current: secret, New: "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"}, "new_password", CodePasswordShort},
		"the same":    {PasswordChange{Current: secret, New: secret}, "new_password", CodePasswordSame},
	} {
		e, ok := errors.AsType[*fault.Error](v.ChangePassword(t.Context(), p, tt.c))
		if !ok || e.Kind != fault.Invalid || e.Field != tt.field || e.Message.Code != tt.code.Name() {
			t.Errorf("%s: %v, want %s at %s", name, e, tt.code, tt.field)
		}
	}
	if err := v.ChangePassword(t.Context(), p, PasswordChange{Current: secret, New: better}); err != nil {
		t.Fatal(err)
	}
	if !alive(t, v, token) || alive(t, v, other) {
		t.Errorf("this session lives: %v, the other: %v; want it and not the other", alive(t, v, token), alive(t, v, other))
	}
	if _, _, err := login(v, "commander", secret, "192.0.2.1"); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("with the old password: %v", err)
	}
	if _, _, err := login(v, "commander", better, "192.0.2.1"); err != nil {
		t.Errorf("with the new one: %v", err)
	}
	if err := v.ChangePassword(t.Context(), p, PasswordChange{Current: better, New: "COMMANDER1"}); err != nil {
		t.Errorf("a name that is not quite the own: %v", err)
	}
}

// Guessing the current password is slowed as guessing at the login is; nobody outside of the account adds to it, and
// it locks nobody's login.
func TestChangePasswordIsSlowed(t *testing.T) {
	v, m, c := newService(t, Options{})
	_, p := open(t, v)
	guess(t, v, c, "commander", 10)
	try := func(v *Service, current string) error {
		return v.ChangePassword(t.Context(), p, PasswordChange{Current: current, New: "staple battery horse", Remote: netip.MustParseAddr("192.0.2.7")})
	}
	for i := range 5 {
		if err := try(v, "wrong"); !fault.Is(err, fault.Invalid) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	for _, v := range []*Service{v, NewService(Options{Params: quick()}, m, m, m, nil, nil, c.now)} {
		if err := try(v, secret); waitIn(err) != time.Second {
			t.Errorf("the sixth, right or wrong: %v", err)
		}
	}
	last := m.listed[len(m.listed)-3:]
	if last[0].Reason != FailureChange || last[1].Reason != FailureLocked || last[0].Remote != "192.0.2.7" {
		t.Errorf("listed %+v", last)
	}
	if _, _, err := login(v, "commander", secret, "192.0.2.1"); err != nil {
		t.Errorf("a login meanwhile: %v", err)
	}
	c.pass(time.Second)
	if err := try(v, secret); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

func TestDisplayCannotChangePassword(t *testing.T) {
	v, _, _ := newService(t, Options{})
	_, link, err := v.CreateDisplay(t.Context(), admin("3706"), NewDisplay{Name: "wall", Division: "3706", Mode: DisplayReads, Start: StartWall})
	if err != nil {
		t.Fatal(err)
	}
	_, p, err := v.ClaimLink(t.Context(), link, netip.Addr{}, "kiosk")
	if err != nil {
		t.Fatal(err)
	}
	if err := v.ChangePassword(t.Context(), p, PasswordChange{New: "staple battery horse"}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("%v, want forbidden", err)
	}
	if _, _, err := login(v, "display: wall", "", "192.0.2.1"); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a display's login with an empty password: %v", err)
	}
}

// An administrator's new password is not written over by a change that was begun before it.
func TestPasswordChangedMeanwhile(t *testing.T) {
	v, m, _ := newService(t, Options{})
	_, p := open(t, v)
	v.store = &meanwhile{m}
	err := v.ChangePassword(t.Context(), p, PasswordChange{Current: secret, New: "staple battery horse"})
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("%v, want a conflict", err)
	}
}

// meanwhile is a store in which somebody else is faster.
type meanwhile struct{ *memory }

func (m *meanwhile) LoginFacts(ctx context.Context, q LoginQuery) (LoginFacts, error) {
	f, err := m.memory.LoginFacts(ctx, q)
	m.accounts[0].PasswordHash = "another"
	return f, err
}
