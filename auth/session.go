package auth

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/text"
)

// writeEvery is the precision of a session's last_seen: a use is written at most once a minute.
const writeEvery = time.Minute

// Authenticate returns the principal of a token and counts the request as a use: the session then lasts SessionTTL from
// now, up to its absolute end. It returns fault.Unauthenticated if there is no such session, if it has expired or is
// revoked, or if the account is disabled. It returns fault.Unavailable if the store cannot be reached, so that an outage
// does not log users out.
func (v *Service) Authenticate(ctx context.Context, token string) (core.Principal, error) {
	return v.byToken(ctx, token, true)
}

// Identify is Authenticate for a request that does not count as a use, such as a request of a hidden page. It does not
// extend the session.
func (v *Service) Identify(ctx context.Context, token string) (core.Principal, error) {
	return v.byToken(ctx, token, false)
}

func (v *Service) byToken(ctx context.Context, token string, use bool) (core.Principal, error) {
	if len(token) != tokenLength {
		return core.Principal{}, errNoSession()
	}
	sum := sha256.Sum256([]byte(token))
	now := v.now()
	if e, ok := v.cache.get(sum, now); ok && (!use || now.Before(e.touch)) {
		return e.principal, live(e.principal, now)
	}
	generation := v.cache.generation()
	s, a, err := v.store.SessionByToken(ctx, sum[:])
	if err == nil && use {
		s, err = v.touch(ctx, s, a)
	}
	p, err := v.current(s, a, err)
	if err != nil {
		return core.Principal{}, err
	}
	v.cache.put(sum, cached{principal: p, touch: s.LastSeen.Add(v.touchEvery(a))}, now, generation)
	return p, nil
}

// Recheck returns the current principal of a session from the store. It returns fault.Unauthenticated if the session or
// its account has ended, and fault.Unavailable if the store cannot be reached.
func (v *Service) Recheck(ctx context.Context, sessionID int64) (core.Principal, error) {
	s, a, err := v.store.SessionByID(ctx, sessionID)
	return v.current(s, a, err)
}

// Use is Recheck for a connection in use. It extends the session as a request does.
func (v *Service) Use(ctx context.Context, sessionID int64) (core.Principal, error) {
	s, a, err := v.store.SessionByID(ctx, sessionID)
	if err == nil {
		s, err = v.touch(ctx, s, a)
	}
	return v.current(s, a, err)
}

// touch records a use of a valid session and extends it, if the last recorded use is at least touchEvery ago. If the
// write fails, touch logs the error and the use does not count. It returns fault.Unavailable if ctx ends.
func (v *Service) touch(ctx context.Context, s Session, a Account) (Session, error) {
	now := v.now()
	if s.RevokedAt != nil || a.Disabled || !now.Before(s.ExpiresAt) || now.Sub(s.LastSeen) < v.touchEvery(a) {
		return s, nil
	}
	expires := v.expiry(a, now, s.EndsAt)
	switch err := v.store.TouchSession(ctx, s.ID, now, expires); {
	case ctx.Err() != nil:
		return s, fault.Wrap(fault.Unavailable, ctx.Err(), "the session cannot be read now")
	case err != nil:
		v.log.WarnContext(ctx, "the use of a session is not kept", slog.Int64("session", s.ID), slog.Any("error", err))
	default:
		s.LastSeen = now
		if expires.After(s.ExpiresAt) {
			s.ExpiresAt = expires
		}
	}
	return s, nil
}

// newSession returns a session that begins now. A display's session has no absolute end.
func (v *Service) newSession(a Account, remote netip.Addr, agent string) Session {
	now := v.now()
	s := Session{
		AccountID: a.ID, Login: a.Login, CreatedAt: now, LastSeen: now, Remote: remote.String(), Agent: text.Prefix(agent, 200),
	}
	if a.Display == 0 {
		s.EndsAt = new(now.Add(v.o.SessionMax))
	}
	s.ExpiresAt = v.expiry(a, now, s.EndsAt)
	return s
}

// expiry returns the time at which a session that is used now expires.
func (v *Service) expiry(a Account, now time.Time, ends *time.Time) time.Time {
	expires := now.Add(v.ttl(a))
	if ends != nil && ends.Before(expires) {
		return *ends
	}
	return expires
}

func (v *Service) ttl(a Account) time.Duration {
	if a.Display != 0 {
		return v.o.DisplayTTL
	}
	return v.o.SessionTTL
}

// touchEvery returns the interval between recorded uses: writeEvery, or a quarter of the session's lifetime if that is
// shorter.
func (v *Service) touchEvery(a Account) time.Duration { return min(writeEvery, v.ttl(a)/4) }

// current returns the principal of a session that was read from the store; err is the error of that read. It returns
// fault.Unauthenticated if the session is not valid.
func (v *Service) current(s Session, a Account, err error) (core.Principal, error) {
	switch {
	case fault.Is(err, fault.NotFound):
		return core.Principal{}, errNoSession()
	case err != nil:
		return core.Principal{}, fault.Wrap(fault.KindOf(err), err, "the session cannot be read now")
	case s.RevokedAt != nil || a.Disabled:
		return core.Principal{}, errNoSession()
	}
	p := principal(s, a)
	return p, live(p, v.now())
}

func live(p core.Principal, now time.Time) error {
	if !now.Before(p.Expires) {
		return errNoSession()
	}
	return nil
}

// Logout ends the principal's session.
func (v *Service) Logout(ctx context.Context, p core.Principal) error {
	if err := v.store.RevokeSessions(ctx, p.AccountID, p.SessionID, p.Login); err != nil {
		return fault.Wrap(fault.KindOf(err), err, "the session cannot be ended now")
	}
	v.Forget(p.SessionID)
	return nil
}

// Forget drops a session from this process's cache. Call it for each session.revoked event.
func (v *Service) Forget(sessionID int64) {
	v.cache.drop(func(p core.Principal) bool { return p.SessionID == sessionID })
}

// ForgetAccount drops all sessions of an account from the cache. Call it for each account.changed event.
func (v *Service) ForgetAccount(accountID int64) {
	v.cache.drop(func(p core.Principal) bool { return p.AccountID == accountID })
}

// ForgetAll empties the cache. Call it when events may have been missed.
func (v *Service) ForgetAll() { v.cache.drop(func(core.Principal) bool { return true }) }

// maxCached is the largest number of cached sessions. A city has some hundreds of sessions.
const maxCached = 10_000

// sessionCache caches principals by the SHA-256 of their token for the time ttl.
type sessionCache struct {
	ttl time.Duration

	mu    sync.RWMutex
	gen   uint64 // increases with every drop, so that a session that was read before a drop is not cached after it
	known map[[sha256.Size]byte]cached
}

type cached struct {
	principal core.Principal
	touch     time.Time // a use from this time on is written to the store
	until     time.Time
}

func newSessionCache(ttl time.Duration) *sessionCache {
	return &sessionCache{ttl: ttl, known: map[[sha256.Size]byte]cached{}}
}

func (c *sessionCache) generation() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.gen
}

func (c *sessionCache) get(key [sha256.Size]byte, now time.Time) (cached, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.known[key]
	return e, ok && now.Before(e.until)
}

func (c *sessionCache) put(key [sha256.Size]byte, e cached, now time.Time, generation uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gen != generation {
		return
	}
	if len(c.known) >= maxCached {
		for k, e := range c.known {
			if !now.Before(e.until) {
				delete(c.known, k)
			}
		}
		if len(c.known) >= maxCached {
			clear(c.known)
		}
	}
	e.until = now.Add(c.ttl)
	c.known[key] = e
}

func (c *sessionCache) drop(which func(core.Principal) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gen++
	for k, e := range c.known {
		if which(e.principal) {
			delete(c.known, k)
		}
	}
}
