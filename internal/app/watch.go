package app

import (
	"context"

	"onemap/sensors"
)

// startWatch looks for devices and datastreams that fell silent.
func (a *App) startWatch(ctx context.Context) error {
	w := sensors.NewWatch(sensors.WatchOptions{Node: a.o.Node, IsListening: a.isListening(), Clock: a.clock}, a.db.Sensors, a.logger, a.metrics)
	a.life.Background(ctx, "watch for silence", w.Run)
	return nil
}

// hears tells, each time that it is asked, whether this node has taken in what devices sent since the last
// time: its database is there, and it refused nothing.
func (a *App) isListening() func() bool {
	refused := a.ingest.Stats().Totals.Refused
	return func() bool {
		now := a.ingest.Stats().Totals.Refused
		heard := now == refused && a.ingest.Health().OK
		refused = now
		return heard
	}
}
