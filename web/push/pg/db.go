// Package pushpg keeps who is connected to the push, and what their machines have received, in PostgreSQL.
package pushpg

import "onemap/internal/pg"

// DB implements the stores of package push. It is safe for concurrent use.
type DB struct{ pool *pg.Pool }

// New makes the store over a migrated database.
func New(pool *pg.Pool) *DB { return &DB{pool: pool} }
