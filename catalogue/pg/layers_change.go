package cataloguepg

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/internal/text"
)

// ChangeLayer changes how a layer is drawn, and gives it as it is then. What changes anything raises
// the version and writes layer.changed. fault.Precondition: the layer is not at ifVersion (-1: not
// checked). fault.Forbidden: its audience does not admit the scope, or the scope is a part of the
// city, for whose whole the layer is drawn. fault.Invalid names the member: in_tile[2], tile.buffer.
func (db *DB) ChangeLayer(ctx context.Context, s core.Scope, actor, layer string, ifVersion int64, c catalogue.LayerChange) (catalogue.Layer, error) {
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		old, err := lockLayer(ctx, tx, layer)
		switch {
		case err != nil:
			return err
		case !old.Audience.Admits(s):
			return fault.New(fault.Forbidden, "the layer %s is not for you", old.Name)
		case !s.Covers(""):
			return fault.New(fault.Forbidden, "the layer is drawn for the whole city, yours is %s", s.Division)
		case ifVersion != -1 && ifVersion != old.Version:
			return fault.New(fault.Precondition, "the layer is at version %s by now", pg.ETag(old.Version))
		}
		changed, err := changeLayer(old, c)
		if err != nil || sameEntry(old, changed) {
			return err
		}
		if changed, err = writeLayer(ctx, tx, changed); err != nil {
			return err
		}
		if changed, err = refreshLayer(ctx, tx, changed, db.now()); err != nil {
			return err
		}
		return layerChanged(ctx, tx, changed, changed.BBox, actor, featureChanges{})
	})
	if err != nil {
		return catalogue.Layer{}, pg.MapErr(err, "change layer "+text.MakeStorable(layer))
	}
	return db.Layer(ctx, s, layer) // what a reader of its scope is told
}

// changeLayer is the entry with the change in it.
func changeLayer(l catalogue.Layer, c catalogue.LayerChange) (catalogue.Layer, error) {
	if c.MinZoom != nil {
		l.MinZoom = *c.MinZoom
	}
	if c.MaxZoom != nil {
		l.MaxZoom = *c.MaxZoom
	}
	if c.Tile != nil {
		l.Tile = *c.Tile
	}
	if c.InTile != nil {
		l.Fields = slices.Clone(l.Fields)
		for i := range l.Fields {
			l.Fields[i].InTile = false
		}
		for i, name := range c.InTile {
			at := fmt.Sprintf("in_tile[%d]", i)
			k := slices.IndexFunc(l.Fields, func(f catalogue.Field) bool { return f.Name == name })
			switch {
			case k < 0:
				return l, fault.InvalidCode(at, catalogue.CodeNoField, name[:min(len(name), 70)])
			case l.Fields[k].InTile:
				return l, fault.InvalidCode(at, catalogue.CodeNamedTwice, name)
			}
			l.Fields[k].InTile = true
		}
	}
	return l, checkLayer(l)
}
