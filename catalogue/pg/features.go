package cataloguepg

import (
	"context"
	"errors"
	"math"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/pg"
)

// maxFeatures is the largest number of features in one page.
const maxFeatures = 10_000

// selectFeatures reads the features of the layer $2 that a scope of division $1 may see, for featureTargets.
const selectFeatures = `
	select f.id, f.source_key, f.division_code, f.name_zh, f.name_en, f.level, f.origin, f.source, f.by_hand, f.properties, f.geom, f.modified_at
	from feature f join layer l on l.id = f.layer_id where ` + FeatureVisible + ` and f.layer_id = $2`

func featureTargets(f *catalogue.Feature) []any {
	return []any{
		&f.ID, &f.Key, &f.Division, &f.Name.ZH, &f.Name.EN, &f.Level, &f.Origin, &f.Source, &f.ByHand, &f.Properties, &f.Geometry, &f.ModifiedAt,
	}
}

// Features returns one page of a layer's features, ordered by id, starting after the id after. With a bound (degrees,
// EPSG:4326) it returns only features that intersect it. A limit of 0 means 1,000; the largest limit is 10,000. It
// returns fault.NotFound if there is no such layer, fault.Forbidden if its audience does not admit the scope, and
// fault.Invalid if the bound is not valid.
func (db *DB) Features(ctx context.Context, s core.Scope, layer string, bound *orb.Bound, after int64, limit int) ([]catalogue.Feature, error) {
	found, err := Entries(ctx, db.pool, s, layer)
	if err != nil {
		return nil, err
	}
	l := found[0]
	if limit <= 0 {
		limit = 1000
	}
	sql, args := selectFeatures+` and f.id > $3`, []any{s.Division, l.ID, after, min(limit, maxFeatures)}
	if bound != nil {
		if err := checkBound(*bound); err != nil {
			return nil, err
		}
		sql += ` and ST_Intersects(f.geom, ST_MakeEnvelope($5, $6, $7, $8, 4326))`
		args = append(args, bound.Min[0], bound.Min[1], bound.Max[0], bound.Max[1])
	}
	rows, err := db.pool.Query(ctx, sql+` order by f.id limit $4`, args...)
	if err != nil {
		return nil, pg.MapErr(err, "list the features")
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f catalogue.Feature, err error) {
		err = row.Scan(featureTargets(&f)...)
		return f, err
	})
	return all, pg.MapErr(err, "list the features")
}

// checkBound returns fault.Invalid if the bound has a number that is not finite, or if its corners are exchanged.
func checkBound(b orb.Bound) error {
	for _, v := range []float64{b.Min[0], b.Min[1], b.Max[0], b.Max[1]} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fault.InvalidField("bbox", "has a number that is not finite")
		}
	}
	if b.Min[0] > b.Max[0] || b.Min[1] > b.Max[1] {
		return fault.InvalidField("bbox", "is west, south, east, north: west and south come first")
	}
	return nil
}

// Feature returns one feature. It returns fault.NotFound if the feature or the layer does not exist or the scope may not
// see the feature, and fault.Forbidden if the audience of the layer does not admit the scope.
func (db *DB) Feature(ctx context.Context, s core.Scope, layer string, id int64) (catalogue.Feature, error) {
	found, err := Entries(ctx, db.pool, s, layer)
	if err != nil {
		return catalogue.Feature{}, err
	}
	l := found[0]
	var f catalogue.Feature
	err = db.pool.QueryRow(ctx, selectFeatures+` and f.id = $3`, s.Division, l.ID, id).Scan(featureTargets(&f)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return catalogue.Feature{}, fault.New(fault.NotFound, "there is no feature %d in the layer %s", id, l.Name)
	}
	return f, pg.MapErr(err, "read the feature")
}
