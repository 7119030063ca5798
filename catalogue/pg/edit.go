package cataloguepg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/catalogue"
	"onemap/geo"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/internal/searchtext"
	"onemap/internal/text"
)

// EditFeatures changes the features of a layer, all or nothing. It returns the layer after the edit and the ids of the
// created features in the order of e.Create. An update replaces name and level, and properties if they are not nil.
// e.Patch is ignored; the service converts patches to updates. The rules are checked against the locked rows. It
// returns fault.Invalid with the place of the change, such as create[3].geometry, fault.Conflict if the key of a new
// feature exists, and any error of the rules.
func (db *DB) EditFeatures(ctx context.Context, layer, actor string, e catalogue.Edit, rules catalogue.EditRules) (catalogue.Layer, []int64, error) {
	var out catalogue.Layer
	var created []int64
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		l, err := lockLayer(ctx, tx, layer)
		if err != nil {
			return err
		}
		if err := rules.AdmitLayer(l); err != nil {
			return err
		}
		ed := editor{tx: tx, rules: rules, actor: actor, layer: l, now: db.now().UTC().Truncate(time.Microsecond)}
		if created, err = ed.apply(ctx, e); err != nil {
			return err
		}
		if out, err = refreshLayer(ctx, tx, l, ed.now); err != nil {
			return err
		}
		return layerChanged(ctx, tx, out, ed.box, actor, ed.changes(created))
	})
	return out, created, pg.MapErr(err, "edit layer "+text.MakeStorable(layer))
}

// editor is the state of one edit.
type editor struct {
	tx    pgx.Tx
	rules catalogue.EditRules
	actor string // the login of the person
	layer catalogue.Layer
	now   time.Time
	box   []float64 // west, south, east, north around all changes, before and after

	updated map[int64]bool // ids of the features that a move or an update really changed
	deleted []int64
}

// changes returns the changed features for the event, each list ordered by id.
func (ed *editor) changes(created []int64) featureChanges {
	var c featureChanges
	c.created.add(created...)
	c.updated.add(slices.Sorted(maps.Keys(ed.updated))...)
	c.deleted.add(slices.Sorted(slices.Values(ed.deleted))...)
	return c
}

// apply runs the edit and returns the ids of the created features. The settings onemap.actor and onemap.at tell the
// trigger of feature_history who changes the features and when. The box is measured twice, before and after the
// changes, because a moved feature changes the map at both places. Deletes come last, so that the second measure can
// still read all rows.
func (ed *editor) apply(ctx context.Context, e catalogue.Edit) ([]int64, error) {
	ed.updated, ed.deleted = map[int64]bool{}, e.Delete
	if _, err := ed.tx.Exec(ctx, "select set_config('onemap.actor', $1, true), set_config('onemap.at', $2, true)",
		ed.actor, ed.now.Format(time.RFC3339Nano)); err != nil {
		return nil, pg.MapErr(err, "say who changes the features")
	}
	ids, err := ed.lockFeatures(ctx, e)
	if err != nil {
		return nil, err
	}
	if err := ed.grow(ctx, ids); err != nil {
		return nil, err
	}
	for _, step := range []struct {
		name  string
		list  []catalogue.Feature
		apply func(context.Context, string, catalogue.Feature) error
	}{{"move", e.Move, ed.move}, {"update", e.Update, ed.update}} {
		for i, f := range step.list {
			if err := step.apply(ctx, fmt.Sprintf("%s[%d]", step.name, i), f); err != nil {
				return nil, err
			}
		}
	}
	created := make([]int64, 0, len(e.Create))
	for i, f := range e.Create {
		id, err := ed.create(ctx, fmt.Sprintf("create[%d]", i), f)
		if err != nil {
			return nil, err
		}
		created = append(created, id)
	}
	if err := ed.grow(ctx, append(ids, created...)); err != nil {
		return nil, err
	}
	if len(e.Delete) > 0 {
		if _, err := ed.tx.Exec(ctx, "delete from feature where layer_id = $1 and id = any($2)", ed.layer.ID, e.Delete); err != nil {
			return nil, pg.MapErr(err, "delete features")
		}
	}
	return created, nil
}

// lockFeatures locks the features that the edit changes, then checks whether each of them may be changed. It returns
// their ids.
func (ed *editor) lockFeatures(ctx context.Context, e catalogue.Edit) ([]int64, error) {
	ids, at := e.Touches()
	if len(ids) == 0 {
		return nil, nil
	}
	return ids, ed.checkOwned(ctx, ids, at)
}

// checkOwned locks the features in the order of their ids, so that two edits cannot deadlock. It returns the error of
// the rules for the first feature that does not exist or may not be changed. at holds the place of each id in the
// request.
func (ed *editor) checkOwned(ctx context.Context, ids []int64, at map[int64]string) error {
	rows, err := ed.tx.Query(ctx,
		"select id, division_code from feature where layer_id = $1 and id = any($2) order by id for update", ed.layer.ID, ids)
	if err != nil {
		return pg.MapErr(err, "lock the features")
	}
	divisions := make(map[int64]string, len(ids))
	var id int64
	var division string
	if _, err := pgx.ForEachRow(rows, []any{&id, &division}, func() error {
		divisions[id] = division
		return nil
	}); err != nil {
		return pg.MapErr(err, "lock the features")
	}
	for _, id := range ids {
		division, there := divisions[id]
		if err := ed.rules.AdmitFeature(ed.layer, at[id], id, division, there); err != nil {
			return err
		}
	}
	return nil
}

// grow extends the box of the edit by the current geometries of the features.
func (ed *editor) grow(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	var box []float64
	err := ed.tx.QueryRow(ctx, `
		select `+extentOf+` from (select ST_Extent(geom) as e from feature where layer_id = $1 and id = any($2)) x`, ed.layer.ID, ids).Scan(&box)
	ed.box = joinBoxes(ed.box, box)
	return pg.MapErr(err, "measure the features")
}

// move replaces the geometry of a feature and records in by_hand who moved it. An equal geometry changes nothing.
func (ed *editor) move(ctx context.Context, at string, f catalogue.Feature) error {
	if err := ed.checkShape(ctx, at, f); err != nil {
		return err
	}
	tag, err := ed.tx.Exec(ctx, `
		update feature set geom = $3, modified_at = $4, by_hand = by_hand || $5::jsonb
		where layer_id = $1 and id = $2 and ST_AsEWKB(geom) <> ST_AsEWKB($3::geometry)`,
		ed.layer.ID, f.ID, f.Geometry, ed.now, catalogue.ByHand{Moved: ed.act()})
	return ed.changed(at, f.ID, tag, err)
}

// act returns the entry for by_hand: the person and the time.
func (ed *editor) act() *catalogue.Act { return &catalogue.Act{By: ed.actor, At: &ed.now} }

// changed records the feature as updated if the statement changed a row. A step that sets the values that a feature
// already has changes no row.
func (ed *editor) changed(at string, id int64, tag pgconn.CommandTag, err error) error {
	if tag.RowsAffected() > 0 {
		ed.updated[id] = true
	}
	return pg.MapErr(err, at)
}

// checkShape returns fault.Invalid if the layer does not accept the type of the geometry, or if PostGIS finds the
// geometry invalid, for example because an outline crosses itself.
func (ed *editor) checkShape(ctx context.Context, at string, f catalogue.Feature) error {
	if err := catalogue.CheckShape(ed.layer, f); err != nil {
		return fault.Under(at, err)
	}
	var reason string
	if err := ed.tx.QueryRow(ctx, "select ST_IsValidReason($1::geometry)", f.Geometry).Scan(&reason); err != nil {
		return pg.MapErr(err, at+".geometry")
	}
	if reason != "Valid Geometry" {
		return fault.InvalidField(at+".geometry", "%s", reason)
	}
	return nil
}

// update replaces the name, level and properties of a feature and records in by_hand who edited it. It also renews the
// search text, which contains the name. Properties are compared as text, so that a change from 1.0 to 1.00 is stored.
func (ed *editor) update(ctx context.Context, at string, f catalogue.Feature) error {
	c, err := catalogue.CheckUpdate(ed.layer, f)
	if err != nil {
		return fault.Under(at, err)
	}
	var key string
	if err := ed.tx.QueryRow(ctx, "select source_key from feature where id = $1", f.ID).Scan(&key); err != nil {
		return pg.MapErr(err, at)
	}
	tag, err := ed.tx.Exec(ctx, `
		update feature set name_zh = $3, name_en = $4, level = $5, properties = coalesce($6, properties), search = $7, modified_at = $8,
			by_hand = by_hand || $9::jsonb
		where layer_id = $1 and id = $2
			and (name_zh, name_en, level, properties::text) is distinct from ($3, $4, $5, coalesce($6::jsonb, properties)::text)`,
		ed.layer.ID, f.ID, f.Name.ZH, f.Name.EN, int16(f.Level), c.JSON, searchtext.Lines(f.Name, key), ed.now, catalogue.ByHand{Edited: ed.act()})
	return ed.changed(at, f.ID, tag, err)
}

// create inserts a feature and returns its id. Without a key it makes a random one. A division code that is no longer in
// use becomes its successor before the rules are checked. The source stays empty, because a person drew the feature.
func (ed *editor) create(ctx context.Context, at string, f catalogue.Feature) (int64, error) {
	if f.Key == "" {
		f.Key = "onemap-" + rand.Text()
	}
	c, err := catalogue.CheckFeature(ed.layer, f)
	if err != nil {
		return 0, fault.Under(at, err)
	}
	if err := ed.checkShape(ctx, at, f); err != nil {
		return 0, err
	}
	if c.Division, err = successor(ctx, ed.tx, c.Division); err != nil {
		return 0, err
	}
	if err := ed.rules.AdmitNew(at, c.Division); err != nil {
		return 0, err
	}
	var id int64
	err = ed.tx.QueryRow(ctx, `
		insert into feature (layer_id, source_key, division_code, name_zh, name_en, level, origin, source, by_hand, properties, search, geom, modified_at)
		values ($1, $2, $3, $4, $5, $6, $7, '', $8, $9, $10, $11, $12) returning id`,
		ed.layer.ID, c.Key, c.Division, c.Name.ZH, c.Name.EN, int16(c.Level), c.Origin, catalogue.ByHand{Drawn: ed.act()}, c.JSON, c.Search, c.Geometry, ed.now).Scan(&id)
	if pg.Code(err) == "23505" {
		return 0, &fault.Error{Kind: fault.Conflict, Field: at + ".key", Msg: fmt.Sprintf("the layer has a feature of the key %q already", c.Key), Err: err}
	}
	return id, pg.MapErr(err, at)
}

// successor returns the code of today for a division code. If the county of the code was replaced, the code of the new
// county takes its place and the digits after it stay. Any other code is returned unchanged.
func successor(ctx context.Context, q pg.Querier, code string) (string, error) {
	county := geo.CountyOfDivision(code)
	for range 8 { // follows a chain of renamings; the limit ends a ring in wrong data
		if county == "" {
			return code, nil
		}
		var next string
		err := q.QueryRow(ctx, "select successor from division where code = $1 and successor is not null", county).Scan(&next)
		if errors.Is(err, pgx.ErrNoRows) {
			return code, nil
		}
		if err != nil {
			return "", pg.MapErr(err, "look up the division")
		}
		code, county = next+code[len(county):], next
	}
	return code, nil
}
