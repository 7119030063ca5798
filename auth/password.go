package auth

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// The shortest and the longest password that is taken, in characters and in bytes.
const (
	MinPassword = 10
	maxPassword = 1024
)

// PasswordChange is a person's change of the own password.
type PasswordChange struct {
	Current string
	New     string
	Remote  netip.Addr // whom it comes from
}

// PasswordHashChange is what the store changes: the hash Was of an account becomes Becomes, and its sessions end but
// Keep.
type PasswordHashChange struct {
	AccountID int64
	Keep      int64
	Was       string
	Becomes   string
	Actor     string
}

// ChangePassword changes the principal's own password and ends its other sessions. It returns fault.Invalid naming
// current_password or new_password, fault.TooMany after too many wrong ones, fault.Forbidden for a display, and
// fault.Conflict when somebody else has set another password meanwhile.
func (v *Service) ChangePassword(ctx context.Context, p core.Principal, c PasswordChange) error {
	if p.Display != 0 {
		return fault.NewCoded(fault.Forbidden, "", CodeDisplayPassword)
	}
	if err := checkPassword("new_password", p.Login, c.New); err != nil {
		return err
	}
	if c.New == c.Current {
		return fault.InvalidCode("new_password", CodePasswordSame)
	}
	wait, cancel := context.WithTimeoutCause(ctx, v.o.Patience, errBusy())
	defer cancel()
	was, err := v.confirm(wait, p, c)
	if err != nil {
		return waited(err)
	}
	becomes, err := v.hash(wait, p.Login, c.New)
	if err != nil {
		return waited(err)
	}
	err = v.store.ChangePassword(ctx, PasswordHashChange{AccountID: p.AccountID, Keep: p.SessionID, Was: was, Becomes: becomes, Actor: p.Login})
	if err != nil {
		return err
	}
	v.ForgetAccount(p.AccountID)
	v.log.InfoContext(ctx, "a password was changed", slog.String("user", p.Login), slog.Int64("session", p.SessionID))
	return nil
}

// confirm compares the current password, slowed as a login is: by what this account's own sessions have failed here,
// which nobody else can add to. It returns the hash that the password has.
func (v *Service) confirm(ctx context.Context, p core.Principal, c PasswordChange) (hash string, err error) {
	h := hold{loginKey("change", p.Login), v.limits.caller}
	a := &attempt{
		Login: Login{User: p.Login, Password: c.Current, Remote: c.Remote}, familiar: true, lane: "change " + p.Login,
		holds: []hold{h}, counts: []hold{h}, caller: h,
	}
	if len(c.Current) > maxPassword {
		return "", fault.InvalidCode("current_password", CodePasswordWrong)
	}
	stamp := v.throttle.stamp()
	a.facts, err = v.store.LoginFacts(ctx, LoginQuery{Login: p.Login, Keys: []LoginKey{h.key}})
	switch {
	case err != nil:
		return "", fault.Wrap(fault.KindOf(err), err, "the account cannot be read now")
	case !a.facts.Known || a.facts.Credentials.Disabled:
		return "", errNoSession()
	}
	v.throttle.take([]LoginKey{h.key}, a.facts.Failures, stamp, v.now())
	if err := v.throttle.begin(ctx, a.holds, v.now); err != nil {
		return "", v.refused(ctx, a, err)
	}
	defer v.throttle.end(a.holds)
	ok, err := v.compare(ctx, a)
	if err != nil {
		return "", err
	}
	if !ok {
		if err := v.note(ctx, a, FailureChange, a.counts); err != nil {
			return "", err
		}
		return "", fault.InvalidCode("current_password", CodePasswordWrong)
	}
	v.throttle.clear(h.key)
	return a.facts.Credentials.PasswordHash, fault.Wrap(fault.Unavailable, v.store.ForgetFailures(ctx, h.key), "the attempt cannot be recorded now")
}

// checkPassword holds a new password of an account against the rules.
func checkPassword(field, login, password string) error {
	switch {
	case !utf8.ValidString(password) || utf8.RuneCountInString(password) < MinPassword:
		return fault.InvalidCode(field, CodePasswordShort, MinPassword)
	case len(password) > maxPassword:
		return fault.InvalidCode(field, CodePasswordLong, maxPassword)
	case strings.EqualFold(password, login):
		return fault.InvalidCode(field, CodePasswordLogin)
	}
	return nil
}

// hash hashes a new password for an account that its caller manages.
func (v *Service) hash(ctx context.Context, caller, password string) (string, error) {
	if err := v.hashers.enter(ctx, "change "+caller, true); err != nil {
		return "", err
	}
	defer v.hashers.leave()
	hash, err := argon2id.CreateHash(password, v.o.Params)
	return hash, fault.Wrap(fault.Internal, err, "hash a password")
}
