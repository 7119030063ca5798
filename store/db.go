// Package store keeps everything in PostgreSQL with PostGIS: it implements the small interfaces that
// the domains declare, one file per aggregate, and is the only importer of pgx and go-geom.
// Geometry goes in and out as orb values, lon/lat, EPSG:4326; times are UTC.
package store

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
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

	quarantined struct{ rows, bytes atomic.Int64 } // as PruneQuarantine found it last
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

// inTx runs fn in one transaction: committed when fn gives nil, rolled back when it fails or
// panics. The error's kind is mapped.
func (db *DB) inTx(ctx context.Context, fn func(tx pgx.Tx) error) error { return db.pool.InTx(ctx, fn) }

// inSnapshot runs fn in a read-only transaction that sees one state of the database throughout.
func (db *DB) inSnapshot(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return db.pool.InSnapshot(ctx, fn)
}

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

// Instance is the UUID that the database was made with; it stays with the data, wherever they are moved.
func (db *DB) Instance(ctx context.Context) (id string, err error) {
	err = db.pool.QueryRow(ctx, "select id::text from instance").Scan(&id)
	return id, pg.MapErr(err, "read the database's identity")
}

// registerMetrics shows the size of the quarantine.
func registerMetrics(reg prometheus.Registerer, db *DB) error {
	if reg == nil {
		return nil
	}
	size := func(name, help string, value func() int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "onemap", Subsystem: "quarantine", Name: name, Help: help},
			func() float64 { return float64(value()) })
	}
	for _, c := range []prometheus.Collector{
		size("rows", "Rows of the quarantine, as they were counted last, within a minute.", db.quarantined.rows.Load),
		size("bytes", "Bytes of the payloads that it keeps.", db.quarantined.bytes.Load),
	} {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("register the store's metrics: %w", err)
		}
	}
	return nil
}

// etag is a version as problem messages name it.
func etag(version int64) string { return strconv.Quote(strconv.FormatInt(version, 10)) }
