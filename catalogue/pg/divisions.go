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

const selectDivisions = `
	select code, name_zh, name_en, parent, valid_from, valid_to, coalesce(successor, ''),
		coalesce(ST_X(geom), 0), coalesce(ST_Y(geom), 0)
	from division`

func scanDivision(row pgx.CollectableRow) (d catalogue.Division, err error) {
	err = row.Scan(&d.Code, &d.Name.ZH, &d.Name.EN, &d.Parent, &d.ValidFrom, &d.ValidTo, &d.Successor, &d.Lon, &d.Lat)
	return d, err
}

// PutDivisions stores divisions by their codes, replacing what is there; lon and lat both 0 is no place.
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

// Divisions lists the county units by code, or the towns; those no longer in use too, with the day
// that they ended and their successor.
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

// Division returns one division by its code, of any level; fault.NotFound when it is in no list.
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

// DivisionName is the division's name, or the code itself when it is in no list.
func (db *DB) DivisionName(ctx context.Context, code string) (core.Text, error) {
	d, err := db.Division(ctx, code)
	if fault.Is(err, fault.NotFound) {
		return core.Text{ZH: code, EN: code}, nil
	}
	return d.Name, err
}

// CurrentDivision is the code of today: 370684 and what lies below it became 370614. A code that
// is in use, or in no list, is its own. fault.Invalid when it is no code.
func (db *DB) CurrentDivision(ctx context.Context, code string) (string, error) {
	code, err := geo.ParseDivision(code)
	if err != nil {
		return "", err
	}
	return successor(ctx, db.pool, code)
}
