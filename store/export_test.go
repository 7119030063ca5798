package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"onemap/internal/core"
)

// Pool lets tests look at the tables. Tests are package store_test: storetest imports store.
func (db *DB) Pool() *pgxpool.Pool { return db.pool.Pool }

// SetClock sets the store's clock.
func (db *DB) SetClock(clock func() time.Time) { db.now = clock }

// CoversInSQL asks the SQL that filters features.
func CoversInSQL(ctx context.Context, db *DB, s core.Scope, division string) (ok bool, err error) {
	err = db.pool.QueryRow(ctx, `select `+featureCovered+` from (select $2::text as division_code) f`, s.Division, division).Scan(&ok)
	return ok, err
}

// CheckShape is for its tests.
var CheckShape = checkGeometry

// SelectChanges is for its tests.
const SelectChanges = selectChanges

// ChartSQL is what a chart reads.
const ChartSQL = chartSQL

// EventsSQL is a list of events.
var EventsSQL = eventsSQL

// ShareOf is how many rows each may keep.
var ShareOf = shareOf
