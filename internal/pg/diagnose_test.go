package pg_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/pg"
)

// diagnosed returns the findings by check.
func diagnosed(t *testing.T, url string, pool int) map[string]core.Finding {
	t.Helper()
	found, err := pg.Diagnose(t.Context(), url, pool)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]core.Finding{}
	for _, f := range found {
		m[f.Check] = f
	}
	return m
}

// Diagnose finds the fsync of the tests' cluster, which is off, a pool that is too large, missing tables, and a setting of
// the database itself.
func TestDiagnose(t *testing.T) {
	url := storetest.NewURL(t)
	found := diagnosed(t, url, 16)
	for check, state := range map[string]string{
		"database version": core.FindingOK, "database tables": core.FindingOK, "database fsync": core.FindingBad,
		"database connections": core.FindingOK,
	} {
		if f := found[check]; f.State != state || (state == core.FindingBad) != (f.Advice != "") {
			t.Errorf("%s: %+v, want %s", check, f, state)
		}
	}
	if f := found["database disk"]; !strings.Contains(f.Found, "free of") {
		t.Errorf("the cluster is on this machine: %+v", f)
	}
	if f := diagnosed(t, url, 10_000)["database connections"]; f.State != core.FindingBad {
		t.Errorf("%+v", f)
	}
	if f := diagnosed(t, storetest.NewEmptyURL(t), 16)["database tables"]; f.State != core.FindingWarn || !strings.Contains(f.Found, "version 0") {
		t.Errorf("%+v", f)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // a test's writer
	before := found["database synchronous_commit"]
	for value, state := range map[string]string{"off": core.FindingBad, "on": core.FindingOK} {
		if _, err := conn.Exec(t.Context(), "do $$ begin execute format('alter database %I set synchronous_commit = "+value+"', current_database()); end $$"); err != nil {
			t.Fatal(err)
		}
		if f := diagnosed(t, url, 16)["database synchronous_commit"]; f.State != state {
			t.Errorf("%s: %+v, before %+v", value, f, before)
		}
	}
}

func TestDiagnoseNoDatabase(t *testing.T) {
	found := diagnosed(t, "postgres://nobody:secret-word@127.0.0.1:1/none", 1)
	f := found["database connection"]
	if len(found) != 1 || f.State != core.FindingBad || strings.Contains(f.Found, "secret-word") {
		t.Errorf("%+v", found)
	}
	if _, err := pg.Diagnose(t.Context(), "postgres://a b", 1); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v", err)
	}
}
