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
	Remote   netip.Addr // the client's address; attempts without an address count as one address
	Agent    string     // the User-Agent of the browser
	Device   string     // the device token that this browser received at an earlier login; empty: none
}

// Tokens are the tokens of a login. They are returned only once: the store keeps only their SHA-256.
type Tokens struct {
	Session string
	Device  string // identifies the browser from now on, so that the failures of others do not delay its owner
}

// FailureReason is why an attempt was refused.
type FailureReason string

// The reasons. FailureRest is a row that counts the failures above the budget of its minute.
const (
	FailurePassword FailureReason = "password" // a wrong password or an unknown user name
	FailureDisabled FailureReason = "disabled" // the correct password of a disabled account
	FailureLocked   FailureReason = "locked"   // the password was not compared: too many failures before
	FailureChange   FailureReason = "change"   // a wrong current password in a change of password
	FailureRest     FailureReason = "rest"
)

// FailureReasons lists every reason.
func FailureReasons() []FailureReason {
	return []FailureReason{FailurePassword, FailureDisabled, FailureLocked, FailureChange, FailureRest}
}

// LoginQuery selects the facts that are needed before a password is compared.
type LoginQuery struct {
	Login   string // empty: the typed text cannot be a user name
	Device  LoginKey
	Address LoginKey
	Since   time.Time // a device or address is familiar if the account has logged in from it after this time
	Keys    []LoginKey
}

// LoginFacts is the result of a LoginQuery.
type LoginFacts struct {
	Known           bool // the account exists
	Credentials     Credentials
	FamiliarDevice  bool // the account has logged in from this device
	FamiliarAddress bool // the account has logged in from this address
	KnownDevice     bool // any account has logged in from this device
	Failures        map[LoginKey]Failures
}

// FailedAttempt is an attempt that the store counts and lists.
type FailedAttempt struct {
	User      string // the listed user name; empty: the typed text cannot be a user name
	AccountID int64  // 0: the account does not exist
	Remote    string
	Reason    FailureReason
	At        time.Time
	Counts    []FailureCount // empty if the password was not compared
}

// FailureCount is a key that a failure is counted under.
type FailureCount struct {
	Key     LoginKey
	Account LoginKey      // the account whose change of password resets the count; zero: none
	Forget  time.Duration // one failure is forgotten per this period
	Highest float64       // the largest count
}

// Success is a login with the correct password.
type Success struct {
	AccountID int64
	Remote    string
	At        time.Time
	Callers   []LoginKey // the device and the address: they are familiar from now on
	Caller    LoginKey   // the failures under this key are reset
}

// LoginStore stores the data of logins.
type LoginStore interface {
	// LoginFacts returns the facts for q. It runs the same queries for existing and for unknown accounts, so that the
	// time of the answer does not differ.
	LoginFacts(ctx context.Context, q LoginQuery) (LoginFacts, error)
	// LoginFailed counts the attempt under its keys and adds it to the list of failed logins. It returns the new counts
	// in the order of f.Counts.
	LoginFailed(ctx context.Context, f FailedAttempt) ([]Failures, error)
	LoginSucceeded(ctx context.Context, s Success) error
	// ForgetFailures resets the count of the key and all counts whose Account is this key.
	ForgetFailures(ctx context.Context, key LoginKey) error
	FailedLogins(ctx context.Context, s FailedLoginFilter) ([]FailedLogin, error)
	// ChangePassword replaces the hash was with the hash becomes and ends all sessions of the account except keep. It
	// returns fault.Conflict if the stored hash is no longer was.
	ChangePassword(ctx context.Context, c PasswordHashChange) error
}

// attempt is a login in progress.
type attempt struct {
	Login
	facts    LoginFacts
	device   LoginKey
	address  LoginKey
	familiar bool
	holds    []hold // keys that may delay the attempt: all of counts for a stranger, only caller for a familiar one
	counts   []hold // keys under which a failure is counted
	caller   hold
	lane     string // name of its queue
}

// Login checks the password and opens a session. It returns fault.Unauthenticated if the user name or the password is
// wrong; both cases do the same work, so that an attacker cannot find out which names exist. It returns fault.TooMany
// with RetryAfter after too many failures, also for the correct password.
//
// A failure counts for the account, for the caller (the device, or without one the address, together with this account)
// and for the address. All three counts can delay a stranger. A caller is familiar if the account has logged in before
// from this device or address; only its own failures can delay it, so that others cannot lock it out.
func (v *Service) Login(ctx context.Context, l Login) (tokens Tokens, p core.Principal, err error) {
	defer func() { v.logins.WithLabelValues(outcome(err)).Inc() }()
	if len(l.User) > 64 || len(l.Password) > maxPassword {
		return Tokens{}, core.Principal{}, errWrong()
	}
	if !loginPattern.MatchString(l.User) {
		l.Device = "" // ignore the device: the typed text cannot be a user name
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

// waited returns fault.Unavailable for the error of a context that has ended; it returns other errors unchanged.
func waited(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fault.Wrap(fault.Unavailable, err, "the login waited too long")
	}
	return err
}

// look reads the facts for the attempt. A queue limits how many attempts read at the same time, so that a flood of
// refused attempts does not occupy the database.
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

// familiarFor is how long a device or an address stays familiar after a login.
const familiarFor = 180 * 24 * time.Hour

// compare compares the password with the argon2id hash. A queue limits the number of computations at the same time. For
// an unknown account it uses a dummy hash, so that the cost is the same.
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

// noteWithin is the time limit for the write of an attempt. It does not depend on whether the client still waits.
const noteWithin = 10 * time.Second

// note counts the attempt under counts and lists it. It writes to the store even if the client has disconnected.
func (v *Service) note(ctx context.Context, a *attempt, reason FailureReason, counts []hold) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteWithin)
	defer cancel()
	f := FailedAttempt{AccountID: a.facts.Credentials.ID, Remote: a.Remote.String(), Reason: reason, At: v.now()}
	if !a.facts.Known {
		f.AccountID = 0
	}
	if loginPattern.MatchString(a.User) {
		f.User = a.User // other text is not stored: it may be a password in the wrong field
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

// failed counts the attempt and returns the error for the client.
func (v *Service) failed(ctx context.Context, a *attempt, reason FailureReason) error {
	if err := v.note(ctx, a, reason, a.counts); err != nil {
		return err
	}
	return errWrong()
}

// refused lists an attempt that the throttle refused, and returns the refusal. An attempt that was refused because too
// many others wait is not listed.
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

// succeed makes the caller familiar and opens the session. It resets the failures of this caller only, not those of
// others.
func (v *Service) succeed(ctx context.Context, a *attempt) (Tokens, core.Principal, error) {
	tokens := Tokens{Session: newToken(), Device: a.Device}
	if !a.facts.KnownDevice { // replace an unknown device token: another person may have chosen it for this browser
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
