// Package pushpg stores the connected clients of the push and their receipts in PostgreSQL.
package pushpg

import "onemap/internal/pg"

// DB implements the stores of package push. It is safe for concurrent use.
type DB struct{ pool *pg.Pool }

// New returns the store on a migrated database.
func New(pool *pg.Pool) *DB { return &DB{pool: pool} }
