package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/pg"
	"onemap/sensors"
)

var _ sensors.Tail = (*DB)(nil)

// Events lists the events of some kinds that the scope may see, newest first. Those of a device are its
// alerts', those that list it, and those of its division that leave something out, which it may be among;
// empty is every device.
func (db *DB) Events(ctx context.Context, s core.Scope, kinds []string, device string, p core.Page) ([]core.Event, error) {
	sql, args := eventsSQL(s, kinds, device, p)
	rows, err := db.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, pg.MapErr(err, "list events")
	}
	events, err := pgx.CollectRows(rows, eventlog.Scan)
	return events, pg.MapErr(err, "list events")
}

func eventsSQL(s core.Scope, kinds []string, device string, p core.Page) (sql string, args []any) {
	args = []any{orEmpty(kinds), p.Before, s.Division, s.Role, pageLimit(p.Limit)}
	sql = `
		select ` + eventlog.Columns + ` from event_log
		where kind = any($1) and ($2::bigint <= 0 or seq < $2)
			and scope_covers_any($3, divisions) and (roles is null or $4 = any(roles))`
	if device != "" { // its events are found first: in the order of the log, one with few would be looked for in all of it
		args = append(args, cleanText(device))
		sql += `
			and seq = any(array(
				select seq from event_log
				where jsonb_path_query_array(payload, '$.changes[*].device') || jsonb_path_query_array(payload, '$.alert.device_id') ? $6
				union all select seq from event_log
				where payload->'more' > '0' and divisions && array(select division_code from device where id = $6)))`
	}
	return sql + ` order by seq desc limit $5`, args
}

// HeadBatch returns the mark of the newest committed batch, the zero mark when there is none.
func (db *DB) HeadBatch(ctx context.Context) (head core.Mark, err error) {
	head, err = headBatchOf(ctx, db.pool)
	return head, pg.MapErr(err, "read the newest batch")
}

func headBatchOf(ctx context.Context, q pg.Querier) (head core.Mark, err error) {
	err = q.QueryRow(ctx, `select seq, id::text from ingest_batch order by seq desc limit 1`).Scan(&head.Seq, &head.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return core.Mark{}, nil
	}
	return head, err
}

// BatchAt returns the id of the newest batch at or before seq, empty when there is none or it has been pruned.
func (db *DB) BatchAt(ctx context.Context, seq int64) (id string, err error) {
	err = db.pool.QueryRow(ctx, selectBatchAt, seq).Scan(&id)
	return id, pg.MapErr(err, "read the batch")
}

const selectBatchAt = `select coalesce((select id::text from ingest_batch where seq <= $1 order by seq desc limit 1), '')`

// BatchesAfter returns at most limit committed batches with a seq beyond the mark's, in seq order: who has read
// one has read every one before it. sensors.ErrOtherLog: the log has another batch in the place of the one that the
// mark names. A mark without an id is not checked, nor is one whose batch has been pruned.
func (db *DB) BatchesAfter(ctx context.Context, after core.Mark, limit int) (batches []sensors.Committed, err error) {
	if own := db.recent.after(after, max(limit, 1)); len(own) > 0 {
		return own, nil
	}
	err = db.inSnapshot(ctx, func(tx pgx.Tx) error {
		id := after.ID
		var batch pgx.Batch
		batch.Queue(`
			select seq, id::text, at, datastream_ids, times, values, qcs, sources, received, statuses from ingest_batch
			where seq > $1 order by seq limit $2`, after.Seq, max(limit, 1)).Query(func(rows pgx.Rows) (err error) {
			batches, err = pgx.CollectRows(rows, scanBatch)
			return err
		})
		if after.ID != "" {
			batch.Queue(selectBatchAt, after.Seq).QueryRow(func(row pgx.Row) error { return row.Scan(&id) })
		}
		if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
			return err
		}
		if id != "" && id != after.ID {
			return sensors.ErrOtherLog
		}
		return nil
	})
	if errors.Is(err, sensors.ErrOtherLog) {
		return nil, err
	}
	return batches, pg.MapErr(err, "read batches")
}

func scanBatch(row pgx.CollectableRow) (c sensors.Committed, err error) {
	var ids []int64
	var times, received []time.Time
	var values []float64
	var qcs, sources []int16
	if err := row.Scan(&c.Seq, &c.ID, &c.At, &ids, &times, &values, &qcs, &sources, &received, &c.Statuses); err != nil {
		return c, err
	}
	if sources == nil {
		sources = make([]int16, len(ids))
	}
	if len(times) != len(ids) || len(values) != len(ids) || len(qcs) != len(ids) || len(sources) != len(ids) || len(received) != len(ids) {
		return c, fmt.Errorf("batch %d: its columns differ in length", c.Seq)
	}
	c.Observations = make([]sensors.Observation, len(ids))
	for i, id := range ids {
		c.Observations[i] = sensors.Observation{
			DatastreamID: id, Time: times[i], Value: values[i], QC: sensors.QC(qcs[i]), TimeSource: sensors.TimeSource(sources[i]), ReceivedAt: received[i],
		}
	}
	return c, nil
}
