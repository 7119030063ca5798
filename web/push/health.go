package push

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"onemap/internal/core"
)

// healthReporter keeps the server's health report for the heartbeats. Heartbeats read it without waiting.
type healthReporter struct {
	hub  *Hub
	last atomic.Pointer[healthSnapshot]
}

// healthSnapshot is one report. Its version increases when a part becomes OK or not OK.
type healthSnapshot struct {
	version uint64
	parts   []core.Health
	report  []byte // JSON of a healthReport
}

// newHealthReporter returns a reporter whose first report contains only the hub's own part.
func newHealthReporter(h *Hub) *healthReporter {
	p := &healthReporter{hub: h}
	p.last.Store(&healthSnapshot{})
	p.store([]core.Health{h.Health()})
	return p
}

// read returns the newest report. It must not be changed.
func (p *healthReporter) read() *healthSnapshot { return p.last.Load() }

// run updates the report every Tick. The health function runs in a separate goroutine, one call at a time. While a call
// hangs, the report says so.
func (p *healthReporter) run(ctx context.Context) {
	ask := p.hub.parts.Health
	if ask == nil {
		ask = func() []core.Health { return nil }
	}
	tick := time.NewTicker(p.hub.o.Tick)
	defer tick.Stop()
	answers := make(chan []core.Health, 1)
	// waiting is true while a call runs; the channel has room for its answer, so the goroutine never blocks.
	asked, waiting := time.Now(), true
	go func() { answers <- ask() }()
	for {
		select {
		case <-ctx.Done():
			return
		case parts := <-answers:
			waiting = false
			p.store(p.withOwn(parts))
		case <-tick.C:
			if !waiting {
				asked, waiting = time.Now(), true
				go func() { answers <- ask() }()
			} else if age := time.Since(asked); age > 3*p.hub.o.Tick {
				p.storeSilence(age)
			}
		}
	}
}

// withOwn returns a copy of parts with the hub's own part, which it adds only if it is missing.
func (p *healthReporter) withOwn(parts []core.Health) []core.Health {
	own := p.hub.Health()
	if slices.ContainsFunc(parts, func(h core.Health) bool { return h.Part == own.Part }) {
		return slices.Clone(parts)
	}
	return append(slices.Clone(parts), own)
}

// storeSilence stores the last report with the additional part "health", which is not OK and carries the report's age.
func (p *healthReporter) storeSilence(age time.Duration) {
	own := p.hub.Health()
	parts := slices.DeleteFunc(slices.Clone(p.read().parts), func(h core.Health) bool { return h.Part == "health" || h.Part == own.Part })
	p.store(append(parts, own, core.Unwell("health", age.Round(100*time.Millisecond).Seconds(), CodePartsUnknown)))
}

// store stores a report of parts. It wakes every client if a part has become OK or not OK.
func (p *healthReporter) store(parts []core.Health) {
	old := p.read()
	for i, h := range parts {
		if math.IsNaN(h.Lag) || math.IsInf(h.Lag, 0) {
			parts[i].Lag = 0 // NaN and Inf cannot be encoded as JSON
		}
	}
	ok := !slices.ContainsFunc(parts, func(h core.Health) bool { return !h.Ready() })
	next := &healthSnapshot{
		version: old.version, parts: parts,
		report: must(json.Marshal(healthReport{OK: ok, Parts: parts})),
	}
	same := slices.EqualFunc(old.parts, parts, func(a, b core.Health) bool { return a.Part == b.Part && a.OK == b.OK })
	if !same || old.version == 0 {
		next.version++
	}
	p.last.Store(next)
	if next.version != old.version {
		p.hub.wakeAll()
	}
}

// wakeAll wakes every welcomed client.
func (h *Hub) wakeAll() {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, cl := range h.classes {
		for c := range cl.members {
			c.wake()
		}
	}
}
