package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// ImportGate stops imports of observations within the transaction that stores progress beyond a line of their file.
type ImportGate struct {
	t    testing.TB
	conn *pgx.Conn
}

// gateLock is the advisory lock of the gate. A stopped import waits for it.
const gateLock = 1

// NewImportGate returns a gate in the database at url. It stops imports at their first line until Move.
func NewImportGate(t testing.TB, url string) *ImportGate {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	g := &ImportGate{t, conn}
	g.exec(`
		create table import_gate (line bigint);
		insert into import_gate values (0);
		create function hold_import() returns trigger language plpgsql as $$
		begin
			if new.line > (select line from import_gate) then
				perform pg_advisory_xact_lock_shared(1);
			end if;
			return new;
		end $$;
		create trigger held before update on observation_import for each row execute function hold_import()`)
	g.shut()
	return g
}

// Move lets imports continue up to the line.
func (g *ImportGate) Move(line int64) {
	g.t.Helper()
	g.exec(`update import_gate set line = $1`, line)
}

// Await waits until the gate has stopped an import.
func (g *ImportGate) Await() {
	g.t.Helper()
	g.until(`select exists (select from pg_locks where locktype = 'advisory' and objid = $1 and not granted
		and database = (select oid from pg_database where datname = current_database()))`, gateLock)
}

// Pass releases the stopped imports, waits until their transactions have ended, and closes the gate again. It is used above
// all for the session of a killed process.
func (g *ImportGate) Pass() {
	g.t.Helper()
	g.exec(`select pg_advisory_unlock($1)`, gateLock)
	g.until(`select not exists (select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
		and backend_type = 'client backend' and xact_start is not null)`)
	g.shut()
}

func (g *ImportGate) shut() {
	g.t.Helper()
	g.exec(`select pg_advisory_lock($1)`, gateLock)
}

func (g *ImportGate) exec(sql string, args ...any) {
	g.t.Helper()
	if _, err := g.conn.Exec(g.t.Context(), sql, args...); err != nil {
		g.t.Fatal(err)
	}
}

// until repeats a query until it returns true.
func (g *ImportGate) until(sql string, args ...any) {
	g.t.Helper()
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		var yes bool
		if err := g.conn.QueryRow(g.t.Context(), sql, args...).Scan(&yes); err != nil {
			g.t.Fatal(err)
		}
		if yes {
			return
		}
		if time.Now().After(end) {
			g.t.Fatalf("never so: %s", sql)
		}
	}
}
