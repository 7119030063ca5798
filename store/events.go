package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/core"
	"onemap/sensors"
)

var _ sensors.Tail = (*DB)(nil)

// The newest numbers, as columns. Pruning keeps the newest row of both, so they never go back.
const (
	eventHead = `(select coalesce(max(seq), 0) from event_log)`
	batchHead = `(select coalesce(max(seq), 0) from ingest_batch)`
)

// Head gives the event log's epoch and the seq of its newest row, 0 when there is none.
func (db *DB) Head(ctx context.Context) (epochID string, head int64, err error) {
	err = db.inSnapshot(ctx, func(tx pgx.Tx) (err error) {
		if epochID, err = epoch(ctx, tx); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `select `+eventHead).Scan(&head)
	})
	return epochID, head, mapErr(err, "read the event log's head")
}

// EventsAfter gives at most limit events with seq > after, in seq order. truncated says that some
// behind `after` have been pruned, so that what the caller knows cannot be brought up to date.
// Numbers that are missing in between were never given to anything.
func (db *DB) EventsAfter(ctx context.Context, after int64, limit int) (events []core.Event, truncated bool, err error) {
	rows, err := db.pool.Query(ctx, `
		select seq, at, kind, divisions, roles, subject, actor, payload from event_log
		where seq > $1 order by seq limit $2`, after, max(limit, 1))
	if err != nil {
		return nil, false, mapErr(err, "read the event log")
	}
	if events, err = pgx.CollectRows(rows, scanEvent); err != nil {
		return nil, false, mapErr(err, "read the event log")
	}
	// Asked after the rows: what is pruned in between is reported, not missed.
	err = db.pool.QueryRow(ctx, `select $1 < seq from event_horizon`, after).Scan(&truncated)
	return events, truncated, mapErr(err, "read the event log's horizon")
}

func scanEvent(row pgx.CollectableRow) (e core.Event, err error) {
	err = row.Scan(&e.Seq, &e.At, &e.Kind, &e.Divisions, &e.Roles, &e.Subject, &e.Actor, &e.Payload)
	return e, err
}

// Events lists the events of some kinds that the scope may see, newest first. Those of a device are its
// alerts', those that list it, and those of its division that leave something out, which it may be among;
// empty is every device.
func (db *DB) Events(ctx context.Context, s core.Scope, kinds []string, device string, p core.Page) ([]core.Event, error) {
	sql, args := eventsSQL(s, kinds, device, p)
	rows, err := db.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, mapErr(err, "list events")
	}
	events, err := pgx.CollectRows(rows, scanEvent)
	return events, mapErr(err, "list events")
}

func eventsSQL(s core.Scope, kinds []string, device string, p core.Page) (sql string, args []any) {
	args = []any{orEmpty(kinds), p.Before, s.Division, s.Role, pageLimit(p.Limit)}
	sql = `
		select seq, at, kind, divisions, roles, subject, actor, payload from event_log
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

// HeadBatch is the seq of the newest committed batch, 0 when there is none.
func (db *DB) HeadBatch(ctx context.Context) (int64, error) {
	var head int64
	err := db.pool.QueryRow(ctx, `select `+batchHead).Scan(&head)
	return head, mapErr(err, "read the newest batch")
}

// BatchesAfter gives at most limit committed batches with seq > after, in seq order: who has read
// one has read every one before it.
func (db *DB) BatchesAfter(ctx context.Context, after int64, limit int) ([]sensors.Committed, error) {
	if own := db.recent.after(after, max(limit, 1)); len(own) > 0 {
		return own, nil
	}
	rows, err := db.pool.Query(ctx, `
		select seq, at, datastream_ids, times, values, qcs, sources, received, statuses from ingest_batch
		where seq > $1 order by seq limit $2`, after, max(limit, 1))
	if err != nil {
		return nil, mapErr(err, "read batches")
	}
	batches, err := pgx.CollectRows(rows, scanBatch)
	return batches, mapErr(err, "read batches")
}

func scanBatch(row pgx.CollectableRow) (c sensors.Committed, err error) {
	var ids []int64
	var times, received []time.Time
	var values []float64
	var qcs, sources []int16
	if err := row.Scan(&c.Seq, &c.At, &ids, &times, &values, &qcs, &sources, &received, &c.Statuses); err != nil {
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

// EventFeed is the event log for one reader, with a connection of its own on which the database
// wakes it. Close it when the reader ends; the DB stays open.
type EventFeed struct {
	*DB
	listener
}

// EventFeed makes a feed. It connects with the first wait.
func (db *DB) EventFeed() *EventFeed { return &EventFeed{db, newListener(db, "onemap_event")} }

// EventsNotified blocks until the database says that there are new events, or ctx ends, or the
// connection breaks, which is an error. It also returns once after each (re)connection, because
// what came before it was listening is unknown. It is a hint: readers poll as well.
func (f *EventFeed) EventsNotified(ctx context.Context) error { return f.wait(ctx) }

// Close ends the feed's connection, after a wait that goes on has ended; the DB stays open.
func (f *EventFeed) Close() { f.close() }
