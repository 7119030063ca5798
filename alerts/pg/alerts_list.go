package alertspg

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"onemap/alerts"
	"onemap/internal/core"
	"onemap/internal/pg"
	"onemap/internal/text"
)

// The default length of a list of alerts, and the largest length.
const (
	defaultAlerts = 500
	maxAlerts     = 5000
)

// alertMatches is the SQL condition that the alert a matches a filter. filterArgs returns its arguments: $1 scope, $2
// state, $3 levels, $4 handling, $5 device, $6 query, $7 the query as a like pattern, $8 and $9 the range of opened_at,
// $10 division, $11 hazard, $12 peak levels. An empty array or text and a null time do not restrict the result. A query
// matches the exact id, or a part of the device id, of the headline, or of the name of the device or rule. The names
// are joined with line breaks, so that a query does not match across two of them.
const alertMatches = Visible + `
	and case $2 when 'open' then a.detection <> 'cleared' or a.handling <> 'closed'
		when 'cleared' then a.detection = 'cleared' and a.handling <> 'closed'
		when 'closed' then a.handling = 'closed' else true end
	and (cardinality($3::smallint[]) = 0 or a.level = any($3))
	and (cardinality($4::text[]) = 0 or a.handling = any($4))
	and ($5 = '' or a.device_id = $5)
	and ($6 = '' or a.id::text = $6 or lower(a.device_id) like $7 or lower(concat_ws(E'\n', a.body->'headline'->>'zh', a.body->'headline'->>'en',
		a.body->'device_name'->>'zh', a.body->'device_name'->>'en', a.body->'rule_name'->>'zh', a.body->'rule_name'->>'en')) like $7)
	and ($8::timestamptz is null or a.opened_at >= $8) and ($9::timestamptz is null or a.opened_at < $9)
	and starts_with(a.division_code, $10)
	and ($11 = '' or a.hazard = $11)
	and (cardinality($12::smallint[]) = 0 or a.peak_level = any($12))`

// filterArgs returns the arguments of alertMatches in their order. PostgreSQL refuses a text with a NUL character, so
// MakeStorable makes texts from outside safe.
func filterArgs(s core.Scope, f alerts.Filter) []any {
	handling := make([]string, len(f.Handling))
	for i, h := range f.Handling {
		handling[i] = string(h)
	}
	state := string(f.State)
	if f.Open {
		state = string(alerts.StateOpen)
	}
	return []any{
		s.Division, state, smallints(f.Levels), handling, text.MakeStorable(f.DeviceID), text.MakeStorable(f.Query), likeWords(f.Query),
		timeOrNil(f.From), timeOrNil(f.To), text.MakeStorable(f.Division), text.MakeStorable(f.Hazard), smallints(f.Peaks),
	}
}

// smallints returns the levels as an SQL array. The array is never null, because alertMatches tests its cardinality and
// the cardinality of null is null.
func smallints(levels []core.Level) []int16 {
	out := make([]int16, len(levels))
	for i, l := range levels {
		out[i] = int16(l)
	}
	return out
}

// listAlerts reads one page of alerts, newest first. f.Before continues after the alert with this id. Without a limit a
// list has defaultAlerts alerts, and maxAlerts if only open alerts are asked for.
func listAlerts(ctx context.Context, q pg.Querier, s core.Scope, f alerts.Filter) ([]alerts.Alert, error) {
	limit := min(f.Limit, maxAlerts)
	switch {
	case limit > 0:
	case f.Open:
		limit = maxAlerts // a client keeps this list up to date from events, so it must have all open alerts
	default:
		limit = defaultAlerts
	}
	rows, err := q.Query(ctx, `
		select a.body from alert a where `+alertMatches+`
			and ($13::bigint <= 0 or a.id < $13)
		order by a.id desc limit $14`, append(filterArgs(s, f), f.Before, limit)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[alerts.Alert])
}

// countAlerts sets n to the number of alerts that match the filter, on all pages together.
func countAlerts(ctx context.Context, q pg.Querier, s core.Scope, f alerts.Filter, n *int64) error {
	return q.QueryRow(ctx, `select count(*) from alert a where `+alertMatches, filterArgs(s, f)...).Scan(n)
}

// likeWords returns the like pattern that finds q, in lower case, anywhere in a text. It escapes the wildcards % and _
// and the escape character \ in q.
func likeWords(q string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(text.MakeStorable(q))) + "%"
}

// AlertSteps returns the handling steps of people, oldest first, by alert id. It leaves out the audit rows of the
// engine, which have no actor. It does not check the scope; the caller must.
func (db *DB) AlertSteps(ctx context.Context, ids []int64) (map[int64][]alerts.Audit, error) {
	rows, err := db.pool.Query(ctx, `
		select alert_id, at, actor, division_code, step, note from alert_audit
		where alert_id = any($1) and actor <> '' order by alert_id, id`, ids)
	if err != nil {
		return nil, pg.MapErr(err, "read the alerts' history")
	}
	steps := map[int64][]alerts.Audit{}
	var id int64
	var a alerts.Audit
	_, err = pgx.ForEachRow(rows, []any{&id, &a.At, &a.Actor, &a.Division, &a.Step, &a.Note}, func() error {
		steps[id] = append(steps[id], a)
		return nil
	})
	return steps, pg.MapErr(err, "read the alerts' history")
}

// Handlers lists the people of the scope who may handle alerts, ordered by login. Disabled accounts are left out. A
// person is online if a client of theirs was seen within core.ConnectedFor. LastSeen is the newer of the last sign of
// life of their clients and the last use of their sessions.
func (db *DB) Handlers(ctx context.Context, s core.Scope) ([]alerts.Assignee, error) {
	rows, err := db.pool.Query(ctx, `
		select p.login, p.name, p.role, p.division_code,
			exists (select from push_client c where c.account_id = p.id and c.connected and c.last_seen > now() - $3::interval),
			greatest((select max(c.last_seen) from push_client c where c.account_id = p.id),
				(select max(n.last_seen) from session n where n.account_id = p.id))
		from account p
		where scope_covers($1, p.division_code) and p.role = any($2) and not p.disabled order by p.login`,
		s.Division, handlingRoles(), core.ConnectedFor)
	if err != nil {
		return nil, pg.MapErr(err, "list who handles alerts")
	}
	people, err := pgx.CollectRows(rows, pgx.RowToStructByPos[alerts.Assignee])
	return people, pg.MapErr(err, "list who handles alerts")
}

// handlingRoles returns the roles that have the permission to handle alerts.
func handlingRoles() []string {
	var roles []string
	for _, r := range core.Roles() {
		if alerts.PermHandle.Of(r) {
			roles = append(roles, string(r))
		}
	}
	return roles
}
