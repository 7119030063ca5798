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

// stopWithin is the longest time for an orderly stop.
const stopWithin = 20 * time.Second

// serveCmd is the subcommand serve.
type serveCmd struct {
	config.Server
	config.Database
	Migrate bool `help:"Bring the tables up to this version first." default:"true" negatable:""`
}

// Run starts the server and waits until the context ends or a part of the server fails and cannot recover. It runs the
// migrations first, unless --no-migrate is given.
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

// reload handles one SIGHUP: it opens the log file again, so that a log rotation works, and reloads what the server can
// reload.
func (s *session) reload(ctx context.Context, a server) {
	if s.log != nil {
		if err := s.log.Reopen(); err != nil {
			s.logger.ErrorContext(ctx, "SIGHUP: the log stays in the old file", "error", err)
		}
	}
	s.logger.InfoContext(ctx, "SIGHUP: reloading")
	a.Reload()
}

// spareCollections sets the target of the garbage collector to 200 %: the heap may grow to three times the live data
// before the next collection, instead of twice. A collection reads all devices, rules and layers in memory, so fewer
// collections save time at the price of memory. The environment variable GOGC takes precedence.
func spareCollections() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}

// server is what wait needs of a running server. *app.App and *demo.Demo implement it.
type server interface {
	Failed() <-chan error
	Reload()
	Stop(context.Context) error
}

// wait blocks until the context ends or a part of the server fails, and then stops the server within stopWithin. Until
// then it handles SIGHUP. It returns the error of the failed part, or else the error of the stop. The stop has a
// context of its own, because the first one has ended.
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
