package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/tern/v2/migrate"

	"onemap/internal/fault"
	"onemap/internal/pg/migrations"
)

// versionTable holds the number of the last migration that ran.
const versionTable = "public.schema_version"

// Migrate migrates the database's tables to this program's version, with one transaction per migration. Several programs
// may call it at the same time: with an advisory lock, one does the work and the others wait. If the database is up to
// date, it takes no lock. Migrate calls progress before each migration; progress may be nil. It returns fault.Conflict if
// a newer program has migrated the database, fault.Forbidden if extensions are missing and may not be created (the message
// says what to run), and fault.Invalid if a pooler in front of the database shares connections.
func Migrate(ctx context.Context, url string, progress func(version, total int, name string)) error {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return fault.InvalidField("database", "not a PostgreSQL address (postgres://user@host/database)")
	}
	cfg.RuntimeParams["application_name"] = "onemap migrate"
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return MapErr(err, "connect to the database")
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	// This check comes first: the advisory lock of the migration belongs to one server process, and a pooler that
	// shares would lose it.
	if err := refuseSharing(ctx, cfg, conn.PgConn()); err != nil {
		return err
	}

	names, err := migrate.FindMigrations(migrations.Files)
	if err != nil {
		return fmt.Errorf("list the migrations: %w", err)
	}
	current, err := Version(ctx, conn)
	if err != nil {
		return err
	}
	switch {
	case current == len(names):
		return nil
	case current > len(names):
		return fault.New(fault.Conflict, "the database has version %d, this program knows %d: it was used by a newer onemap", current, len(names))
	}
	m, err := migrate.NewMigrator(ctx, conn, versionTable)
	if err != nil {
		return MapErr(err, "prepare the migrations")
	}
	if err := m.LoadMigrations(migrations.Files); err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	if progress != nil {
		m.OnStart = func(version int32, name, _, _ string) { progress(int(version), len(names), name) }
	}
	return explainMigration(m.Migrate(ctx), cfg.Database)
}

// Version returns the number of the last migration that ran; it takes no lock. A database without tables has version 0.
func Version(ctx context.Context, conn *pgx.Conn) (int, error) {
	// to_regclass returns NULL, and no error, for a table that does not exist.
	var exists bool
	if err := conn.QueryRow(ctx, "select to_regclass($1) is not null", versionTable).Scan(&exists); err != nil {
		return 0, MapErr(err, "look for the database's version")
	}
	if !exists {
		return 0, nil
	}
	var version int
	err := conn.QueryRow(ctx, "select coalesce(max(version), 0) from "+versionTable).Scan(&version)
	return version, MapErr(err, "read the database's version")
}

// explainMigration adds to an error about an extension what an administrator must do.
func explainMigration(err error, database string) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return MapErr(err, "migrate the database")
	}
	switch {
	// 42501 is insufficient_privilege. Source: PostgreSQL manual, appendix A.
	case pg.Code == "42501" && strings.Contains(pg.Message, "extension"):
		return fault.Wrap(fault.Forbidden, err,
			"the database user may not create extensions: run as a superuser, in database %s: create extension postgis; create extension btree_gist;", database)
	// 0A000 is feature_not_supported and 58P01 undefined_file: PostgreSQL does not find the extension's control file.
	case pg.Code == "0A000" && strings.Contains(pg.Message, "extension"),
		pg.Code == "58P01" && strings.Contains(pg.Message, "extension"):
		return fault.Wrap(fault.Unavailable, err,
			"PostGIS is not installed on the database server: apt-get install postgresql-N-postgis-3 there, N being its version")
	}
	return MapErr(err, "migrate the database")
}
