// Package cataloguepg keeps divisions, layers and features in PostGIS, and searches them. Geometry goes in and out as orb values:
// lon/lat, EPSG:4326.
package cataloguepg

import (
	"time"

	"onemap/internal/pg"
)

// DB implements the stores of package catalogue. It is safe for concurrent use.
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
