package sensorspg

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/sensors"
)

var _ sensors.StaleStore = (*DB)(nil)

// The table device holds the status that devices report themselves. The tables device_presence and datastream_silence hold
// the states that were last published. CheckStale updates these two tables, and is their only writer. So every change in them
// is listed in a presence.changed event of the same transaction.

// checkLock allows one check at a time over all nodes. It also disables nested loops and JIT: the planner cannot know the size
// of the intermediate results, nested loops over them would take minutes, and JIT compilation takes longer than the query.
const checkLock = `
	select pg_try_advisory_xact_lock(7043, 9), set_config('enable_nestloop', 'off', true), set_config('jit', 'off', true)`

// listenSQL stores since when this node receives. It returns since when all nodes receive, whether any node checked within the
// last $4, and the counts of the last check. A node that has not reported for a minute does not count. $1 node, $2 since,
// $3 now, $4 the least time between two checks.
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

// candidateSQL loads the presence facts of the devices whose state could change or is not the usual one, one row for each of
// their datastreams. sensors.JudgePresence decides. This statement only leaves out the devices that are on line, have sent no
// status since, and whose datastreams are all fresh and published as fresh. In almost every check these are almost all devices.
// $1 is now, $2 the number of intervals after which a datastream is stale, $3 the least such time in seconds.
const candidateSQL = `
	with stream as materialized (
		select s.id, s.device_id, s.name, coalesce(s.interval_s, t.interval_s) as interval_s,
			least(l.ts, l.received_at) as newest_at, l.received_at, z.reason, z.since
		from datastream s join datastream_type t on t.code = s.type
		left join latest l on l.datastream_id = s.id
		left join datastream_silence z on z.datastream_id = s.id
	), candidate as materialized (
		select device_id as id from stream
		where reason is not null or newest_at is null
			or newest_at + greatest($2::int * interval_s, $3::int) * interval '1 second' <= $1::timestamptz
		union
		select d.id from device d left join device_presence p on p.device_id = d.id
		where p.device_id is null or not p.online or d.status_at > p.since
	)
	select d.id, d.division_code, d.enabled, d.online, d.status_at, d.last_seen, coalesce(p.online, false), coalesce(p.reason, ''), p.since,
		coalesce(s.id, 0), coalesce(s.name, ''), coalesce(s.interval_s, 0), s.newest_at, s.received_at, coalesce(s.reason, ''), s.since
	from candidate c join device d on d.id = c.id
	left join device_presence p on p.device_id = d.id
	left join stream s on s.device_id = d.id`

// CheckStale implements sensors.StaleStore. It finds the devices and datastreams that became stale or fresh again, and the
// devices that reported on line or off line since the last check. It publishes the changes in one event per division.
func (db *DB) CheckStale(ctx context.Context, l sensors.StaleCheck) (sensors.StaleReport, error) {
	if l.Node == "" {
		return sensors.StaleReport{}, fault.InvalidField("node", "a node that looks has a name")
	}
	var r sensors.StaleReport
	err := db.untilSettled(ctx, overtaken, func(bool) error { // retried if a device was deleted in the meantime
		return db.pool.InTx(ctx, func(tx pgx.Tx) (err error) {
			r, err = checkOnce(ctx, tx, l, db.now())
			return err
		})
	})
	return r, pg.MapErr(err, "look for silence")
}

// checkOnce runs one check. It returns without changes if another node has checked recently or is checking now. The order of the
// statements matters: the events are last, because the lock of the event log is held from there to the commit.
func checkOnce(ctx context.Context, tx pgx.Tx, l sensors.StaleCheck, now time.Time) (r sensors.StaleReport, err error) {
	var listening time.Time
	var recent bool
	err = tx.QueryRow(ctx, listenSQL, l.Node, l.ListeningSince, now, l.Gap).Scan(&listening, &recent, &r.Stale, &r.Offline)
	// The counts of the last check are returned, so that the metrics of all nodes agree.
	if err != nil || recent {
		return r, err
	}
	if err := tx.QueryRow(ctx, checkLock).Scan(&r.Looked, nil, nil); err != nil || !r.Looked {
		return r, err
	}
	r.Stale, r.Offline = 0, 0
	var w presenceWrite
	if err := w.find(ctx, tx, now, listening, &r); err != nil {
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
	unevaluated, err := checkUnevaluated(ctx, tx, now, listening)
	if err != nil {
		return r, err
	}
	if err := w.events.write(ctx, tx, sensors.EventPresenceChanged); err != nil {
		return r, err
	}
	return r, unevaluated.write(ctx, tx, sensors.EventUnevaluated)
}

// presenceWrite holds the rows and events that a check must write.
type presenceWrite struct {
	devices, deviceReasons []string
	online                 []bool
	deviceSince            []time.Time

	stale        []int64
	staleReasons []string
	staleSince   []time.Time
	fresh        []int64

	events  divisionEvents[sensors.PresenceChange]
	changes int
}

// candidate is a device whose state could change.
type candidate struct {
	division string
	enabled  bool
	sensors.DeviceFacts
}

// loadCandidates returns the candidates in no particular order.
func loadCandidates(ctx context.Context, tx pgx.Tx, now time.Time) ([]*candidate, error) {
	rows, err := tx.Query(ctx, candidateSQL, now, sensors.StaleIntervals, int(sensors.StaleLeast.Seconds()))
	if err != nil {
		return nil, err
	}
	var all []*candidate
	known := map[string]*candidate{}
	var c candidate
	var s sensors.StreamFacts
	targets := []any{
		&c.ID, &c.division, &c.enabled, &c.StatusOnline, orZero(&c.StatusAt), orZero(&c.LastSeen), &c.Published.Online, &c.Published.Reason, orZero(&c.Published.Since),
		&s.ID, &s.Name, &s.IntervalS, orZero(&s.NewestAt), orZero(&s.Received), &s.Published.Reason, orZero(&s.Published.Since),
	}
	_, err = pgx.ForEachRow(rows, targets, func() error {
		// A device has one row for each of its datastreams; the first row creates the candidate.
		device := known[c.ID]
		if device == nil {
			device = &candidate{c.division, c.enabled, c.DeviceFacts}
			known[c.ID], all = device, append(all, device)
		}
		if s.ID != 0 { // 0: a device without datastreams
			device.Datastreams = append(device.Datastreams, s)
		}
		return nil
	})
	return all, err
}

// orZero returns a scan target that reads null as the zero time.
func orZero(t *time.Time) *zeronull.Timestamptz { return (*zeronull.Timestamptz)(t) }

// find judges the candidates and collects their changes. It counts the stale datastreams and the off-line devices in r.
func (w *presenceWrite) find(ctx context.Context, tx pgx.Tx, now, listening time.Time, r *sensors.StaleReport) error {
	candidates, err := loadCandidates(ctx, tx, now)
	if err != nil {
		return err
	}
	var found []divisionChange
	for _, c := range candidates {
		v := sensors.JudgePresence(c.DeviceFacts, now, listening)
		// A disabled device is not expected to publish, so it is not counted.
		if c.enabled {
			r.Stale += v.StaleDatastreams()
			if v.Device.Reason != "" && !v.Device.Online {
				r.Offline++
			}
		}
		for _, change := range v.Changes {
			found = append(found, divisionChange{c.division, change})
		}
	}
	slices.SortFunc(found, divisionChange.compare)
	for _, f := range found {
		w.add(f.division, f.PresenceChange)
	}
	return nil
}

// divisionChange is a change with the division of its device, for which the event is published.
type divisionChange struct {
	division string
	sensors.PresenceChange
}

// compare orders changes by division. Within a division, the changes of devices come before those of datastreams.
func (c divisionChange) compare(d divisionChange) int {
	return cmp.Or(strings.Compare(c.division, d.division), cmp.Compare(min(c.DatastreamID, 1), min(d.DatastreamID, 1)),
		strings.Compare(c.Device, d.Device), cmp.Compare(c.DatastreamID, d.DatastreamID))
}

// add adds one change to the event of its division. The caller must add all changes of a division one after another.
func (w *presenceWrite) add(division string, c sensors.PresenceChange) {
	c.Since = c.Since.UTC()
	w.changes++
	w.events.add(division, c)
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

// store updates the published states in the database.
func (w *presenceWrite) store(ctx context.Context, tx pgx.Tx) error {
	var batch pgx.Batch
	// A fresh datastream has no row; a stale one keeps its since if only the reason changes.
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
