package sensorspg

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"onemap/internal/pg"
	"onemap/sensors"
)

// seenStep is the precision of device.last_seen while a device publishes. The row is not updated with every reading. Readers
// take the later of last_seen and the receipt times in latest.
const seenStep = 10 * time.Second

// allNew reports whether the plan may consist of new readings only. If so, writeNew can store it.
func (p *batchPlan) allNew() bool {
	if len(p.fresh) == 0 || len(p.again) > 0 || len(p.clocks) > 0 {
		return false
	}
	return !slices.ContainsFunc(p.devices, func(d touched) bool { return d.statusAt != nil })
}

// known reports whether err means that some of the readings are stored already. store_fresh raises P0V01 for that.
func known(err error) bool { return pg.Code(err) == "P0V01" }

// unchangedSQL fails if a device of the batch has changed since the batch was decoded. unchangedArgs returns its arguments.
const unchangedSQL = `select expect_unchanged($1, $2)`

// unchangedArgs returns the arguments of unchangedSQL: the version of the registry for which the batch was decoded, and
// the ids of its devices.
func (p *batchPlan) unchangedArgs() []any {
	ids := make([]string, len(p.devices))
	for i := range p.devices {
		ids[i] = p.devices[i].id
	}
	return []any{*p.registry, ids}
}

// changed reports whether err means that a device of the batch has changed. expect_unchanged raises P0V02 for that.
func changed(err error) bool { return pg.Code(err) == "P0V02" }

// writeNew stores a plan of new readings only, in one round trip and one transaction. If a reading is not new, known is true
// for the error, and nothing was stored. It writes the tables in the same order as write, so that the two do not deadlock.
func (db *DB) writeNew(ctx context.Context, p *batchPlan) (res sensors.BatchResult, kept sensors.Committed, err error) {
	res = sensors.BatchResult{Unknown: p.unknown, Beyond: p.countBeyond(), Stored: len(p.fresh)}
	present := p.fresh
	if p.ahead {
		present = sortedByState(p.fresh)
	}
	c, n := columnsOf(p.fresh), columnsOf(newest(present))
	var batch pgx.Batch
	if p.registry != nil {
		batch.Queue(unchangedSQL, p.unchangedArgs()...)
	}
	batch.Queue(`select store_fresh($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		c.retentions, c.ids, c.times, c.values, c.qcs, c.timeSources, c.received, c.places,
		n.ids, n.states, n.values, n.qcs, n.timeSources, n.received).QueryRow(func(row pgx.Row) error { return row.Scan(&res.Late) })
	if due := db.touched.due(p.devices); len(due) > 0 {
		batch.Queue(touchSQL, touchArgs(due)...)
	}
	if len(p.quarantine) > 0 {
		batch.Queue(quarantineSQL, quarantineArgs(p.quarantine)...)
	}
	if len(p.beyond) > 0 {
		batch.Queue(moreSQL, moreArgs(p.beyond)...)
	}
	if p.ahead {
		c = columnsOf(present)
	}
	// The id distinguishes batches with the same number in two copies of a database.
	kept.ID = uuid.NewString()
	batch.Queue(appendSQL, c.ids, c.states, c.values, c.qcs, batchSources(present), c.received, []byte(`[]`), kept.ID).QueryRow(func(row pgx.Row) error {
		return row.Scan(&kept.Seq, &kept.At)
	})
	// A batch of statements without a begin is one implicit transaction, so all of them are stored or none.
	if err := db.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return sensors.BatchResult{}, kept, err
	}
	res.Seq = kept.Seq
	kept.Observations, kept.Statuses = asCommitted(present), []sensors.Status{}
	return res, kept, nil
}

// asCommitted returns the readings in the form of a committed batch.
func asCommitted(rs []reading) []sensors.Observation {
	out := make([]sensors.Observation, len(rs))
	for i := range rs {
		o := &rs[i].Observation
		out[i] = sensors.Observation{DatastreamID: o.DatastreamID, Time: o.StateTime(), Value: o.Value, QC: o.QC, TimeSource: batchSource(o), ReceivedAt: o.ReceivedAt}
	}
	return out
}

// batchSource returns the source of a reading's time in the form of a batch, where 0 means the device's own time.
func batchSource(o *sensors.Observation) sensors.TimeSource {
	if o.TimeSource == sensors.TimeDevice {
		return 0
	}
	return o.TimeSource
}

// batchSources returns the batchSource of each reading. It returns nil if all are 0.
func batchSources(rs []reading) []int16 {
	var sources []int16
	for i := range rs {
		if source := batchSource(&rs[i].Observation); source != 0 {
			if sources == nil {
				sources = make([]int16, len(rs))
			}
			sources[i] = int16(source)
		}
	}
	return sources
}

// write stores any plan. It writes the rows of one table in the order of their keys, and the tables always in the same order,
// so that writers do not deadlock. The batch lock is taken last.
func (p *batchPlan) write(ctx context.Context, tx pgx.Tx) (res sensors.BatchResult, kept sensors.Committed, err error) {
	res.Unknown, res.Beyond = p.unknown, p.countBeyond()
	if err := pg.BoundWaits(ctx, tx); err != nil {
		return res, kept, err
	}
	if p.registry != nil {
		if _, err := tx.Exec(ctx, unchangedSQL, p.unchangedArgs()...); err != nil {
			return res, kept, err
		}
	}
	stored, known, err := p.insertObservations(ctx, tx)
	if err != nil {
		return res, kept, err
	}
	conflicts, err := insertConflicts(ctx, tx, known)
	if err != nil {
		return res, kept, err
	}
	live, err := insertBeside(ctx, tx, known, conflicts)
	if err != nil {
		return res, kept, err
	}
	if err := storeClocks(ctx, tx, p.clocks); err != nil {
		return res, kept, err
	}
	res.Stored = len(stored) + len(live)
	for i := range conflicts {
		// A reading that insertBeside stored at another time is no conflict.
		if _, ok := live[i]; !ok {
			res.Conflicts++
		}
	}
	res.Duplicates = len(known) - len(live) - res.Conflicts
	stored = sortedByState(slices.AppendSeq(slices.Clip(stored), maps.Values(live)))
	if res.Late, err = upsertLatest(ctx, tx, stored); err != nil {
		return res, kept, err
	}
	statuses, err := p.touchDevices(ctx, tx)
	if err != nil {
		return res, kept, err
	}
	if len(p.quarantine) > 0 {
		if _, err := tx.Exec(ctx, quarantineSQL, quarantineArgs(p.quarantine)...); err != nil {
			return res, kept, err
		}
	}
	if len(p.beyond) > 0 {
		if _, err := tx.Exec(ctx, moreSQL, moreArgs(p.beyond)...); err != nil {
			return res, kept, err
		}
	}
	// Duplicates and quarantine alone need no batch: nothing has changed for rules and pages.
	if len(stored)+len(statuses) == 0 {
		return res, kept, nil
	}
	kept, err = appendBatch(ctx, tx, stored, statuses)
	res.Seq = kept.Seq
	return res, kept, err
}

// obsColumns holds readings as parallel arrays for unnest.
type obsColumns struct {
	retentions  []string
	ids         []int64
	times       []time.Time
	states      []time.Time // state times; the same slice as times if no clock is wrong
	values      []float64
	qcs         []int16
	timeSources []int16
	received    []time.Time
	places      []int32
}

// columnsOf converts readings to arrays.
func columnsOf(rs []reading) obsColumns {
	n := len(rs)
	c := obsColumns{
		make([]string, n), make([]int64, n), make([]time.Time, n), nil, make([]float64, n),
		make([]int16, n), make([]int16, n), make([]time.Time, n), make([]int32, n),
	}
	ahead := false
	for i := range rs {
		r := &rs[i]
		c.retentions[i], c.ids[i], c.times[i], c.values[i] = r.retention, r.DatastreamID, r.Time, r.Value
		c.qcs[i], c.timeSources[i], c.received[i] = int16(r.QC), int16(max(r.TimeSource, sensors.TimeDevice)), r.ReceivedAt
		c.places[i] = r.place
		ahead = ahead || !r.Now.IsZero()
	}
	if c.states = c.times; ahead {
		c.states = make([]time.Time, n)
		for i := range rs {
			c.states[i] = rs[i].StateTime()
		}
	}
	return c
}

// insertObservations stores the new readings. known are those that the table, or an earlier reading of the batch, had
// already.
func (p *batchPlan) insertObservations(ctx context.Context, tx pgx.Tx) (stored, known []reading, err error) {
	stored, known, err = insertNew(ctx, tx, p.fresh)
	return stored, append(known, p.again...), err
}

// insertNew stores those of the readings whose key is not in the table yet. fresh must be in the order of the keys, which
// keeps concurrent writers from deadlocking. The sequence has an increment larger than any batch, so one number is enough for
// a batch, and place orders its readings.
func insertNew(ctx context.Context, tx pgx.Tx, fresh []reading) (stored, known []reading, err error) {
	if len(fresh) == 0 {
		return nil, nil, nil
	}
	c := columnsOf(fresh)
	rows, err := tx.Query(ctx, `
		with base as materialized (select nextval('observation_seq') as seq), input as materialized (
			select u.*, base.seq + u.place as seq
			from base, unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::float8[], $5::smallint[], $6::smallint[], $7::timestamptz[], $8::int[])
				with ordinality as u (retention, datastream_id, ts, value, qc, time_source, received_at, place, n)
		), fresh as (
			insert into observation (retention, datastream_id, ts, value, qc, time_source, seq, received_at)
			select retention, datastream_id, ts, value, qc, time_source, seq, received_at from input order by n
			on conflict do nothing
			returning datastream_id, ts
		)
		select i.n from input i
		where not exists (select from fresh f where f.datastream_id = i.datastream_id and f.ts = i.ts)`,
		c.retentions, c.ids, c.times, c.values, c.qcs, c.timeSources, c.received, c.places)
	if err != nil {
		return nil, nil, err
	}
	old, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, nil, err
	}
	if len(old) == 0 {
		return fresh, known, nil
	}
	had := make(map[int64]bool, len(old))
	for _, n := range old {
		had[n] = true
	}
	for i, r := range fresh {
		if had[int64(i)+1] {
			known = append(known, r)
		} else {
			stored = append(stored, r)
		}
	}
	return stored, known, nil
}

// storeClocks stores the clock offsets of devices, in seconds.
func storeClocks(ctx context.Context, tx pgx.Tx, clocks []sensors.DeviceClock) error {
	if len(clocks) == 0 {
		return nil
	}
	// The last entry of a device wins, and each row is updated once, in the order of the ids.
	newest := make(map[string]sensors.DeviceClock, len(clocks))
	for _, c := range clocks {
		newest[c.DeviceID] = c
	}
	ids := slices.Sorted(maps.Keys(newest))
	offsets, at := make([]float64, len(ids)), make([]time.Time, len(ids))
	for i, id := range ids {
		offsets[i], at[i] = newest[id].Offset.Seconds(), newest[id].At
	}
	_, err := tx.Exec(ctx, `
		with said as (
			select d.id, nullif(u.clock, 0) as clock, u.at
			from unnest($1::text[], $2::float8[], $3::timestamptz[]) as u (id, clock, at) join device d on d.id = u.id
			order by d.id for no key update of d
		)
		update device d set clock_offset_s = said.clock, clock_at = said.at from said where d.id = said.id`, ids, offsets, at)
	return err
}

// upsertLatest replaces the latest reading of each datastream by a newer one, never by an older one. late is the number of
// readings of those datastreams whose latest did not change. stored must be in the order of state times.
func upsertLatest(ctx context.Context, tx pgx.Tx, stored []reading) (late int, err error) {
	if len(stored) == 0 {
		return 0, nil
	}
	c := columnsOf(newest(stored))
	rows, err := tx.Query(ctx, `
		with moved as (
			insert into latest (datastream_id, ts, value, qc, time_source, received_at)
			select * from unnest($1::bigint[], $2::timestamptz[], $3::float8[], $4::smallint[], $5::smallint[], $6::timestamptz[])
				as i (datastream_id, ts, value, qc, time_source, received_at)
			order by datastream_id
			on conflict (datastream_id) do update
			set ts = excluded.ts, value = excluded.value, qc = excluded.qc,
				time_source = excluded.time_source, received_at = excluded.received_at
			where excluded.ts > latest.ts
			returning datastream_id
		)
		select i from unnest($1::bigint[]) as i where i not in (select datastream_id from moved)`,
		c.ids, c.states, c.values, c.qcs, c.timeSources, c.received)
	if err != nil {
		return 0, err
	}
	// still lists the datastreams whose latest reading did not change.
	still, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil || len(still) == 0 {
		return 0, err
	}
	slices.Sort(still)
	for _, r := range stored {
		if _, ok := slices.BinarySearch(still, r.DatastreamID); ok {
			late++
		}
	}
	return late, nil
}

// touchSQL stores when devices published, and the statuses that they reported. It returns the new state of each changed row. It
// locks the rows in the order of their ids, to avoid deadlocks. touchArgs returns its arguments.
const touchSQL = `
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
		returning d.id, said.news, said.online, said.status_at`

// touchArgs returns the arguments of touchSQL.
func touchArgs(devices []touched) []any {
	n := len(devices)
	ids, seen, online, at := make([]string, n), make([]*time.Time, n), make([]*bool, n), make([]*time.Time, n)
	for i, d := range devices {
		ids[i], seen[i], online[i], at[i] = d.id, d.seen, d.online, d.statusAt
	}
	return []any{ids, seen, online, at, seenStep}
}

// touchDevices stores when devices published, and the statuses that they reported. It returns the statuses that were new. It
// locks the rows in the order of their ids.
func (p *batchPlan) touchDevices(ctx context.Context, tx pgx.Tx) ([]sensors.Status, error) {
	if len(p.devices) == 0 {
		return nil, nil
	}
	rows, err := tx.Query(ctx, touchSQL, touchArgs(p.devices)...)
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

// appendSQL writes the ingest_batch row that rules and live state read. It is in the same transaction as the readings, so no
// committed reading escapes the rules. It takes the lock that keeps batches in the order of their commits, so it must be the
// last statement of the transaction.
const appendSQL = `select append_ingest_batch($1, $2, $3, $4, $5, $6, $7, $8), clock_timestamp()`

// appendBatch writes the batch of stored readings, in the order of their state times, and statuses. It returns the batch in the
// form that its readers see. It must be the last call in the transaction.
func appendBatch(ctx context.Context, tx pgx.Tx, stored []reading, statuses []sensors.Status) (sensors.Committed, error) {
	c := columnsOf(stored)
	// The column must be an empty JSON array and not null.
	if statuses == nil {
		statuses = []sensors.Status{}
	}
	kept := sensors.Committed{ID: uuid.NewString(), Observations: asCommitted(stored), Statuses: statuses}
	news, err := json.Marshal(statuses)
	if err != nil {
		return kept, err
	}
	err = tx.QueryRow(ctx, appendSQL, c.ids, c.states, c.values, c.qcs, batchSources(stored), c.received, news, kept.ID).Scan(&kept.Seq, &kept.At)
	return kept, err
}
