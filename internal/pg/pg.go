// Package pg connects to PostgreSQL with PostGIS. It has the pool, transactions, migrations, notifications, the codec of
// geometries, and the mapping of database errors to kinds. It knows no table.
//
// Geometries are orb values, [lon, lat], EPSG:4326. Times are UTC.
package pg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/fault"
)

// Options configures the pool. Only URL is required.
type Options struct {
	// URL is a PostgreSQL connection string in the format of libpq.
	URL string
	// MaxConns is the largest number of connections; 0 means 16.
	MaxConns int
	// Registerer receives the pool's metrics; nil: no metrics.
	Registerer prometheus.Registerer
	// Connected is called after each new connection, before its use, because the server may be another one or may have an older
	// state. It may be nil.
	Connected func()
}

// Pool is a pool of connections. It is safe for concurrent use.
type Pool struct {
	*pgxpool.Pool
}

// Querier is the common interface of a pool, a connection and a transaction.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Open connects to a migrated database. It returns fault.Invalid if the URL is wrong or if a pooler in front of the database
// shares connections, and fault.Unavailable if the database does not answer.
func Open(ctx context.Context, o Options) (*Pool, error) {
	cfg, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		// The message of pgx would repeat the address, and so a password in it.
		return nil, fault.InvalidField("database", "not a PostgreSQL address (postgres://user@host/database)")
	}
	cfg.MaxConns = 16
	if o.MaxConns > 0 {
		cfg.MaxConns = int32(min(o.MaxConns, 10_000))
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	cfg.ConnConfig.RuntimeParams["application_name"] = "onemap"
	// The session's time zone matters where SQL itself turns a timestamptz into a date or a text.
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		if o.Connected != nil {
			o.Connected()
		}
		return registerTypes(ctx, c)
	}
	if err := refuseSharingAt(ctx, cfg.ConnConfig); err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, MapErr(err, "open the database")
	}
	p := &Pool{pool}
	if err := p.Ping(ctx); err != nil {
		p.Close()
		return nil, err
	}
	if err := p.registerMetrics(o.Registerer); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Ping checks that the database answers. It returns fault.Unavailable if it does not.
func (p *Pool) Ping(ctx context.Context) error {
	return MapErr(p.Pool.Ping(ctx), "reach the database")
}

// InTx runs fn in one transaction. It commits if fn returns nil, and rolls back if fn fails or panics. The error has a kind,
// see MapErr.
func (p *Pool) InTx(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return MapErr(pgx.BeginFunc(ctx, p.Pool, fn), "")
}

// InSnapshot runs fn in a read-only transaction whose statements all see the same state of the database.
func (p *Pool) InSnapshot(ctx context.Context, fn func(tx pgx.Tx) error) error {
	// In PostgreSQL repeatable read is snapshot isolation: the snapshot is taken at the first statement. A read-only
	// transaction in it cannot fail with a serialization error.
	o := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return MapErr(pgx.BeginTxFunc(ctx, p.Pool, o, fn), "")
}

// registerMetrics exports the numbers of the pool's connections.
func (p *Pool) registerMetrics(reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	gauge := func(name, help string, value func(*pgxpool.Stat) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "onemap", Subsystem: "store", Name: name, Help: help},
			func() float64 { return value(p.Stat()) })
	}
	for _, c := range []prometheus.Collector{
		gauge("connections", "Connections to PostgreSQL.", func(s *pgxpool.Stat) float64 { return float64(s.TotalConns()) }),
		gauge("connections_busy", "Connections in use.", func(s *pgxpool.Stat) float64 { return float64(s.AcquiredConns()) }),
		gauge("connections_max", "The pool's limit.", func(s *pgxpool.Stat) float64 { return float64(s.MaxConns()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: "onemap", Subsystem: "store", Name: "connection_waits_total",
			Help: "Times that a caller had to wait for a connection.",
		}, func() float64 { return float64(p.Stat().EmptyAcquireCount()) }),
	} {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("register the database's metrics: %w", err)
		}
	}
	return nil
}
