package app

import (
	"context"
	"log/slog"
	"time"

	"onemap/alerts"
	"onemap/auth"
	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/wait"
	"onemap/sensors"
)

// memory updates the state that this node holds in memory. When an event of the log shows that something changed, on any
// node, it drops or reloads the affected part.
type memory struct {
	logger   *slog.Logger
	sessions interface {
		Forget(session int64)        // drop one session from the cache
		ForgetAccount(account int64) // drop all sessions of an account from the cache
		ForgetAll()                  // drop all sessions from the cache
	}
	reloadRegistry func(context.Context) error
	reloadRules    func()
	changed        chan struct{} // signals that the registry has changed
}

// sessionEnded is the payload of session.revoked and account.changed.
type sessionEnded struct {
	SessionID int64 `json:"session_id"`
	AccountID int64 `json:"account_id"`
}

// subscriber returns the subscriber of the event log that updates the memory.
func (m *memory) subscriber() eventlog.Subscriber {
	h := eventlog.NewHandlers(m.forgetAll, m.logger)
	ended := func(_ context.Context, p sessionEnded) {
		// An event without a session is about an account, so all sessions of that account are dropped.
		if p.SessionID != 0 {
			m.sessions.Forget(p.SessionID)
		} else {
			m.sessions.ForgetAccount(p.AccountID)
		}
	}
	eventlog.On(h, auth.EventSessionRevoked, ended)
	eventlog.On(h, auth.EventAccountChanged, ended)
	// Rules watch datastreams, so a change of the devices reloads the rules too.
	eventlog.On(h, sensors.EventRegistryChanged, func(context.Context, struct{}) {
		wait.Wake(m.changed)
		m.reloadRules()
	})
	eventlog.On(h, alerts.EventRuleChanged, func(context.Context, struct{}) { m.reloadRules() })
	// An event that cannot be decoded may be the end of any session, so all sessions are dropped from the cache.
	h.OnUnreadable = func(context.Context, core.Event) { m.sessions.ForgetAll() }
	return h
}

// forgetAll drops and reloads everything. It is called when events are missing, because all state may then be out of date.
func (m *memory) forgetAll(context.Context) error {
	m.sessions.ForgetAll()
	wait.Wake(m.changed)
	m.reloadRules()
	return nil
}

// run reloads the registry after each change. It retries until a reload succeeds.
func (m *memory) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.changed:
		}
		if err := m.reloadRegistry(ctx); err != nil && ctx.Err() == nil {
			m.logger.WarnContext(ctx, "reloading the devices", "error", err)
			wait.Wake(m.changed)
			// The pause prevents a busy loop while the database is unavailable.
			wait.For(ctx, time.Second)
		}
	}
}
