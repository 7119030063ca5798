// Package cataloguepg stores divisions, layers and features in PostGIS, and searches them. Geometries are orb values:
// [lon, lat], EPSG:4326.
//
// Every change of a layer takes the lock of the layer's name first (lockLayer), then changes rows, then calls
// refreshLayer, and writes the event layer.changed last. Triggers of the database write the change feed of the tiles
// (feature_change) and the history of features (feature_history) in the same transaction, for writers by psql too.
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

// New returns the store of a database. The migrations must have run. With a nil clock it uses the system clock.
func New(pool *pg.Pool, clock func() time.Time) *DB {
	if clock == nil {
		clock = time.Now
	}
	return &DB{pool: pool, now: clock}
}
