package alertspg

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/pg"
)

// The interval between two checks of the lease's connection, and the time in which the database must answer.
const (
	leaseBeat     = 2 * time.Second
	leasePatience = 3 * time.Second
)

// Lease tries to become the one node that evaluates rules. It takes an advisory lock on its own connection. lost is
// closed when that connection fails. release returns the lease; it may be called more than once. When the server has
// closed the connection and this node has not noticed it yet, another node may hold the lease too. The cursor in Apply
// then prevents that both nodes store results.
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
		pg.CloseConn(conn) // the end of the session releases the lock
	})
	return gone, func() { stop(); keeper.Wait() }, true, nil
}

// keepLease watches the connection. It returns true when ctx ends, and false when the connection has failed. It waits
// in a read and not in a sleep, so that it notices a closed connection at once. After each leaseBeat without an error
// of the connection it pings the server, to notice a connection that is open but does not answer.
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
