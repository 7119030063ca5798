package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/sensors"
)

// seenStep is how exactly device.last_seen is kept while a device publishes: readers add what
// latest says, and the row is not rewritten with every reading.
const seenStep = 10 * time.Second

// write stores the plan. Rows of one table are touched in the order of their keys, and the tables
// in one order, so that two writers never wait for each other; the batch lock is taken last.
func (p *batchPlan) write(ctx context.Context, tx pgx.Tx) (sensors.BatchResult, error) {
	res := sensors.BatchResult{Unknown: p.unknown}
	if err := boundWaits(ctx, tx); err != nil {
		return res, err
	}
	stored, known, err := p.insertObservations(ctx, tx)
	if err != nil {
		return res, err
	}
	res.Stored = len(stored)
	if res.Conflicts, err = insertConflicts(ctx, tx, known); err != nil {
		return res, err
	}
	res.Duplicates = len(known) - res.Conflicts
	if err := upsertLatest(ctx, tx, stored); err != nil {
		return res, err
	}
	statuses, err := p.touchDevices(ctx, tx)
	if err != nil {
		return res, err
	}
	if err := insertQuarantine(ctx, tx, p.quarantine); err != nil {
		return res, err
	}
	if len(stored)+len(statuses) == 0 {
		return res, nil
	}
	res.Seq, err = appendBatch(ctx, tx, stored, statuses)
	return res, err
}

// obsColumns is readings as the arrays of unnest.
type obsColumns struct {
	retentions  []string
	ids         []int64
	times       []time.Time
	values      []float64
	qcs         []int16
	timeSources []int16
	received    []time.Time
}

func columnsOf(rs []reading) obsColumns {
	n := len(rs)
	c := obsColumns{
		make([]string, n), make([]int64, n), make([]time.Time, n), make([]float64, n),
		make([]int16, n), make([]int16, n), make([]time.Time, n),
	}
	for i, r := range rs {
		c.retentions[i], c.ids[i], c.times[i], c.values[i] = r.retention, r.DatastreamID, r.Time, r.Value
		c.qcs[i], c.timeSources[i], c.received[i] = int16(r.QC), int16(max(r.TimeSource, sensors.TimeDevice)), r.ReceivedAt
	}
	return c
}

// insertObservations stores what is new and tells it from what the table, or this batch, had.
func (p *batchPlan) insertObservations(ctx context.Context, tx pgx.Tx) (stored, known []reading, err error) {
	known = slices.Clone(p.again)
	if len(p.fresh) == 0 {
		return nil, known, nil
	}
	c := columnsOf(p.fresh)
	rows, err := tx.Query(ctx, `
		with input as materialized (
			select u.*, nextval('observation_seq') as seq
			from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::float8[], $5::smallint[], $6::smallint[], $7::timestamptz[])
				with ordinality as u (retention, datastream_id, ts, value, qc, time_source, received_at, n)
		), fresh as (
			insert into observation (retention, datastream_id, ts, value, qc, time_source, seq, received_at)
			select retention, datastream_id, ts, value, qc, time_source, seq, received_at from input
			order by retention, datastream_id, ts
			on conflict do nothing
			returning datastream_id, ts
		)
		select i.n from input i
		where not exists (select from fresh f where f.datastream_id = i.datastream_id and f.ts = i.ts)`,
		c.retentions, c.ids, c.times, c.values, c.qcs, c.timeSources, c.received)
	if err != nil {
		return nil, nil, err
	}
	old, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, nil, err
	}
	if len(old) == 0 {
		return p.fresh, known, nil
	}
	had := make(map[int64]bool, len(old))
	for _, n := range old {
		had[n] = true
	}
	for i, r := range p.fresh {
		if had[int64(i)+1] {
			known = append(known, r)
		} else {
			stored = append(stored, r)
		}
	}
	return stored, known, nil
}

// insertConflicts keeps those of the known readings whose value is not the stored one, each once.
// It is a statement of its own, so that it sees what a concurrent writer has committed meanwhile.
func insertConflicts(ctx context.Context, tx pgx.Tx, known []reading) (int, error) {
	if len(known) == 0 {
		return 0, nil
	}
	c := columnsOf(known)
	tag, err := tx.Exec(ctx, `
		insert into observation_conflict (datastream_id, ts, value, received_at)
		select distinct on (i.datastream_id, i.ts, i.value) i.datastream_id, i.ts, i.value, i.received_at
		from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::float8[], $5::timestamptz[])
			as i (retention, datastream_id, ts, value, received_at)
		join observation o on (o.retention, o.datastream_id, o.ts) = (i.retention, i.datastream_id, i.ts)
		where o.value <> i.value
		order by i.datastream_id, i.ts, i.value, i.received_at
		on conflict do nothing`,
		c.retentions, c.ids, c.times, c.values, c.received)
	return int(tag.RowsAffected()), err
}

// upsertLatest moves the newest reading of each datastream forward, never back.
func upsertLatest(ctx context.Context, tx pgx.Tx, stored []reading) error {
	if len(stored) == 0 {
		return nil
	}
	newest := slices.Clone(stored)
	slices.SortStableFunc(newest, newestFirst)
	newest = slices.CompactFunc(newest, func(a, b reading) bool { return a.DatastreamID == b.DatastreamID })
	c := columnsOf(newest)
	_, err := tx.Exec(ctx, `
		insert into latest (datastream_id, ts, value, qc, time_source, received_at)
		select * from unnest($1::bigint[], $2::timestamptz[], $3::float8[], $4::smallint[], $5::smallint[], $6::timestamptz[])
			as i (datastream_id, ts, value, qc, time_source, received_at)
		order by datastream_id
		on conflict (datastream_id) do update
		set ts = excluded.ts, value = excluded.value, qc = excluded.qc,
			time_source = excluded.time_source, received_at = excluded.received_at
		where excluded.ts > latest.ts`,
		c.ids, c.times, c.values, c.qcs, c.timeSources, c.received)
	return err
}

// touchDevices notes who published and who announced itself, and returns the announcements that
// were news. The rows are locked in the order of their ids.
func (p *batchPlan) touchDevices(ctx context.Context, tx pgx.Tx) ([]sensors.Status, error) {
	if len(p.devices) == 0 {
		return nil, nil
	}
	n := len(p.devices)
	ids, seen, online, at := make([]string, n), make([]*time.Time, n), make([]*bool, n), make([]*time.Time, n)
	for i, d := range p.devices {
		ids[i], seen[i], online[i], at[i] = d.id, d.seen, d.online, d.statusAt
	}
	rows, err := tx.Query(ctx, `
		with said as (
			select d.id, u.seen, u.online, u.status_at,
				coalesce(d.status_at is null or u.status_at > d.status_at
					or (u.status_at = d.status_at and u.online <> d.online), false) and u.status_at is not null as news
			from unnest($1::text[], $2::timestamptz[], $3::boolean[], $4::timestamptz[]) as u (id, seen, online, status_at)
			join device d on d.id = u.id
			where u.status_at is not null or d.last_seen is null or d.last_seen < u.seen - $5::interval
			order by d.id for no key update of d
		)
		update device d set
			last_seen = greatest(d.last_seen, said.seen),
			online = case when said.news then said.online else d.online end,
			status_at = case when said.news then said.status_at else d.status_at end
		from said where d.id = said.id
		returning d.id, said.news, said.online, said.status_at`,
		ids, seen, online, at, seenStep)
	if err != nil {
		return nil, err
	}
	var news []sensors.Status
	var id string
	var isNews bool
	var on *bool
	var when *time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &isNews, &on, &when}, func() error {
		if isNews {
			news = append(news, sensors.Status{DeviceID: id, Online: *on, At: when.UTC()})
		}
		return nil
	})
	return news, err
}

func insertQuarantine(ctx context.Context, tx pgx.Tx, qs []sensors.Quarantined) error {
	if len(qs) == 0 {
		return nil
	}
	n := len(qs)
	at, sizes, payloads := make([]time.Time, n), make([]int32, n), make([][]byte, n)
	devices, topics, reasons, details := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, q := range qs {
		at[i], sizes[i], payloads[i] = q.At, int32(min(q.Size, 1<<31-1)), append([]byte{}, q.Payload...)
		devices[i], topics[i] = cleanText(q.DeviceID), cleanText(q.Topic)
		reasons[i], details[i] = cleanText(q.Reason), cleanText(q.Detail)
	}
	_, err := tx.Exec(ctx, `
		insert into quarantine (at, device_id, topic, reason, detail, payload, size)
		select * from unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::int[])`,
		at, devices, topics, reasons, details, payloads, sizes)
	return err
}

// appendBatch writes the row that rules and live state are made from. It takes the lock that puts
// batches in the order of their commits, so nothing may come after it.
func appendBatch(ctx context.Context, tx pgx.Tx, stored []reading, statuses []sensors.Status) (int64, error) {
	c := columnsOf(stored)
	if statuses == nil {
		statuses = []sensors.Status{}
	}
	news, err := json.Marshal(statuses)
	if err != nil {
		return 0, err
	}
	var seq int64
	err = tx.QueryRow(ctx, `select append_ingest_batch($1, $2, $3, $4, $5, $6)`,
		c.ids, c.times, c.values, c.qcs, c.received, news).Scan(&seq)
	return seq, err
}
