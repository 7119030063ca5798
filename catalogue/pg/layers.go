package cataloguepg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/internal/text"
)

// FeatureVisible is the SQL condition that a scope of division $1 may see the feature f of the layer l. Only a layer
// with the audience "division" restricts its features. The caller must have checked the audience of the layer itself,
// in Go.
const FeatureVisible = `(l.audience <> 'division' or ` + featureCovered + `)`

// featureCovered is the SQL condition that a scope of division $1 covers the division of f. It is core.Scope.Covers in
// SQL: the code of f begins with $1. A row without a code is visible to a city or a wider scope (at most four digits).
const featureCovered = `(starts_with(f.division_code, $1) or (f.division_code = '' and length($1) <= 4))`

// extentOf is the SQL expression of the stored box of an extent e: [west, south, east, north] in degrees, or null.
const extentOf = `case when e is not null then array[ST_XMin(e), ST_YMin(e), ST_XMax(e), ST_YMax(e)] end`

// layerColumns are the columns that layerTargets reads, without the last three: count, box and time of the last change.
const layerColumns = `
	select l.id, l.name, l.theme, l.title_zh, l.title_en, l.owner_zh, l.owner_en, l.origin, l.audience, l.audience_roles,
		l.source, l.licence, l.attribution, l.updated_on, l.cycle_days, l.geometry_type, l.min_zoom, l.max_zoom, l.fields,
		l.tile, l.style, l.version, `

// selectEntries returns layers with the number and box of all their features, as they are stored.
const selectEntries = layerColumns + `l.feature_count, l.bbox, l.modified_at from layer l`

// selectLayers returns layers as a scope of division $1 sees them. For a layer that is shown by division, a county gets
// the number and the box of its own features. The query reads every feature of such layers, so it is too slow for
// frequent requests.
const selectLayers = layerColumns + `
		case when own.counts then own.n else l.feature_count end, case when own.counts then own.box else l.bbox end, l.modified_at
	from layer l cross join lateral (
		select l.audience = 'division' and length($1) > 4 as counts, n, ` + extentOf + ` as box
		from (
			select count(*) as n, ST_Extent(f.geom) as e from feature f
			where l.audience = 'division' and length($1) > 4 and f.layer_id = l.id and ` + featureCovered + `
		) x
	) own`

// layerTargets returns the destinations of a row of selectEntries or selectLayers.
func layerTargets(l *catalogue.Layer) []any {
	return []any{
		&l.ID, &l.Name, &l.Theme, &l.Title.ZH, &l.Title.EN, &l.Owner.ZH, &l.Owner.EN, &l.Origin, &l.Audience.Kind, &l.Audience.Roles,
		&l.Source, &l.Licence, &l.Attribution, &l.UpdatedOn, &l.CycleDays, &l.GeometryType, &l.MinZoom, &l.MaxZoom, &l.Fields,
		&l.Tile, &l.Style, &l.Version, &l.Count, &l.BBox, &l.ModifiedAt,
	}
}

func scanLayer(row pgx.CollectableRow) (l catalogue.Layer, err error) {
	err = row.Scan(layerTargets(&l)...)
	return l, err
}

// Layers lists the layers whose audience admits the scope, in the order of the layer tree: by theme, then by id.
func (db *DB) Layers(ctx context.Context, s core.Scope) ([]catalogue.Layer, error) {
	all, err := collectLayers(ctx, db.pool, selectLayers, s.Division)
	if err != nil {
		return nil, pg.MapErr(err, "list the layers")
	}
	all = slices.DeleteFunc(all, func(l catalogue.Layer) bool { return !l.Audience.Admits(s) })
	order := catalogue.Themes()
	slices.SortStableFunc(all, func(a, b catalogue.Layer) int {
		if d := slices.Index(order, a.Theme) - slices.Index(order, b.Theme); d != 0 {
			return d
		}
		return a.ID - b.ID
	})
	return all, nil
}

func collectLayers(ctx context.Context, q pg.Querier, sql string, args ...any) ([]catalogue.Layer, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanLayer)
}

// Layer returns one layer. It returns fault.NotFound if there is no layer of that name, and fault.Forbidden if its
// audience does not admit the scope.
func (db *DB) Layer(ctx context.Context, s core.Scope, name string) (catalogue.Layer, error) {
	all, err := LayersNamed(ctx, db.pool, s, name)
	if err != nil {
		return catalogue.Layer{}, err
	}
	return all[0], nil
}

// Entries returns the layers in the order of the names, with the number and box of all their features. It returns an
// error that names the layer if one does not exist or the scope may not see it.
func Entries(ctx context.Context, q pg.Querier, s core.Scope, names ...string) ([]catalogue.Layer, error) {
	names = cleanTexts(names)
	found, err := collectLayers(ctx, q, selectEntries+` where l.name = any($1)`, names)
	if err != nil {
		return nil, pg.MapErr(err, "read the layers")
	}
	return admitted(s, found, names)
}

// AllEntries returns all layers in the order of their ids, with the number and box of all their features.
func AllEntries(ctx context.Context, q pg.Querier) ([]catalogue.Layer, error) {
	all, err := collectLayers(ctx, q, selectEntries+` order by l.id`)
	return all, pg.MapErr(err, "list the layers")
}

// LayersNamed returns the layers in the order of the names, with the number and box of the features that the scope
// sees. It returns fault.NotFound or fault.Forbidden with the name of the first layer that does not exist or whose
// audience does not admit the scope. It is slower than Entries; see selectLayers.
func LayersNamed(ctx context.Context, q pg.Querier, s core.Scope, names ...string) ([]catalogue.Layer, error) {
	names = cleanTexts(names)
	found, err := collectLayers(ctx, q, selectLayers+` where l.name = any($2)`, s.Division, names)
	if err != nil {
		return nil, pg.MapErr(err, "read the layers")
	}
	return admitted(s, found, names)
}

// cleanTexts returns the texts without the characters that PostgreSQL refuses.
func cleanTexts(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = text.MakeStorable(t)
	}
	return out
}

// admitted returns the found layers in the order of the names. It returns an error if one is missing or its audience
// does not admit the scope.
func admitted(s core.Scope, found []catalogue.Layer, names []string) ([]catalogue.Layer, error) {
	out := make([]catalogue.Layer, 0, len(names))
	for _, name := range names {
		i := slices.IndexFunc(found, func(l catalogue.Layer) bool { return l.Name == name })
		if i < 0 {
			return nil, catalogue.NoLayer(name)
		}
		if !found[i].Audience.Admits(s) {
			return nil, catalogue.NotFor(found[i])
		}
		out = append(out, found[i])
	}
	return out, nil
}

// PutLayer creates or changes the entry of a layer. It locks the layer and calls change with the stored entry, or with
// the zero Layer if there is none of the name, and stores the result. If the result equals the stored entry, it writes
// nothing. Otherwise it increases the version and writes layer.changed with the actor. It does not change features. An
// error of change is wrapped and keeps its kind.
func (db *DB) PutLayer(ctx context.Context, name, actor string, change func(old catalogue.Layer) (catalogue.Layer, error)) (catalogue.Layer, error) {
	var out catalogue.Layer
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		old, err := lockLayer(ctx, tx, name)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		changed, err := change(old)
		if err != nil {
			return err
		}
		if old.ID != 0 && catalogue.SameEntry(old, changed) {
			out = old
			return nil
		}
		if out, err = writeLayer(ctx, tx, changed); err != nil {
			return err
		}
		if out, err = refreshLayer(ctx, tx, out, db.now()); err != nil {
			return err
		}
		return layerChanged(ctx, tx, out, out.BBox, actor, featureChanges{})
	})
	return out, pg.MapErr(err, "store the layer "+text.MakeStorable(name))
}

// lockLayer locks the name of a layer until the end of the transaction and returns the layer. It returns fault.NotFound
// if there is no such layer, but then it holds the lock too. The lock is an advisory lock and not a row lock, because
// the layer may not exist yet. A transaction that changes the layer or its features must call refreshLayer at its end.
func lockLayer(ctx context.Context, tx pgx.Tx, name string) (catalogue.Layer, error) {
	var l catalogue.Layer
	if !catalogue.IsLayerName(name) {
		return l, catalogue.NoLayer(name)
	}
	// With onemap.keeps_layer the triggers of feature do not update the count, box and version of the layer, because
	// refreshLayer does this once at the end.
	const settings = "select set_config('lock_timeout', '10s', true), set_config('onemap.keeps_layer', 'on', true)"
	if _, err := tx.Exec(ctx, settings); err != nil {
		return l, err
	}
	if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock(7044, hashtext($1))", name); err != nil {
		return l, pg.MapErr(err, "the layer is being changed by somebody else")
	}
	err := tx.QueryRow(ctx, selectEntries+` where l.name = $1`, name).Scan(layerTargets(&l)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return catalogue.Layer{}, catalogue.NoLayer(name)
	}
	return l, pg.MapErr(err, "read the layer")
}

// writeLayer inserts or replaces a whole entry and sets its id. It does not set version, count and box; the caller must
// call refreshLayer.
func writeLayer(ctx context.Context, tx pgx.Tx, l catalogue.Layer) (catalogue.Layer, error) {
	fields, err := json.Marshal(l.Fields)
	if err != nil {
		return l, fmt.Errorf("encode the fields: %w", err)
	}
	tile, err := json.Marshal(l.Tile)
	if err != nil {
		return l, fmt.Errorf("encode the rules for tiles: %w", err)
	}
	err = tx.QueryRow(ctx, `
		insert into layer as l (name, theme, title_zh, title_en, owner_zh, owner_en, origin, audience, audience_roles, source, licence,
			attribution, updated_on, cycle_days, geometry_type, min_zoom, max_zoom, fields, tile, style, version)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, 0)
		on conflict (name) do update set theme = excluded.theme, title_zh = excluded.title_zh, title_en = excluded.title_en,
			owner_zh = excluded.owner_zh, owner_en = excluded.owner_en, origin = excluded.origin, audience = excluded.audience,
			audience_roles = excluded.audience_roles, source = excluded.source, licence = excluded.licence,
			attribution = excluded.attribution, updated_on = excluded.updated_on, cycle_days = excluded.cycle_days,
			geometry_type = excluded.geometry_type, min_zoom = excluded.min_zoom, max_zoom = excluded.max_zoom,
			fields = excluded.fields, tile = excluded.tile, style = excluded.style
		returning l.id`,
		l.Name, l.Theme, l.Title.ZH, l.Title.EN, l.Owner.ZH, l.Owner.EN, l.Origin, l.Audience.Kind, roleNames(l.Audience.Roles),
		l.Source, l.Licence, l.Attribution, l.UpdatedOn, l.CycleDays, l.GeometryType, l.MinZoom, l.MaxZoom, fields, tile, []byte(l.Style),
	).Scan(&l.ID)
	return l, pg.MapErr(err, "write the layer")
}

// roleNames returns the roles as an SQL array, never null.
func roleNames(roles []core.Role) []string {
	out := make([]string, len(roles))
	for i, r := range roles {
		out[i] = string(r)
	}
	return out
}

// refreshLayer counts the features of the layer, computes their box, increases the version and sets the time of the
// change. It returns the layer with these values.
func refreshLayer(ctx context.Context, tx pgx.Tx, l catalogue.Layer, now time.Time) (catalogue.Layer, error) {
	err := tx.QueryRow(ctx, `
		update layer set version = version + 1, modified_at = $2, feature_count = x.n, bbox = `+extentOf+`
		from (select count(*) as n, ST_Extent(geom) as e from feature where layer_id = $1) x
		where id = $1 returning version, feature_count, bbox, modified_at`, l.ID, now).
		Scan(&l.Version, &l.Count, &l.BBox, &l.ModifiedAt)
	return l, pg.MapErr(err, "count the layer's features")
}

var (
	_ catalogue.Catalogue = (*DB)(nil)
	_ catalogue.Store     = (*DB)(nil)
	_ catalogue.Searcher  = (*DB)(nil)
)
