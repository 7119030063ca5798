package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"onemap/internal/app"
	"onemap/internal/config"
)

// stopWithin bounds a clean stop.
const stopWithin = 20 * time.Second

type serveCmd struct {
	config.Server
	config.Database
	Migrate bool `help:"Bring the tables up to this version first." default:"true" negatable:""`
}

// Run serves until the context ends or a part fails for good.
func (c *serveCmd) Run(ctx context.Context, s *session) error {
	url, err := c.URL()
	if err != nil {
		return err
	}
	spareCollections()
	if c.Migrate {
		if err := app.Migrate(ctx, url, s.logger, s.progress.Show); err != nil {
			return err
		}
		s.progress.Done()
	}
	a, err := app.Start(ctx, app.Options{Server: c.Server, DatabaseURL: url, DatabaseMax: c.DatabaseMax, Version: version, Logger: s.logger})
	if err != nil {
		return err
	}
	fmt.Printf("onemap serves %s, MQTT on %s\n", a.URL(), a.MQTTAddr())
	return wait(ctx, a)
}

// spareCollections lets the heap grow to three times what is used before it is collected, not twice: a
// collection goes through all that is held of devices, rules and layers. The variable GOGC says otherwise.
func spareCollections() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}

// wait blocks until the context ends or a part fails, and then stops everything, within a bound.
func wait(ctx context.Context, a interface {
	Failed() <-chan error
	Stop(context.Context) error
}) error {
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-a.Failed():
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if err := a.Stop(stopCtx); err != nil && failure == nil {
		return err
	}
	return failure
}
