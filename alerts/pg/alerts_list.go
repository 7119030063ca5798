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

// The lengths of a list of alerts: when nothing was said, and at most.
const (
	defaultAlerts = 500
	maxAlerts     = 5000
)

// alertMatches is what a filter asks of the alert a; its arguments are those of filterArgs, from $1.
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

// filterArgs are the arguments of alertMatches.
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

func smallints(levels []core.Level) []int16 {
	out := make([]int16, len(levels))
	for i, l := range levels {
		out[i] = int16(l)
	}
	return out
}

func listAlerts(ctx context.Context, q pg.Querier, s core.Scope, f alerts.Filter) ([]alerts.Alert, error) {
	limit := min(f.Limit, maxAlerts)
	switch {
	case limit > 0:
	case f.Open:
		limit = maxAlerts // a client builds on it: it should have them all
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

// countAlerts sets n to the number of alerts that the filter matches, on all pages.
func countAlerts(ctx context.Context, q pg.Querier, s core.Scope, f alerts.Filter, n *int64) error {
	return q.QueryRow(ctx, `select count(*) from alert a where `+alertMatches, filterArgs(s, f)...).Scan(n)
}

// likeWords makes a pattern that finds q anywhere, whatever characters it has.
func likeWords(q string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(text.MakeStorable(q))) + "%"
}

// AlertSteps lists the steps that people took on each of the alerts, in their order. The caller has
// checked the scope.
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

// Handlers lists the people of the scope who handle alerts, by their logins.
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

// handlingRoles are the roles that handle alerts.
func handlingRoles() []string {
	var roles []string
	for _, r := range core.Roles() {
		if alerts.PermHandle.Of(r) {
			roles = append(roles, string(r))
		}
	}
	return roles
}
