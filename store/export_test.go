package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/paulmach/orb"

	"onemap/internal/core"
)

// Pool lets tests look at the tables. Tests are package store_test: storetest imports store.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }

// SetClock gives the store another clock.
func (db *DB) SetClock(clock func() time.Time) { db.now = clock }

// CoversInSQL asks the SQL that filters features.
func CoversInSQL(ctx context.Context, db *DB, s core.Scope, division string) (ok bool, err error) {
	err = db.pool.QueryRow(ctx, `select `+featureCovered+` from (select $2::text as division_code) f`, s.Division, division).Scan(&ok)
	return ok, err
}

// The codec and the error table, for their tests.
var (
	MapErr        = mapErr
	SearchText    = searchText
	MarshalEWKB   = marshalEWKB
	DecodeEWKB    = decodeEWKB
	CheckShape    = checkGeometry
	SelectChanges = selectChanges
)

// ChartSQL is what a chart reads.
const ChartSQL = chartSQL

// EventsSQL is a list of events.
var EventsSQL = eventsSQL

// NewShapes is the loader's decoder, with memory that each call uses again.
func NewShapes() func([]byte) (orb.Geometry, error) {
	var s shapes
	return s.decode
}

// ShareOf is how many rows each may keep.
var ShareOf = shareOf
