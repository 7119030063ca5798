// Package eventlog is the log of everything that a person must not miss. It appends events, reads them in commit order,
// follows them for a node's subscribers, and stores named cursors for work that must be done exactly once.
//
// It does not know the kinds of events. The package that raises an event declares its kind and its payload.
package eventlog

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/core"
	"onemap/internal/pg"
)

// Channel is the PostgreSQL channel on which a commit with new events notifies.
const Channel = "onemap_event"

// SelectEpoch is the SQL expression of the epoch, which identifies this incarnation of the log. The epoch changes when
// the content is restored on another system, recovered to a point in time or promoted (another timeline), cloned
// (another database), or restored over itself (the log's table is another file). So a reader does not mistake the new
// event numbers for the old ones. The epoch does not change when a data folder is copied back; therefore a position also
// carries the id of its event (core.Mark).
const SelectEpoch = `(
	select i.id || '-' || to_hex(s.system_identifier) || '-' || d.oid
	    || '-' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || '-' || pg_relation_filenode('event_log')
	from instance i, pg_control_system() s, pg_database d
	where d.datname = current_database())`

// SelectHeadSeq is the SQL expression of the newest seq. Pruning keeps the newest row, so the value never decreases.
const SelectHeadSeq = `(select coalesce(max(seq), 0) from event_log)`

// selectHead is the query of the log's epoch and of the seq and id of its newest event, 0 and empty if there is none.
const selectHead = `
	select ` + SelectEpoch + `, coalesce(h.seq, 0), coalesce(h.id::text, '')
	from (values (1)) one left join (select seq, id from event_log order by seq desc limit 1) h on true`

// Columns are the columns that Scan reads.
const Columns = `seq, id::text, at, kind, divisions, roles, subject, actor, payload`

// Scan reads one row of Columns.
func Scan(row pgx.CollectableRow) (e core.Event, err error) {
	err = row.Scan(&e.Seq, &e.ID, &e.At, &e.Kind, &e.Divisions, &e.Roles, &e.Subject, &e.Actor, &e.Payload)
	return e, err
}

// Append writes an event and returns its seq. It must be the last statement of the transaction, because it takes the
// log's lock and holds it until the commit. The lock makes the order of seq equal to the order of commits. At, Seq and ID
// of e are ignored.
func Append(ctx context.Context, tx pgx.Tx, e core.Event) (int64, error) {
	var roles []string
	if e.Roles != nil {
		roles = make([]string, len(e.Roles))
		for i, r := range e.Roles {
			roles[i] = string(r)
		}
	}
	divisions := e.Divisions
	if divisions == nil {
		divisions = []string{}
	}
	var seq int64
	err := tx.QueryRow(ctx, "select append_event($1, $2, $3, $4, $5, $6)",
		e.Kind, divisions, roles, e.Subject, e.Actor, e.Payload).Scan(&seq)
	if err != nil {
		return 0, pg.MapErr(err, "write event "+e.Kind)
	}
	return seq, nil
}

// HeadIn returns the log's epoch and the mark of its newest event, as q sees them. The mark is zero if there is no event.
func HeadIn(ctx context.Context, q pg.Querier) (epoch string, head core.Mark, err error) {
	err = q.QueryRow(ctx, selectHead).Scan(&epoch, &head.Seq, &head.ID)
	return epoch, head, err
}

// Log is the event log in PostgreSQL. It is safe for concurrent use.
type Log struct {
	pool     *pg.Pool
	restored func(context.Context)
	epoch    atomic.Pointer[string]
}

// New returns the log of a database. restored is called when the log's epoch has changed, which means that the database
// was restored while this process was connected; it may be nil.
func New(pool *pg.Pool, restored func(context.Context)) *Log {
	if restored == nil {
		restored = func(context.Context) {}
	}
	return &Log{pool: pool, restored: restored}
}

// Head implements Source. It returns the log's epoch and the mark of its newest event. The mark is zero if there is no event.
func (l *Log) Head(ctx context.Context) (epoch string, head core.Mark, err error) {
	if epoch, head, err = HeadIn(ctx, l.pool); err == nil {
		l.noteEpoch(ctx, epoch)
	}
	return epoch, head, pg.MapErr(err, "read the event log's head")
}

// EventsAfter returns at most limit events with seq > after, in seq order, and the marks that identify their log.
// Truncated is true if events after `after` have been pruned, so that the caller's state cannot be brought up to date.
// Numbers that are missing between two events were never assigned.
func (l *Log) EventsAfter(ctx context.Context, after int64, limit int) (page core.EventPage, err error) {
	err = l.pool.InSnapshot(ctx, func(tx pgx.Tx) error {
		page, err = pageIn(ctx, tx, after, limit)
		return err
	})
	if err == nil {
		l.noteEpoch(ctx, page.Epoch)
	}
	return page, pg.MapErr(err, "read the event log")
}

// pageIn reads a page in a transaction. All statements of the transaction must see the same state of the database.
func pageIn(ctx context.Context, tx pgx.Tx, after int64, limit int) (page core.EventPage, err error) {
	var batch pgx.Batch
	batch.Queue(`select `+Columns+` from event_log where seq > $1 order by seq limit $2`, after, max(limit, 1)).
		Query(func(rows pgx.Rows) (err error) {
			page.Events, err = pgx.CollectRows(rows, Scan)
			return err
		})
	batch.Queue(selectHead).QueryRow(func(row pgx.Row) error {
		return row.Scan(&page.Epoch, &page.Head.Seq, &page.Head.ID)
	})
	// If the log has been pruned up to the event before `after`, the horizon holds the id of that event.
	batch.Queue(`
		select $1 < h.seq, coalesce((select id from event_log where seq <= $1 and seq > h.seq order by seq desc limit 1),
			case when h.seq <= $1 then h.id end)::text
		from event_horizon h`, after).QueryRow(func(row pgx.Row) error {
		var before *string
		err := row.Scan(&page.Truncated, &before)
		if before != nil {
			page.Before = *before
		}
		return err
	})
	return page, tx.SendBatch(ctx, &batch).Close()
}

// Epoch returns the epoch, which identifies this incarnation of the database. Numbers of events and batches are valid only
// within one epoch.
func (l *Log) Epoch(ctx context.Context) (e string, err error) {
	err = l.pool.QueryRow(ctx, "select "+SelectEpoch).Scan(&e)
	return e, pg.MapErr(err, "read the database's epoch")
}

// noteEpoch compares the epoch with the last one, and calls restored if it has changed.
func (l *Log) noteEpoch(ctx context.Context, epoch string) {
	if old := l.epoch.Swap(&epoch); old != nil && *old != epoch {
		l.restored(ctx)
	}
}

// Listener waits for notifications of new events on its own connection. It implements Waker.
type Listener struct{ pg.Listener }

// Listen returns a listener. It connects at its first Wait. Close it when its reader ends.
func (l *Log) Listen() *Listener { return &Listener{pg.NewListener(l.pool, Channel)} }

// Everywhere returns the divisions of an event for all users: the cities in this database. The result is empty if there is no
// city; an event without divisions is visible to city-wide scopes only.
func Everywhere(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `select code from division where length(code) = 4 and valid_to is null order by code`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Prune deletes the events before a time, but never the newest one, and returns how many. It moves the horizon in the
// same transaction, so that a reader that has missed events always finds out.
func (l *Log) Prune(ctx context.Context, before time.Time) (n int64, err error) {
	tag, err := l.pool.Exec(ctx, `
		with horizon as (
			update event_horizon h set seq = e.seq, id = e.id
			from (select seq, id from event_log where at < $1 and seq < (select max(seq) from event_log) order by seq desc limit 1) e
			where e.seq > h.seq
			returning h.seq)
		delete from event_log where seq <= (select seq from horizon)`, before)
	return tag.RowsAffected(), pg.MapErr(err, "prune the event log")
}
