// Package app builds the whole server from its options, starts it, and stops it in reverse order.
// The command line and the whole-server tests use it alike; a test listens on :0.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"onemap/internal/app/stores"
	sensorspg "onemap/sensors/pg"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"onemap/alerts"
	"onemap/auth"
	"onemap/internal/config"
	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/lifecycle"
	"onemap/sensors"
	"onemap/sensors/mqtt"
	"onemap/tiles/engine"
	"onemap/web/push"
)

// Options is what a server is built from.
type Options struct {
	config.Server
	DatabaseURL string
	DatabaseMax int // connections; 0 is the store's default
	Version     string
	Logger      *slog.Logger     // nil: nothing is logged
	Clock       func() time.Time // nil: time.Now
}

// App is a running server.
type App struct {
	o        Options
	logger   *slog.Logger
	clock    func() time.Time
	metrics  *prometheus.Registry
	life     lifecycle.Stack
	failed   chan error
	httpAddr net.Addr
	basePath string // the path that the pages are below; empty is the root

	metricsAddr net.Addr // of the listener of its own, nil without

	db       *stores.Stores
	registry *sensors.Registry
	ingest   *sensors.Ingest
	broker   *mqtt.Broker
	waysIn   []wayIn
	engine   *alerts.Engine
	people   *auth.Service
	follower *eventlog.Follower
	hub      *push.Hub
	tiles    *engine.Engine
	monitor  *monitor
}

// Start builds and starts a server. When a part fails, what had been started is stopped again.
func Start(ctx context.Context, o Options) (*App, error) {
	a := &App{o: o, logger: o.Logger, clock: o.Clock, metrics: prometheus.NewRegistry(), failed: make(chan error, 4)}
	if a.logger == nil {
		a.logger = slog.New(slog.DiscardHandler)
	}
	if a.clock == nil {
		a.clock = time.Now
	}
	if a.o.Node == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("name this node: %w", err)
		}
		a.o.Node = fmt.Sprintf("%s-%d", host, os.Getpid())
	}
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.life.Logger = a.logger
	for _, step := range []func(context.Context) error{
		a.startStore, a.startPeople, a.startPush, a.startTiles, a.startRules, a.startIngest, a.startFollowing, a.startMetrics, a.startWeb,
	} {
		if err := step(ctx); err != nil {
			stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			return nil, errors.Join(err, a.life.Stop(stopCtx))
		}
	}
	a.logger.InfoContext(ctx, "serving", "http", a.URL(), "mqtt", a.MQTTAddr(), "node", a.o.Node, "version", o.Version)
	return a, nil
}

// Stop stops everything, last started first. It may be called more than once.
func (a *App) Stop(ctx context.Context) error { return a.life.Stop(ctx) }

// Reload reads anew what may be renewed while the server runs: the certificate for devices. What cannot be used leaves
// the old in place; the log and the health say so.
func (a *App) Reload() {
	if a.broker != nil {
		a.broker.ReloadCertificate()
	}
}

// Failed returns an error when a part has failed for good and the server should stop.
func (a *App) Failed() <-chan error { return a.failed }

// URL is the address of the page.
func (a *App) URL() string { return "http://" + a.httpAddr.String() + a.basePath }

// MetricsAddr is the address of the metrics' own listener, host:port; empty without one.
func (a *App) MetricsAddr() string {
	if a.metricsAddr == nil {
		return ""
	}
	return a.metricsAddr.String()
}

// Health is the state of the parts.
func (a *App) Health() []core.Health { return a.monitor.Health() }

// mustRun runs a part until the server stops; should it end before that, the server fails.
func (a *App) mustRun(ctx context.Context, name string, run func(context.Context) error) {
	a.life.Background(ctx, name, func(ctx context.Context) {
		err := run(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("ended")
		}
		a.Fail(fmt.Errorf("%s: %w", name, err))
	})
}

// Fail says that a part has failed for good; the first one counts.
func (a *App) Fail(err error) {
	select {
	case a.failed <- err:
	default:
	}
}

// prune removes what has outlived its retention, now and then, until ctx ends.
func (a *App) prune(ctx context.Context) {
	every := cmp.Or(a.o.PruneEvery, time.Hour)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		r, err := a.db.Prune(ctx, stores.PrunePolicy{Events: a.o.EventsKeep, Readings: sensorspg.ReadingsPolicy{Quarantine: a.o.Quarantined}})
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.logger.WarnContext(ctx, "pruning", "error", err)
		default:
			a.logger.DebugContext(ctx, "pruned", "report", r)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// pruneQuarantine keeps the quarantine to its size, which devices could exceed between two prunings, until ctx ends.
func (a *App) pruneQuarantine(ctx context.Context) {
	tick := time.NewTicker(min(time.Minute, cmp.Or(a.o.PruneEvery, time.Minute)))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := a.db.Sensors.PruneQuarantine(ctx, sensorspg.ReadingsPolicy{Quarantine: a.o.Quarantined}); err != nil && ctx.Err() == nil {
			a.logger.WarnContext(ctx, "pruning the quarantine", "error", err)
		}
	}
}

// promLog is where the metrics' handler says what it could not gather.
type promLog struct{ logger *slog.Logger }

// Println logs one line.
func (l promLog) Println(v ...any) { l.logger.Error("metrics", "error", fmt.Sprint(v...)) }
