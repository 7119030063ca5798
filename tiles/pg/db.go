// Package tilespg reads layers, features and the change feed from PostGIS for the tile engine. It can also draw tiles
// with ST_AsMVT. These tiles are the reference for the tests of the engine, and are served for layers that are too
// large for memory.
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

// New returns the store of a database. The migrations must have run. With a nil clock it uses the system clock.
func New(pool *pg.Pool, clock func() time.Time) *DB {
	if clock == nil {
		clock = time.Now
	}
	return &DB{pool: pool, now: clock}
}
