package pg

import (
	"context"
	"fmt"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/tern/v2/migrate"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/pg/migrations"
)

// Diagnose checks a database for conditions that prevent a server from running or that can lose committed data. It changes
// nothing. pool is the number of connections that a server will open. It returns fault.Invalid if url is not a valid
// address. A database that is unavailable is a finding, not an error.
func Diagnose(ctx context.Context, url string, pool int) ([]core.Finding, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fault.InvalidField("database", "not a PostgreSQL address (postgres://user@host/database)")
	}
	cfg.RuntimeParams["application_name"] = "onemap doctor"
	d := &diagnosis{pool: pool}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		d.add("connection", core.FindingBad, "check the URL, and that the server runs and lets this user in", "%v", err)
		return d.findings, nil
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	d.conn = conn
	shared, err := d.pooler(ctx, cfg)
	if err != nil {
		d.add("pooler", core.FindingBad, "give the pooler more connections for this database (default_pool_size)", "%v", err)
	}
	if shared || err != nil {
		return d.findings, nil
	}
	for _, check := range []func(context.Context) error{d.version, d.schema, d.role, d.durability, d.connections, d.disk} {
		if err := check(ctx); err != nil {
			d.add("connection", core.FindingBad, "", "%v", err)
			return d.findings, nil
		}
	}
	return d.findings, nil
}

// pooler checks for a pooler that shares connections. No other check is possible through such a pooler.
func (d *diagnosis) pooler(ctx context.Context, cfg *pgx.ConnConfig) (shared bool, err error) {
	how, err := FindPooling(ctx, cfg, d.conn.PgConn())
	switch {
	case err != nil:
	case how == PoolingShared:
		d.add("pooler", core.FindingBad, PoolerAdvice, "a pooler (PgBouncer) in transaction or statement mode: "+
			"notifications (LISTEN), advisory locks and prepared statements are lost in it")
	case how == PoolingSession:
		d.add("pooler", core.FindingOK, "", "a pooler in session mode: it must have %d connections for each server", d.pool+fewConnections)
	}
	return how == PoolingShared, err
}

// diagnosis is one run of the checks over one connection. pool is the number of connections of the server's pool.
type diagnosis struct {
	conn     *pgx.Conn
	pool     int
	findings []core.Finding
}

// add adds a finding. found is a format with args; advice says how to correct it.
func (d *diagnosis) add(check, state, advice, found string, args ...any) {
	d.findings = append(d.findings, core.Finding{Check: "database " + check, State: state, Found: fmt.Sprintf(found, args...), Advice: advice})
}

// version checks that PostgreSQL is not older than 15.
func (d *diagnosis) version(ctx context.Context) error {
	var number int
	var version string
	if err := d.conn.QueryRow(ctx, "select current_setting('server_version_num')::int, current_setting('server_version')").Scan(&number, &version); err != nil {
		return err
	}
	// server_version_num is 10000 times the major version, plus the minor version.
	const least = 150000
	if number < least {
		d.add("version", core.FindingWarn, "PostgreSQL 15 is the oldest that onemap supports", "PostgreSQL %s", version)
		return nil
	}
	d.add("version", core.FindingOK, "", "PostgreSQL %s", version)
	return nil
}

// schema compares the version of the tables with that of this program.
func (d *diagnosis) schema(ctx context.Context) error {
	names, err := migrate.FindMigrations(migrations.Files)
	if err != nil {
		return err
	}
	// The schema's version is the number of migrations that ran, so it is compared with the number of migration files.
	current, err := Version(ctx, d.conn)
	switch {
	case err != nil:
		return err
	case current > len(names):
		d.add("tables", core.FindingBad, "use the newer onemap", "version %d, this program knows %d", current, len(names))
	case current < len(names):
		d.add("tables", core.FindingWarn, "onemap migrate; onemap serve does it by itself", "version %d of %d", current, len(names))
	default:
		d.add("tables", core.FindingOK, "", "version %d", current)
	}
	return nil
}

// role checks that the server is not a standby, which is read-only.
func (d *diagnosis) role(ctx context.Context) error {
	var standby bool
	if err := d.conn.QueryRow(ctx, "select pg_is_in_recovery()").Scan(&standby); err != nil {
		return err
	}
	if standby {
		d.add("role", core.FindingBad, "give the URL of the primary, or target_session_attrs=read-write with all hosts", "a standby: nothing can be stored in it")
	}
	return nil
}

// durability checks the settings without which a committed transaction may be lost.
func (d *diagnosis) durability(ctx context.Context) error {
	// The settings are read as this user and database have them, because synchronous_commit can be set for each of
	// them.
	for _, s := range []struct{ name, loses string }{
		{"fsync", "a power cut can lose the whole database"},
		{"full_page_writes", "a power cut can leave torn pages"},
		{"synchronous_commit", "what was acknowledged in the last moments before a crash is lost"},
	} {
		var value string
		if err := d.conn.QueryRow(ctx, "select current_setting($1)", s.name).Scan(&value); err != nil {
			return err
		}
		if value == "off" {
			d.add(s.name, core.FindingBad, s.name+" = on, in postgresql.conf and for this user and database", "off: %s", s.loses)
			continue
		}
		d.add(s.name, core.FindingOK, "", "%s", value)
	}
	return nil
}

// fewConnections is the number of connections that a server needs in addition to the pool: for notifications, migrations and
// psql.
const fewConnections = 4

// connections compares the size of the pool with the free connections of PostgreSQL.
func (d *diagnosis) connections(ctx context.Context) error {
	// The statement counts the clients of all databases of the cluster except this connection, because all of them
	// share max_connections. It takes no lock for which others wait.
	var most, others int
	err := d.conn.QueryRow(ctx, `
		select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
			count(*) filter (where backend_type = 'client backend' and pid <> pg_backend_pid())
		from pg_stat_activity`).Scan(&most, &others)
	if err != nil {
		return err
	}
	need := d.pool + fewConnections
	switch {
	case need > most:
		d.add("connections", core.FindingBad, "raise max_connections, or lower --database-max", "%d are allowed, a server needs %d", most, need)
	case need > most-others:
		d.add("connections", core.FindingWarn, "raise max_connections, or lower --database-max", "%d are allowed and %d in use; another server needs %d", most, others, need)
	default:
		d.add("connections", core.FindingOK, "", "%d are allowed, %d in use, a server needs %d", most, others, need)
	}
	return nil
}

// disk checks the free space of the data folder, if the database is on this machine and this user may read the folder's name.
func (d *diagnosis) disk(ctx context.Context) error {
	var dir string
	var size int64
	var may bool
	err := d.conn.QueryRow(ctx, `select pg_database_size(current_database()), pg_has_role('pg_read_all_settings', 'usage')`).Scan(&size, &may)
	if err != nil {
		return err
	}
	// Reading data_directory without the role pg_read_all_settings is an error, so it is read only with it.
	if may {
		if err := d.conn.QueryRow(ctx, "select current_setting('data_directory')").Scan(&dir); err != nil {
			return err
		}
	}
	host := d.conn.Config().Host
	local := strings.HasPrefix(host, "/") || host == "localhost" || host == "127.0.0.1" || host == "::1"
	var fs syscall.Statfs_t
	if !local || dir == "" || syscall.Statfs(dir, &fs) != nil {
		d.add("disk", core.FindingOK, "", "the database has %s; the free space cannot be seen from here", bytesText(size))
		return nil
	}
	// Bavail is what a user without privileges may use; the rest is reserved for root.
	free, all := int64(fs.Bavail)*fs.Bsize, int64(fs.Blocks)*fs.Bsize
	// A warning below 10 GiB or 5 % of the disk.
	const little = 10 << 30
	if free < little || free < all/20 {
		d.add("disk", core.FindingWarn, "make room: a full disk stops the storing of readings", "%s free of %s, the database has %s", bytesText(free), bytesText(all), bytesText(size))
		return nil
	}
	d.add("disk", core.FindingOK, "", "%s free of %s, the database has %s", bytesText(free), bytesText(all), bytesText(size))
	return nil
}

// bytesText returns a size in MiB or GiB.
func bytesText(n int64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
