package app

import (
	"context"
	"slices"

	"onemap/internal/core"
	"onemap/sensors"
)

// startIngest starts the path of the readings, and then each way in: what stops last takes what the
// others have accepted.
func (a *App) startIngest(ctx context.Context) error {
	a.ingest = sensors.NewIngest(sensors.IngestOptions{
		MaxPayload: a.o.MaxPayload, Committers: a.o.Committers, Node: a.o.Node, Clock: a.clock, OnCommit: a.committed,
	}, a.registry, a.db.Sensors, a.logger, a.metrics)
	a.ingest.Start()
	a.life.Push("ingest", a.ingest.Stop)
	a.monitor.add(a.ingest.Health)
	for _, start := range []func(context.Context) error{a.startBroker, a.startRemote, a.startWatch} {
		if err := start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// IngestStats is what this node's ways in and its ingest path tell of themselves.
func (a *App) IngestStats() sensors.IngestStats {
	s := a.ingest.Stats()
	for _, in := range a.waysIn {
		s.Brokers = append(s.Brokers, in.Stats())
		s.Troubles = append(s.Troubles, in.Troubles()...)
	}
	slices.SortFunc(s.Troubles, func(a, b sensors.DeviceTrouble) int { return b.Last.Compare(a.Last) })
	s.Troubles = s.Troubles[:min(len(s.Troubles), maxTroubles)]
	return s
}

// addWayIn lets a broker's word count among the parts' health, and its figures among the node's.
func (a *App) addWayIn(in wayIn) {
	a.waysIn = append(a.waysIn, in)
	a.monitor.add(in.Health)
}

// wayIn is a broker that tells of itself.
type wayIn interface {
	Health() core.Health
	Stats() sensors.BrokerStats
	Troubles() []sensors.DeviceTrouble
}

const maxTroubles = 100

// committed wakes what follows the commits; it is called after each, and does not block.
func (a *App) committed(int64) {
	a.engine.Wake()
	a.hub.Wake()
}
