package app

import (
	"context"
	"slices"

	"onemap/internal/core"
	"onemap/sensors"
)

// startIngest starts the ingest path and then the brokers and the watch. The order matters: the ingest path stops last, so
// that it commits what the brokers have accepted.
func (a *App) startIngest(ctx context.Context) error {
	a.ingest = sensors.NewIngest(sensors.IngestOptions{
		MaxPayload: a.o.MaxPayload, Committers: a.o.Committers, Node: a.o.Node, Clock: a.clock, OnCommit: a.committed,
	}, a.registry, a.db.Sensors, a.logger, a.metrics)
	// The ingest path runs before a broker accepts the first publish, so that no publish waits for it.
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

// IngestStats returns the statistics of this node's ingest path and brokers.
func (a *App) IngestStats() sensors.IngestStats {
	s := a.ingest.Stats()
	for _, in := range a.brokers {
		s.Brokers = append(s.Brokers, in.Stats())
		s.Troubles = append(s.Troubles, in.Troubles()...)
	}
	// Each broker lists its newest first; the merged list must be sorted again before it is cut.
	slices.SortFunc(s.Troubles, func(a, b sensors.DeviceTrouble) int { return b.Last.Compare(a.Last) })
	s.Troubles = s.Troubles[:min(len(s.Troubles), maxTroubles)]
	return s
}

// addBroker adds a broker to the health and to the statistics of this node.
func (a *App) addBroker(in brokerStatus) {
	a.brokers = append(a.brokers, in)
	a.monitor.add(in.Health)
}

// brokerStatus is a broker with its health and statistics.
type brokerStatus interface {
	Health() core.Health
	Stats() sensors.BrokerStats
	Troubles() []sensors.DeviceTrouble
}

// maxTroubles is the largest number of troubles in the statistics.
const maxTroubles = 100

// committed wakes the readers of the batches. It is called after each commit and does not block.
func (a *App) committed(int64) {
	a.engine.Wake()
	a.hub.Wake()
}
