package app

import (
	"context"

	"onemap/sensors/mqtt"
)

// startBroker starts the embedded broker.
func (a *App) startBroker(ctx context.Context) error {
	a.broker = mqtt.New(mqtt.Options{Listen: a.o.MQTT, MaxPayload: a.o.MaxPayload}, a.ingest, a.registry, a.logger, a.metrics, a.clock)
	if err := a.broker.Start(ctx); err != nil {
		return nameBusyFlag(err, "--mqtt", a.o.MQTT)
	}
	a.life.push("broker", a.broker.Stop)
	a.monitor.add(a.broker.Health)
	return nil
}
