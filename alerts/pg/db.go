// Package alertspg keeps rules, alerts, their CAP messages and silences in PostgreSQL.
package alertspg

import "onemap/internal/pg"

// DB implements the stores of package alerts. It is safe for concurrent use.
type DB struct{ pool *pg.Pool }

// New makes the store over a migrated database.
func New(pool *pg.Pool) *DB { return &DB{pool: pool} }
