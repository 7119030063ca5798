package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// The parts of the server in heartbeats and /readyz, in the order in which they are shown.
const (
	partDatabase = "database"
	partBroker   = "broker"
	partRules    = "rules"
	partLayers   = "layers"
)

// The interval of the checks of the database, and the time after which it counts as unavailable.
const (
	healthEvery   = time.Second
	healthTimeout = 3 * time.Second
)

// monitor checks the database at a fixed interval, because a check can hang and a caller must not wait for it. The health
// of the other parts is read directly.
type monitor struct {
	ping   func(context.Context) error
	logger *slog.Logger

	mu     sync.Mutex
	direct []func() core.Health // broker, rules, ingest, push, layers
	state  map[string]core.Health
}

// newMonitor returns a monitor whose database is "starting" until the first check.
func newMonitor(ping func(context.Context) error, logger *slog.Logger) *monitor {
	return &monitor{ping: ping, logger: logger, state: map[string]core.Health{partDatabase: core.Unwell(partDatabase, 0, fault.CodePartStarting)}}
}

// add adds a part whose function returns at once.
func (m *monitor) add(f func() core.Health) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.direct = append(m.direct, f)
}

// run checks the database at intervals until ctx ends.
func (m *monitor) run(ctx context.Context) {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	for {
		m.checkDatabase(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// checkDatabase pings the database and stores the result.
func (m *monitor) checkDatabase(ctx context.Context) {
	m.check(ctx, partDatabase, m.ping)
}

// check runs one check within healthTimeout and stores the result under the part.
func (m *monitor) check(ctx context.Context, part string, check func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	h := core.Health{Part: part, OK: true}
	if err := check(ctx); err != nil {
		h = core.Unwell(part, 0, CodePartSilent) // all users see this text, so the cause is only logged
		m.logger.WarnContext(ctx, "a part does not answer", "part", part, "error", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state[part] = h
}

// Health returns one entry per part. If several functions report the same part, the worst state is used.
func (m *monitor) Health() []core.Health {
	m.mu.Lock()
	all := []core.Health{m.state[partDatabase]}
	direct := slices.Clone(m.direct)
	m.mu.Unlock()
	// The functions run without the lock, so a function may use the monitor itself.
	for _, f := range direct {
		all = append(all, f())
	}
	merged := map[string]core.Health{}
	// Parts without a fixed place follow in the order in which they were added.
	var extra []string
	for _, h := range all {
		old, seen := merged[h.Part]
		switch {
		case !seen:
			merged[h.Part] = h
			if h.Part != partDatabase && h.Part != partBroker && h.Part != partRules && h.Part != partLayers {
				extra = append(extra, h.Part)
			}
		case old.OK && !h.OK:
			merged[h.Part] = h
		// Of two equal states the larger lag counts.
		case old.OK == h.OK:
			old.Lag = max(old.Lag, h.Lag)
			merged[h.Part] = old
		}
	}
	var out []core.Health
	for _, part := range append([]string{partDatabase, partBroker, partRules, partLayers}, extra...) {
		if h, ok := merged[part]; ok {
			out = append(out, h)
		}
	}
	return out
}

// WaitReady blocks until every part is ready. If ctx ends first, it returns an error that names a part that is not ready.
func (a *App) WaitReady(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var bad string
		for _, h := range a.Health() {
			if !h.Ready() {
				bad = h.String()
				break
			}
		}
		if bad == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not get ready (%s): %w", bad, ctx.Err())
		case err := <-a.failed:
			return err
		case <-tick.C:
		}
	}
}
