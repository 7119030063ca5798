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

// Options configures the service. The zero value of a field means the default that its comment begins with.
type Options struct {
	SessionTTL     time.Duration // 12 h: how long a login lasts without being used
	SessionMax     time.Duration // 7 days: how long a login lasts at most, also when it is used
	DisplayTTL     time.Duration // 400 days: how long a display's login lasts without being used; it has no other end
	CacheTTL       time.Duration // 15 s: how long a session is cached before it is read from the store again
	MaxFailures    int           // 5: failed logins of one account, and of one caller of it, before the next must wait
	RemoteFailures int           // 200: failed logins of one address; it is higher because many people may share an address
	FirstDelay     time.Duration // 1 s: the first wait; each further failure doubles it
	AccountDelay   time.Duration // 30 s: the longest wait of a stranger because of the failures of an account
	CallerDelay    time.Duration // 5 min: the longest wait of a device or an address with one account
	RemoteDelay    time.Duration // 15 min: the longest wait of a stranger because of the failures of an address
	Forget         time.Duration // 10 min: one failure of an account or a caller is forgotten per this period
	RemoteForget   time.Duration // 1 min: one failure of an address is forgotten per this period
	Hashers        int           // 2: argon2id computations at the same time
	Waiting        int           // 256: logins that may wait for a computation; further ones get fault.TooMany
	Patience       time.Duration // 20 s: how long a login may wait
	Params         *argon2id.Params
}

func (o Options) withDefaults() Options {
	setDefault(&o.SessionTTL, 12*time.Hour)
	setDefault(&o.SessionMax, 7*24*time.Hour)
	setDefault(&o.DisplayTTL, 400*24*time.Hour) // browsers keep a cookie for at most 400 days
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

// Service logs people in and authenticates their requests. It is safe for concurrent use.
type Service struct {
	o        Options
	store    Store
	accounts AccountStore
	displays DisplayStore
	log      *slog.Logger
	now      func() time.Time

	lookups *loginQueue // limits the logins that read the store at the same time
	hashers *loginQueue // limits the argon2id computations at the same time
	dummy   func() (string, error)

	throttle *throttle
	limits   limits
	cache    *sessionCache
	logins   *prometheus.CounterVec
}

// limits holds the limit of each kind of key.
type limits struct {
	account limit // one account, failures of all callers
	caller  limit // one device or address with one account
	address limit // one address, failures for all accounts
}

// lookupsAtOnce is how many logins read the store at the same time.
const lookupsAtOnce = 4

// NewService returns the service. log and reg may be nil; a nil clock means time.Now.
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

// newToken returns 256 random bits as 43 base64url characters, which need no escape in a cookie.
func newToken() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // Read never returns an error: it crashes the program instead
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

// remoteKey returns the address under which failures are counted: an IPv4 address, or the /64 prefix of an IPv6
// address, because one machine can use any address within its /64.
func remoteKey(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
