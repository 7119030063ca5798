package cataloguepg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"onemap/catalogue"
	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/internal/searchtext"
	"onemap/internal/text"
)

// selectDivisions reads divisions for scanDivision. A division without a place has lon and lat 0.
const selectDivisions = `
	select code, name_zh, name_en, parent, valid_from, valid_to, coalesce(successor, ''),
		coalesce(ST_X(geom), 0), coalesce(ST_Y(geom), 0)
	from division`

func scanDivision(row pgx.CollectableRow) (d catalogue.Division, err error) {
	err = row.Scan(&d.Code, &d.Name.ZH, &d.Name.EN, &d.Parent, &d.ValidFrom, &d.ValidTo, &d.Successor, &d.Lon, &d.Lat)
	return d, err
}

// PutDivisions inserts divisions, or replaces those with the same code, in one transaction. A division with lon and lat
// 0 is stored without a place.
func (db *DB) PutDivisions(ctx context.Context, divisions []catalogue.Division) error {
	batch := &pgx.Batch{}
	for _, d := range divisions {
		batch.Queue(`
			insert into division (code, name_zh, name_en, parent, search, valid_from, valid_to, successor, geom)
			values ($1, $2, $3, $4, $5, $6, $7, nullif($8, ''),
				case when $9::float8 <> 0 or $10::float8 <> 0 then ST_SetSRID(ST_MakePoint($9, $10), 4326) end)
			on conflict (code) do update set name_zh = excluded.name_zh, name_en = excluded.name_en, parent = excluded.parent,
				search = excluded.search, valid_from = excluded.valid_from, valid_to = excluded.valid_to,
				successor = excluded.successor, geom = excluded.geom`,
			d.Code, d.Name.ZH, d.Name.EN, d.Parent, searchtext.Lines(d.Name, d.Code), d.ValidFrom, d.ValidTo, d.Successor, d.Lon, d.Lat)
	}
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error { return tx.SendBatch(ctx, batch).Close() })
	return pg.MapErr(err, "store the divisions")
}

// Divisions lists the county units (six digits), or the towns (nine digits) if towns is true, ordered by code. Divisions
// that are no longer in use are included, with the day of their end and their successor.
func (db *DB) Divisions(ctx context.Context, towns bool) ([]catalogue.Division, error) {
	digits := 6
	if towns {
		digits = 9
	}
	rows, err := db.pool.Query(ctx, selectDivisions+` where length(code) = $1 order by code`, digits)
	if err != nil {
		return nil, pg.MapErr(err, "list the divisions")
	}
	all, err := pgx.CollectRows(rows, scanDivision)
	return all, pg.MapErr(err, "list the divisions")
}

// Division returns the division with a code of any level. It returns fault.NotFound if there is none.
func (db *DB) Division(ctx context.Context, code string) (catalogue.Division, error) {
	rows, err := db.pool.Query(ctx, selectDivisions+` where code = $1`, text.MakeStorable(code))
	if err != nil {
		return catalogue.Division{}, pg.MapErr(err, "read the division")
	}
	d, err := pgx.CollectExactlyOneRow(rows, scanDivision)
	if errors.Is(err, pgx.ErrNoRows) {
		return d, fault.New(fault.NotFound, "there is no division %q", code)
	}
	return d, pg.MapErr(err, "read the division")
}

// DivisionName returns the name of a division. It returns the code itself in both languages if the division is not
// known.
func (db *DB) DivisionName(ctx context.Context, code string) (core.Text, error) {
	d, err := db.Division(ctx, code)
	if fault.Is(err, fault.NotFound) {
		return core.Text{ZH: code, EN: code}, nil
	}
	return d.Name, err
}

// CurrentDivision returns the code of today for a division code. For example, 370684 and the codes below it became
// 370614 and the codes below that. A code that is in use or not known is returned without change. It returns
// fault.Invalid if the text is not a division code.
func (db *DB) CurrentDivision(ctx context.Context, code string) (string, error) {
	code, err := geo.ParseDivision(code)
	if err != nil {
		return "", err
	}
	return successor(ctx, db.pool, code)
}
