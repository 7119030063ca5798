package storetest

import (
	"context"
	"fmt"
	"io/fs"
	"testing"

	"github.com/jackc/pgx/v5"

	"onemap/internal/pg/migrations"
)

// Connect opens a separate connection, which is closed after the test.
func Connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// MigrateTo migrates an empty database to an older version.
func MigrateTo(t *testing.T, conn *pgx.Conn, version int) {
	t.Helper()
	files, err := fs.Glob(migrations.Files, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files[:version] {
		text, err := fs.ReadFile(migrations.Files, f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), string(text)); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
	}
	if _, err := conn.Exec(t.Context(), fmt.Sprintf("create table schema_version (version int4 not null); insert into schema_version values (%d)", version)); err != nil {
		t.Fatal(err)
	}
}
