package pg

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/fault"
)

// Pooling is the way in which a pooler between this program and PostgreSQL shares the server processes.
type Pooling int

// The ways in which processes are shared.
const (
	PoolingNone    Pooling = iota // no pooler: PostgreSQL itself answers
	PoolingSession                // a client has its own process while it is connected
	PoolingShared                 // a client has a process only for a transaction or a statement
)

// poolerTimeout is the time limit of one answer. A pooler without a free connection makes a client wait.
const poolerTimeout = 10 * time.Second

// PoolerAdvice is the advice for PoolingShared.
const PoolerAdvice = "set pool_mode = session for this database in the pooler, or give the address of PostgreSQL itself"

// refuseSharing returns fault.Invalid, with advice, if the database is behind a pooler in transaction or statement mode. conn
// must be a connection that was opened with cfg.
func refuseSharing(ctx context.Context, cfg *pgx.ConnConfig, conn *pgconn.PgConn) error {
	how, err := FindPooling(ctx, cfg, conn)
	if err != nil {
		return MapErr(err, "look for a pooler before the database")
	}
	if how == PoolingShared {
		return fault.InvalidField("database", "a pooler (PgBouncer) in transaction or statement mode stands before PostgreSQL: "+
			"notifications (LISTEN), advisory locks and prepared statements are lost in it; %s", PoolerAdvice)
	}
	return nil
}

// refuseSharingAt calls refuseSharing with a new connection.
func refuseSharingAt(ctx context.Context, cfg *pgx.ConnConfig) error {
	conn, err := pgconn.ConnectConfig(ctx, &cfg.Config)
	if err != nil {
		return MapErr(err, "reach the database")
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return refuseSharing(ctx, cfg, conn)
}

// FindPooling finds out by a test how connections are shared. A pooler reports its own process id at the login, so the id of
// the server process differs from it. A second connection then shows whether a server process stays with one client: a pooler
// that shares gives the first client's process to the second. Only the simple protocol is used, because all modes support it.
func FindPooling(ctx context.Context, cfg *pgx.ConnConfig, first *pgconn.PgConn) (Pooling, error) {
	process, err := ownProcess(ctx, first, "")
	if err != nil {
		return PoolingNone, err
	}
	if process == first.PID() {
		return PoolingNone, nil
	}
	connectCtx, cancel := context.WithTimeout(ctx, poolerTimeout)
	defer cancel()
	second, err := pgconn.ConnectConfig(connectCtx, &cfg.Config)
	if err != nil {
		return PoolingNone, fmt.Errorf("the pooler has no room for another connection: %w", err)
	}
	defer func() { _ = second.Close(context.WithoutCancel(ctx)) }()
	const rounds = 3 // other clients may use the pool at the same time
	for range rounds {
		shared, err := swapped(ctx, first, second)
		if shared || err != nil {
			return PoolingShared, err
		}
	}
	return PoolingSession, nil
}

// swapped reports whether one of the two connections gets another process, or the process of the other one. It rolls back the
// transaction of the second connection.
func swapped(ctx context.Context, first, second *pgconn.PgConn) (bool, error) {
	var seen [3]uint32
	for i, c := range []*pgconn.PgConn{first, first, second} { // the first one twice, because a pooler may assign its processes in turn
		var err error
		if seen[i], err = ownProcess(ctx, c, ""); err != nil {
			return false, fmt.Errorf("the pooler has no room for another connection: %w", err)
		}
	}
	if seen[0] != seen[1] || seen[1] == seen[2] {
		return true, nil
	}
	// An open transaction keeps the second connection's process. If the first one then gets another process, or the
	// second got a new one, the pooler shares.
	held, err := ownProcess(ctx, second, "begin; ")
	if _, refused := errors.AsType[*pgconn.PgError](err); refused {
		return true, nil // statement mode has no transactions
	}
	if err != nil {
		return false, err
	}
	after, err := ownProcess(ctx, first, "")
	if err != nil {
		return false, err
	}
	if _, err := second.Exec(ctx, "rollback").ReadAll(); err != nil {
		return false, err
	}
	return held != seen[2] || after != seen[1], nil
}

// ownProcess returns the id of the server process that answers on a connection. before is SQL that is sent in the same
// message.
func ownProcess(ctx context.Context, conn *pgconn.PgConn, before string) (uint32, error) {
	ctx, cancel := context.WithTimeout(ctx, poolerTimeout)
	defer cancel()
	results, err := conn.Exec(ctx, before+"select pg_backend_pid()").ReadAll()
	if err != nil {
		return 0, err
	}
	last := results[len(results)-1]
	if len(last.Rows) != 1 || len(last.Rows[0]) != 1 {
		return 0, errors.New("pg_backend_pid gives no row")
	}
	pid, err := strconv.ParseUint(string(last.Rows[0][0]), 10, 32)
	return uint32(pid), err
}
