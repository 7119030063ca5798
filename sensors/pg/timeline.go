package sensorspg

import (
	"context"

	"github.com/jackc/pgx/v5"

	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/pg"
	"onemap/internal/text"
)

// Events returns the events of some kinds that the scope may see, newest first. The events of a device are: those of its
// alerts, those that list it, and the shortened ones of its division, because the device may be among the changes that they
// do not list. An empty device means all events.
func (db *DB) Events(ctx context.Context, s core.Scope, kinds []string, device string, p core.Page) ([]core.Event, error) {
	sql, args := eventsSQL(s, kinds, device, p)
	rows, err := db.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, pg.MapErr(err, "list events")
	}
	events, err := pgx.CollectRows(rows, eventlog.Scan)
	return events, pg.MapErr(err, "list events")
}

// eventsSQL returns the statement of Events and its arguments.
func eventsSQL(s core.Scope, kinds []string, device string, p core.Page) (sql string, args []any) {
	// $6, the device, is added below.
	args = []any{pg.Array(kinds), p.Before, s.Division, s.Role, p.Length()}
	sql = `
		select ` + eventlog.Columns + ` from event_log
		where kind = any($1) and ($2::bigint <= 0 or seq < $2)
			and scope_covers_any($3, divisions) and (roles is null or $4 = any(roles))`
	if device != "" { // find its events by index first: in the order of the log, a device with few events would need a scan of the whole log
		args = append(args, text.MakeStorable(device))
		sql += `
			and seq = any(array(
				select seq from event_log
				where jsonb_path_query_array(payload, '$.changes[*].device') || jsonb_path_query_array(payload, '$.alert.device_id') ? $6
				union all select seq from event_log
				where payload->'more' > '0' and divisions && array(select division_code from device where id = $6)))`
	}
	return sql + ` order by seq desc limit $5`, args
}
