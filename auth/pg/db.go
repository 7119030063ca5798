// Package authpg stores accounts, sessions, displays and the data of logins in PostgreSQL.
package authpg

import (
	"time"

	"onemap/internal/pg"
)

// DB implements the stores of package auth. It is safe for concurrent use.
type DB struct {
	pool *pg.Pool
	// now is the clock of PruneLogins and RevokeDisplay. The other methods get the time from the caller or from
	// PostgreSQL.
	now func() time.Time
}

// New returns the store on a migrated database; a nil clock means the system clock.
func New(pool *pg.Pool, clock func() time.Time) *DB {
	if clock == nil {
		clock = time.Now
	}
	return &DB{pool: pool, now: clock}
}
