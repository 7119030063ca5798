// Package store keeps everything in PostgreSQL with PostGIS: it implements the small interfaces that
// the domains declare, one file per aggregate, and is the only importer of pgx and go-geom.
// Geometry goes in and out as orb values, lon/lat, EPSG:4326; times are UTC.
package store

import (
	"cmp"
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/eventlog"
	"onemap/internal/pg"
)

// Options says which database and how. Only URL is needed.
type Options struct {
	// URL is a PostgreSQL address, as libpq takes it.
	URL string
	// MaxConns bounds the pool; 0 is 16.
	MaxConns int
	// Logger is for what no caller is told; nil discards it.
	Logger *slog.Logger
	// Registerer gets the pool's metrics; nil gives none.
	Registerer prometheus.Registerer
	// Clock is the time of everything that the store stamps itself; nil is time.Now.
	Clock func() time.Time
}

// DB is the store. It is safe for concurrent use.
type DB struct {
	pool   *pg.Pool
	events *eventlog.Log
	log    *slog.Logger
	now    func() time.Time

	partitions partitionCache
	places     placeCache
	touched    touchCache
	recent     recentBatches
	budget     quarantineBudget
	openings   openings
	repeats    atomic.Bool // the last batches held readings that were there already

	quarantined quarantineSize
}

// Open connects to a migrated database. A wrong URL is errs.Invalid, a database that does not
// answer errs.Unavailable. A pooler before the database that shares connections is errs.Invalid.
func Open(ctx context.Context, o Options) (*DB, error) {
	db := &DB{log: o.Logger, now: o.Clock}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	if db.now == nil {
		db.now = time.Now
	}
	var err error
	db.pool, err = pg.Open(ctx, pg.Options{URL: o.URL, MaxConns: o.MaxConns, Registerer: o.Registerer, Connected: db.forget})
	if err != nil {
		return nil, err
	}
	db.events = eventlog.New(db.pool, db.restored)
	if err := registerMetrics(o.Registerer, db); err != nil {
		db.pool.Close()
		return nil, err
	}
	return db, nil
}

// Close ends every connection; what still runs is waited for.
func (db *DB) Close() { db.pool.Close() }

// Ping asks the database for a sign of life; errs.Unavailable when there is none.
func (db *DB) Ping(ctx context.Context) error { return db.pool.Ping(ctx) }

// forget empties what is held of the database.
func (db *DB) forget() {
	db.recent.forget()
	db.places.forget()
	db.partitions.forget()
	db.touched.forget()
}

// restored renews the connections: a dump that was restored over a database gives its types other numbers, which a
// connection learns when it is made.
func (db *DB) restored(ctx context.Context) {
	db.log.WarnContext(ctx, "the database was restored: its connections are made anew")
	db.pool.Reset()
	db.forget()
}

// Log is the event log of this database.
func (db *DB) Log() *eventlog.Log { return db.events }

// PrunePolicy says how long what has done its service is kept. A zero is the default named with it.
type PrunePolicy struct {
	Events   time.Duration // of the event log; 30 days. Who was away longer takes a snapshot
	Clients  time.Duration // of the push, since last seen; 90 days
	Readings ReadingsPolicy
	Logins   LoginsPolicy
}

// PruneReport says how many rows went, and which tables of observations.
type PruneReport struct {
	PrunedReadings

	Events, Changes, Sessions, Clients, Logins int64
}

// Prune deletes what the policy no longer keeps. It may run on every node at any time; what an error left behind is
// done by the next run.
func (db *DB) Prune(ctx context.Context, p PrunePolicy) (r PruneReport, err error) {
	const day = 24 * time.Hour
	now := db.now()
	if r.Events, err = db.events.Prune(ctx, now.Add(-cmp.Or(max(p.Events, 0), 30*day))); err != nil {
		return r, err
	}
	if r.Changes, err = db.PruneChanges(ctx); err != nil {
		return r, err
	}
	if r.Clients, err = db.PruneClients(ctx, now.Add(-cmp.Or(max(p.Clients, 0), 90*day))); err != nil {
		return r, err
	}
	if r.Sessions, r.Logins, err = db.PruneLogins(ctx, p.Logins); err != nil {
		return r, err
	}
	r.PrunedReadings, err = db.PruneReadings(ctx, p.Readings)
	return r, err
}
