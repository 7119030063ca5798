package pg_test

import (
	"strings"
	"testing"

	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/fault"
	"onemap/internal/pg"
)

// TestAPoolerThatSharesIsRefused: Migrate, Open and Diagnose recognize a real PgBouncer in transaction or statement mode and
// describe it, for every size of its pool.
func TestAPoolerThatSharesIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		mode string
		more []string
	}{
		"transaction":             {"transaction", nil},
		"transaction, in turn":    {"transaction", []string{"server_round_robin = 1", "min_pool_size = 5"}},
		"transaction, one server": {"transaction", []string{"default_pool_size = 1"}},
		"statement":               {"statement", nil},
	} {
		t.Run(name, func(t *testing.T) {
			url := storetest.PgBouncer(t, storetest.NewURL(t), c.mode, c.more...)
			_, openErr := pg.Open(t.Context(), pg.Options{URL: url})
			for what, err := range map[string]error{"Migrate": pg.Migrate(t.Context(), url, nil), "Open": openErr} {
				if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "PgBouncer") || !strings.Contains(err.Error(), "pool_mode = session") {
					t.Errorf("%s: %v", what, err)
				}
			}
			found := diagnosed(t, url, 16)
			if f := found["database pooler"]; f.State != core.FindingBad || !strings.Contains(f.Advice, "pool_mode = session") || len(found) != 1 {
				t.Errorf("%+v", found)
			}
		})
	}
}

// TestAPoolerInSessionModeIsTaken: the store works through it, including notifications.
func TestAPoolerInSessionModeIsTaken(t *testing.T) {
	url := storetest.PgBouncer(t, storetest.NewEmptyURL(t), "session", "default_pool_size = 40")
	if err := pg.Migrate(t.Context(), url, nil); err != nil {
		t.Fatal(err)
	}
	db, err := pg.Open(t.Context(), pg.Options{URL: url, MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := eventlog.New(db, nil).Epoch(t.Context()); err != nil {
		t.Error(err)
	}
	found := diagnosed(t, url, 16)
	if f := found["database pooler"]; f.State != core.FindingOK || !strings.Contains(f.Found, "session mode") {
		t.Errorf("%+v", f)
	}
	if f := found["database tables"]; f.State != core.FindingOK {
		t.Errorf("%+v", f)
	}
	if _, there := diagnosed(t, storetest.NewURL(t), 16)["database pooler"]; there {
		t.Error("a pooler is found where there is none")
	}
}

// TestAPoolerWithoutRoom: a pooler in session mode with a single connection looks like one that shares, because the second
// connection waits. The error says that there is no room for another connection.
func TestAPoolerWithoutRoom(t *testing.T) {
	url := storetest.PgBouncer(t, storetest.NewURL(t), "session", "default_pool_size = 1", "query_wait_timeout = 1")
	_, err := pg.Open(t.Context(), pg.Options{URL: url})
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "no room for another connection") {
		t.Errorf("%v", err)
	}
	if f := diagnosed(t, url, 16)["database pooler"]; f.State != core.FindingBad || !strings.Contains(f.Advice, "default_pool_size") {
		t.Errorf("%+v", f)
	}
}
