package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// listener waits for one channel's notifications on a connection of its own.
type listener struct {
	db      *DB
	channel string
	busy    chan struct{} // capacity 1: who holds it may use conn
	conn    *pgx.Conn     // nil before the first wait and after a failure
}

// newListener connects with the first wait. channel is a word that needs no quotes.
func newListener(db *DB, channel string) listener {
	return listener{db: db, channel: channel, busy: make(chan struct{}, 1)}
}

// wait blocks until the database notifies, or ctx ends, or the connection breaks, which is an error.
// It also returns once after each (re)connection: what came before it was listening is unknown.
func (l *listener) wait(ctx context.Context) error {
	select {
	case l.busy <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.busy }()
	if l.conn == nil || l.conn.IsClosed() {
		return l.listen(ctx)
	}
	_, err := l.conn.WaitForNotification(ctx)
	if err == nil {
		l.drain(ctx)
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return mapErr(err, "wait for "+l.channel)
}

// drain takes what else the database has just said, so that a burst wakes the reader a few times and
// not once for each.
func (l *listener) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Millisecond)
	defer cancel()
	for {
		if _, err := l.conn.WaitForNotification(ctx); err != nil {
			return // the time is up, or the next wait says what is wrong
		}
	}
}

func (l *listener) listen(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, l.db.pool.Config().ConnConfig)
	if err != nil {
		return mapErr(err, "connect to wait for "+l.channel)
	}
	if _, err := conn.Exec(ctx, "listen "+l.channel); err != nil {
		closeConn(conn)
		return mapErr(err, "listen for "+l.channel)
	}
	l.conn = conn
	return nil
}

// close ends the connection, after a wait that goes on has ended.
func (l *listener) close() {
	l.busy <- struct{}{}
	defer func() { <-l.busy }()
	if l.conn != nil {
		closeConn(l.conn)
		l.conn = nil
	}
}

// closeConn says goodbye to the server, but not for long.
func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
