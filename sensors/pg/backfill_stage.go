package sensorspg

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/sensors"
)

// insert copies the readings into the staging table and from there, in the order of their key, into observation. stored are the
// new readings; known are those whose key exists in the table or occurs earlier in the chunk.
func (b *Backfill) insert(ctx context.Context, tx pgx.Tx, p *batchPlan) (stored, known []reading, err error) {
	known = p.again
	if len(p.fresh) == 0 {
		return nil, known, nil
	}
	base, err := lockStreams(ctx, tx, p.fresh)
	if err != nil {
		return nil, nil, err
	}
	b.copy = stageRows(b.copy[:0], p.fresh)
	if _, err := tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(b.copy), `copy pg_temp.backfill_stage from stdin (format binary)`); err != nil {
		return nil, nil, err
	}
	n, err := b.unstage(ctx, tx, base, p.fresh[0].ReceivedAt)
	if err != nil {
		return nil, nil, err
	}
	// All readings were new, so no second statement is needed to find the known ones.
	if b.repeats = n < int64(len(p.fresh)); !b.repeats {
		return p.fresh, known, nil
	}
	old, err := stagedBefore(ctx, tx, base)
	if err != nil {
		return nil, nil, err
	}
	known = slices.Clone(known)
	for i, r := range p.fresh {
		if len(old) > 0 && int(old[0]) == i {
			known, old = append(known, r), old[1:]
			continue
		}
		stored = append(stored, r)
	}
	// The two counts differ only if the statements disagree about which readings are new. The transaction then fails.
	if int64(len(stored)) != n {
		return nil, nil, fault.New(fault.Internal, "%d readings were stored and %d are there", n, len(stored))
	}
	return stored, known, nil
}

// unstage inserts the staged readings into observation and returns how many were new. Checking for existing readings makes the
// insert nearly twice as slow. So it checks only if this chunk or the one before had an existing reading.
func (b *Backfill) unstage(ctx context.Context, tx pgx.Tx, base int64, received time.Time) (int64, error) {
	const insert = `
		insert into observation (retention, datastream_id, ts, value, qc, time_source, seq, received_at)
		select retention, datastream_id, ts, value, qc, time_source, $1::bigint + place, $2
		from pg_temp.backfill_stage order by n`
	if !b.repeats {
		var tag pgconn.CommandTag
		err := pgx.BeginFunc(ctx, tx, func(savepoint pgx.Tx) (err error) {
			tag, err = savepoint.Exec(ctx, insert, base, received)
			return err
		})
		// 23505 is unique_violation: a reading exists already. The savepoint keeps the transaction usable.
		if pg.Code(err) != "23505" {
			return tag.RowsAffected(), err
		}
	}
	tag, err := tx.Exec(ctx, insert+` on conflict do nothing`, base, received)
	return tag.RowsAffected(), err
}

// stagedBefore returns the staged readings that were in the table before this chunk. A subselect for each of them makes the
// planner use the index, even if its estimate of the staging table is wrong.
func stagedBefore(ctx context.Context, tx pgx.Tx, base int64) ([]int32, error) {
	rows, err := tx.Query(ctx, `
		select s.n from pg_temp.backfill_stage s
		where (select o.seq from observation o where o.retention = s.retention and o.datastream_id = s.datastream_id and o.ts = s.ts)
			is distinct from $1::bigint + s.place
		order by s.n`, base)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int32])
}

// lockStreams locks the datastreams against deletion until the commit. It returns the first arrival number for the readings.
// fresh must be in the order of the datastreams.
func lockStreams(ctx context.Context, tx pgx.Tx, fresh []reading) (base int64, err error) {
	ids := make([]int64, 0, 64)
	for i := range fresh {
		if i == 0 || fresh[i].DatastreamID != fresh[i-1].DatastreamID {
			ids = append(ids, fresh[i].DatastreamID)
		}
	}
	// The share locks conflict with the deletion of a datastream and not with other writers. They are taken in the
	// order of the ids, to avoid deadlocks.
	var held int
	err = tx.QueryRow(ctx, `
		select count(*), nextval('observation_seq')
		from (select id from datastream where id = any($1) order by id for key share) s`, ids).Scan(&held, &base)
	if err == nil && held < len(ids) {
		err = errStreamGone
	}
	return base, err
}

// news holds the stored readings that may become the latest of their datastream (all), and those of them that are recent (live).
// Both are in the order of their state times.
type news struct {
	all, live     []reading
	late, history int
}

// newsOf selects the stored readings that may become the latest of their datastream.
//
// A late reading is not newer than the latest of its datastream. latest only moves forward, so a late reading stays late,
// whatever other writers do. But if the latest reading cannot be evaluated (bad or missing), the rules may not have evaluated
// anything as new. In that case late readings are passed to the rules too, which decide.
//
// A reading is history if it is so old that its datastream would be stale. It may become the latest, but it is not published.
//
// An import is no sign of life of a device. So a reading in news counts as received at its own time.
func newsOf(ctx context.Context, tx pgx.Tx, stored []reading, now time.Time) (n news, err error) {
	if len(stored) == 0 {
		return n, nil
	}
	marks, err := marksOf(ctx, tx, columnsOf(newest(stored)).ids)
	if err != nil {
		return n, err
	}
	for _, r := range stored {
		m, state := marks[r.DatastreamID], r.StateTime()
		late := m.at != nil && !state.After(*m.at)
		history := !state.Add(m.patience).After(now)
		switch {
		case late:
			n.late++
		case history:
			n.history++
		}
		if late && (m.usable || history) {
			continue
		}
		if state.Before(r.ReceivedAt) {
			r.ReceivedAt = state
		}
		n.all = append(n.all, r)
	}
	n.all = sortedByState(n.all)
	for _, r := range n.all {
		if r.StateTime().Add(marks[r.DatastreamID].patience).After(now) {
			n.live = append(n.live, r)
		}
	}
	return n, nil
}

// mark is the state of a datastream before the chunk.
type mark struct {
	at       *time.Time // state time of its latest reading; nil: no reading yet
	usable   bool       // the latest can be evaluated
	patience time.Duration
}

// marksOf returns the state of the datastreams with these ids. patience is their StaleAfter.
func marksOf(ctx context.Context, tx pgx.Tx, ids []int64) (map[int64]mark, error) {
	rows, err := tx.Query(ctx, `
		select s.id, coalesce(s.interval_s, t.interval_s), l.ts, coalesce(l.qc, 0)
		from datastream s join datastream_type t on t.code = s.type left join latest l on l.datastream_id = s.id
		where s.id = any($1)`, ids)
	if err != nil {
		return nil, err
	}
	marks := make(map[int64]mark, len(ids))
	var id int64
	var m mark
	var interval int
	var qc int16
	_, err = pgx.ForEachRow(rows, []any{&id, &interval, &m.at, &qc}, func() error {
		m.usable, m.patience = sensors.Observation{QC: sensors.QC(qc)}.Usable(), sensors.StaleAfter(interval)
		marks[id] = m
		return nil
	})
	return marks, err
}

// stageRows appends the readings in the binary format of COPY.
func stageRows(b []byte, rs []reading) []byte {
	// Source of the format: PostgreSQL manual, COPY, "Binary Format": a header, then for each row the number of fields, and for
	// each field its length in bytes and its value, all big-endian.
	const header = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	be := binary.BigEndian
	int16Of := func(b []byte, v int16) []byte { return be.AppendUint16(be.AppendUint32(b, 2), uint16(v)) }
	int32Of := func(b []byte, v int32) []byte { return be.AppendUint32(be.AppendUint32(b, 4), uint32(v)) }
	int64Of := func(b []byte, v int64) []byte { return be.AppendUint64(be.AppendUint32(b, 8), uint64(v)) }
	b = slices.Grow(b, len(rs)*90+32)
	b = append(b, header...)
	for i := range rs {
		r := &rs[i]
		b = be.AppendUint16(b, 8)
		b = int32Of(b, int32(i))
		b = append(be.AppendUint32(b, uint32(len(r.retention))), r.retention...)
		b = int64Of(b, r.DatastreamID)
		b = int64Of(b, r.Time.UnixMicro()-pgEpochMicros)
		b = int64Of(b, int64(math.Float64bits(r.Value)))
		b = int16Of(b, int16(r.QC))
		b = int16Of(b, int16(max(r.TimeSource, sensors.TimeDevice)))
		b = int32Of(b, r.place)
	}
	// the trailer: -1 fields
	return be.AppendUint16(b, math.MaxUint16)
}

// pgEpochMicros is the epoch of PostgreSQL timestamps, 2000-01-01, in Unix microseconds.
const pgEpochMicros = 946_684_800_000_000
