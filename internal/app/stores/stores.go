// Package stores opens the database for all domains: one pool of connections, and each domain's own store on it.
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

// Options configures the connection. Only URL is required.
type Options struct {
	// URL is a PostgreSQL connection string in libpq's format.
	URL string
	// MaxConns is the largest number of connections in the pool; 0 means 16.
	MaxConns int
	// Logger receives messages that are not returned to a caller; nil discards them.
	Logger *slog.Logger
	// Registerer receives the metrics of the pool and the stores; nil: no metrics.
	Registerer prometheus.Registerer
	// Clock is the clock for the timestamps that the stores set themselves; nil means time.Now.
	Clock func() time.Time
}

// Stores holds the domains' stores on one pool.
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

// Open connects to a migrated database. It returns fault.Invalid if the URL is wrong or if a pooler in front of the
// database shares connections, and fault.Unavailable if the database does not answer.
func Open(ctx context.Context, o Options) (*Stores, error) {
	s := &Stores{log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)), now: o.Clock}
	if s.now == nil {
		s.now = time.Now
	}
	var sensed atomic.Pointer[sensorspg.DB] // nil at first: the pool connects before the store exists
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

// Close closes all connections. It waits for running queries.
func (s *Stores) Close() { s.pool.Close() }

// Ping checks that the database answers; it returns fault.Unavailable if it does not.
func (s *Stores) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// Pool returns the pool of connections, for queries that belong to no domain.
func (s *Stores) Pool() *pg.Pool { return s.pool }

// Log returns the event log of this database.
func (s *Stores) Log() *eventlog.Log { return s.events }

// restored reconnects after a dump was restored over the database. The restored types have other OIDs, which a connection
// reads only when it is opened.
func (s *Stores) restored(ctx context.Context) {
	s.log.WarnContext(ctx, "the database was restored: its connections are made anew")
	s.pool.Reset()
	s.Sensors.Forget()
}

// PrunePolicy defines how long old data is kept. A zero field means the default in its comment.
type PrunePolicy struct {
	Events   time.Duration // events of the log; default 30 days. A client that was offline longer takes a snapshot
	Clients  time.Duration // clients of the push, since they were last seen; default 90 days
	Readings sensorspg.ReadingsPolicy
	Logins   authpg.LoginsPolicy
}

// PruneReport holds the numbers of deleted rows and the dropped tables of observations.
type PruneReport struct {
	sensorspg.PrunedReadings

	Events, Changes, Sessions, Clients, Logins int64
}

// Prune deletes the data that the policy no longer keeps. It may run on every node at any time. After an error, the next
// run deletes the rest.
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
