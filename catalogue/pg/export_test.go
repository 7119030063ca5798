package cataloguepg

import (
	"context"

	"onemap/internal/core"
)

// CoversInSQL evaluates the SQL condition that filters features by their division.
func CoversInSQL(ctx context.Context, db *DB, s core.Scope, division string) (ok bool, err error) {
	err = db.pool.QueryRow(ctx, `select `+featureCovered+` from (select $2::text as division_code) f`, s.Division, division).Scan(&ok)
	return ok, err
}
