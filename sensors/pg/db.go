// Package sensorspg keeps devices, what they published and what is known of their presence in PostgreSQL.
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

	partitions partitionCache
	places     placeCache
	touched    touchCache
	recent     recentBatches
	budget     quarantineBudget
	openings   openings
	repeats    atomic.Bool // the last batches held readings that were there already

	quarantined quarantineSize
}

// New makes the store over a migrated database. A nil clock is the system's, a nil logger silent, a nil registerer
// shows no metrics.
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

// Forget empties what is held in memory of the database. It is called when a connection was made: the server may be
// another one by then, or have an older copy of the data.
func (db *DB) Forget() {
	db.recent.forget()
	db.places.forget()
	db.partitions.forget()
	db.touched.forget()
}
