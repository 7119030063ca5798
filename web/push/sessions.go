package push

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"onemap/auth"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/wait"
)

// sessions closes connections whose session or role has ended: at once on a revocation event, at expiry, and after a
// periodic check in the store. The check of a connection in use extends its session.
type sessions struct {
	hub   *Hub
	asked chan struct{} // signals that a connection was flagged
	flags atomic.Int64  // numbers the flags, so that a second flag differs from the first
}

// newSessions returns the session checks of a hub.
func newSessions(h *Hub) *sessions {
	return &sessions{hub: h, asked: make(chan struct{}, 1)}
}

// revocation is the payload of session.revoked and account.changed. Session 0 means every session of the account.
type revocation struct {
	Session int64 `json:"session_id"`
	Account int64 `json:"account_id"`
}

// handleRevocation handles an event of the log before it is sent to any client. The caller holds the hub's lock.
func (s *sessions) handleRevocation(ctx context.Context, e core.Event) {
	var r revocation
	switch e.Kind {
	case auth.EventSessionRevoked:
		if err := json.Unmarshal(e.Payload, &r); err != nil || (r.Session == 0 && r.Account == 0) {
			s.hub.log.ErrorContext(ctx, "cannot tell whose session was revoked; asking for all", slog.Int64("seq", e.Seq))
			s.flag(func(*client) bool { return true })
			return
		}
		why := &closing{CloseSessionEnded, causeSession, "the session was ended"}
		for c := range s.hub.conns {
			if c.who.SessionID == r.Session || (r.Session == 0 && c.who.AccountID == r.Account) {
				c.close(why)
			}
		}
	case auth.EventAccountChanged:
		_ = json.Unmarshal(e.Payload, &r) // an error is ignored: the subject also names the account
		s.flag(func(c *client) bool {
			return c.who.AccountID == r.Account || e.Subject == c.who.Login ||
				e.Subject == strconv.FormatInt(c.who.AccountID, 10) || (e.Subject == "" && r.Account == 0)
		})
	}
}

// flag requests an immediate session check for the matching connections. The caller holds the hub's lock.
func (s *sessions) flag(match func(*client) bool) {
	for c := range s.hub.conns {
		if match(c) {
			c.checkAt.Store(-s.flags.Add(1))
		}
	}
	wait.Wake(s.asked)
}

// run sweeps every Tick and checks the sessions that are due.
func (s *sessions) run(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.recheck(ctx)
	}()
	defer func() { <-done }()
	tick := time.NewTicker(s.hub.o.Tick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.sweep()
		}
	}
}

// sweep requests a check of each session that has expired on this node, and closes the clients that are too slow.
// Expiry on this node is not final: a request to another node may have extended the session, so the store decides.
func (s *sessions) sweep() {
	h := s.hub
	now := h.now().UnixNano()
	expired := &closing{CloseSessionEnded, causeSession, "the session has expired"}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for c := range h.conns {
		switch expires := c.expires.Load(); {
		case expires == 0 || now < expires:
		case h.parts.Recheck == nil:
			c.close(expired)
		case c.checkAt.Load() > 0: // negative: a check is already requested
			c.checkAt.Store(-s.flags.Add(1))
			wait.Wake(s.asked)
		}
		if c.class == nil {
			continue
		}
		if why := c.pace(); why != nil {
			c.close(why)
		}
	}
	h.metrics.batchAge.Set(h.batchTail.Age().Seconds())
}

// recheck checks sessions one after the other: the flagged ones at once, and each session every Recheck. When the
// store is unavailable, the connections stay open and the remaining checks are done later.
func (s *sessions) recheck(ctx context.Context) {
	h := s.hub
	if h.parts.Recheck == nil {
		return
	}
	tick := time.NewTicker(min(h.o.Tick, h.o.Recheck))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.asked:
		case <-tick.C:
		}
		for _, c := range s.due() {
			callCtx, cancel := context.WithTimeout(ctx, h.o.CallTimeout)
			why, known := s.lookUp(callCtx, c)
			cancel()
			if !known {
				break
			}
			if why != nil {
				c.close(why)
			}
		}
	}
}

// due returns the connections whose session must be checked now. A flagged connection has a negative checkAt.
func (s *sessions) due() []*client {
	h := s.hub
	now := h.now().UnixNano()
	h.mu.RLock()
	defer h.mu.RUnlock()
	var due []*client
	for c := range h.conns {
		if c.checkAt.Load() <= now {
			due = append(due, c)
		}
	}
	return due
}

// check checks the session at the hello. When the store is unavailable it accepts the client, because the HTTP API
// authenticated the same request a moment ago, and requests another check.
func (s *sessions) check(ctx context.Context, c *client) error {
	if s.hub.parts.Recheck == nil {
		return nil
	}
	why, known := s.lookUp(ctx, c)
	if !known {
		c.checkAt.Store(-s.flags.Add(1))
		return nil
	}
	if why != nil {
		return why
	}
	return nil
}

// lookUp reads a connection's session. why is the reason to close the connection, nil when the session is valid; known
// is false when the store is unavailable.
func (s *sessions) lookUp(ctx context.Context, c *client) (why *closing, known bool) {
	flagged := c.checkAt.Load()
	look := s.hub.parts.Recheck
	if s.hub.parts.Use != nil && c.inUse() {
		look = s.hub.parts.Use
	}
	p, err := look(ctx, c.who.SessionID)
	switch {
	case fault.Is(err, fault.Unauthenticated), fault.Is(err, fault.NotFound), fault.Is(err, fault.Forbidden):
		return &closing{CloseSessionEnded, causeSession, "the session has ended"}, true
	case err != nil:
		if ctx.Err() == nil {
			s.hub.log.WarnContext(ctx, "cannot check a session", slog.Any("error", err))
		}
		return nil, false
	}
	// The swap fails when the connection was flagged again during the read: the result may then be too old.
	c.checkAt.CompareAndSwap(flagged, s.next(p))
	return s.verdict(c, p), true
}

// next returns the time of the next session check, in Unix ns: after Recheck, or at half of the remaining time when
// that is sooner, so that a connection in use extends its session in time.
func (s *sessions) next(p core.Principal) int64 {
	now, wait := s.hub.now(), s.hub.o.Recheck
	if half := p.Expires.Sub(now) / 2; !p.Expires.IsZero() && half > 0 {
		wait = min(wait, half)
	}
	return now.Add(wait).UnixNano()
}

// verdict returns the reason to close the connection for its current principal, nil when the session is valid.
func (s *sessions) verdict(c *client, p core.Principal) *closing {
	switch {
	case p.AccountID != c.who.AccountID:
		return &closing{CloseSessionEnded, causeSession, "the session is another account's"}
	case p.Scope() != c.scope:
		return &closing{CloseScopeChanged, causeScope, "the account's role or division has changed"}
	case !p.Expires.IsZero() && !s.hub.now().Before(p.Expires):
		return &closing{CloseSessionEnded, causeSession, "the session has expired"}
	}
	c.setExpiry(p.Expires)
	return nil
}
