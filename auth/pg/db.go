// Package authpg keeps accounts, sessions, displays and what is known of logins in PostgreSQL.
package authpg

import (
	"time"

	"onemap/internal/pg"
)

// DB implements the stores of package auth. It is safe for concurrent use.
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
