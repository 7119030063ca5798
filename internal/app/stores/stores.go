// Package stores opens the database for every domain: one pool of connections, and over it each domain's own store.
package stores

import (
	"cmp"
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	alertspg "onemap/alerts/pg"
	authpg "onemap/auth/pg"
	cataloguepg "onemap/catalogue/pg"
	"onemap/internal/eventlog"
	"onemap/internal/pg"
	sensorspg "onemap/sensors/pg"
	tilespg "onemap/tiles/pg"
	pushpg "onemap/web/push/pg"
)

// Options says which database and how. Only URL is needed.
type Options struct {
	// URL is a PostgreSQL address, as libpq takes it.
	URL string
	// MaxConns bounds the pool; 0 is 16.
	MaxConns int
	// Logger is for what no caller is told; nil discards it.
	Logger *slog.Logger
	// Registerer gets the metrics of the pool and the stores; nil shows none.
	Registerer prometheus.Registerer
	// Clock is the time of everything that the stores stamp themselves; nil is time.Now.
	Clock func() time.Time
}

// Stores are the domains' stores over one pool.
type Stores struct {
	Auth      *authpg.DB
	Alerts    *alertspg.DB
	Sensors   *sensorspg.DB
	Catalogue *cataloguepg.DB
	Tiles     *tilespg.DB
	Push      *pushpg.DB

	pool   *pg.Pool
	events *eventlog.Log
	log    *slog.Logger
	now    func() time.Time
}

// Open connects to a migrated database. A wrong URL is fault.Invalid, a database that does not
// answer fault.Unavailable. A pooler before the database that shares connections is fault.Invalid.
func Open(ctx context.Context, o Options) (*Stores, error) {
	s := &Stores{log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)), now: o.Clock}
	if s.now == nil {
		s.now = time.Now
	}
	var sensed atomic.Pointer[sensorspg.DB] // the first connection is made before there is a store
	forget := func() {
		if db := sensed.Load(); db != nil {
			db.Forget()
		}
	}
	var err error
	if s.pool, err = pg.Open(ctx, pg.Options{URL: o.URL, MaxConns: o.MaxConns, Registerer: o.Registerer, Connected: forget}); err != nil {
		return nil, err
	}
	if s.Sensors, err = sensorspg.New(s.pool, s.log, o.Registerer, s.now); err != nil {
		s.pool.Close()
		return nil, err
	}
	sensed.Store(s.Sensors)
	s.Auth, s.Alerts = authpg.New(s.pool, s.now), alertspg.New(s.pool)
	s.Catalogue, s.Tiles, s.Push = cataloguepg.New(s.pool, s.now), tilespg.New(s.pool, s.now), pushpg.New(s.pool)
	s.events = eventlog.New(s.pool, s.restored)
	return s, nil
}

// Close ends every connection; what still runs is waited for.
func (s *Stores) Close() { s.pool.Close() }

// Ping asks the database for a sign of life; fault.Unavailable when there is none.
func (s *Stores) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// Pool is the pool of connections, for what belongs to no domain.
func (s *Stores) Pool() *pg.Pool { return s.pool }

// Log is the event log of this database.
func (s *Stores) Log() *eventlog.Log { return s.events }

// restored renews the connections: a dump that was restored over a database gives its types other numbers, which a
// connection learns when it is made.
func (s *Stores) restored(ctx context.Context) {
	s.log.WarnContext(ctx, "the database was restored: its connections are made anew")
	s.pool.Reset()
	s.Sensors.Forget()
}

// PrunePolicy says how long what has done its service is kept. A zero is the default named with it.
type PrunePolicy struct {
	Events   time.Duration // of the event log; 30 days. Who was away longer takes a snapshot
	Clients  time.Duration // of the push, since last seen; 90 days
	Readings sensorspg.ReadingsPolicy
	Logins   authpg.LoginsPolicy
}

// PruneReport says how many rows went, and which tables of observations.
type PruneReport struct {
	sensorspg.PrunedReadings

	Events, Changes, Sessions, Clients, Logins int64
}

// Prune deletes what the policy no longer keeps. It may run on every node at any time; what an error left behind is
// done by the next run.
func (s *Stores) Prune(ctx context.Context, p PrunePolicy) (r PruneReport, err error) {
	const day = 24 * time.Hour
	now := s.now()
	if r.Events, err = s.events.Prune(ctx, now.Add(-cmp.Or(max(p.Events, 0), 30*day))); err != nil {
		return r, err
	}
	if r.Changes, err = s.Tiles.PruneChanges(ctx); err != nil {
		return r, err
	}
	if r.Clients, err = s.Push.PruneClients(ctx, now.Add(-cmp.Or(max(p.Clients, 0), 90*day))); err != nil {
		return r, err
	}
	if r.Sessions, r.Logins, err = s.Auth.PruneLogins(ctx, p.Logins); err != nil {
		return r, err
	}
	r.PrunedReadings, err = s.Sensors.PruneReadings(ctx, p.Readings)
	return r, err
}
