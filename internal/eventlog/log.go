// Package eventlog is the log of everything that a person must not miss: it appends events, reads them in the order of
// their commits, follows them for a node's subscribers, and keeps named cursors for what must happen once.
//
// It knows no kind of event. Whoever raises an event declares its kind and its payload.
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

// SelectEpoch is the epoch as a column: it names this incarnation of the log. It changes when the content is restored
// elsewhere (another system), recovered to a point in time or promoted (another timeline), cloned (another database),
// or restored over itself (the log's table is another file), so that nobody takes its numbers for those of before. A
// folder that is put back keeps it: therefore a position carries the id of its event as well (core.Mark).
const SelectEpoch = `(
	select i.id || '-' || to_hex(s.system_identifier) || '-' || d.oid
	    || '-' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || '-' || pg_relation_filenode('event_log')
	from instance i, pg_control_system() s, pg_database d
	where d.datname = current_database())`

// SelectHeadSeq is the newest number as a column. Pruning keeps the newest row, so it never goes back.
const SelectHeadSeq = `(select coalesce(max(seq), 0) from event_log)`

// selectHead returns the log's epoch, and its newest event's seq and id: 0 and empty when there is none.
const selectHead = `
	select ` + SelectEpoch + `, coalesce(h.seq, 0), coalesce(h.id::text, '')
	from (values (1)) one left join (select seq, id from event_log order by seq desc limit 1) h on true`

// Columns are what Scan reads.
const Columns = `seq, id::text, at, kind, divisions, roles, subject, actor, payload`

// Scan reads one row of Columns.
func Scan(row pgx.CollectableRow) (e core.Event, err error) {
	err = row.Scan(&e.Seq, &e.ID, &e.At, &e.Kind, &e.Divisions, &e.Roles, &e.Subject, &e.Actor, &e.Payload)
	return e, err
}

// Append writes an event and returns its seq. It must be the last statement of the transaction: it takes the log's
// lock, which is held to the commit, so that the order of seq is the order of commits. At, Seq and ID of e are not used.
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

// HeadIn returns the log's epoch and the mark of its newest event, the zero mark when there is none, as q sees them.
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

// Head returns the log's epoch and the mark of its newest event, the zero mark when there is none.
func (l *Log) Head(ctx context.Context) (epoch string, head core.Mark, err error) {
	if epoch, head, err = HeadIn(ctx, l.pool); err == nil {
		l.noteEpoch(ctx, epoch)
	}
	return epoch, head, pg.MapErr(err, "read the event log's head")
}

// EventsAfter returns at most limit events with seq > after, in seq order, and what proves which log they are of.
// Truncated says that some behind `after` have been pruned, so that what the caller knows cannot be brought up to
// date. Numbers that are missing in between were never given to anything.
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

// pageIn reads a page as the transaction sees it, which must see one state throughout.
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
	// The event before the horizon, if the log has been pruned up to it, is known by the horizon's own id.
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

// Epoch names this incarnation of the database: numbers of events and batches mean nothing under another one.
func (l *Log) Epoch(ctx context.Context) (e string, err error) {
	err = l.pool.QueryRow(ctx, "select "+SelectEpoch).Scan(&e)
	return e, pg.MapErr(err, "read the database's epoch")
}

func (l *Log) noteEpoch(ctx context.Context, epoch string) {
	if old := l.epoch.Swap(&epoch); old != nil && *old != epoch {
		l.restored(ctx)
	}
}

// Listener waits for the database's word that there are new events, on a connection of its own.
type Listener struct{ pg.Listener }

// Listen returns a listener. It connects with its first wait. Close it when its reader ends.
func (l *Log) Listen() *Listener { return &Listener{pg.NewListener(l.pool, Channel)} }

// Everywhere returns the divisions to address what concerns everybody: the cities that this database knows. Empty, when
// it knows none, is the city alone.
func Everywhere(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `select code from division where length(code) = 4 and valid_to is null order by code`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Prune deletes the events before a time, but never the newest one, and returns how many. The horizon moves with them,
// in the same transaction: a reader is told that it has missed something, or misses nothing.
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
