package remote_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sensorspg "onemap/sensors/pg"

	"onemap/internal/app/stores"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"onemap/internal/app/stores/storetest"
	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
	"onemap/sensors/mqtt/remote"
)

// patience is how long a test waits for an expected event. It is long, because the tests do not measure time.
const patience = 2 * time.Minute

// testDatabase is a real database with devices dev-0, dev-1 and so on.
type testDatabase struct {
	t   *testing.T
	sql *pgxpool.Pool
	db  *stores.Stores
	reg *sensors.Registry
}

func newTown(t *testing.T, devices int) *testDatabase {
	t.Helper()
	ctx := t.Context()
	url := storetest.NewURL(t)
	storetest.SeedDevices(t, url, devices, func(string) string { return "secret" })
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
	return &testDatabase{t: t, sql: sql, db: db, reg: sensors.NewRegistry(db.Sensors, sensors.RegistryOptions{}, nil, nil)}
}

// faulty is a real store that a test can make unavailable.
type faulty struct {
	*sensorspg.DB
	away atomic.Bool
	hold sync.Mutex // held: commits wait
}

func (f *faulty) CommitBatch(ctx context.Context, b sensors.Batch) (sensors.BatchResult, error) {
	if f.away.Load() {
		return sensors.BatchResult{}, fault.New(fault.Unavailable, "no connection")
	}
	f.hold.Lock()
	defer f.hold.Unlock()
	return f.DB.CommitBatch(ctx, b)
}

func (f *faulty) LoadRegistry(ctx context.Context) ([]sensors.RegisteredDevice, error) {
	if f.away.Load() {
		return nil, fault.New(fault.Unavailable, "no connection")
	}
	return f.DB.LoadRegistry(ctx)
}

func (f *faulty) RegistrySeq(ctx context.Context) (int64, error) {
	if f.away.Load() {
		return 0, fault.New(fault.Unavailable, "no connection")
	}
	return f.DB.RegistrySeq(ctx)
}

// ingest returns the real ingest path on a committer.
func (w *testDatabase) ingest(opts sensors.IngestOptions, c sensors.Committer, reg *sensors.Registry) *sensors.Ingest {
	in := sensors.NewIngest(opts, reg, c, nil, nil)
	in.Start()
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := in.Stop(ctx); err != nil {
			w.t.Error(err)
		}
	})
	return in
}

// quick returns options with short pauses between connections. No connection ends because the machine is slow.
func quick(url string) remote.Options {
	return remote.Options{
		Endpoint: remote.Endpoint{URL: url}, ClientID: "onemap-test", KeepAlive: patience, PingTimeout: patience, ConnectTimeout: patience,
		RetryMin: 20 * time.Millisecond, RetryMax: 200 * time.Millisecond,
	}
}

// watchful returns quick options that soon detect a network that is silently cut.
func watchful(url string) remote.Options {
	o := quick(url)
	o.KeepAlive, o.PingTimeout, o.ConnectTimeout = time.Second, time.Second, 2*time.Second
	return o
}

// client returns a client that is connected.
func (w *testDatabase) client(opts remote.Options, r sensors.Receiver) *remote.Client {
	w.t.Helper()
	c, err := remote.New(opts, r, nil, nil, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	c.Start()
	w.t.Cleanup(func() { w.stop(c) })
	eventually(w.t, "it is connected", c.Connected)
	return c
}

func (w *testDatabase) stop(c *remote.Client) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Stop(ctx); err != nil {
		w.t.Error(err)
	}
}

func (w *testDatabase) count(sql string, args ...any) (n int) {
	w.t.Helper()
	if err := w.sql.QueryRow(w.t.Context(), sql, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *testDatabase) stored() int { w.t.Helper(); return w.count(`select count(*) from observation`) }

// eventually waits until f returns true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func obsTopic(device string) string { return mqttjson.Topic("370602", device, mqttjson.KindObs) }

// begin returns the time of the first reading of a test, in a month that is kept.
func begin() time.Time { return time.Now().UTC().Add(-6 * time.Hour).Truncate(time.Hour) }

// reading returns a payload whose time and value identify n.
func reading(from time.Time, n int) []byte {
	return mqttjson.Encode(sensors.Reading{Time: from.Add(time.Duration(n) * time.Millisecond), Values: []sensors.Value{{Name: "level", Number: float64(n)}}})
}

// fleet is a set of devices that publish numbered readings one after the other, each again until it is acknowledged.
type fleet struct {
	t     testing.TB
	addr  string
	from  time.Time
	count atomic.Int64 // acknowledged
	stop  chan struct{}
	wg    sync.WaitGroup
	once  sync.Once
	limit int

	mu    sync.Mutex
	acked map[string]int // by device: readings 0 … n-1 are acknowledged
}

// launch starts n devices, which publish until halt or, if limit is not 0, until each has limit acknowledged readings.
func launch(t testing.TB, addr string, n, limit int) *fleet {
	f := &fleet{t: t, addr: addr, from: begin(), stop: make(chan struct{}), acked: map[string]int{}, limit: limit}
	for i := range n {
		f.wg.Go(func() { f.device(fmt.Sprintf("dev-%d", i)) })
	}
	t.Cleanup(f.halt)
	return f
}

// halt ends the publishing and waits for it.
func (f *fleet) halt() {
	f.once.Do(func() { close(f.stop) })
	f.wg.Wait()
}

func (f *fleet) stopped() bool {
	select {
	case <-f.stop:
		return true
	default:
		return false
	}
}

func (f *fleet) device(id string) {
	for next := 0; !f.stopped() && (f.limit == 0 || next < f.limit); {
		c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + f.addr).SetClientID(id).SetAutoReconnect(false).SetConnectTimeout(patience))
		if tok := c.Connect(); !tok.WaitTimeout(patience) || tok.Error() != nil {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		for !f.stopped() && (f.limit == 0 || next < f.limit) && f.publish(c, id, next) {
			next++
			f.mu.Lock()
			f.acked[id] = next
			f.mu.Unlock()
			f.count.Add(1)
			time.Sleep(time.Millisecond) // a device, not a flood
		}
		c.Disconnect(100)
	}
}

// publish reports whether the reading was acknowledged.
func (f *fleet) publish(c paho.Client, id string, n int) bool {
	tok := c.Publish(obsTopic(id), 1, false, reading(f.from, n))
	// a token is also done when the connection is lost, which is not an acknowledgement
	return tok.WaitTimeout(patience) && tok.Error() == nil && c.IsConnectionOpen()
}

// snapshot returns the numbers of acknowledged readings.
func (f *fleet) snapshot() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.acked)
}

// absent returns those of a device's readings 0 … n-1 that are not in the database.
func (w *testDatabase) absent(f *fleet, device string, n int) []int {
	w.t.Helper()
	rows, err := w.sql.Query(w.t.Context(), `
		select n from generate_series(0, $2::int - 1) as n
		where not exists (
			select 1 from observation o join datastream d on d.id = o.datastream_id
			where d.device_id = $1 and o.ts = $3::timestamptz + n * interval '1 millisecond' and o.value = n)`, device, n, f.from)
	if err != nil {
		w.t.Fatal(err)
	}
	absent, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		w.t.Fatal(err)
	}
	return absent
}

// missing returns the number of acknowledged readings that are not in the database.
func (w *testDatabase) missing(f *fleet, acked map[string]int) (missing int) {
	w.t.Helper()
	for id, n := range acked {
		missing += len(w.absent(f, id, n))
	}
	return missing
}

// noneTwice checks that only published readings are stored, each once.
func (w *testDatabase) noneTwice(most int) {
	w.t.Helper()
	if n := w.stored(); n > most {
		w.t.Errorf("%d readings are stored, %d were published", n, most)
	}
	if n := w.count(`select count(*) from observation_conflict`); n != 0 {
		w.t.Errorf("%d readings have another value than before", n)
	}
	if n := w.count(`select count(*) from quarantine`); n != 0 {
		w.t.Errorf("%d in quarantine", n)
	}
}
