package sensorspg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/core"
	"onemap/internal/pg"
	"onemap/sensors"
)

var _ sensors.Tail = (*DB)(nil)

// HeadBatch returns the mark of the newest committed batch. It returns the zero mark if there is none.
func (db *DB) HeadBatch(ctx context.Context) (head core.Mark, err error) {
	head, err = headBatchOf(ctx, db.pool)
	return head, pg.MapErr(err, "read the newest batch")
}

// headBatchOf reads the mark for HeadBatch, or in the transaction of a snapshot so that both are of one moment.
func headBatchOf(ctx context.Context, q pg.Querier) (head core.Mark, err error) {
	err = q.QueryRow(ctx, `select seq, id::text from ingest_batch order by seq desc limit 1`).Scan(&head.Seq, &head.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return core.Mark{}, nil
	}
	return head, err
}

// BatchAt returns the id of the newest batch at or before seq. It returns "" if there is none or if it was pruned.
func (db *DB) BatchAt(ctx context.Context, seq int64) (id string, err error) {
	err = db.pool.QueryRow(ctx, selectBatchAt, seq).Scan(&id)
	return id, pg.MapErr(err, "read the batch")
}

// selectBatchAt returns the id of the newest batch at or before $1, or an empty text.
const selectBatchAt = `select coalesce((select id::text from ingest_batch where seq <= $1 order by seq desc limit 1), '')`

// BatchesAfter returns at most limit committed batches after the mark, in the order of seq. Batches become visible in this
// order, so a reader of one has missed none before it. It returns sensors.ErrOtherLog if the batch at the mark's seq has
// another id: the database is then another one, or a restored copy. It does not check a mark without an id, or one whose
// batch was pruned.
func (db *DB) BatchesAfter(ctx context.Context, after core.Mark, limit int) (batches []sensors.Committed, err error) {
	// The batches that this node committed last are in memory and need no query.
	if own := db.recent.after(after, max(limit, 1)); len(own) > 0 {
		return own, nil
	}
	// The batches and the check of the mark must come from one snapshot.
	err = db.pool.InSnapshot(ctx, func(tx pgx.Tx) error {
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

// scanBatch converts a row of parallel arrays to observations. sources is null if all times are the devices' own.
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
	// append_ingest_batch writes arrays of one length; another length is a defect, not a reading.
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
