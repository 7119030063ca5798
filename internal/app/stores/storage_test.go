package stores_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
)

// A table whose file may not grow (EFBIG; a quota has the same effect) is treated as a full disk, although PostgreSQL reports
// an internal error: nothing is acknowledged or quarantined, and readings that are sent again are stored.
func TestFileThatMayNotGrowIsWaitedFor(t *testing.T) {
	pg := storetest.NewOwn(t)
	open := func() *stores.Stores {
		db, err := stores.Open(t.Context(), stores.Options{URL: pg.Database(), MaxConns: 4})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		return db
	}
	first := open()
	storetest.FillCity(t, first, 2)
	const room = 16 << 20 // a segment of the log is as large, and is still written
	fillTable(t, first, room)
	limitFiles(t, pg, strconv.Itoa(room))
	db := open() // its connections have the limit
	in := sensors.NewIngest(sensors.IngestOptions{ProbeMin: time.Millisecond, ProbeMax: 10 * time.Millisecond}, sensors.NewRegistry(db.Sensors, sensors.RegistryOptions{}, nil, nil), db.Sensors, nil, nil)
	in.Start()
	t.Cleanup(func() {
		if err := in.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	base, sent := time.Now().UTC().Truncate(time.Second), 0
	publish := func(n int) error {
		stored := make(chan error, 1)
		payload := fmt.Sprintf(`{"t":%q,"v":{"level":1}}`, base.Add(-time.Duration(n)*time.Millisecond).Format(time.RFC3339Nano))
		err := in.Accept(sensors.Message{
			Device: "dev-00", Division: "370602", Subject: "onemap/v1/370602/dev-00/obs", Raw: []byte(payload), Decoder: mqttjson.Decoder(mqttjson.KindObs),
		}, func(err error) { stored <- err })
		if err != nil {
			return err
		}
		return <-stored
	}
	var refused error
	for ; refused == nil && sent < 5000; sent++ { // the last page has room for some
		refused = publish(sent)
	}
	pgErr, ok := errors.AsType[*pgconn.PgError](refused)
	if !ok || pgErr.Code != "XX000" || !fault.Is(refused, fault.Unavailable) {
		t.Fatalf("the %dth is refused with %v", sent, refused)
	}
	limitFiles(t, pg, "unlimited")
	if _, err := first.Pool().Exec(t.Context(), `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
	storetest.Eventually(t, "what was refused is stored", func() bool { return publish(sent-1) == nil })
	if n := storetest.Count(t, first, `select count(*) from observation o join datastream s on s.id = o.datastream_id where s.device_id = 'dev-00' and s.name = 'level'`); n != int64(sent) {
		t.Errorf("%d are stored, want %d", n, sent)
	}
	if n := storetest.Count(t, first, `select count(*) from quarantine`); n != 0 {
		t.Errorf("%d are in quarantine", n)
	}
}

// fillTable fills this month's table of the datastreams' readings to a size, with readings of dev-01.
func fillTable(t *testing.T, db *stores.Stores, size int64) {
	t.Helper()
	id := storetest.StreamsOf(t, db)[2]
	now := time.Now().UTC()
	storetest.Commit(t, db, sensors.Observation{DatastreamID: id, Time: now, Value: 1, ReceivedAt: now})
	table := "observation_standard_" + now.Format("2006_01")
	for n := 0; storetest.Count(t, db, `select pg_relation_size($1::regclass)`, table) < size; n += 50_000 {
		_, err := db.Pool().Exec(t.Context(), `
			insert into observation (retention, datastream_id, ts, value, seq, received_at)
			select 'standard', $1, date_trunc('month', now() at time zone 'utc') at time zone 'utc' + i * interval '1 ms', 1, 0, now()
			from generate_series($2::int, $2 + 49999) i`, id, n)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// limitFiles limits the size, in bytes, of the files that connections made from now on may write. The server's own user may
// set its limits, and so may a user with all rights.
func limitFiles(t *testing.T, pg *storetest.Own, size string) {
	t.Helper()
	owner, err := os.Stat(pg.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	cmd := osexec.Command("prlimit", "--pid", strconv.Itoa(pg.PID()), "--fsize="+size+":")
	if is := owner.Sys().(*syscall.Stat_t); int(is.Uid) != os.Geteuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: is.Uid, Gid: is.Gid}}
	}
	cmd.Dir = "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("prlimit: %v: %s", err, out)
	}
}
