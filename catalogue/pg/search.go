package cataloguepg

import (
	"context"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	alertspg "onemap/alerts/pg"
	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/internal/searchtext"
	"onemap/internal/text"
)

const (
	maxQuery = 100 // characters of a search
	maxHits  = 100

	// maxCandidates is the largest number of results among which the search looks for duplicates of a place.
	maxCandidates = 1000
	// sameWithin is the largest distance between two entries of one name that are the same place. Units: degrees; 0.05 is
	// about 5 km.
	sameWithin = 0.05
	// recentClosed is the number of the newest alerts among which the search looks for alerts that are cleared and closed.
	recentClosed = 5000
)

// searchSQL searches the search text of each thing, which has one term a line (see searchtext.Lines).
//
// Arguments: $1 the division and $2 the role of the scope; like patterns of the whole query: $3 as a whole line, $4 as
// the beginning of a line, $12 anywhere; $5 the like pattern of each word; $6 the limit; $7 for each word the codes of
// the hazard types that it names; $8 the number of an alert, or -1; $9 recentClosed; $10 maxCandidates; $11 sameWithin;
// $13 the query without pattern characters.
//
// Steps: heir and today map each division code to its code of today, over at most 8 renamings. found collects the
// things that contain every word. A word may also be in the name of the county of a device or an alert, or name the
// hazard of an alert; at least one word must be in the device itself. Alerts are limited to a third of $6, at least 4,
// so that they do not push out places. candidate ranks the things. The last select removes duplicates and computes a
// point on each hit that is left.
//
// A place is returned once. Of several divisions and features with one name in one county that are near each other, the
// best ranked one is returned. The name is compared without 街道, 镇, 区 and the like at its end. Devices and alerts are
// never merged. An abolished division is left out if its successor is also found. Otherwise it is returned, with the
// successor as the division in which it lies.
const searchSQL = `
	with recursive heir as (
		select code, code as now, 0 as steps from division
		union all
		select h.code, d.successor || substr(h.now, 7), h.steps + 1 from heir h join division d on d.code = left(h.now, 6)
		where d.successor is not null and h.steps < 8
	), today as (
		select distinct on (code) code, now from heir order by code, steps desc
	), found as (
		select 'division' as kind, 1 as nth, '' as layer, f.code as id, f.name_zh, f.name_en, t.now as division_code, 0 as level, f.search,
			-- a town whose place nobody knows is shown at its county's
			coalesce(f.geom, (select p.geom from division p where p.code = f.parent)) as geom, f.valid_to, 0::bigint as newest
		from division f join today t using (code) where f.search like all($5) and starts_with(t.now, $1)
		union all
		select * from (
			select 'alert', case when a.detection <> 'cleared' then 2 when a.handling <> 'closed' then 5 else 6 end, '', a.id::text,
				a.body->'headline'->>'zh', a.body->'headline'->>'en', a.division_code,
				case when a.detection = 'cleared' then a.peak_level else a.level end as named, f.search,
				ST_SetSRID(ST_MakePoint((a.body->>'lon')::float8, (a.body->>'lat')::float8), 4326), null::date, -a.id
			from alert a left join device d on d.id = a.device_id left join division n on n.code = left(a.division_code, 6) cross join lateral (
				select lower(E'\n' || concat_ws(E'\n', a.body->'headline'->>'zh', a.body->'headline'->>'en', a.device_id,
					a.body->'device_name'->>'zh', a.body->'device_name'->>'en', a.body->'hazard_name'->>'zh', a.body->'hazard_name'->>'en')
				) || coalesce(d.search, E'\n') || coalesce(n.search, E'\n') as search
			) f
			where (a.id = $8 or (
				select bool_and(f.search like w.pattern or a.body->>'hazard' = any(string_to_array(w.hazards, ' '))) from unnest($5::text[], $7::text[]) w(pattern, hazards)
			)) and ` + alertspg.Visible + `
				and (a.detection <> 'cleared' or a.handling <> 'closed' or a.id > (select coalesce(max(id), 0) - $9 from alert) or a.id = $8)
			order by 2, named, a.id desc limit greatest($6::bigint / 3, 4)
		) alerts
		union all
		select 'device', 3, '', f.id, f.name_zh, f.name_en, f.division_code,
			coalesce((select min(a.level) from alert a where a.device_id = f.id and a.detection <> 'cleared'), 0), f.search, f.geom, null, 0
		from device f left join division n on n.code = left(f.division_code, 6)
		where f.search like any($5) and f.search || coalesce(n.search, '') like all($5) and ` + featureCovered + `
		union all
		select 'feature', 4, l.name, f.id::text, f.name_zh, f.name_en, f.division_code, f.level, f.search, f.geom, null, 0
		from feature f join layer l on l.id = f.layer_id
		where f.search like all($5) and ` + FeatureVisible + ` and (l.audience <> 'roles' or $2 = any(l.audience_roles))
	), candidate as (
		select *, row_number() over (order by rank, nth, length(name_zh), newest, name_zh, layer, id) as place from (
			select *, case when search like $3 or (kind = 'division' and called = $13) then 0 when search like $4 then 1 when search like $12 then 2 else 3 end as rank
			-- 南长山 and 南长山街道 are one name
			from (select *, regexp_replace(coalesce(nullif(name_zh, ''), name_en), '(..)(街道办事处|街道|镇|乡|区|县|市)$', '\1') as called from found) y
		) x order by place limit $10
	)
	select c.kind, c.layer, c.id, c.name_zh, c.name_en, c.division_code, coalesce(n.name_zh, ''), coalesce(n.name_en, ''), c.level,
		coalesce(extract(year from c.valid_to)::int, 0), coalesce(ST_X(p), 0), coalesce(ST_Y(p), 0)
	from (
		select * from candidate c
		where not exists (
			select from candidate b
			where b.kind in ('division', 'feature') and c.kind in ('division', 'feature') and b.place < c.place
				and b.called = c.called and b.called <> ''
				and left(b.division_code, 6) = left(c.division_code, 6) and ST_DWithin(b.geom, c.geom, $11)
		) and not (c.kind = 'division' and c.id <> c.division_code and exists (select from candidate b where b.kind = 'division' and b.id = c.division_code))
		order by place limit $6
	) c left join division n on n.code = left(c.division_code, 6), ST_PointOnSurface(c.geom) as p
	order by place`

// Search returns divisions, alerts, devices and features of the scope whose Chinese or English name, pinyin, initials,
// code or key contains all words of the query. Alerts are also found by their hazard, headline, county and number.
//
// Order: a term that equals the query, then a term that begins with it, then a term that contains it, then the rest.
// With equal rank: divisions, alerts that have not cleared, devices, features, cleared alerts; then short names before
// long ones. A limit of 0 means 20; the largest limit is 100. An empty query finds nothing. Search returns
// fault.Invalid if the query has more than 100 characters.
func (db *DB) Search(ctx context.Context, s core.Scope, q string, limit int) ([]catalogue.Hit, error) {
	if utf8.RuneCountInString(q) > maxQuery {
		return nil, fault.InvalidField("q", "is longer than %d characters", maxQuery)
	}
	word := searchtext.Word(text.MakeStorable(q))
	if word == "" || s.Division == "" {
		return []catalogue.Hit{}, nil
	}
	if limit <= 0 {
		limit = 20
	}
	words := strings.Fields(word)
	hazards, err := db.hazardsCalled(ctx, words)
	if err != nil {
		return nil, err
	}
	patterns := make([]string, len(words))
	for i, w := range words {
		patterns[i] = "%" + likeEscape(w) + "%"
	}
	line := likeEscape(word)
	rows, err := db.pool.Query(ctx, searchSQL, s.Division, string(s.Role), "%\n"+line+"\n%", "%\n"+line+"%", patterns,
		min(limit, maxHits), hazards, alertNumber(word), recentClosed, maxCandidates, sameWithin, "%"+line+"%", word)
	if err != nil {
		return nil, pg.MapErr(err, "search")
	}
	hits, err := pgx.CollectRows(rows, scanHit)
	return hits, pg.MapErr(err, "search")
}

func scanHit(row pgx.CollectableRow) (h catalogue.Hit, err error) {
	err = row.Scan(&h.Kind, &h.Layer, &h.ID, &h.Name.ZH, &h.Name.EN, &h.Division, &h.DivisionName.ZH, &h.DivisionName.EN, &h.Level,
		&h.Abolished, &h.Lon, &h.Lat)
	return h, err
}

// hazardsCalled returns, for each word, the codes of the hazard types whose name, pinyin or code begins with the word.
// The codes of one word are separated by spaces, because a text array cannot have rows of different length.
func (db *DB) hazardsCalled(ctx context.Context, words []string) ([]string, error) {
	rows, err := db.pool.Query(ctx, `select code, title_zh, title_en from hazard_type`)
	if err != nil {
		return nil, pg.MapErr(err, "list the hazard types")
	}
	called := make([]string, len(words))
	var code, zh, en string
	_, err = pgx.ForEachRow(rows, []any{&code, &zh, &en}, func() error {
		names := searchtext.Lines(core.Text{ZH: zh, EN: en}, code)
		for i, word := range words {
			if strings.Contains(names, "\n"+word) {
				called[i] = strings.TrimSpace(called[i] + " " + code)
			}
		}
		return nil
	})
	return called, pg.MapErr(err, "list the hazard types")
}

// alertNumber returns the id in a query such as "58" or "#58", and -1 for any other query.
func alertNumber(word string) int64 {
	id, err := strconv.ParseInt(strings.TrimPrefix(word, "#"), 10, 64)
	if err != nil || id < 1 {
		return -1
	}
	return id
}

// likeEscape escapes the characters that are special in a like pattern.
func likeEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}
