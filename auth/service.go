package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"onemap/internal/core"
	"onemap/internal/errs"
)

// Options are the service's settings; the zero value of each is the default beside it.
type Options struct {
	SessionTTL     time.Duration // 12 h: how long a login lasts without being used
	SessionMax     time.Duration // 7 days: how long it lasts whatever the use
	DisplayTTL     time.Duration // 400 days: how long a display's login lasts without being used; it has no other end
	CacheTTL       time.Duration // 15 s: how long a session is believed without asking the store again
	MaxFailures    int           // 5: failed logins of one account before the next has to wait
	RemoteFailures int           // 20: the same of one address, behind which many people may sit
	FirstDelay     time.Duration // 1 s: the first wait; each further failure doubles it
	AccountDelay   time.Duration // 30 s: the longest wait of an account
	RemoteDelay    time.Duration // 15 min: the longest wait of an address
	Hashers        int           // 2: argon2id computations at once
	Waiting        int           // 64: logins that may wait for one; the next is told to come back
	Params         *argon2id.Params
}

func (o Options) withDefaults() Options {
	setDefault(&o.SessionTTL, 12*time.Hour)
	setDefault(&o.SessionMax, 7*24*time.Hour)
	setDefault(&o.DisplayTTL, 400*24*time.Hour) // as long as a browser keeps a cookie
	setDefault(&o.CacheTTL, 15*time.Second)
	setDefault(&o.MaxFailures, 5)
	setDefault(&o.RemoteFailures, 20)
	setDefault(&o.FirstDelay, time.Second)
	setDefault(&o.AccountDelay, 30*time.Second)
	setDefault(&o.RemoteDelay, 15*time.Minute)
	setDefault(&o.Hashers, 2)
	setDefault(&o.Waiting, 64)
	if o.Params == nil {
		// RFC 9106's second recommendation, on two lanes: about 35 ms on two cores.
		o.Params = &argon2id.Params{Memory: 64 * 1024, Iterations: 1, Parallelism: 2, SaltLength: 16, KeyLength: 32}
	}
	return o
}

func setDefault[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// Service logs people in and knows them again. It is safe for concurrent use.
type Service struct {
	o        Options
	store    Store
	accounts AccountStore
	displays DisplayStore
	log      *slog.Logger
	now      func() time.Time

	hashers chan struct{} // one token for each computation under way
	waiting chan struct{} // and for each login that is computing or waiting to
	dummy   func() (string, error)

	byAccount *throttle
	byRemote  *throttle
	cache     *sessionCache
	logins    *prometheus.CounterVec
}

// NewService makes the service. reg may be nil; a nil clock is time.Now.
func NewService(o Options, s Store, a AccountStore, d DisplayStore, log *slog.Logger, reg prometheus.Registerer, clock func() time.Time) *Service {
	o = o.withDefaults()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if clock == nil {
		clock = time.Now
	}
	v := &Service{
		o: o, store: s, accounts: a, displays: d, log: log, now: clock,
		hashers:   make(chan struct{}, o.Hashers),
		waiting:   make(chan struct{}, o.Waiting),
		byAccount: newThrottle(o.MaxFailures, o.FirstDelay, o.AccountDelay),
		byRemote:  newThrottle(o.RemoteFailures, o.FirstDelay, o.RemoteDelay),
		cache:     newSessionCache(o.CacheTTL),
		logins: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: "onemap_logins_total", Help: "Attempts to log in, by outcome: ok, wrong, slowed, failed.",
		}, []string{"outcome"}),
	}
	v.dummy = sync.OnceValues(func() (string, error) { return argon2id.CreateHash(rand.Text(), o.Params) })
	return v
}

// Login is an attempt to log in.
type Login struct {
	User     string
	Password string
	Remote   netip.Addr // whom the attempt comes from; the zero address counts as one
	Agent    string     // the browser's name for itself
}

// Login checks the password and opens a session. The token is given once: the store keeps its
// SHA-256. Wrong names and wrong passwords are the same errs.Unauthenticated after the same work;
// who fails too often gets errs.TooMany with RetryAfter, whatever the password.
func (v *Service) Login(ctx context.Context, l Login) (token string, p Principal, err error) {
	defer func() { v.logins.WithLabelValues(outcome(err)).Inc() }()
	if len(l.User) > 64 || len(l.Password) > maxPassword {
		return "", Principal{}, errWrong()
	}
	// Each attempt counts as a failure until it has succeeded, so that a burst of parallel guesses is
	// slowed as a row of them is.
	now := v.now()
	remote := remoteKey(l.Remote)
	if err := v.byRemote.begin(remote, now); err != nil {
		return "", Principal{}, err
	}
	key, err := v.beginAccount(ctx, l, now)
	if err != nil {
		v.byRemote.undo(remote) // nothing was guessed
		return "", Principal{}, err
	}
	c, err := v.verify(ctx, l, key != l.User)
	if err != nil {
		if !errs.Is(err, errs.Unauthenticated) { // our fault, or nobody looked: no guess was made
			v.byRemote.undo(remote)
			v.byAccount.undo(key)
		}
		return "", Principal{}, err
	}
	v.byRemote.undo(remote)
	v.byAccount.clear(key)
	return v.open(ctx, l, c)
}

// beginAccount counts the attempt for the account, or for the account from this address when strangers
// keep the account slowed: else a guess every half minute would lock its owner out.
func (v *Service) beginAccount(ctx context.Context, l Login, now time.Time) (key string, err error) {
	err = v.byAccount.begin(l.User, now)
	if err == nil || !v.familiar(ctx, l, now) {
		return l.User, err
	}
	key = l.User + "@" + remoteKey(l.Remote)
	return key, v.byAccount.begin(key, now)
}

// familiarFor is how long an address that an account has logged in from is known.
const familiarFor = 30 * 24 * time.Hour

// familiar reports whether the account has logged in from this address before.
func (v *Service) familiar(ctx context.Context, l Login, now time.Time) bool {
	c, err := v.store.CredentialsByLogin(ctx, l.User)
	if err != nil {
		return false
	}
	sessions, err := v.accounts.Sessions(ctx, c.ID, core.Page{Limit: newestSessions})
	if err != nil {
		return false
	}
	here := remoteKey(l.Remote)
	return slices.ContainsFunc(sessions, func(s Session) bool {
		a, err := netip.ParseAddr(s.Remote)
		return err == nil && remoteKey(a) == here && now.Sub(s.CreatedAt) < familiarFor
	})
}

// verify looks the account up and compares the password, at the same cost when there is no account.
// familiar says that beginAccount has found the address to be so.
func (v *Service) verify(ctx context.Context, l Login, familiar bool) (Credentials, error) {
	dummy, err := v.dummy()
	if err != nil {
		return Credentials{}, errs.Wrap(errs.Internal, err, "hash")
	}
	c, err := v.store.CredentialsByLogin(ctx, l.User)
	known := err == nil && c.Display == 0 // a display has no password
	if err != nil && !errs.Is(err, errs.NotFound) {
		return Credentials{}, errs.Wrap(errs.KindOf(err), err, "the account cannot be read now")
	}
	hash := dummy
	if known {
		hash = c.PasswordHash
		// What the account has failed on other nodes, or before a restart of this one.
		if err := v.byAccount.check(c.FailedLogins, c.FailedAt, v.now()); err != nil && !familiar && !v.familiar(ctx, l, v.now()) {
			return Credentials{}, err
		}
	}
	ok, err := v.compare(ctx, l.Password, hash)
	if err != nil {
		return Credentials{}, err
	}
	if known && (!ok || !c.Disabled) {
		if err := v.store.RecordLogin(ctx, c.ID, ok); err != nil {
			return Credentials{}, errs.Wrap(errs.KindOf(err), err, "the attempt cannot be recorded now")
		}
	}
	if !known || !ok || c.Disabled {
		v.log.InfoContext(ctx, "a login failed", slog.String("user", l.User), slog.String("remote", l.Remote.String()))
		return Credentials{}, errWrong()
	}
	return c, nil
}

// compare is argon2id under the limit of computations at once.
func (v *Service) compare(ctx context.Context, password, hash string) (bool, error) {
	release, err := v.hasher(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	return ok, errs.Wrap(errs.Internal, err, "compare a password")
}

// hasher waits for the right to compute one hash.
func (v *Service) hasher(ctx context.Context) (release func(), err error) {
	select {
	case v.waiting <- struct{}{}:
	default:
		return nil, &errs.Error{Kind: errs.TooMany, Msg: "too many people are logging in at this moment", RetryAfter: v.o.FirstDelay}
	}
	select {
	case v.hashers <- struct{}{}:
		return func() { <-v.hashers; <-v.waiting }, nil
	case <-ctx.Done():
		<-v.waiting
		return nil, errs.Wrap(errs.Unavailable, ctx.Err(), "the login waited too long")
	}
}

// open writes the session.
func (v *Service) open(ctx context.Context, l Login, c Credentials) (string, Principal, error) {
	token := newToken()
	s := v.newSession(c.Account, l.Remote, l.Agent)
	sum := sha256.Sum256([]byte(token))
	id, err := v.store.CreateSession(ctx, s, sum[:])
	if err != nil {
		return "", Principal{}, errs.Wrap(errs.KindOf(err), err, "the session cannot be stored now")
	}
	s.ID = id
	v.log.InfoContext(ctx, "logged in", slog.String("user", c.Login), slog.Int64("session", id), slog.String("remote", s.Remote))
	return token, principal(s, c.Account), nil
}

// newToken is 256 random bits, 43 characters that need no escape in a cookie.
func newToken() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(raw)
}

const tokenLength = 43

func principal(s Session, a Account) Principal {
	p := Principal{
		AccountID: a.ID, SessionID: s.ID, Login: a.Login, Name: a.Name, Role: a.Role, Division: a.Division,
		Expires: s.ExpiresAt, Display: a.Display,
	}
	if s.EndsAt != nil {
		p.Ends = *s.EndsAt
	}
	return p
}

func errWrong() error {
	return errs.New(errs.Unauthenticated, "the user name or the password is wrong")
}

func errNoSession() error {
	return errs.New(errs.Unauthenticated, "there is no live session; log in first")
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errs.Is(err, errs.Unauthenticated):
		return "wrong"
	case errs.Is(err, errs.TooMany):
		return "slowed"
	default:
		return "failed"
	}
}

// remoteKey is the address that failures are counted for: one IPv4 address, or the /64 of an IPv6
// one, within which a single machine can choose freely.
func remoteKey(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:limit]
}
