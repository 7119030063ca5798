package stores_test

import (
	"context"
	"io/fs"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/internal/pg/migrations"
)

func TestConcurrentMigrations(t *testing.T) {
	url := storetest.NewEmptyURL(t)
	var mu sync.Mutex
	var ran []int
	errc := make(chan error, 4)
	for range cap(errc) {
		go func() {
			errc <- pg.Migrate(t.Context(), url, func(version, total int, name string) {
				mu.Lock()
				defer mu.Unlock()
				if version < 1 || version > total || !strings.HasSuffix(name, ".sql") {
					t.Errorf("progress %d of %d, %q", version, total, name)
				}
				ran = append(ran, version)
			})
		}()
	}
	for range cap(errc) {
		if err := <-errc; err != nil {
			t.Error(err)
		}
	}
	files, err := fs.Glob(migrations.Files, "*.sql")
	if err != nil || len(ran) != len(files) {
		t.Errorf("migrations ran: %v, there are %v %v", ran, files, err)
	}
	db, err := stores.Open(t.Context(), stores.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if e, err := db.Log().Epoch(t.Context()); err != nil || e == "" {
		t.Errorf("epoch %q %v", e, err)
	}
}

// Existing months get the key that covers a reading and lose no row.
func TestMigrationCoversTheMonthsThatAreThere(t *testing.T) {
	url := storetest.NewEmptyURL(t)
	conn := storetest.Connect(t, url)
	storetest.MigrateTo(t, conn, 6)
	if _, err := conn.Exec(t.Context(), `
		create table observation_long_2026_01 partition of observation_long for values from ('2026-01-01Z') to ('2026-02-01Z');
		insert into observation select 'long', 7, '2026-01-02Z'::timestamptz + i * interval '1 minute', i, 1, 1, i, '2026-01-03Z' from generate_series(1, 1000) i`); err != nil {
		t.Fatal(err)
	}
	if err := pg.Migrate(t.Context(), url, nil); err != nil {
		t.Fatal(err)
	}
	var key, options string
	var rows int
	if err := conn.QueryRow(t.Context(), `
		select pg_get_indexdef(i.indexrelid), array_to_string(c.reloptions, ','), (select count(*) from observation)
		from pg_index i join pg_class c on c.oid = i.indrelid where c.relname = 'observation_long_2026_01' and i.indisprimary`).Scan(&key, &options, &rows); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(key, "(retention, datastream_id, ts) INCLUDE (value, received_at, qc, time_source)") || rows != 1000 ||
		options != "autovacuum_vacuum_insert_scale_factor=0,autovacuum_vacuum_insert_threshold=100000" {
		t.Errorf("%d rows, key %s, options %s", rows, key, options)
	}
}

// A migrated database is recognized without a lock, even while another connection holds the lock.
func TestMigrateUpToDateTakesNoLock(t *testing.T) {
	url := storetest.NewURL(t)
	conn := storetest.Connect(t, url)
	if _, err := conn.Exec(t.Context(), "begin; lock table schema_version in exclusive mode; select pg_advisory_lock(9628173550095224)"); err != nil {
		t.Fatal(err)
	}
	if err := pg.Migrate(t.Context(), url, func(int, int, string) { t.Error("a migration ran") }); err != nil {
		t.Error(err)
	}
}

func TestMigrateRefusesANewerDatabase(t *testing.T) {
	url := storetest.NewURL(t)
	if _, err := storetest.Connect(t, url).Exec(t.Context(), "update schema_version set version = 9999"); err != nil {
		t.Fatal(err)
	}
	if err := pg.Migrate(t.Context(), url, nil); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("got %v", err)
	}
}

func TestMigrateWithoutTheRightToExtensions(t *testing.T) {
	admin := storetest.NewEmptyURL(t)
	conn := storetest.Connect(t, admin)
	role := "plain_" + conn.Config().Database
	if _, err := conn.Exec(t.Context(), "create role "+role+" login; grant all on schema public to "+role); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := conn.Exec(context.Background(), "drop owned by "+role+"; drop role "+role); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(role)
	err = pg.Migrate(t.Context(), u.String(), nil)
	if !fault.Is(err, fault.Forbidden) || !strings.Contains(err.Error(), "create extension postgis") || !strings.Contains(err.Error(), conn.Config().Database) {
		t.Fatalf("got %v", err)
	}
	// the command that the message names is enough
	if _, err := conn.Exec(t.Context(), "create extension postgis; create extension btree_gist"); err != nil {
		t.Fatal(err)
	}
	if err := pg.Migrate(t.Context(), u.String(), nil); err != nil {
		t.Errorf("with the extensions there: %v", err)
	}
}

// tern reads migrations as templates and splits them at a marker line.
func TestMigrationsHoldNothingThatTernReads(t *testing.T) {
	files, err := fs.Glob(migrations.Files, "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		raw, err := fs.ReadFile(migrations.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^\d{3}_[a-z0-9_]+\.sql$`).MatchString(name) {
			t.Errorf("%s is not numbered", name)
		}
		for _, special := range []string{"{{", "}}", "---- create above / drop below ----", "---- tern:"} {
			if strings.Contains(string(raw), special) {
				t.Errorf("%s has %q in it", name, special)
			}
		}
	}
}
