package sensorspg

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/sensors"
)

var _ sensors.StaleStore = (*DB)(nil)

// Device rows say what devices said of themselves; device_presence and datastream_silence hold what was
// last told of them. CheckStale takes the one to the other, and is the only writer of these tables, so
// that every change in them has its line in a presence.changed event of the same transaction.

// lookLock lets one look go on at a time, over all nodes, and tells the planner what it cannot know of
// intermediate results: nested loops over them would take minutes, and compiling takes longer than running.
const lookLock = `
	select pg_try_advisory_xact_lock(7043, 9), set_config('enable_nestloop', 'off', true), set_config('jit', 'off', true)`

// listenSQL notes since when this node hears, and gives since when all of them do, and the last look of
// any. A node that has said nothing for a minute is gone. $1 node, $2 since, $3 now.
const listenSQL = `
	with gone as (
		delete from ingest_listener where node <> $1 and seen < $3::timestamptz - interval '1 hour'
	), mine as (
		insert into ingest_listener (node, since, seen) values ($1, $2, $3)
		on conflict (node) do update set since = excluded.since, seen = excluded.seen
	)
	select greatest($2::timestamptz, max(since) filter (where node <> $1 and seen > $3::timestamptz - interval '1 minute')),
		coalesce(bool_or(looked > $3::timestamptz - $4::interval and looked <= $3), false),
		coalesce((array_agg(stale order by looked desc))[1], 0), coalesce((array_agg(offline order by looked desc))[1], 0)
	from ingest_listener`

// lookSQL finds what has changed against what was last told; the totals stand in every row, and there is one
// at least. $1 is now, $2 since when is heard, $3 how many intervals make silence, $4 the least of it in seconds.
//
// A reading counts from its effective time, the earlier of its own and its receipt's: a device whose clock
// is behind delivers no news. What is stale stays so until it is heard of, whatever $2 says; nothing becomes
// so before it had its intervals since $2 (hold). Of devices that are on line, heard of and have said nothing,
// nothing more is asked (doubtful).
const lookSQL = `
	with stream as materialized (
		select s.id, s.device_id, s.name, greatest($3::int * coalesce(s.interval_s, t.interval_s), $4::int) * interval '1 second' as patience,
			least(l.ts, l.received_at) as at, l.received_at as received, z.reason as was, z.since
		from datastream s join datastream_type t on t.code = s.type
		left join latest l on l.datastream_id = s.id
		left join datastream_silence z on z.datastream_id = s.id
	), doubtful as materialized (
		select device_id as id from stream where was is not null or at is null or at + patience <= $1::timestamptz
		union
		select d.id from device d left join device_presence p on p.device_id = d.id
		where p.device_id is null or not p.online or d.status_at > p.since
	), seen as materialized (
		select d.id, d.division_code, d.enabled, d.online as said, d.status_at, p.online as was, p.reason as was_reason, p.since as was_since,
			m.at, h.heard, coalesce(m.all_stale, false) as all_stale,
			not d.online and d.status_at is not null and (h.heard is null or d.status_at >= h.heard) as said_off,
			case when m.patience is null then d.online
				else coalesce(greatest(m.until, case when d.online then d.status_at + m.patience end) > $1::timestamptz, false) end as alive,
			coalesce($2::timestamptz + m.patience > $1::timestamptz, true) as hold,
			coalesce(h.heard + m.patience > $1::timestamptz, false) as received
		from device d
		left join device_presence p on p.device_id = d.id
		left join (
			select device_id, max(at + patience) as until, max(patience) as patience, max(received) as received, max(at) as at,
				bool_and(at + patience <= $1::timestamptz) filter (where at is not null) as all_stale
			from stream where device_id in (select id from doubtful) group by device_id
		) m on m.device_id = d.id
		cross join lateral (select greatest(d.last_seen, m.received) as heard) h
		where d.id in (select id from doubtful) and (d.status_at is not null or h.heard is not null)
	), decided as (
		select *, not said_off and (alive or coalesce(was and hold, false)) as is_on from seen
		where was is not null or said_off or alive or not hold
	), judged as (
		-- misled: who went by what the device said since the last change holds the wrong state
		select *, coalesce(was is not null and said <> is_on and status_at > was_since, false) as misled from decided
	), device_next as materialized (
		select *, case
				when said_off then 'status'
				when is_on and was and not misled then was_reason
				when is_on and said and status_at > coalesce(was_since, '-infinity') then 'status'
				when is_on then 'reading'
				when received then 'late'
				when hold then was_reason
				else 'silence' end as reason
		from judged
	), stream_next as materialized (
		select x.*, v.division_code, v.enabled, case
				when x.at + x.patience > $1::timestamptz then null
				when x.was is null and $2::timestamptz + x.patience > $1::timestamptz then null
				when greatest(x.received, case when v.all_stale and (v.status_at is null or v.heard > v.status_at) then v.heard end)
					+ x.patience > $1::timestamptz then 'late'
				when x.was is not null and $2::timestamptz + x.patience > $1::timestamptz then x.was
				else 'silence' end as reason
		from stream x join seen v on v.id = x.device_id
		where x.was is not null or x.at + x.patience <= $1::timestamptz
	), change as (
		select division_code, id as device, 0::bigint as stream, '' as name,
			case when is_on then 'online' else 'offline' end as state, reason, greatest(was_since, case
				when reason = 'status' then status_at
				when reason = 'late' then coalesce(at, heard)
				else greatest(heard, status_at) end, case when said <> is_on then status_at end) as since -- it holds against what was said
		from device_next
		where was is null or is_on <> was or reason <> was_reason or misled
		union all
		select division_code, device_id, id, name, case when reason is null then 'fresh' else 'stale' end,
			coalesce(reason, 'reading'), case when reason is null then received else coalesce(since, at) end
		from stream_next where reason is distinct from was
	)
	select (select count(*) from stream_next where reason is not null and enabled),
		(select count(*) from device_next where not is_on and enabled),
		coalesce(c.division_code, ''), coalesce(c.device, ''), coalesce(c.stream, 0), coalesce(c.name, ''),
		coalesce(c.state, ''), coalesce(c.reason, ''), coalesce(c.since, 'epoch')
	from (select) one left join change c on true
	order by c.division_code, c.stream > 0, c.device, c.stream`

// CheckStale finds the devices and datastreams that fell silent or were heard of again, and those that
// said that they are on or off line since the last look, and tells of them in one event a division.
func (db *DB) CheckStale(ctx context.Context, l sensors.StaleCheck) (sensors.StaleReport, error) {
	if l.Node == "" {
		return sensors.StaleReport{}, fault.InvalidField("node", "a node that looks has a name")
	}
	var r sensors.StaleReport
	err := db.untilSettled(ctx, overtaken, func(bool) error { // a device was deleted meanwhile
		return db.pool.InTx(ctx, func(tx pgx.Tx) (err error) {
			r, err = look(ctx, tx, l, db.now())
			return err
		})
	})
	return r, pg.MapErr(err, "look for silence")
}

func look(ctx context.Context, tx pgx.Tx, l sensors.StaleCheck, now time.Time) (r sensors.StaleReport, err error) {
	var hearing time.Time
	var recent bool
	err = tx.QueryRow(ctx, listenSQL, l.Node, l.ListeningSince, now, l.Gap).Scan(&hearing, &recent, &r.Stale, &r.Offline)
	if err != nil || recent {
		return r, err
	}
	if err := tx.QueryRow(ctx, lookLock).Scan(&r.Looked, nil, nil); err != nil || !r.Looked {
		return r, err
	}
	var w presenceWrite
	if err := w.find(ctx, tx, now, hearing, &r); err != nil {
		return r, err
	}
	r.Changes, r.Events = w.changes, len(w.events)
	_, err = tx.Exec(ctx, `update ingest_listener set looked = $2, stale = $3, offline = $4 where node = $1`, l.Node, now, r.Stale, r.Offline)
	if err != nil {
		return r, err
	}
	if r.Changes > 0 {
		if err := w.store(ctx, tx); err != nil {
			return r, err
		}
	}
	unevaluated, err := checkUnevaluated(ctx, tx, now, hearing)
	if err != nil {
		return r, err
	}
	if err := tellPresence(ctx, tx, w.events); err != nil {
		return r, err
	}
	return r, tellUnevaluated(ctx, tx, unevaluated)
}

// presenceWrite is what a look has to write.
type presenceWrite struct {
	devices, deviceReasons []string
	online                 []bool
	deviceSince            []time.Time

	stale        []int64
	staleReasons []string
	staleSince   []time.Time
	fresh        []int64

	events  []presenceEvent
	changes int
}

// find looks, and counts the stale datastreams and the devices that are off line.
func (w *presenceWrite) find(ctx context.Context, tx pgx.Tx, now, hearing time.Time, r *sensors.StaleReport) error {
	rows, err := tx.Query(ctx, lookSQL, now, hearing, sensors.StaleIntervals, int(sensors.StaleLeast.Seconds()))
	if err != nil {
		return err
	}
	var division string
	var c sensors.PresenceChange
	targets := []any{&r.Stale, &r.Offline, &division, &c.Device, &c.DatastreamID, &c.Datastream, &c.State, &c.Reason, &c.Since}
	_, err = pgx.ForEachRow(rows, targets, func() error {
		if c.Device != "" {
			w.add(division, c)
		}
		return nil
	})
	return err
}

// add takes one change. Those of a division come one after another.
func (w *presenceWrite) add(division string, c sensors.PresenceChange) {
	c.Since = c.Since.UTC()
	w.changes++
	if n := len(w.events); n == 0 || w.events[n-1].division != division {
		w.events = append(w.events, presenceEvent{division: division})
	}
	w.events[len(w.events)-1].add(c)
	switch c.State {
	case sensors.PresenceFresh:
		w.fresh = append(w.fresh, c.DatastreamID)
	case sensors.PresenceStale:
		w.stale, w.staleReasons, w.staleSince = append(w.stale, c.DatastreamID), append(w.staleReasons, c.Reason), append(w.staleSince, c.Since)
	default:
		w.devices, w.deviceReasons = append(w.devices, c.Device), append(w.deviceReasons, c.Reason)
		w.online, w.deviceSince = append(w.online, c.State == sensors.PresenceOnline), append(w.deviceSince, c.Since)
	}
}

// store moves what is told to what was found.
func (w *presenceWrite) store(ctx context.Context, tx pgx.Tx) error {
	var batch pgx.Batch
	batch.Queue(`delete from datastream_silence where datastream_id = any($1::bigint[])`, w.fresh)
	batch.Queue(`
		insert into datastream_silence (datastream_id, reason, since)
		select * from unnest($1::bigint[], $2::text[], $3::timestamptz[])
		on conflict (datastream_id) do update set reason = excluded.reason`, w.stale, w.staleReasons, w.staleSince)
	batch.Queue(`
		insert into device_presence (device_id, online, reason, since)
		select * from unnest($1::text[], $2::boolean[], $3::text[], $4::timestamptz[])
		on conflict (device_id) do update set online = excluded.online, reason = excluded.reason, since = excluded.since`,
		w.devices, w.online, w.deviceReasons, w.deviceSince)
	return tx.SendBatch(ctx, &batch).Close()
}

// presenceEvent is the event of one division while it is gathered.
type presenceEvent struct {
	division string
	sensors.PresenceEvent
}

// add lists a change, or counts it. The devices' changes come before their datastreams'.
func (e *presenceEvent) add(c sensors.PresenceChange) {
	if len(e.Changes) == sensors.PresenceListed {
		e.More++
		return
	}
	e.Changes = append(e.Changes, c)
}

// tellPresence writes the events in one round trip, the last of the transaction: the log's lock is held
// from here to the commit.
func tellPresence(ctx context.Context, tx pgx.Tx, events []presenceEvent) error {
	if len(events) == 0 {
		return nil
	}
	var batch pgx.Batch
	for _, e := range events {
		payload, err := json.Marshal(e.PresenceEvent)
		if err != nil {
			return err
		}
		divisions := []string{e.division}
		if e.division == "" {
			divisions = []string{}
		}
		batch.Queue(`select append_event($1, $2, null, '', '', $3)`, sensors.EventPresenceChanged, divisions, payload)
	}
	return tx.SendBatch(ctx, &batch).Close()
}
