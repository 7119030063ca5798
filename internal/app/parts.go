package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	alertsapi "onemap/alerts/api"
	authapi "onemap/auth/api"
	catalogueapi "onemap/catalogue/api"
	"onemap/internal/httpx"
	sensorsapi "onemap/sensors/api"
	tilesapi "onemap/tiles/api"
	pushapi "onemap/web/push/api"
	"onemap/web/server"

	"onemap/catalogue"
	"onemap/internal/app/stores"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"onemap/alerts"
	"onemap/auth"
	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/tiles/engine"
	"onemap/web/push"
	"onemap/web/ui"
)

// startStore opens the database and loads the registry of devices. It is the first part, because every other part needs one
// of the two; life stops parts in the reverse order.
func (a *App) startStore(ctx context.Context) error {
	db, err := stores.Open(ctx, stores.Options{URL: a.o.DatabaseURL, MaxConns: a.o.DatabaseMax, Logger: a.logger, Registerer: a.metrics, Clock: a.clock})
	if err != nil {
		return err
	}
	a.life.Push("database", func(context.Context) error { db.Close(); return nil })
	a.db = db
	a.registry = sensors.NewRegistry(db.Sensors, sensors.RegistryOptions{}, a.logger, a.clock)
	if err := a.registry.Reload(ctx); err != nil {
		return fmt.Errorf("load the devices: %w", err)
	}
	a.monitor = newMonitor(db.Ping, a.logger)
	a.life.Background(ctx, "monitor", a.monitor.run)
	return nil
}

// cityScope returns the scope of the server itself.
func (a *App) cityScope() core.Scope {
	return core.Scope{Division: a.o.City, Role: core.RoleAdministrator}
}

// startPeople makes the service of accounts and sessions. It runs nothing in the background.
func (a *App) startPeople(context.Context) error {
	a.people = auth.NewService(auth.Options{SessionTTL: a.o.SessionTTL, SessionMax: a.o.SessionMax}, a.db.Auth, a.db.Auth, a.db.Auth, a.logger, a.metrics, a.clock)
	return nil
}

// startPush starts the follower of the event log and the push hub on it. The follower has a connection of its own, because
// LISTEN occupies it.
func (a *App) startPush(ctx context.Context) error {
	origins, err := a.origins()
	if err != nil {
		return err
	}
	// The listener is pushed before the hub and the follower, so it is closed after both have stopped.
	listener := a.db.Log().Listen()
	a.life.Push("event log's connection", func(context.Context) error { listener.Close(); return nil })
	a.follower = eventlog.NewFollower(a.db.Log(), listener, eventlog.FollowerOptions{}, a.logger, a.metrics, a.clock)
	hub, err := push.New(push.Parts{
		Events: a.db.Log(), Follower: a.follower, Batches: a.db.Sensors, Clients: a.db.Push, Directory: a.registry, Health: a.monitor.Health,
		Recheck: a.people.Recheck, Use: a.people.Use, Present: a.db.Push.Present, AlertPlace: a.db.Alerts.AlertPlace,
	}, push.Options{Node: a.o.Node, Origins: origins}, a.logger, a.metrics, a.clock)
	if err != nil {
		return fmt.Errorf("make the push hub: %w", err)
	}
	a.hub = hub
	a.mustRun(ctx, "push", hub.Run)
	a.monitor.add(hub.Health)
	return nil
}

// startTiles loads the layers in the background and follows their changes. The web server starts before they are loaded; it
// is ready when they are.
func (a *App) startTiles(ctx context.Context) error {
	feed := a.db.Tiles.ChangeFeed()
	e, err := engine.New(engine.Options{CacheBytes: int64(a.o.TileCache) << 20, MaxFeatures: a.o.TileMax}, engine.Parts{
		Loader: a.db.Tiles, Feed: feed, Database: a.db.Tiles, Changed: a.hub.TilesChanged,
	}, a.logger, a.metrics, a.clock)
	if err != nil {
		return fmt.Errorf("make the tile engine: %w", err)
	}
	a.tiles = e
	// The feed is pushed before the engine, so it is closed after the engine has stopped.
	a.life.Push("change feed", func(context.Context) error { feed.Close(); return nil })
	a.mustRun(ctx, "tiles", e.Run)
	a.monitor.add(e.Health)
	return nil
}

// startRules starts the engine of the rules and the pruning. Over all nodes one engine evaluates at a time; the others
// wait for the lock.
func (a *App) startRules(ctx context.Context) error {
	a.engine = alerts.NewEngine(alerts.Options{Sender: a.o.Sender, CityCode: a.o.City, Node: a.o.Node}, a.db.Alerts, a.db.Sensors, a.logger, a.metrics, a.clock)
	a.mustRun(ctx, "rules", a.engine.Run)
	a.monitor.add(a.engine.Health)
	a.life.Background(ctx, "pruning", a.prune)
	a.life.Background(ctx, "pruning the quarantine", a.pruneQuarantine)
	return nil
}

// startFollowing follows the event log for all state that this node holds in memory. The sessions are subscribed before
// the hub, because the hub checks with them the sessions that an event ends.
func (a *App) startFollowing(ctx context.Context) error {
	m := &memory{
		logger: a.logger, sessions: a.people, reloadRegistry: a.registry.Reload, reloadRules: a.engine.ReloadRules,
		changed: make(chan struct{}, 1),
	}
	a.follower.Subscribe("this node's memory", m.subscriber())
	a.follower.Subscribe("push", a.hub.Subscriber())
	a.life.Background(ctx, "registry", m.run)
	a.life.Background(ctx, "event log", a.follower.Run)
	return nil
}

// shutdownWithin is the time limit for open requests when the server stops.
const shutdownWithin = 5 * time.Second

// startWeb builds the handler and serves it. It is the last part, so it answers only when all others have started.
func (a *App) startWeb(ctx context.Context) error {
	handler, err := a.handler(ctx)
	if err != nil {
		return err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.o.HTTP)
	if err != nil {
		return NameBusyFlag(err, "--http", a.o.HTTP)
	}
	a.httpAddr = ln.Addr()
	a.serveHTTP("web", handler.HTTPServer(), ln)
	return nil
}

// startMetrics serves /metrics on a separate listener, if --metrics is set.
func (a *App) startMetrics(ctx context.Context) error {
	if a.o.Metrics == "" {
		return nil
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.o.Metrics)
	if err != nil {
		return NameBusyFlag(err, "--metrics", a.o.Metrics)
	}
	a.metricsAddr = ln.Addr()
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.metricsHandler())
	a.serveHTTP("metrics", &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(a.logger.Handler(), slog.LevelDebug),
	}, ln)
	return nil
}

// metricsHandler returns the handler of the metrics, in the formats of Prometheus.
func (a *App) metricsHandler() http.Handler {
	return promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{ErrorLog: promLog{a.logger}})
}

// serveHTTP serves a listener until the server stops.
func (a *App) serveHTTP(name string, srv *http.Server, ln net.Listener) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			a.Fail(fmt.Errorf("%s server: %w", name, err))
		}
	}()
	a.life.Push(name, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, shutdownWithin)
		defer cancel()
		// Shutdown waits for open requests. It does not wait for connections that became WebSockets.
		err := srv.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = srv.Close() // a download still runs; the stop does not wait for it
		}
		<-done
		return err
	})
}

// handler builds the web server from the parts.
func (a *App) handler(ctx context.Context) (*server.Server, error) {
	sources, line, err := a.sources(ctx)
	if err != nil {
		return nil, err
	}
	city, simulated, err := a.describeCity(ctx)
	if err != nil {
		return nil, err
	}
	proxies, err := a.proxies()
	if err != nil {
		return nil, err
	}
	origins, err := a.origins()
	if err != nil {
		return nil, err
	}
	base, err := httpx.ParseBase(a.o.Base)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "--base")
	}
	a.basePath = base
	files, err := ui.Files()
	if err != nil {
		return nil, fmt.Errorf("read the page's files: %w", err)
	}
	s, err := server.New(server.Options{
		HTTP: httpx.Options{
			Sessions: a.people, Permissions: permissions(), Proxies: proxies, Origins: origins, Base: base, OwnMetrics: a.o.Metrics != "",
			Logger: a.logger, Registerer: a.metrics, Clock: a.clock,
		},
		Auth: authapi.Options{
			Sessions: a.people, Accounts: a.people, Displays: a.people, Divisions: a.db.Catalogue,
			City: city, Version: a.o.Version, Node: a.o.Node, Simulated: simulated,
		},
		Alerts: alertsapi.Options{
			Alerts: a.db.Alerts, Handler: alerts.NewDesk(a.db.Alerts, a.logger, a.clock), Silences: alerts.NewSilences(a.db.Alerts, a.logger, a.clock),
			Rules: alerts.NewRules(a.db.Alerts, a.db.Sensors), CAP: a.db.Alerts, Divisions: a.db.Catalogue, City: city,
		},
		Sensors: sensorsapi.Options{
			Reader: a.db.Sensors, Devices: sensors.NewDevices(a.db.Sensors, a.db.Sensors, a.db.Sensors, a.clock), Conflicts: a.db.Sensors, Ingest: a,
		},
		Catalogue: catalogueapi.Options{
			Catalogue: a.db.Catalogue, Editor: catalogue.NewService(a.db.Catalogue, a.clock), Search: a.db.Catalogue, Divisions: a.db.Catalogue,
			Sources: sources, Attribution: line,
		},
		Tiles: tilesapi.Options{Tiles: a.tiles, Catalogue: a.db.Catalogue}, Push: pushapi.Options{Push: a.hub},
		Timeline: a.db.Sensors, UI: files, Health: a.monitor.Health, Metrics: a.metricsHandler(),
	})
	if err != nil {
		return nil, fmt.Errorf("make the web server: %w", err)
	}
	return s, nil
}

// NameBusyFlag adds the flag to change to the error of a failed listen.
func NameBusyFlag(err error, flag, addr string) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fault.InvalidField(flag, "%s is in use by another program; choose another address with %s ADDR (port 0 picks a free one)", addr, flag)
	}
	return fault.Wrap(fault.Invalid, err, "%s %s", flag, addr)
}
