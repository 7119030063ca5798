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

// memory keeps what this node holds in memory as new as the event log: it forgets what an event has changed, on
// whichever node that was.
type memory struct {
	logger   *slog.Logger
	sessions interface {
		Forget(session int64)        // a session ended
		ForgetAccount(account int64) // an account changed: drop all its sessions from the cache
		ForgetAll()                  // drop all sessions from the cache
	}
	reloadRegistry func(context.Context) error
	reloadRules    func()
	changed        chan struct{} // the registry changed
}

// sessionEnded is the payload of session.revoked and account.changed.
type sessionEnded struct {
	SessionID int64 `json:"session_id"`
	AccountID int64 `json:"account_id"`
}

// subscriber tells the memory of the event log.
func (m *memory) subscriber() eventlog.Subscriber {
	h := eventlog.NewHandlers(m.forgetAll, m.logger)
	ended := func(_ context.Context, p sessionEnded) {
		if p.SessionID != 0 {
			m.sessions.Forget(p.SessionID)
		} else {
			m.sessions.ForgetAccount(p.AccountID)
		}
	}
	eventlog.On(h, auth.EventSessionRevoked, ended)
	eventlog.On(h, auth.EventAccountChanged, ended)
	eventlog.On(h, sensors.EventRegistryChanged, func(context.Context, struct{}) {
		wait.Wake(m.changed)
		m.reloadRules()
	})
	eventlog.On(h, alerts.EventRuleChanged, func(context.Context, struct{}) { m.reloadRules() })
	h.OnUnreadable = func(context.Context, core.Event) { m.sessions.ForgetAll() }
	return h
}

// forgetAll is for events that are missing: nothing that is held can be trusted.
func (m *memory) forgetAll(context.Context) error {
	m.sessions.ForgetAll()
	wait.Wake(m.changed)
	m.reloadRules()
	return nil
}

// run reloads the registry after each change, until that has succeeded.
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
			wait.For(ctx, time.Second)
		}
	}
}
