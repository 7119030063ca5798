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
	return s.wait(ctx, a)
}

func (s *session) reload(ctx context.Context, a server) {
	if s.log != nil {
		if err := s.log.Reopen(); err != nil {
			s.logger.ErrorContext(ctx, "SIGHUP: the log stays in the old file", "error", err)
		}
	}
	s.logger.InfoContext(ctx, "SIGHUP: reloading")
	a.Reload()
}

// spareCollections lets the heap grow to three times what is used before it is collected, not twice: a
// collection goes through all that is held of devices, rules and layers. The variable GOGC says otherwise.
func spareCollections() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}

// server is a running server or demo.
type server interface {
	Failed() <-chan error
	Reload()
	Stop(context.Context) error
}

// wait blocks until the context ends or a part fails, and then stops everything, within a bound. Each SIGHUP opens the
// log anew and reloads what the server can.
func (s *session) wait(ctx context.Context, a server) error {
	var failure error
	for running := true; running; {
		select {
		case <-ctx.Done():
			running = false
		case failure = <-a.Failed():
			running = false
		case <-s.hangups:
			s.reload(ctx, a)
		}
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if err := a.Stop(stopCtx); err != nil && failure == nil {
		return err
	}
	return failure
}
