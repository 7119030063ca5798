package store

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"onemap/internal/core"
	"onemap/internal/errs"
	"onemap/risk"
)

const (
	maxQuery = 100 // characters of a search
	maxHits  = 100
)

// searchSQL looks at each thing's lines (see searchText): $3 is the whole line, $4 a line's
// beginning, $5 any part. A place on the thing is worked out for those hits alone that are given.
const searchSQL = `
	select kind, layer, h.id, h.name_zh, h.name_en, h.division_code, h.level,
		coalesce(ST_X(p), 0), coalesce(ST_Y(p), 0)
	from (
		select x.*, case when search like $3 then 0 when search like $4 then 1 else 2 end as rank
		from (
			select 'division' as kind, 1 as nth, '' as layer, f.code as id, f.name_zh, f.name_en, f.code as division_code, 0 as level, f.search,
				-- a town whose place nobody knows is shown at its county's
				coalesce(f.geom, (select p.geom from division p where p.code = f.parent)) as geom
			from division f where f.search like $5 and starts_with(f.code, $1)
			union all
			select 'device', 2, '', f.id, f.name_zh, f.name_en, f.division_code,
				coalesce((select min(a.level) from alert a where a.device_id = f.id and a.detection <> 'cleared'), 0), f.search, f.geom
			from device f where f.search like $5 and ` + featureCovered + `
			union all
			select 'feature', 3, l.name, f.id::text, f.name_zh, f.name_en, f.division_code, f.level, f.search, f.geom
			from feature f join layer l on l.id = f.layer_id
			where f.search like $5 and ` + featureVisible + ` and (l.audience <> 'roles' or $2 = any(l.audience_roles))
		) x
		order by rank, nth, length(name_zh), name_zh, layer, id limit $6
	) h, ST_PointOnSurface(h.geom) as p
	order by rank, nth, length(name_zh), name_zh, layer, id`

// Search finds features, devices and divisions of the scope whose Chinese or English name, pinyin,
// initials, code or key contains the words. Whole matches come first, then beginnings, then the
// rest; among equals divisions, devices, features, and short names before long ones. limit 0 is 20,
// 100 the most. Nothing to look for finds nothing; more than 100 characters are errs.Invalid.
func (db *DB) Search(ctx context.Context, s core.Scope, q string, limit int) ([]risk.Hit, error) {
	if utf8.RuneCountInString(q) > maxQuery {
		return nil, errs.InvalidField("q", "is longer than %d characters", maxQuery)
	}
	word := searchWord(cleanText(q))
	if word == "" || s.Division == "" {
		return []risk.Hit{}, nil
	}
	if limit <= 0 {
		limit = 20
	}
	word = likeEscape(word)
	rows, err := db.pool.Query(ctx, searchSQL, s.Division, string(s.Role), "%\n"+word+"\n%", "%\n"+word+"%", "%"+word+"%", min(limit, maxHits))
	if err != nil {
		return nil, mapErr(err, "search")
	}
	hits, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h risk.Hit, err error) {
		err = row.Scan(&h.Kind, &h.Layer, &h.ID, &h.Name.ZH, &h.Name.EN, &h.Division, &h.Level, &h.Lon, &h.Lat)
		return h, err
	})
	return hits, mapErr(err, "search")
}

// likeEscape makes LIKE take every character for itself.
func likeEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}
