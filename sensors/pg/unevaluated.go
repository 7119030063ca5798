package sensorspg

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/sensors"
)

// evaluationSQL loads the facts for sensors.JudgeEvaluation of the devices whose state could change: those with a published state,
// and the enabled ones that send but have recently sent nothing that the rules evaluate. A device has one row, or one row for each
// of its bad datastreams. $1 is now, $2 the number of intervals after which a datastream is stale, $3 the least such time in
// seconds, $4 and $5 the quality flags that are bad.
const evaluationSQL = `
	with stream as materialized (
		select s.device_id, t.retention, s.id, x.interval_s, greatest($2::int * x.interval_s, $3::int) * interval '1 second' as patience,
			l.received_at as received, coalesce(l.qc in ($4, $5), false) as bad
		from datastream s join datastream_type t on t.code = s.type left join latest l on l.datastream_id = s.id
		cross join lateral (select coalesce(s.interval_s, t.interval_s) as interval_s) x
	), bad as materialized (
		select x.device_id, x.interval_s, x.received, o.since from stream x
		cross join lateral (
			select min(o.received_at) as since from observation o
			where o.retention = x.retention and o.datastream_id = x.id and o.ts > $1::timestamptz - 2 * x.patience
			having bool_and(o.qc in ($4, $5))
		) o
		where x.bad and x.received + x.patience > $1::timestamptz
	), device_streams as materialized (
		select device_id, max(interval_s) as interval_s, max(patience) as patience, max(received) filter (where not bad) as evaluated, bool_or(bad) as some_bad
		from stream group by device_id
	), quiet as materialized (
		select d.id, d.last_seen + m.patience > $1::timestamptz as seen, m.patience
		from device d join device_streams m on m.device_id = d.id
		where d.enabled and not m.some_bad and coalesce(m.evaluated + m.patience <= $1::timestamptz, true)
	), refused as materialized (
		select q.id, q.seen, h.first, h.last from quiet q
		cross join lateral (
			select min(at) as first, max(at) as last from quarantine where device_id = q.id and at > $1::timestamptz - 2 * q.patience
		) h
	)
	select d.id, d.division_code, d.enabled, m.interval_s, d.last_seen, d.status_at, m.evaluated, m.some_bad, r.first, r.last,
		coalesce(u.reason, ''), u.since, coalesce(b.interval_s, 0), b.since, b.received
	from (
		select device_id as id from device_unevaluated
		union select device_id from bad
		union select id from refused where seen or last is not null
	) candidate join device d on d.id = candidate.id
	join device_streams m on m.device_id = d.id
	left join device_unevaluated u on u.device_id = d.id
	left join bad b on b.device_id = d.id
	left join refused r on r.id = d.id`

// evaluated is a device whose evaluation is judged.
type evaluated struct {
	division string
	sensors.EvaluationFacts
}

// loadEvaluated returns the devices whose evaluation could change, ordered by division and id.
func loadEvaluated(ctx context.Context, tx pgx.Tx, now time.Time) ([]*evaluated, error) {
	rows, err := tx.Query(ctx, evaluationSQL, now, sensors.StaleIntervals, int(sensors.StaleLeast.Seconds()), int16(sensors.QCBad), int16(sensors.QCMissing))
	if err != nil {
		return nil, err
	}
	var all []*evaluated
	known := map[string]*evaluated{}
	var f evaluated
	var b sensors.BadStream
	targets := []any{
		&f.ID, &f.division, &f.Enabled, &f.IntervalS, orZero(&f.LastSeen), orZero(&f.StatusAt), orZero(&f.Evaluated), &f.Bad,
		orZero(&f.Quarantined.First), orZero(&f.Quarantined.Last), &f.Published.Reason, orZero(&f.Published.Since),
		&b.IntervalS, orZero(&b.Since), orZero(&b.Received),
	}
	_, err = pgx.ForEachRow(rows, targets, func() error {
		device := known[f.ID]
		if device == nil {
			device = &evaluated{f.division, f.EvaluationFacts}
			known[f.ID], all = device, append(all, device)
		}
		if !b.Since.IsZero() {
			device.BadStreams = append(device.BadStreams, b)
		}
		return nil
	})
	slices.SortFunc(all, func(a, b *evaluated) int {
		return cmp.Or(strings.Compare(a.division, b.division), strings.Compare(a.ID, b.ID))
	})
	return all, err
}

// checkUnevaluated finds the changes of the devices whose readings are not evaluated, and stores them. It returns the events for
// the changes, one per division.
func checkUnevaluated(ctx context.Context, tx pgx.Tx, now, listening time.Time) (events divisionEvents[sensors.UnevaluatedChange], err error) {
	devices, err := loadEvaluated(ctx, tx, now)
	if err != nil {
		return nil, err
	}
	// began, reasons and since are parallel: the rows to insert. ended lists the rows to delete.
	var began, ended, reasons []string
	var since []time.Time
	for _, d := range devices {
		state, changed := sensors.JudgeEvaluation(d.EvaluationFacts, now, listening)
		if !changed {
			continue
		}
		events.add(d.division, sensors.UnevaluatedChange{Device: d.ID, Reason: state.Reason, Since: state.Since.UTC()})
		if state.Reason == "" {
			ended = append(ended, d.ID)
		} else {
			began, reasons, since = append(began, d.ID), append(reasons, state.Reason), append(since, state.Since)
		}
	}
	if len(events) == 0 {
		return nil, nil
	}
	var batch pgx.Batch
	// The rows are those that were last published, so each change of them is in an event of the same transaction.
	batch.Queue(`delete from device_unevaluated where device_id = any($1::text[])`, ended)
	batch.Queue(`insert into device_unevaluated (device_id, reason, since) select * from unnest($1::text[], $2::text[], $3::timestamptz[])`, began, reasons, since)
	return events, tx.SendBatch(ctx, &batch).Close()
}
