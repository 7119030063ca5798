// Package app builds the whole server from its options, starts it, and stops it in reverse order. The command line and the
// tests of the whole server use it; a test listens on port 0.
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

// Options configures a server.
type Options struct {
	config.Server
	DatabaseURL string
	DatabaseMax int // largest number of connections; 0: the default of package pg
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
	basePath string // path below which the pages are; empty: the root

	metricsAddr net.Addr // address of the separate listener of the metrics; nil: there is none

	db       *stores.Stores
	registry *sensors.Registry
	ingest   *sensors.Ingest
	broker   *mqtt.Broker
	brokers  []brokerStatus
	engine   *alerts.Engine
	people   *auth.Service
	follower *eventlog.Follower
	hub      *push.Hub
	tiles    *engine.Engine
	monitor  *monitor
}

// Start builds and starts a server. If a part fails, it stops the parts that it has started.
func Start(ctx context.Context, o Options) (*App, error) {
	// The channel has room for four errors. Fail drops further ones, because the first is enough to stop the server.
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
		// The process id keeps two servers on one machine apart.
		a.o.Node = fmt.Sprintf("%s-%d", host, os.Getpid())
	}
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.life.Logger = a.logger
	// The order matters: a part is started after those that it uses, and is stopped before them.
	for _, step := range []func(context.Context) error{
		a.startStore, a.startPeople, a.startPush, a.startTiles, a.startRules, a.startIngest, a.startFollowing, a.startMetrics, a.startWeb,
	} {
		if err := step(ctx); err != nil {
			// The stop has its own time limit, because ctx may have ended: that may be why the step failed.
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

// Reload reads the certificate for devices again. If the new one cannot be used, the old one stays, and the log and the
// health report it.
func (a *App) Reload() {
	if a.broker != nil {
		a.broker.ReloadCertificate()
	}
}

// Failed returns a channel that receives an error when a part has failed permanently. The server should then stop.
func (a *App) Failed() <-chan error { return a.failed }

// URL returns the address of the pages.
func (a *App) URL() string { return "http://" + a.httpAddr.String() + a.basePath }

// MetricsAddr returns host:port of the metrics' own listener. It returns "" if there is none.
func (a *App) MetricsAddr() string {
	if a.metricsAddr == nil {
		return ""
	}
	return a.metricsAddr.String()
}

// Health returns the state of the parts.
func (a *App) Health() []core.Health { return a.monitor.Health() }

// mustRun runs a part until the server stops. If the part ends before that, the server fails.
func (a *App) mustRun(ctx context.Context, name string, run func(context.Context) error) {
	a.life.Background(ctx, name, func(ctx context.Context) {
		err := run(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			// A part that ends before the stop is a fault even without an error: nothing does its work any more.
			err = errors.New("ended")
		}
		a.Fail(fmt.Errorf("%s: %w", name, err))
	})
}

// Fail reports that a part has failed permanently.
func (a *App) Fail(err error) {
	select {
	case a.failed <- err:
	default:
	}
}

// prune deletes data after its retention period, at intervals of PruneEvery, until ctx ends.
func (a *App) prune(ctx context.Context) {
	every := cmp.Or(a.o.PruneEvery, time.Hour)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		// The first run is at the start, so that a server that restarts often prunes too.
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

// pruneQuarantine keeps the quarantine within its size until ctx ends. It runs more often than prune, because devices could
// exceed the size between two runs.
func (a *App) pruneQuarantine(ctx context.Context) {
	// PruneEvery can shorten the interval of a minute, and cannot lengthen it.
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

// promLog logs what the handler of the metrics could not collect.
type promLog struct{ logger *slog.Logger }

// Println implements promhttp.Logger.
func (l promLog) Println(v ...any) { l.logger.Error("metrics", "error", fmt.Sprint(v...)) }
