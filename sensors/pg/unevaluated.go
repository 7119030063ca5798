package sensorspg

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/sensors"
)

// unevaluatedSQL finds the enabled devices that are heard of and none of whose readings the rules have looked at for
// three intervals, and those of which that was told and is so no more. A reading that the rules look at moves latest, and is
// not of a bad quality. Its arguments are lookSQL's.
//
// A device that only says its status is not heard of in this sense. What was told stays until a reading is evaluated,
// whether the device is heard of meanwhile or not.
const unevaluatedSQL = `
	with stream as materialized (
		select s.device_id, t.retention, s.id, greatest($3::int * coalesce(s.interval_s, t.interval_s), $4::int) * interval '1 second' as patience,
			l.received_at as moved, coalesce(l.qc in ($5, $6), false) as bad
		from datastream s join datastream_type t on t.code = s.type left join latest l on l.datastream_id = s.id
	), bad as materialized (
		-- bad for as long as the patience: of a reading before that, and of none that is good since
		select x.device_id, min(o.received_at) as since from stream x
		cross join lateral (
			select min(o.received_at) as received_at from observation o
			where o.retention = x.retention and o.datastream_id = x.id and o.ts > $1::timestamptz - 2 * x.patience
			having bool_and(o.qc in ($5, $6)) and min(o.received_at) <= $1::timestamptz - x.patience
		) o
		where x.bad and x.moved + x.patience > $1::timestamptz
		group by x.device_id
	), device_streams as materialized (
		select device_id, max(patience) as patience, max(moved) filter (where not bad) as evaluated, bool_or(bad) as some_bad
		from stream group by device_id
	), quiet as materialized (
		select d.id, d.division_code, m.patience, m.evaluated, d.last_seen, d.status_at
		from device d join device_streams m on m.device_id = d.id
		where d.enabled and not m.some_bad and coalesce(m.evaluated + m.patience <= $1::timestamptz, true)
	), found as (
		select d.id, d.division_code, 'bad' as reason, b.since from bad b join device d on d.id = b.device_id
		join device_streams m on m.device_id = d.id where d.enabled and $2::timestamptz + m.patience <= $1::timestamptz
		union all
		select q.id, q.division_code, case when h.quarantined is null then 'late' else 'quarantine' end, coalesce(q.evaluated, h.first)
		from quiet q cross join lateral (
			select max(at) filter (where at > $1::timestamptz - q.patience) as quarantined, min(at) as first from quarantine
			where device_id = q.id and at > $1::timestamptz - 2 * q.patience
		) h
		where $2::timestamptz + q.patience <= $1::timestamptz and coalesce(q.evaluated, h.first) + q.patience <= $1::timestamptz
			and (h.quarantined is not null
				or q.last_seen + q.patience > $1::timestamptz and q.last_seen > q.evaluated and q.last_seen is distinct from q.status_at)
	)
	select f.division_code, f.id, f.reason, f.since from found f left join device_unevaluated u on u.device_id = f.id where u.device_id is null
	union all
	select d.division_code, d.id, '', m.evaluated
	from device_unevaluated u join device d on d.id = u.device_id left join device_streams m on m.device_id = d.id
	where m.evaluated > u.since and not m.some_bad
	order by 1, 2`

// checkUnevaluated finds what has changed of the devices whose readings are not evaluated, and stores it. It gives the events
// that tell it, one a division.
func checkUnevaluated(ctx context.Context, tx pgx.Tx, now, hearing time.Time) (events []unevaluatedEvent, err error) {
	rows, err := tx.Query(ctx, unevaluatedSQL, now, hearing, sensors.StaleIntervals, int(sensors.StaleLeast.Seconds()),
		int16(sensors.QCBad), int16(sensors.QCMissing))
	if err != nil {
		return nil, err
	}
	var began, ended, reasons []string
	var since []time.Time
	var division string
	var c sensors.UnevaluatedChange
	if _, err := pgx.ForEachRow(rows, []any{&division, &c.Device, &c.Reason, &c.Since}, func() error {
		c.Since = c.Since.UTC()
		if n := len(events); n == 0 || events[n-1].division != division {
			events = append(events, unevaluatedEvent{division: division})
		}
		events[len(events)-1].add(c)
		if c.Reason == "" {
			ended = append(ended, c.Device)
		} else {
			began, reasons, since = append(began, c.Device), append(reasons, c.Reason), append(since, c.Since)
		}
		return nil
	}); err != nil || len(events) == 0 {
		return nil, err
	}
	var batch pgx.Batch
	batch.Queue(`delete from device_unevaluated where device_id = any($1::text[])`, ended)
	batch.Queue(`insert into device_unevaluated (device_id, reason, since) select * from unnest($1::text[], $2::text[], $3::timestamptz[])`, began, reasons, since)
	return events, tx.SendBatch(ctx, &batch).Close()
}

// tellUnevaluated writes the events, the last of the transaction: see tellPresence.
func tellUnevaluated(ctx context.Context, tx pgx.Tx, events []unevaluatedEvent) error {
	if len(events) == 0 {
		return nil
	}
	var batch pgx.Batch
	for _, e := range events {
		payload, err := json.Marshal(e.UnevaluatedEvent)
		if err != nil {
			return err
		}
		batch.Queue(`select append_event($1, $2, null, '', '', $3)`, sensors.EventUnevaluated, []string{e.division}, payload)
	}
	return tx.SendBatch(ctx, &batch).Close()
}

// unevaluatedEvent is the event of one division while it is gathered.
type unevaluatedEvent struct {
	division string
	sensors.UnevaluatedEvent
}

func (e *unevaluatedEvent) add(c sensors.UnevaluatedChange) {
	if len(e.Changes) == sensors.PresenceListed {
		e.More++
		return
	}
	e.Changes = append(e.Changes, c)
}
