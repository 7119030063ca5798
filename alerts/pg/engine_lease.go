package alertspg

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/pg"
)

// How often a lease's connection is asked for a sign of life, and how long it may take to answer.
const (
	leaseBeat     = 2 * time.Second
	leasePatience = 3 * time.Second
)

// Lease tries to become the one node that evaluates rules, by an advisory lock on a connection of
// its own. lost is closed when that connection dies; release gives the lease back, and may be called
// more than once. Between the server's giving up a connection and this node's noticing, another
// node may hold the lease as well: Apply's cursor is what keeps their work apart.
func (db *DB) Lease(ctx context.Context) (lost <-chan struct{}, release func(), ok bool, err error) {
	conn, err := pgx.ConnectConfig(ctx, db.pool.Config().ConnConfig)
	if err != nil {
		return nil, nil, false, pg.MapErr(err, "connect for the rules' lease")
	}
	if err := conn.QueryRow(ctx, `select pg_try_advisory_lock(7043, 10)`).Scan(&ok); err != nil {
		pg.CloseConn(conn)
		return nil, nil, false, pg.MapErr(err, "take the rules' lease")
	}
	if !ok {
		pg.CloseConn(conn)
		return nil, nil, false, nil
	}
	gone := make(chan struct{})
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	var keeper sync.WaitGroup
	keeper.Go(func() {
		if !keepLease(beating, conn) {
			close(gone)
		}
		pg.CloseConn(conn) // and with the session the lock
	})
	return gone, func() { stop(); keeper.Wait() }, true, nil
}

// keepLease watches the connection until ctx ends (true) or the connection has died (false). It
// waits in a read, so that a closed connection is seen at once and not with the next beat.
func keepLease(ctx context.Context, conn *pgx.Conn) bool {
	for {
		beat, cancel := context.WithTimeout(ctx, leaseBeat)
		_, err := conn.WaitForNotification(beat)
		cancel()
		if ctx.Err() != nil {
			return true
		}
		if err == nil {
			continue
		}
		if conn.IsClosed() {
			return false
		}
		answer, cancel := context.WithTimeout(ctx, leasePatience)
		err = conn.Ping(answer)
		cancel()
		if ctx.Err() != nil {
			return true
		}
		if err != nil {
			return false
		}
	}
}
