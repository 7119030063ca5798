package auth

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"sync"
	"time"

	"onemap/internal/errs"
)

// touchEvery is how exact a session's last_seen is.
const touchEvery = time.Minute

// Authenticate knows the bearer of a token again, or says errs.Unauthenticated: no such session,
// expired, revoked, or the account is disabled. A store that is away is errs.Unavailable, so that
// nobody is logged out by it.
func (v *Service) Authenticate(ctx context.Context, token string) (Principal, error) {
	if len(token) != tokenLength {
		return Principal{}, errNoSession()
	}
	sum := sha256.Sum256([]byte(token))
	now := v.now()
	if p, ok := v.cache.get(sum, now); ok {
		return p, live(p, now)
	}
	generation := v.cache.generation()
	s, a, err := v.store.SessionByToken(ctx, sum[:])
	p, err := v.current(s, a, err)
	if err != nil {
		return Principal{}, err
	}
	v.cache.put(sum, p, now, generation)
	if now.Sub(s.LastSeen) >= touchEvery {
		if err := v.store.TouchSession(ctx, s.ID, now); err != nil {
			v.log.WarnContext(ctx, "last_seen of a session is not kept", slog.Int64("session", s.ID), slog.Any("error", err))
		}
	}
	return p, nil
}

// Recheck gives the principal of a session as it is in the store now: errs.Unauthenticated when the
// session or its account has ended, errs.Unavailable when nobody can tell.
func (v *Service) Recheck(ctx context.Context, sessionID int64) (Principal, error) {
	s, a, err := v.store.SessionByID(ctx, sessionID)
	return v.current(s, a, err)
}

// current makes a principal of a session as the store gave it, if it still holds.
func (v *Service) current(s Session, a Account, err error) (Principal, error) {
	switch {
	case errs.Is(err, errs.NotFound):
		return Principal{}, errNoSession()
	case err != nil:
		return Principal{}, errs.Wrap(errs.KindOf(err), err, "the session cannot be read now")
	case s.RevokedAt != nil || a.Disabled:
		return Principal{}, errNoSession()
	}
	p := principal(s, a)
	return p, live(p, v.now())
}

func live(p Principal, now time.Time) error {
	if !now.Before(p.Expires) {
		return errNoSession()
	}
	return nil
}

// Logout ends the principal's session.
func (v *Service) Logout(ctx context.Context, p Principal) error {
	if err := v.store.RevokeSessions(ctx, p.AccountID, p.SessionID, p.Login); err != nil {
		return errs.Wrap(errs.KindOf(err), err, "the session cannot be ended now")
	}
	v.Forget(p.SessionID)
	return nil
}

// Forget drops a session from this process's memory: call it for each session.revoked event.
func (v *Service) Forget(sessionID int64) {
	v.cache.drop(func(p Principal) bool { return p.SessionID == sessionID })
}

// ForgetAccount drops all sessions of an account: call it for each account.changed event.
func (v *Service) ForgetAccount(accountID int64) {
	v.cache.drop(func(p Principal) bool { return p.AccountID == accountID })
}

// ForgetAll drops everything: for when events may have been missed.
func (v *Service) ForgetAll() { v.cache.drop(func(Principal) bool { return true }) }

// maxCached bounds the cache; a city has some hundreds of sessions.
const maxCached = 10_000

// sessionCache remembers principals by their token's SHA-256 for a short time.
type sessionCache struct {
	ttl time.Duration

	mu    sync.RWMutex
	gen   uint64 // grows with every drop, so that what was read before one is not kept after it
	known map[[sha256.Size]byte]cached
}

type cached struct {
	principal Principal
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

func (c *sessionCache) get(key [sha256.Size]byte, now time.Time) (Principal, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.known[key]
	return e.principal, ok && now.Before(e.until)
}

func (c *sessionCache) put(key [sha256.Size]byte, p Principal, now time.Time, generation uint64) {
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
	c.known[key] = cached{p, now.Add(c.ttl)}
}

func (c *sessionCache) drop(which func(Principal) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gen++
	for k, e := range c.known {
		if which(e.principal) {
			delete(c.known, k)
		}
	}
}
