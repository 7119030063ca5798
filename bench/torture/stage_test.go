package torture_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"onemap/internal/app/stores"

	"onemap/alerts"
	"onemap/internal/app"
	"onemap/internal/core"
	"onemap/internal/pg"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
)

// patience is the limit of every wait in these tests; no test asserts how much of it is used.
const patience = 5 * time.Minute

// The devices' values: below the threshold, the number of the message; above it, red plus that number.
const (
	red      = 1_000_000
	allClear = 500_000
	greatest = 1e9
	division = "370602"
	stream   = "level"
	login    = "torture"
	password = "a password of the tests"
)

// stage is a database for one test, a server on it, and the devices that publish to it.
type stage struct {
	t        testing.TB
	size     size
	pg       *postgres
	server   *server
	devices  []*device
	ledger   *ledger
	follower *follower
	acked    atomic.Int64
	broker   func() string // where the devices publish; nil: the server's own broker

	began  time.Time
	limit  int           // of the messages of each device, for now
	raised chan struct{} // closed when it is raised; both under mu

	ran  chan struct{} // closed when every device is done
	errs []error
	mu   sync.Mutex
}

// staging has the options of a stage.
type staging struct {
	maxConnections int                         // PostgreSQL's; 0: the cluster's default
	create         func(*postgres)             // makes the database; nil: an ordinary one
	flags          []string                    // of onemap serve
	plan           func(*stage, *device) []row // gives the device its messages; nil: ordered
	broker         func() string
}

func newStage(t testing.TB, sz size, s staging) *stage {
	t.Helper()
	st := &stage{t: t, size: sz, pg: startPostgres(t, s.maxConnections), broker: s.broker}
	if s.create == nil {
		s.create = func(p *postgres) { p.exec("postgres", "create database "+database) }
	}
	s.create(st.pg)
	st.fill()
	st.ledger = &ledger{stage: st}
	if s.plan == nil {
		s.plan = ordered
	}
	st.limit, st.raised = sz.messages, make(chan struct{})
	for _, d := range st.devices {
		d.limit = st.limited
		st.ledger.plans = append(st.ledger.plans, s.plan(st, d))
	}
	st.server = newServer(t, st.pg.URL(database), s.flags...)
	if st.broker == nil {
		st.broker = st.server.mqttAddr
	}
	st.follower = follow(st)
	return st
}

// fill creates the tables, the devices, the rule and an account that may view.
func (s *stage) fill() {
	s.t.Helper()
	ctx, url := s.t.Context(), s.pg.URL(database)
	if err := pg.Migrate(ctx, url, nil); err != nil {
		s.t.Fatal(err)
	}
	db, err := stores.Open(ctx, stores.Options{URL: url, MaxConns: 2})
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	text := func(zh, en string) core.Text { return core.Text{ZH: zh, EN: en} }
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	must(db.Sensors.PutHazardTypes(ctx, []sensors.HazardType{{
		Code: "flood", Title: text("洪水", "Flood"), Sector: "water", CAPCategory: "Met", RadiusM: 1000, LeadMinutes: 600,
	}}))
	must(db.Sensors.PutDatastreamTypes(ctx, []sensors.DatastreamType{{
		Code: "water_level", Title: text("水位", "Water level"), Unit: "m", Symbol: "m", HazardType: "flood",
		Min: -greatest, Max: greatest, IntervalS: 3600,
	}}))
	var list []sensors.Device
	for i := range s.size.devices {
		id := fmt.Sprintf("dev-%04d", i)
		list = append(list, sensors.Device{
			ID: id, Division: division, Name: text("测站 "+id, "Station "+id), HazardType: "flood",
			Lon: 121.4 + float64(i%100)/1000, Lat: 37.5 + float64(i/100)/1000, Origin: core.OriginSynthetic, Source: "test",
			Streams: []sensors.Datastream{{DeviceID: id, Name: stream, Type: "water_level", Title: text("水位", "Level")}},
		})
	}
	must(db.Sensors.PutDevices(ctx, list, func(id string) []byte { return sensors.HashSecret(secretOf(id)) }, nil))
	_, err = db.Alerts.PutRules(ctx, []alerts.Rule{{
		Name: text("高水位", "High water"), Type: "water_level", Direction: alerts.Above, Enabled: true, Origin: core.OriginSynthetic,
		Thresholds: []alerts.Threshold{{Level: core.Red, Raise: red, Clear: allClear}},
	}})
	must(err)
	accounts, err := app.OpenAccounts(ctx, url, nil)
	must(err)
	defer accounts.Close()
	must(accounts.Add(ctx, login, login, core.RoleObserver, "3706", password))
	s.findStreams(db, list)
}

// findStreams creates the publishers with the ids of their datastreams.
func (s *stage) findStreams(db *stores.Stores, list []sensors.Device) {
	s.t.Helper()
	known, err := db.Sensors.LoadRegistry(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	ids := map[string]int64{}
	for _, k := range known {
		ids[k.ID] = k.Streams[0].ID
	}
	for _, d := range list {
		s.devices = append(s.devices, &device{
			id: d.ID, secret: secretOf(d.ID), datastream: ids[d.ID], topic: mqttjson.Topic(division, d.ID, mqttjson.KindObs), messages: s.size.messages,
		})
	}
}

func secretOf(device string) string { return "secret of " + device }

// publish starts the devices.
func (s *stage) publish() {
	s.began, s.ran = time.Now(), make(chan struct{})
	ctx, cancel := context.WithTimeout(s.t.Context(), 4*patience)
	s.t.Cleanup(func() { // no device outlives its test
		cancel()
		<-s.ran
	})
	var wg sync.WaitGroup
	for _, d := range s.devices {
		wg.Go(func() {
			if err := d.run(ctx, s.broker, s.size.window, &s.acked); err != nil {
				s.mu.Lock()
				s.errs = append(s.errs, fmt.Errorf("%s: %w", d.id, err))
				s.mu.Unlock()
			}
		})
	}
	go func() {
		wg.Wait()
		close(s.ran)
	}()
}

// allow sets the share of their messages that the devices may send. Whatever fails after that, and for however long, there
// are messages left to be sent during the fault.
func (s *stage) allow(share float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = int(share * float64(s.size.messages))
	close(s.raised)
	s.raised = make(chan struct{})
}

func (s *stage) limited() (int, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limit, s.raised
}

// broken causes the case's fault as often as its size requires, each time while messages are in flight and with messages left
// to be sent during the fault.
func (s *stage) broken(breaks, mends func()) {
	s.t.Helper()
	share := func(i float64) float64 { return i / float64(s.size.faults+1) }
	s.allow(share(1))
	s.publish()
	for i := range s.size.faults {
		s.reach(share(float64(i) + 0.5))
		breaks()
		s.allow(share(float64(i) + 2))
		mends()
	}
}

// reach waits until the given share of all messages is acknowledged.
func (s *stage) reach(share float64) {
	s.t.Helper()
	want := int64(share * float64(s.size.total()))
	eventually(s.t, fmt.Sprintf("%d messages are acknowledged", want), func() bool { return s.acked.Load() >= want })
}

// finish waits until every device is done.
func (s *stage) finish() {
	s.t.Helper()
	select {
	case <-s.ran:
	case <-time.After(3 * patience):
		s.t.Fatalf("%d of %d messages are acknowledged, and the rest never is", s.acked.Load(), s.size.total())
	}
	for _, err := range s.errs {
		s.t.Error(err)
	}
}

// eventually repeats the check until it is true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !f() {
		select {
		case <-ctx.Done():
			t.Fatalf("never came true: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
