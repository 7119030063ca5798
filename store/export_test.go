package store

import "github.com/jackc/pgx/v5/pgxpool"

// Pool lets tests look at the tables. Tests are package store_test: storetest imports store.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }
