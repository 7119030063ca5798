package mqtt_test

import (
	"testing"

	"onemap/internal/app/stores"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/internal/app/stores/storetest"
	"onemap/sensors"
	"onemap/sensors/mqtt"
)

// testDatabase is a database with one device, dev-0, and a stand on it.
func testDatabase(t *testing.T) (*pgxpool.Pool, *mqtt.Broker) {
	t.Helper()
	p := newPlace(t, mqtt.Options{Listen: "127.0.0.1:0"})
	return p.sql, p.broker
}

// place holds the parts of a town.
type place struct {
	sql      *pgxpool.Pool
	db       *stores.Stores
	registry *sensors.Registry
	broker   *mqtt.Broker
}

func newPlace(t *testing.T, o mqtt.Options) place {
	t.Helper()
	ctx := t.Context()
	url := storetest.NewURL(t)
	storetest.SeedDevices(t, url, 1, secret)
	sql, err := pgxpool.New(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sql.Close)
	db, err := stores.Open(ctx, stores.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	registry := sensors.NewRegistry(db.Sensors, sensors.RegistryOptions{}, nil, nil)
	in := sensors.NewIngest(sensors.IngestOptions{}, registry, db.Sensors, nil, nil)
	in.Start()
	b := mqtt.New(o, in, registry, nil, nil, nil)
	if err := b.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopAll(t, &stand{broker: b, ingest: in}) })
	return place{sql: sql, db: db, registry: registry, broker: b}
}

func count(t *testing.T, db *pgxpool.Pool, sql string) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFromTheDeviceToPostGIS(t *testing.T) {
	db, b := testDatabase(t)
	w := dial(t, b.Addr())
	if code := w.connect(hello{user: "dev-0", password: secret("dev-0"), willTopic: statusTopic("dev-0"), will: "offline"}); code != 0 {
		t.Fatalf("CONNACK %#x", code)
	}
	w.publish(1, 1, statusTopic("dev-0"), []byte("online"), false)
	w.expect(packets.Puback, 1)
	if n := count(t, db, `select count(*) from device where online`); n != 1 {
		t.Errorf("%d on line", n)
	}
	w.publish(1, 2, obsTopic("dev-0"), reading(4), false)
	w.expect(packets.Puback, 2)
	if n := count(t, db, `select count(*) from ingest_batch where cardinality(datastream_ids) = 1`); n != 1 {
		t.Errorf("%d batches", n)
	}
	w.publish(1, 3, obsTopic("dev-0"), []byte(`{"v":{"level":5,"a\u0000b":NaN}}`), false)
	w.expect(packets.Puback, 3)
	if n := count(t, db, `select count(*) from quarantine where device_id = 'dev-0' and octet_length(payload) > 0`); n != 1 {
		t.Errorf("%d in quarantine", n)
	}
	if n := count(t, db, `select count(*) from latest where value = 5 and time_source = 2`); n != 1 {
		t.Errorf("%d latest", n)
	}
	_ = w.conn.Close()
	eventually(t, "off line", func() bool { return count(t, db, `select count(*) from device where online`) == 0 })
}

// TestTheDatabaseTerminatesItsConnections kills all backends while a client publishes.
func TestTheDatabaseTerminatesItsConnections(t *testing.T) {
	db, b := testDatabase(t)
	c := pahoClient(t, b.Addr(), "dev-0", secret("dev-0"))
	const n = 300
	for i := range n {
		c.Publish(obsTopic("dev-0"), 1, false, reading(i))
		if i%100 == 50 {
			_, _ = db.Exec(t.Context(), `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()`)
		}
	}
	eventually(t, "everything is stored", func() bool {
		var got int
		err := db.QueryRow(t.Context(), `select count(*) from observation`).Scan(&got)
		return err == nil && got == n
	})
}
