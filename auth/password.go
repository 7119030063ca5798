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

// The shortest accepted password in characters, and the longest in bytes.
const (
	MinPassword = 10
	maxPassword = 1024
)

// PasswordChange is a change of the person's own password.
type PasswordChange struct {
	Current string
	New     string
	Remote  netip.Addr // the client's address
}

// PasswordHashChange replaces the hash Was of an account with Becomes and ends all its sessions except Keep.
type PasswordHashChange struct {
	AccountID int64
	Keep      int64
	Was       string
	Becomes   string
	Actor     string
}

// ChangePassword changes the principal's own password and ends its other sessions. It returns fault.Invalid with the
// field current_password or new_password, fault.TooMany after too many wrong current passwords, fault.Forbidden for a
// display, and fault.Conflict if the password was changed by another request in the meantime.
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

// confirm checks the current password and returns its hash. Failures delay it as they delay a login, but under a
// separate key that only sessions of this account can increase.
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

// checkPassword validates a new password of an account.
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

// hash returns the argon2id hash of a new password. caller is the login of the actor; it selects the queue.
func (v *Service) hash(ctx context.Context, caller, password string) (string, error) {
	if err := v.hashers.enter(ctx, "change "+caller, true); err != nil {
		return "", err
	}
	defer v.hashers.leave()
	hash, err := argon2id.CreateHash(password, v.o.Params)
	return hash, fault.Wrap(fault.Internal, err, "hash a password")
}
