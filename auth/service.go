package auth

import (
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// Options are the service's settings; the zero value of each is the default beside it.
type Options struct {
	SessionTTL     time.Duration // 12 h: how long a login lasts without being used
	SessionMax     time.Duration // 7 days: how long it lasts whatever the use
	DisplayTTL     time.Duration // 400 days: how long a display's login lasts without being used; it has no other end
	CacheTTL       time.Duration // 15 s: how long a session is believed without asking the store again
	MaxFailures    int           // 5: failed logins of one account, and of one caller of it, before the next has to wait
	RemoteFailures int           // 200: the same of one address, behind which many people may sit
	FirstDelay     time.Duration // 1 s: the first wait; each further failure doubles it
	AccountDelay   time.Duration // 30 s: the longest wait of strangers to an account
	CallerDelay    time.Duration // 5 min: the longest wait of a device or an address with one account
	RemoteDelay    time.Duration // 15 min: the longest wait of strangers at an address
	Forget         time.Duration // 10 min: in each of these one failure of an account or a caller is forgotten
	RemoteForget   time.Duration // 1 min: the same of an address
	Hashers        int           // 2: argon2id computations at once
	Waiting        int           // 256: logins that may wait for one; the next is told to come back
	Patience       time.Duration // 20 s: how long each may wait
	Params         *argon2id.Params
}

func (o Options) withDefaults() Options {
	setDefault(&o.SessionTTL, 12*time.Hour)
	setDefault(&o.SessionMax, 7*24*time.Hour)
	setDefault(&o.DisplayTTL, 400*24*time.Hour) // as long as a browser keeps a cookie
	setDefault(&o.CacheTTL, 15*time.Second)
	setDefault(&o.MaxFailures, 5)
	setDefault(&o.RemoteFailures, 200)
	setDefault(&o.FirstDelay, time.Second)
	setDefault(&o.AccountDelay, 30*time.Second)
	setDefault(&o.CallerDelay, 5*time.Minute)
	setDefault(&o.RemoteDelay, 15*time.Minute)
	setDefault(&o.Forget, 10*time.Minute)
	setDefault(&o.RemoteForget, time.Minute)
	setDefault(&o.Hashers, 2)
	setDefault(&o.Waiting, 256)
	setDefault(&o.Patience, 20*time.Second)
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

	lookups *loginQueue // of logins that ask the store
	hashers *loginQueue // of argon2id computations
	dummy   func() (string, error)

	throttle *throttle
	limits   limits
	cache    *sessionCache
	logins   *prometheus.CounterVec
}

// limits are those of what failures are counted under.
type limits struct {
	account limit // whoever fails
	caller  limit // a device or an address, with one account
	address limit // whatever the account
}

// lookupsAtOnce is how many logins ask the store at a time.
const lookupsAtOnce = 4

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
		lookups:  newLoginQueue(lookupsAtOnce, o.Waiting),
		hashers:  newLoginQueue(o.Hashers, o.Waiting),
		throttle: newThrottle(),
		limits: limits{
			account: limit{o.MaxFailures, o.FirstDelay, o.AccountDelay, o.Forget},
			caller:  limit{o.MaxFailures, o.FirstDelay, o.CallerDelay, o.Forget},
			address: limit{o.RemoteFailures, o.FirstDelay, o.RemoteDelay, o.RemoteForget},
		},
		cache: newSessionCache(o.CacheTTL),
		logins: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: "onemap_logins_total", Help: "Attempts to log in, by outcome: ok, wrong, slowed, busy, failed.",
		}, []string{"outcome"}),
	}
	v.dummy = sync.OnceValues(func() (string, error) { return argon2id.CreateHash(rand.Text(), o.Params) })
	return v
}

// newToken is 256 random bits, 43 characters that need no escape in a cookie.
func newToken() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(raw)
}

const tokenLength = 43

func principal(s Session, a Account) core.Principal {
	p := core.Principal{
		AccountID: a.ID, SessionID: s.ID, Login: a.Login, Name: a.Name, Role: a.Role, Division: a.Division,
		Expires: s.ExpiresAt, Display: a.Display,
	}
	if s.EndsAt != nil {
		p.Ends = *s.EndsAt
	}
	return p
}

func errWrong() error {
	return fault.New(fault.Unauthenticated, "the user name or the password is wrong")
}

func errNoSession() error {
	return fault.New(fault.Unauthenticated, "there is no live session; log in first")
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case fault.Is(err, fault.Unauthenticated):
		return "wrong"
	case isSlowed(err):
		return "slowed"
	case fault.Is(err, fault.TooMany):
		return "busy"
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
