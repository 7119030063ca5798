// Package tilespg reads what tiles are made of from PostGIS: the layers, their features and the feed of their changes.
// It draws tiles with ST_AsMVT too: the reference that the engine is held against, and the way for layers too large for memory.
package tilespg

import (
	"time"

	"onemap/internal/pg"
)

// DB implements the stores of package tiles. It is safe for concurrent use.
type DB struct {
	pool *pg.Pool
	now  func() time.Time
}

// New makes the store over a migrated database; a nil clock is the system's.
func New(pool *pg.Pool, clock func() time.Time) *DB {
	if clock == nil {
		clock = time.Now
	}
	return &DB{pool: pool, now: clock}
}
