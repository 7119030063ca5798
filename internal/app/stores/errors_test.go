package stores_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/fault"
	"onemap/internal/pg"
)

func TestOpenSaysWhatIsWrong(t *testing.T) {
	_, err := stores.Open(t.Context(), stores.Options{URL: "postgres://u:geheim@host:notaport/db"})
	if !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "geheim") {
		t.Errorf("a bad address: %v", err)
	}
	_, err = stores.Open(t.Context(), stores.Options{URL: "postgres:///db?host=" + t.TempDir()})
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("nobody there: %v", err)
	}
	if err := pg.Migrate(t.Context(), "postgres:///db?host="+t.TempDir(), nil); !fault.Is(err, fault.Unavailable) {
		t.Errorf("nobody there to migrate: %v", err)
	}
	gone := strings.Replace(storetest.NewURL(t), "/t", "/no_such_t", 1)
	if _, err = stores.Open(t.Context(), stores.Options{URL: gone}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("no such database: %v", err)
	}
}

// A server that ends its connections is reported as unavailable, and the next call works again.
func TestConnectionsAreReplaced(t *testing.T) {
	url := storetest.NewURL(t)
	reg := prometheus.NewRegistry()
	db, err := stores.Open(t.Context(), stores.Options{URL: url, MaxConns: 1, Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	families, err := reg.Gather()
	if err != nil || len(families) < 4 {
		t.Errorf("metrics: %v %v", families, err)
	}
	const kill = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
	if _, err := storetest.Connect(t, url).Exec(t.Context(), kill); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Catalogue.Layers(t.Context(), storetest.CityScope()); err != nil && !fault.Is(err, fault.Unavailable) {
		t.Errorf("cut off: %v", err)
	}
	if _, err := db.Catalogue.Layers(t.Context(), storetest.CityScope()); err != nil {
		t.Errorf("after that: %v", err)
	}
	db.Close()
	if err := db.Ping(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a closed store: %v", err)
	}
}
