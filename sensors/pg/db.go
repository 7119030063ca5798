// Package sensorspg stores devices, their observations and their presence in PostgreSQL.
package sensorspg

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/pg"
)

// DB implements the stores of package sensors. It is safe for concurrent use.
type DB struct {
	pool *pg.Pool
	now  func() time.Time
	log  *slog.Logger

	// The caches are of this process. Forget clears the ones that depend on the content of the database.
	partitions partitionCache
	places     placeCache
	touched    touchCache
	recent     recentBatches
	budget     quarantineBudget
	openings   openings
	repeats    atomic.Bool // the last batch had readings that were stored already

	quarantined quarantineSize
}

// New returns the store of a migrated database. The default clock is that of the system. Without a logger it does not log,
// and without a registerer it exports no metrics.
func New(pool *pg.Pool, log *slog.Logger, reg prometheus.Registerer, clock func() time.Time) (*DB, error) {
	if clock == nil {
		clock = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	db := &DB{pool: pool, now: clock, log: log}
	return db, registerMetrics(reg, db)
}

// Forget clears all caches. It is called after each new connection, because the server may be another one or may have an
// older copy of the data.
func (db *DB) Forget() {
	db.recent.forget()
	db.places.forget()
	db.partitions.forget()
	db.touched.forget()
}
