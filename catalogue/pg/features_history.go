package cataloguepg

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/pg"
)

// FeatureHistory lists the changes of a feature, newest first, before the change p.Before (0: from the newest). A
// deleted feature still has its history. If the layer is shown by division, changes are left out whose division before
// or after the change is not in the scope. It returns fault.NotFound if the feature exists but the scope may not see
// it, and if there is neither a feature nor a change that the scope may see.
func (db *DB) FeatureHistory(ctx context.Context, s core.Scope, layer string, id int64, p core.Page) ([]catalogue.FeatureChange, error) {
	found, err := Entries(ctx, db.pool, s, layer)
	if err != nil {
		return nil, err
	}
	l := found[0]
	var hidden, known bool
	err = db.pool.QueryRow(ctx, `
		select coalesce(bool_or(not `+FeatureVisible+`), false), coalesce(bool_or(`+FeatureVisible+`), false)
		from feature f join layer l on l.id = f.layer_id where f.layer_id = $2 and f.id = $3`, s.Division, l.ID, id).Scan(&hidden, &known)
	if err != nil {
		return nil, pg.MapErr(err, "look up the feature")
	}
	all, err := db.featureChanges(ctx, s, l.ID, id, p)
	if err != nil {
		return nil, err
	}
	if hidden || !known && p.Before == 0 && len(all) == 0 {
		return nil, fault.New(fault.NotFound, "there is no feature %d in the layer %s", id, l.Name)
	}
	return all, nil
}

// featureChanges reads one page of a feature's changes. The first change has no old division and the last one of a
// deleted feature no new division, so each stands for the other if it is null.
func (db *DB) featureChanges(ctx context.Context, s core.Scope, layer int, id int64, p core.Page) ([]catalogue.FeatureChange, error) {
	rows, err := db.pool.Query(ctx, `
		select h.id, h.at, h.kind, h.via, h.actor, h.source, h.before, h.after, h.old_geom, h.new_geom
		from feature_history h join layer l on l.id = h.layer_id
		where h.layer_id = $2 and h.feature_id = $3 and ($4::bigint <= 0 or h.id < $4)
			and (l.audience <> 'division' or scope_covers($1, coalesce(h.old_division, h.new_division)) and scope_covers($1, coalesce(h.new_division, h.old_division)))
		order by h.id desc limit $5`, s.Division, layer, id, p.Before, p.Length())
	if err != nil {
		return nil, pg.MapErr(err, "list the feature's changes")
	}
	all, err := pgx.CollectRows(rows, scanFeatureChange)
	return all, pg.MapErr(err, "list the feature's changes")
}

// scanFeatureChange reads one row of featureChanges.
func scanFeatureChange(row pgx.CollectableRow) (c catalogue.FeatureChange, err error) {
	var before, after orb.Geometry
	if err = row.Scan(&c.ID, &c.At, &c.Kind, &c.Via, &c.Actor, &c.Source, &c.Before, &c.After, &before, &after); err != nil {
		return c, err
	}
	// The trigger stores a geometry only together with the other members, so Before and After are not nil where there is
	// one.
	if c.Before != nil {
		c.Before.Geometry = before
	}
	if c.After != nil {
		c.After.Geometry = after
	}
	return c, nil
}
