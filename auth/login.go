package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/alexedwards/argon2id"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// Login is an attempt to log in.
type Login struct {
	User     string
	Password string
	Remote   netip.Addr // whom the attempt comes from; the zero address counts as one
	Agent    string     // the browser's name for itself
	Device   string     // the token that an earlier login gave this browser; empty: none
}

// Tokens are given once by a login: the store keeps their SHA-256.
type Tokens struct {
	Session string
	Device  string // names the browser from now on: its owner is not slowed by what others fail
}

// FailureReason says why an attempt was refused.
type FailureReason string

// The reasons. FailureRest is a row that counts what was beyond the budget of its minute.
const (
	FailurePassword FailureReason = "password" // a wrong password, or a name that there is not
	FailureDisabled FailureReason = "disabled" // the right password of a disabled account
	FailureLocked   FailureReason = "locked"   // not compared: too many failures before
	FailureChange   FailureReason = "change"   // a wrong current password, where one was to be changed
	FailureRest     FailureReason = "rest"
)

// FailureReasons lists every reason.
func FailureReasons() []FailureReason {
	return []FailureReason{FailurePassword, FailureDisabled, FailureLocked, FailureChange, FailureRest}
}

// LoginQuery asks for what must be known before a password is compared.
type LoginQuery struct {
	Login   string // empty: what was typed can be no account's
	Device  LoginKey
	Address LoginKey
	Since   time.Time // who has logged in from there after it is familiar
	Keys    []LoginKey
}

// LoginFacts is what a LoginQuery found.
type LoginFacts struct {
	Known           bool // there is such an account
	Credentials     Credentials
	FamiliarDevice  bool // the account has logged in from there
	FamiliarAddress bool
	KnownDevice     bool // some account has
	Failures        map[LoginKey]Failures
}

// FailedAttempt is an attempt that the store counts and lists.
type FailedAttempt struct {
	User      string // as it is listed; empty: what was typed can be no account's
	AccountID int64  // 0: there is no such account
	Remote    string
	Reason    FailureReason
	At        time.Time
	Counts    []FailureCount // none for an attempt that was not compared
}

// FailureCount is a key that a failure is counted under.
type FailureCount struct {
	Key     LoginKey
	Account LoginKey      // whose new password forgets the count; zero: none's
	Forget  time.Duration // one failure is forgotten in each of these
	Highest float64       // beyond it nothing is added
}

// Success is a login with the right password.
type Success struct {
	AccountID int64
	Remote    string
	At        time.Time
	Callers   []LoginKey // the device and the address, which are familiar from now on
	Caller    LoginKey   // whose failures are forgotten
}

// LoginStore is what logging in needs kept.
type LoginStore interface {
	// LoginFacts reads by the same queries whether there is such an account or not.
	LoginFacts(ctx context.Context, q LoginQuery) (LoginFacts, error)
	// LoginFailed counts the attempt under its keys and lists it. It returns the counts in the order of f.Counts.
	LoginFailed(ctx context.Context, f FailedAttempt) ([]Failures, error)
	LoginSucceeded(ctx context.Context, s Success) error
	// ForgetFailures forgets what is counted under the key, and what is counted for the account of that key.
	ForgetFailures(ctx context.Context, key LoginKey) error
	FailedLogins(ctx context.Context, s FailedLoginFilter) ([]FailedLogin, error)
	// ChangePassword replaces the hash was by the hash becomes and ends the account's sessions but keep. It returns
	// fault.Conflict when the hash is another one by now.
	ChangePassword(ctx context.Context, c PasswordHashChange) error
}

// attempt is a login under way.
type attempt struct {
	Login
	facts    LoginFacts
	device   LoginKey
	address  LoginKey
	familiar bool
	holds    []hold // that it is judged by: they are all of counts for a stranger
	counts   []hold // that a failure counts under
	caller   hold
	lane     string // that it waits in
}

// Login checks the password and opens a session. Wrong names and wrong passwords are the same fault.Unauthenticated
// after the same work; who fails too often gets fault.TooMany with RetryAfter, whatever the password.
//
// A failure counts for the account, for the caller (the device, or else the address, with this account) and for the
// address. A stranger is judged by all three. Who has logged in before from this device or address is judged by what it
// has failed itself: nobody else's failures lock it out.
func (v *Service) Login(ctx context.Context, l Login) (tokens Tokens, p core.Principal, err error) {
	defer func() { v.logins.WithLabelValues(outcome(err)).Inc() }()
	if len(l.User) > 64 || len(l.Password) > maxPassword {
		return Tokens{}, core.Principal{}, errWrong()
	}
	if !loginPattern.MatchString(l.User) {
		l.Device = "" // of no use: it can be no account's
	}
	wait, cancel := context.WithTimeoutCause(ctx, v.o.Patience, errBusy())
	defer cancel()
	a, err := v.look(wait, l)
	if err != nil {
		return Tokens{}, core.Principal{}, waited(err)
	}
	if err := v.throttle.begin(wait, a.holds, v.now); err != nil {
		return Tokens{}, core.Principal{}, v.refused(wait, a, waited(err))
	}
	defer v.throttle.end(a.holds)
	ok, err := v.compare(wait, a)
	if err != nil {
		return Tokens{}, core.Principal{}, waited(err)
	}
	switch {
	case !ok || !a.facts.Known:
		err = v.failed(ctx, a, FailurePassword)
	case a.facts.Credentials.Disabled:
		err = v.failed(ctx, a, FailureDisabled)
	default:
		return v.succeed(ctx, a)
	}
	return Tokens{}, core.Principal{}, err
}

// waited classifies the end of a wait whose request has ended.
func waited(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fault.Wrap(fault.Unavailable, err, "the login waited too long")
	}
	return err
}

// look reads what is known of the attempt, a few at a time: a flood of refused attempts leaves the database to others.
func (v *Service) look(ctx context.Context, l Login) (*attempt, error) {
	from := remoteKey(l.Remote)
	a := &attempt{Login: l, address: loginKey("address", from), lane: from}
	account := hold{accountKey(l.User), v.limits.account}
	pair := hold{loginKey("address", from, l.User), v.limits.caller}
	address := hold{a.address, v.limits.address}
	q := LoginQuery{Address: a.address, Since: v.now().Add(-familiarFor), Keys: []LoginKey{account.key, pair.key, address.key}}
	if loginPattern.MatchString(l.User) {
		q.Login = l.User
	}
	device := pair
	if len(l.Device) == tokenLength {
		a.device = loginKey("device", l.Device)
		q.Device = a.device
		device.key = loginKey("device", l.Device, l.User)
		q.Keys = append(q.Keys, device.key)
	}
	if err := v.lookups.enter(ctx, from, false); err != nil {
		return nil, err
	}
	defer v.lookups.leave()
	stamp := v.throttle.stamp()
	facts, err := v.store.LoginFacts(ctx, q)
	if err != nil {
		return nil, fault.Wrap(fault.KindOf(err), err, "the account cannot be read now")
	}
	facts.Known = facts.Known && facts.Credentials.Display == 0 // a display has no password
	v.throttle.take(q.Keys, facts.Failures, stamp, v.now())
	a.facts, a.caller = facts, pair
	switch {
	case facts.Known && facts.FamiliarDevice:
		a.familiar, a.caller, a.lane = true, device, "device "+l.Device
	case facts.Known && facts.FamiliarAddress:
		a.familiar = true
	}
	a.counts = []hold{account, a.caller, address}
	if a.holds = a.counts; a.familiar {
		a.holds = []hold{a.caller}
	}
	return a, nil
}

// familiarFor is how long a device or an address is known that an account has logged in from.
const familiarFor = 180 * 24 * time.Hour

// compare is argon2id under the limit of computations at once, at the same cost when there is no account.
func (v *Service) compare(ctx context.Context, a *attempt) (bool, error) {
	hash, err := v.dummy()
	if err != nil {
		return false, fault.Wrap(fault.Internal, err, "hash")
	}
	if a.facts.Known {
		hash = a.facts.Credentials.PasswordHash
	}
	if err := v.hashers.enter(ctx, a.lane, a.familiar); err != nil {
		return false, err
	}
	defer v.hashers.leave()
	ok, err := argon2id.ComparePasswordAndHash(a.Password, hash)
	return ok, fault.Wrap(fault.Internal, err, "compare a password")
}

// noteWithin is how long the store has to write an attempt down, whether its sender still waits or not.
const noteWithin = 10 * time.Second

// note counts and lists an attempt that the store should know of even when its sender has gone.
func (v *Service) note(ctx context.Context, a *attempt, reason FailureReason, counts []hold) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteWithin)
	defer cancel()
	f := FailedAttempt{AccountID: a.facts.Credentials.ID, Remote: a.Remote.String(), Reason: reason, At: v.now()}
	if !a.facts.Known {
		f.AccountID = 0
	}
	if loginPattern.MatchString(a.User) {
		f.User = a.User // anything else may be a password in the wrong field
	}
	for _, h := range counts {
		c := FailureCount{Key: h.key, Forget: h.limit.forget, Highest: h.limit.highest()}
		if h.key != a.address {
			c.Account = accountKey(a.User)
		}
		f.Counts = append(f.Counts, c)
	}
	v.log.InfoContext(ctx, "a login failed", slog.String("user", f.User), slog.String("remote", f.Remote), slog.String("reason", string(reason)))
	rows, err := v.store.LoginFailed(ctx, f)
	if len(counts) > 0 {
		v.throttle.fail(counts, rows, f.At)
	}
	return fault.Wrap(fault.KindOf(err), err, "the attempt cannot be recorded now")
}

// failed counts the attempt and returns what its sender is told.
func (v *Service) failed(ctx context.Context, a *attempt, reason FailureReason) error {
	if err := v.note(ctx, a, reason, a.counts); err != nil {
		return err
	}
	return errWrong()
}

// refused lists an attempt that was slowed; one that found too many others waiting is not listed.
func (v *Service) refused(ctx context.Context, a *attempt, refusal error) error {
	if !isSlowed(refusal) {
		return refusal
	}
	if err := v.lookups.enter(ctx, a.lane, a.familiar); err != nil {
		return waited(err)
	}
	defer v.lookups.leave()
	if err := v.note(ctx, a, FailureLocked, nil); err != nil {
		v.log.WarnContext(ctx, "a refused login is not listed", slog.Any("error", err))
	}
	return refusal
}

// succeed makes the caller familiar and opens the session. It forgets what this caller has failed, and nothing that
// others have.
func (v *Service) succeed(ctx context.Context, a *attempt) (Tokens, core.Principal, error) {
	tokens := Tokens{Session: newToken(), Device: a.Device}
	if !a.facts.KnownDevice { // a name that somebody else has chosen for this browser is not taken
		tokens.Device = newToken()
		a.device = loginKey("device", tokens.Device)
	}
	c := a.facts.Credentials
	err := v.store.LoginSucceeded(ctx, Success{
		AccountID: c.ID, Remote: a.Remote.String(), At: v.now(), Callers: []LoginKey{a.device, a.address}, Caller: a.caller.key,
	})
	if err != nil {
		return Tokens{}, core.Principal{}, fault.Wrap(fault.KindOf(err), err, "the login cannot be recorded now")
	}
	v.throttle.clear(a.caller.key)
	s := v.newSession(c.Account, a.Remote, a.Agent)
	sum := sha256.Sum256([]byte(tokens.Session))
	if s.ID, err = v.store.CreateSession(ctx, s, sum[:]); err != nil {
		return Tokens{}, core.Principal{}, fault.Wrap(fault.KindOf(err), err, "the session cannot be stored now")
	}
	v.log.InfoContext(ctx, "logged in", slog.String("user", c.Login), slog.Int64("session", s.ID), slog.String("remote", s.Remote))
	return tokens, principal(s, c.Account), nil
}
