package eventlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"onemap/internal/core"
	"onemap/internal/pg"
)

// Cursor is a named position in the log that is stored in the database. It is for work that must be done once for each
// event, on any node: the transaction that moves the cursor also writes the result of the work.
type Cursor struct {
	log  *Log
	name string
}

// ErrGap says that events behind a cursor are missing: they were pruned, or the database was restored. The cursor stays
// where it is until Reset.
var ErrGap = errors.New("events behind the cursor are missing")

// Cursor returns the cursor with a name like "channel.sms". The first Next or Reset creates it in the database.
func (l *Log) Cursor(name string) *Cursor { return &Cursor{log: l, name: name} }

// Next passes at most limit events after the cursor to f and moves the cursor after them, in one transaction. If f or the
// commit fails, nothing changes. It returns the number of events, and ErrGap if events are missing. One node at a time
// holds the cursor; the others wait. A new cursor begins at the log's end.
//
// Writes of f to tx take effect exactly once. Other effects of f may happen more than once.
func (c *Cursor) Next(ctx context.Context, limit int, f func(ctx context.Context, tx pgx.Tx, events []core.Event) error) (n int, err error) {
	err = c.log.pool.InTx(ctx, func(tx pgx.Tx) error {
		epoch, at, err := c.lock(ctx, tx)
		if err != nil {
			return err
		}
		page, err := pageIn(ctx, tx, at.Seq, limit)
		switch {
		case err != nil:
			return pg.MapErr(err, "read the event log")
		case page.Epoch != epoch, page.Truncated, page.Before != at.ID:
			return fmt.Errorf("cursor %s after event %d: %w", c.name, at.Seq, ErrGap)
		}
		if n = len(page.Events); n == 0 {
			return nil
		}
		if err := c.move(ctx, tx, epoch, page.Events[n-1].Mark()); err != nil {
			return err
		}
		return f(ctx, tx, page.Events) // last, because it may append an event
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Reset moves the cursor to the log's end. The reader of the cursor does not receive the skipped events.
func (c *Cursor) Reset(ctx context.Context) error {
	return c.log.pool.InTx(ctx, func(tx pgx.Tx) error {
		if _, _, err := c.lock(ctx, tx); err != nil {
			return err
		}
		epoch, head, err := HeadIn(ctx, tx)
		if err != nil {
			return pg.MapErr(err, "read the event log's head")
		}
		return c.move(ctx, tx, epoch, head)
	})
}

// lock returns the cursor's position. Until the transaction ends, other nodes cannot use the cursor and events cannot be
// pruned. So all statements of the transaction see the same log, except for new events.
func (c *Cursor) lock(ctx context.Context, tx pgx.Tx) (epoch string, at core.Mark, err error) {
	if _, err = tx.Exec(ctx, `select from event_horizon for share`); err != nil {
		return "", at, pg.MapErr(err, "keep the event log")
	}
	if epoch, at, err = HeadIn(ctx, tx); err != nil {
		return "", at, pg.MapErr(err, "read the event log's head")
	}
	_, err = tx.Exec(ctx, `
		insert into event_cursor (name, epoch, seq, event_id) values ($1, $2, $3, $4) on conflict (name) do nothing`,
		c.name, epoch, at.Seq, at.ID)
	if err != nil {
		return "", at, pg.MapErr(err, "make the cursor "+c.name)
	}
	err = tx.QueryRow(ctx, `select epoch, seq, event_id from event_cursor where name = $1 for update`, c.name).Scan(&epoch, &at.Seq, &at.ID)
	return epoch, at, pg.MapErr(err, "read the cursor "+c.name)
}

// move stores a new position of the cursor.
func (c *Cursor) move(ctx context.Context, tx pgx.Tx, epoch string, to core.Mark) error {
	_, err := tx.Exec(ctx, `
		update event_cursor set epoch = $2, seq = $3, event_id = $4, moved_at = clock_timestamp() where name = $1`,
		c.name, epoch, to.Seq, to.ID)
	return pg.MapErr(err, "move the cursor "+c.name)
}
