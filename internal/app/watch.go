package app

import (
	"context"

	"onemap/sensors"
)

// startWatch starts the check for stale devices and datastreams.
func (a *App) startWatch(ctx context.Context) error {
	w := sensors.NewWatch(sensors.WatchOptions{Node: a.o.Node, IsListening: a.isListening(), Clock: a.clock}, a.db.Sensors, a.logger, a.metrics)
	a.life.Background(ctx, "watch for silence", w.Run)
	return nil
}

// isListening returns a function that reports whether this node has accepted everything that devices have sent since the
// previous call: ingest is healthy and has refused nothing.
func (a *App) isListening() func() bool {
	refused := a.ingest.Stats().Totals.Refused
	return func() bool {
		now := a.ingest.Stats().Totals.Refused
		// A device whose publishes were refused is not silent, so such a time does not count against it.
		heard := now == refused && a.ingest.Health().OK
		refused = now
		return heard
	}
}
