package push_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"onemap/internal/app/stores"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	"github.com/jackc/pgx/v5/pgxpool"

	"onemap/auth"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/sensors"
	"onemap/web/push"
)

const patience = 2 * time.Minute

// stage is a hub over a real database.
type stage struct {
	t      *testing.T
	db     *stores.Stores
	sql    *pgxpool.Pool // for what the store does not offer
	server *httptest.Server

	mu     sync.Mutex
	logins map[string]core.Principal
}

func newStage(t *testing.T) *stage {
	url := storetest.NewURL(t)
	db, err := stores.Open(t.Context(), stores.Options{URL: url, MaxConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	sql, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sql.Close)
	s := &stage{t: t, db: db, sql: sql, logins: make(map[string]core.Principal)}
	s.exec(`insert into division (code, name_zh, name_en, parent) values
		('3706', '烟台市', 'Yantai', '37'), ('370602', '芝罘区', 'Zhifu', '3706'), ('370614', '蓬莱区', 'Penglai', '3706')`)
	people := auth.NewService(auth.Options{}, s.db.Auth, s.db.Auth, s.db.Auth, nil, nil, nil)
	registry := sensors.NewRegistry(s.db.Sensors, sensors.RegistryOptions{}, nil, nil)
	s.addDevices()
	if err := registry.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	listener := s.db.Log().Listen()
	follower := eventlog.NewFollower(s.db.Log(), listener, eventlog.FollowerOptions{Poll: 500 * time.Millisecond}, nil, nil, nil)
	hub, err := push.New(push.Parts{
		Events: s.db.Log(), Follower: follower, Batches: s.db.Sensors, Clients: s.db.Push, Directory: registry, Recheck: people.Recheck,
	}, push.Options{Node: "n1", Heartbeat: patience / 4, Tick: 50 * time.Millisecond}, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- hub.Run(ctx) }()
	follower.Subscribe("push", hub.Subscriber())
	var following sync.WaitGroup
	following.Go(func() { follower.Run(ctx) })
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		p := s.logins[r.URL.Query().Get("who")]
		s.mu.Unlock()
		if err := hub.Serve(w, r, p); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		s.server.Close()
		following.Wait()
		listener.Close()
	})
	return s
}

func (s *stage) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.sql.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) count(sql string, args ...any) (n int64) {
	s.t.Helper()
	if err := s.sql.QueryRow(s.t.Context(), sql, args...).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *stage) addDevices() {
	s.t.Helper()
	ctx := s.t.Context()
	err := errors.Join(
		s.db.Sensors.PutHazardTypes(ctx, []sensors.HazardType{{
			Code: "flood", Title: core.Text{ZH: "洪水", EN: "Flood"}, Sector: "natural_disaster", CAPCategory: "Met",
			RadiusM: 2000, Instruction: core.Text{ZH: "撤离", EN: "Leave"}, LeadMinutes: 60,
		}}),
		s.db.Sensors.PutDatastreamTypes(ctx, []sensors.DatastreamType{{
			Code: "level", Title: core.Text{ZH: "水位", EN: "Water level"}, Unit: "m", Symbol: "m", HazardType: "flood",
			Min: -10, Max: 100, IntervalS: 60, Retention: "standard",
		}}))
	var devices []sensors.Device
	for _, d := range []string{"370602", "370614"} {
		devices = append(devices, sensors.Device{
			ID: "dev-" + d, Division: d, Name: core.Text{ZH: "演示-水位站"}, HazardType: "flood", Lon: 121.4, Lat: 37.5,
			Origin: core.OriginSynthetic, Source: "test", Streams: []sensors.Datastream{{Name: "level", Type: "level"}},
		})
	}
	secret := func(id string) []byte { sum := sha256.Sum256([]byte(id)); return sum[:] }
	if err := errors.Join(err, s.db.Sensors.PutDevices(ctx, devices, secret, nil)); err != nil {
		s.t.Fatal(err)
	}
}

// login makes an account with a session.
func (s *stage) login(user string, role core.Role, division string) (auth.Account, core.Principal) {
	s.t.Helper()
	ctx := s.t.Context()
	a, err := s.db.Auth.CreateAccount(ctx, auth.Account{Login: user, Name: user, Role: role, Division: division}, "hash", "test")
	if err != nil {
		s.t.Fatal(err)
	}
	token := sha256.Sum256([]byte(user))
	expires := time.Now().Add(time.Hour)
	id, err := s.db.Auth.CreateSession(ctx, auth.Session{AccountID: a.ID, CreatedAt: time.Now(), ExpiresAt: expires, LastSeen: time.Now()}, token[:])
	if err != nil {
		s.t.Fatal(err)
	}
	p := core.Principal{AccountID: a.ID, SessionID: id, Login: user, Role: role, Division: division, Expires: expires}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logins[user] = p
	return a, p
}

// say is one frame of the server; only what these tests look at.
type say struct {
	Type      string
	Epoch     string
	Head      int64
	HeadID    string `json:"head_id"`
	Recovered bool
	Seq       int64
	ID        string
	Kind      string
	Payload   json.RawMessage
	Readings  []struct {
		Device string
		V      float64
	}
	Health struct{ OK bool }
}

type viewer struct {
	t    *testing.T
	conn *websocket.Conn
}

func (s *stage) connect(user, epoch string, last core.Mark) (*viewer, say) {
	s.t.Helper()
	v, welcome, err := s.dial(user, epoch, last)
	if err != nil {
		s.t.Fatal(err)
	}
	return v, welcome
}

// dial connects and says hello, again while the hub has not read the log yet.
func (s *stage) dial(user, epoch string, last core.Mark) (*viewer, say, error) {
	deadline := time.Now().Add(patience)
	for {
		d := websocket.Dialer{Subprotocols: []string{push.Protocol}}
		conn, res, err := d.Dial("ws"+strings.TrimPrefix(s.server.URL, "http")+"/ws?who="+user, nil)
		if err != nil {
			if res != nil && res.StatusCode == http.StatusServiceUnavailable && time.Now().Before(deadline) {
				time.Sleep(5 * time.Millisecond)
				continue
			}
			return nil, say{}, err
		}
		s.t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetReadDeadline(deadline)
		hello := fmt.Appendf(nil, `{"type":"hello","client":"client-%s","epoch":%q,"last_seq":%d,"last_id":%q}`, user, epoch, last.Seq, last.ID)
		if err := conn.WriteMessage(websocket.TextMessage, hello); err != nil {
			return nil, say{}, err
		}
		v := &viewer{s.t, conn}
		welcome, err := v.read()
		if err == nil {
			return v, welcome, nil
		}
		if !websocket.IsCloseError(err, push.CloseGoingAway) || time.Now().After(deadline) {
			return nil, say{}, err
		}
	}
}

func (v *viewer) send(format string, args ...any) {
	v.t.Helper()
	if err := v.conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...)); err != nil {
		v.t.Fatal(err)
	}
}

func (v *viewer) read() (f say, err error) {
	_, data, err := v.conn.ReadMessage()
	if err != nil {
		return say{}, err
	}
	if err := push.CheckServerFrame(string(data)); err != nil {
		v.t.Errorf("%.500s: %v", data, err)
	}
	err = json.Unmarshal(data, &f)
	return f, err
}

func (v *viewer) await(what string, want func(say) bool) say {
	v.t.Helper()
	for {
		f, err := v.read()
		if err != nil {
			v.t.Fatalf("waiting for %s: %v", what, err)
		}
		if want(f) {
			return f
		}
	}
}

func (v *viewer) event(kind string) say {
	v.t.Helper()
	return v.await(kind, func(f say) bool { return f.Type == "event" && f.Kind == kind })
}

func (v *viewer) wantClosed(codes ...int) {
	v.t.Helper()
	for {
		if _, err := v.read(); err != nil {
			if !websocket.IsCloseError(err, codes...) {
				v.t.Errorf("closed with %v, want %v", err, codes)
			}
			return
		}
	}
}

// mark is what a client knows that has everything up to the event.
func (s *stage) mark(seq int64) core.Mark {
	s.t.Helper()
	m := core.Mark{Seq: seq}
	if err := s.sql.QueryRow(s.t.Context(), `select id::text from event_log where seq = $1`, seq).Scan(&m.ID); err != nil {
		s.t.Fatal(err)
	}
	return m
}

// mark is where a welcome leaves a client that begins with a snapshot.
func (f say) mark() core.Mark { return core.Mark{Seq: f.Head, ID: f.HeadID} }

func (s *stage) appendEvent(kind string, divisions ...string) int64 {
	s.t.Helper()
	return s.count(`select append_event($1, $2, null, 'x', '', '{"a":1}')`, kind, divisions)
}

func (s *stage) until(what, sql string, args ...any) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for s.count(sql, args...) == 0 {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestOnDatabase walks through a responder's day on the real store: events, receipts, presence, state,
// the database's connections cut, the session ended.
func TestOnDatabase(t *testing.T) {
	s := newStage(t)
	account, _ := s.login("r370602", core.RoleResponder, "370602")
	s.login("commander", core.RoleCommander, "3706")
	v, welcome := s.connect("r370602", "", core.Mark{})
	if welcome.Type != "welcome" || welcome.Recovered || welcome.Epoch == "" {
		t.Fatalf("welcome %+v", welcome)
	}
	s.until("presence is recorded", `select count(*) from push_client where client_id = 'client-r370602' and node = 'n1' and account_id = $1 and connected`, account.ID)

	s.appendEvent("other", "370614")
	seq := s.appendEvent("mine", "370602")
	if f := v.event("mine"); f.Seq != seq || string(f.Payload) != `{"a":1}` {
		t.Errorf("got %+v, want %d", f, seq)
	}
	v.send(`{"type":"ack","seq":%d}`, seq)
	s.until("the receipt is saved", `select count(*) from push_receipt where client_id = 'client-r370602' and seq = $1`, seq)

	var ds int64
	for _, d := range []string{"370614", "370602"} {
		ds = s.count(`select s.id from datastream s where s.device_id = $1`, "dev-"+d)
		_, err := s.db.Sensors.CommitBatch(t.Context(), sensors.Batch{Observations: []sensors.Observation{{
			DatastreamID: ds, Time: time.Now(), Value: 4.5, QC: sensors.QCGood, TimeSource: sensors.TimeDevice, ReceivedAt: time.Now(),
		}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if f := v.await("state", func(f say) bool { return f.Type == "state" }); len(f.Readings) != 1 || f.Readings[0].Device != "dev-370602" || f.Readings[0].V != 4.5 {
		t.Errorf("state %+v", f)
	}

	// Every connection to the database is cut, the listening one as well; the pool finds out by its
	// errors.
	_, _ = s.sql.Exec(t.Context(), `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`)
	var after int64
	for after == 0 {
		err := s.sql.QueryRow(t.Context(), `select append_event('after', '{370602}', null, '', '', '{}')`).Scan(&after)
		if err != nil {
			t.Log("not yet:", err)
		}
	}
	if f := v.event("after"); f.Seq != after {
		t.Errorf("got %+v", f)
	}
	// It comes back with what it had, and misses nothing.
	_ = v.conn.Close()
	missed := s.appendEvent("missed", "370602")
	v, again := s.connect("r370602", welcome.Epoch, s.mark(after))
	if !again.Recovered {
		t.Errorf("welcome %+v", again)
	}
	if f := v.event("missed"); f.Seq != missed {
		t.Errorf("got %+v", f)
	}
	if err := s.db.Auth.RevokeSessions(t.Context(), account.ID, 0, "test"); err != nil {
		t.Fatal(err)
	}
	v.wantClosed(push.CloseSessionEnded)
	s.until("it is known to be gone", `select count(*) from push_client where client_id = 'client-r370602' and not connected`)
}

// TestRoleChangedOnDatabase: the store ends the sessions of an account whose role changes.
func TestRoleChangedOnDatabase(t *testing.T) {
	s := newStage(t)
	a, _ := s.login("someone", core.RoleCommander, "3706")
	v, _ := s.connect("someone", "", core.Mark{})
	a.Role = core.RoleObserver
	if _, err := s.db.Auth.UpdateAccount(t.Context(), a, "", a.Version, "test"); err != nil {
		t.Fatal(err)
	}
	v.wantClosed(push.CloseSessionEnded, push.CloseScopeChanged)
}

// TestRestoredOnDatabase: the database becomes another incarnation under connected clients.
func TestRestoredOnDatabase(t *testing.T) {
	s := newStage(t)
	s.login("commander", core.RoleCommander, "3706")
	v, welcome := s.connect("commander", "", core.Mark{})
	s.exec(`update instance set id = gen_random_uuid()`)
	v.wantClosed(push.CloseResume)
	v, again := s.connect("commander", welcome.Epoch, welcome.mark())
	if again.Recovered || again.Epoch == welcome.Epoch {
		t.Errorf("welcome %+v after %+v", again, welcome)
	}
	s.appendEvent("new", "3706")
	v.event("new")
}

// TestConcurrentAppends: transactions that race for the log's lock, some of which give up, and clients
// that come and go meanwhile: everyone sees every event once, in order.
func TestConcurrentAppends(t *testing.T) {
	const writers, each, clients = 6, 40, 8
	s := newStage(t)
	s.login("commander", core.RoleCommander, "3706")
	_, welcome := s.connect("commander", "", core.Mark{})
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				tx, err := s.sql.Begin(t.Context())
				if err == nil {
					_, err = tx.Exec(t.Context(), `select append_event('race', '{370602}', null, '', '', '{}')`)
				}
				if err == nil && (w+i)%5 == 0 {
					err = tx.Rollback(t.Context()) // leaves a hole in the numbers
				} else if err == nil {
					err = tx.Commit(t.Context())
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	seen := make([][]int64, clients)
	for c := range clients {
		all.Go(func() {
			last := welcome.mark()
			for done := false; !done; {
				v, w, err := s.dial("commander", welcome.Epoch, last)
				if err != nil || !w.Recovered {
					t.Errorf("at %v: welcome %+v, %v", last, w, err)
					return
				}
				for n := 0; n < 30+c && !done; n++ {
					f, err := v.read()
					if err != nil {
						t.Error(err)
						return
					}
					if f.Type == "event" {
						seen[c], last = append(seen[c], f.Seq), core.Mark{Seq: f.Seq, ID: f.ID}
						done = f.Kind == "end"
					}
				}
				_ = v.conn.Close()
			}
		})
	}
	s.until("all are written", `select count(*)/$1 from event_log where kind = 'race'`, writers*each*4/5)
	s.appendEvent("end", "3706")
	all.Wait()
	rows, err := s.sql.Query(t.Context(), `select seq from event_log where kind in ('race', 'end') order by seq`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var want []int64
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		want = append(want, n)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for c, got := range seen {
		if !slices.Equal(got, want) {
			t.Errorf("client %d: %s", c, cmp.Diff(want, got))
		}
	}
}
