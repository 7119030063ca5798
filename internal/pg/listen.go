package pg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Listener waits for one channel's notifications on a connection of its own.
type Listener struct {
	pool    *Pool
	channel string
	busy    chan struct{} // capacity 1: who holds it may use conn
	conn    *pgx.Conn     // nil before the first wait and after a failure
}

// NewListener returns a listener that connects at its first Wait. channel is a word that needs no quotes.
func NewListener(p *Pool, channel string) Listener {
	return Listener{pool: p, channel: channel, busy: make(chan struct{}, 1)}
}

// Wait blocks until the database notifies, or ctx ends, or the connection breaks, which is an error.
// It also returns once after each (re)connection: what came before it was listening is unknown.
func (l *Listener) Wait(ctx context.Context) error {
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
	return MapErr(err, "wait for "+l.channel)
}

// drain takes what else the database has just said, so that a burst wakes the reader a few times and
// not once for each.
func (l *Listener) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Millisecond)
	defer cancel()
	for {
		if _, err := l.conn.WaitForNotification(ctx); err != nil {
			return // the time is up, or the next wait says what is wrong
		}
	}
}

func (l *Listener) listen(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, l.pool.Config().ConnConfig)
	if err != nil {
		return MapErr(err, "connect to wait for "+l.channel)
	}
	if _, err := conn.Exec(ctx, "listen "+l.channel); err != nil {
		CloseConn(conn)
		return MapErr(err, "listen for "+l.channel)
	}
	l.conn = conn
	return nil
}

// Close ends the connection, after a wait that goes on has ended.
func (l *Listener) Close() {
	l.busy <- struct{}{}
	defer func() { <-l.busy }()
	if l.conn != nil {
		CloseConn(l.conn)
		l.conn = nil
	}
}

// CloseConn closes a connection and waits for the server for two seconds at most.
func CloseConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
