package sensorspg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/core"
	"onemap/internal/pg"
	"onemap/sensors"
)

// Conflicts returns the readings whose datastream and time were stored already with another value, newest first. The scope
// must cover the device; datastream 0 means all. Each contains the value that was stored first, unless its retention period
// is over.
func (db *DB) Conflicts(ctx context.Context, s core.Scope, datastream int64, p core.Page) ([]sensors.Conflict, error) {
	return db.conflicts(ctx, ``, s, datastream, p.Before, p.Length())
}

// conflictsWithin returns the conflicts of a datastream in [from, to), newest first.
func (db *DB) conflictsWithin(ctx context.Context, s core.Scope, datastream int64, from, to time.Time, limit int) ([]sensors.Conflict, error) {
	return db.conflicts(ctx, ` and c.ts >= $5 and c.ts < $6`, s, datastream, 0, limit, from, to)
}

// conflicts returns the conflicts that also satisfy the SQL condition in also, whose arguments begin at $5.
func (db *DB) conflicts(ctx context.Context, also string, s core.Scope, datastream, before int64, limit int, args ...any) ([]sensors.Conflict, error) {
	// The inner query limits the conflicts before the join to observation, so only the listed ones are looked up there.
	rows, err := db.pool.Query(ctx, `
		select c.id, c.datastream_id, c.device_id, c.name, c.division_code, c.ts, o.value, c.value, c.received_at
		from (
			select c.*, s.device_id, s.name, d.division_code, t.retention
			from observation_conflict c
			join datastream s on s.id = c.datastream_id join device d on d.id = s.device_id join datastream_type t on t.code = s.type
			where scope_covers($1, d.division_code) and ($2::bigint = 0 or c.datastream_id = $2) and ($3::bigint <= 0 or c.id < $3)`+also+`
			order by c.id desc limit $4
		) c
		left join observation o on (o.retention, o.datastream_id, o.ts) = (c.retention, c.datastream_id, c.ts)
		order by c.id desc`, append([]any{s.Division, datastream, before, limit}, args...)...)
	if err != nil {
		return nil, pg.MapErr(err, "list conflicts")
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c sensors.Conflict, err error) {
		err = row.Scan(&c.ID, &c.DatastreamID, &c.DeviceID, &c.Name, &c.Division, &c.Time, &c.Stored, &c.Value, &c.ReceivedAt)
		return c, err
	})
	return all, pg.MapErr(err, "list conflicts")
}
