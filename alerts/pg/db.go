// Package alertspg stores rules, alerts, their CAP messages and silences in PostgreSQL.
//
// A transaction that changes an alert, a rule or a silence writes its event last, because the event takes the lock of
// the event log and holds it until the commit (see eventlog.Append). Rows of cap_message and alert_audit are immutable;
// triggers refuse every update and delete.
package alertspg

import "onemap/internal/pg"

// DB implements the stores of package alerts. It is safe for concurrent use.
type DB struct{ pool *pg.Pool }

// New returns the store of a database. The migrations must have run.
func New(pool *pg.Pool) *DB { return &DB{pool: pool} }
