package app

import (
	"context"

	"onemap/sensors"
)

// startIngest starts the path of the readings, and then each way in: what stops last takes what the
// others have accepted.
func (a *App) startIngest(ctx context.Context) error {
	a.ingest = sensors.NewIngest(sensors.IngestOptions{MaxPayload: a.o.MaxPayload, Clock: a.clock, OnCommit: a.committed},
		a.registry, a.db, a.logger, a.metrics)
	a.ingest.Start()
	a.life.push("ingest", a.ingest.Stop)
	a.monitor.add(a.ingest.Health)
	for _, start := range []func(context.Context) error{a.startBroker, a.startRemote, a.startWatch} {
		if err := start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// committed wakes what follows the commits; it is called after each, and does not block.
func (a *App) committed(int64) {
	a.engine.Wake()
	a.hub.Wake()
}
