package pg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Listener waits for the notifications of one channel on its own connection.
type Listener struct {
	pool    *Pool
	channel string
	busy    chan struct{} // capacity 1, used as a lock of conn that can be awaited with a context
	conn    *pgx.Conn     // nil before the first wait and after a failure
}

// NewListener returns a listener that connects at its first Wait. channel must be an identifier that needs no quotes.
func NewListener(p *Pool, channel string) Listener {
	return Listener{pool: p, channel: channel, busy: make(chan struct{}, 1)}
}

// Wait blocks until the database notifies, ctx ends or the connection breaks; the last two are errors. It also returns after
// each new connection, because notifications may have been missed before it.
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

// drain reads the notifications that have already arrived, so that a burst wakes the reader only a few times.
func (l *Listener) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Millisecond)
	defer cancel()
	for {
		if _, err := l.conn.WaitForNotification(ctx); err != nil {
			return // the time is over, or the next Wait returns the error
		}
	}
}

// listen connects and subscribes to the channel.
func (l *Listener) listen(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, l.pool.Config().ConnConfig)
	if err != nil {
		return MapErr(err, "connect to wait for "+l.channel)
	}
	// LISTEN takes effect when it commits, which is at once here. Notifications of transactions that committed before
	// are not delivered; so Wait returns, and its caller looks for missed changes.
	if _, err := conn.Exec(ctx, "listen "+l.channel); err != nil {
		CloseConn(conn)
		return MapErr(err, "listen for "+l.channel)
	}
	l.conn = conn
	return nil
}

// Close closes the connection, after a running Wait has ended.
func (l *Listener) Close() {
	l.busy <- struct{}{}
	defer func() { <-l.busy }()
	if l.conn != nil {
		CloseConn(l.conn)
		l.conn = nil
	}
}

// CloseConn closes a connection. It waits at most two seconds for the server.
func CloseConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
