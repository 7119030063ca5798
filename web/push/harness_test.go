package push

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/fault"
)

// patience is how long a test waits for what must happen; it never decides what happens.
const patience = 2 * time.Minute

// house is a running hub with its fakes and a server in front of it.
type house struct {
	t         *testing.T
	hub       *Hub
	log       *memLog
	batches   *memBatches
	clients   *memClients
	people    *people
	clock     *clock
	server    *httptest.Server
	stop      func()
	parts     Parts
	follower  *eventlog.Follower
	poll      time.Duration // of the follower
	principal []core.Principal

	inHandshake func() // runs in each handshake
}

// clock is the real one, moved by hand.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// fast is a hub's options for tests: what only delays is short, what decides stays.
func fast() Options {
	return Options{
		Node: "n1", Heartbeat: time.Second, Coalesce: 5 * time.Millisecond,
		PollBatches: 5 * time.Millisecond, SaveEvery: 5 * time.Millisecond, HelloTimeout: patience, Recheck: time.Hour,
		StopTimeout: patience, CallTimeout: time.Second, Tick: 20 * time.Millisecond, CoalesceTiles: 5 * time.Millisecond,
	}
}

// The people of the tests. Their index is also their session; 0 is nobody.
const (
	commander = iota + 1
	responder370602
	responder370614
	steward370602
	administrator
)

func principals() []core.Principal {
	who := func(id int64, role core.Role, division string) core.Principal {
		return core.Principal{AccountID: id, SessionID: id, Login: fmt.Sprintf("u%d", id), Role: role, Division: division}
	}
	return []core.Principal{
		{}, who(commander, core.RoleCommander, "3706"), who(responder370602, core.RoleResponder, "370602"),
		who(responder370614, core.RoleResponder, "370614"), who(steward370602, core.RoleSteward, "370602"),
		who(administrator, core.RoleAdministrator, "3706"),
	}
}

// deaf is a change of a house: its follower does not look at the log by itself.
func deaf(ho *house) { ho.poll = patience }

func open(t *testing.T, o Options, change ...func(*house)) *house {
	t.Helper()
	ho := &house{
		t: t, log: newMemLog(), batches: &memBatches{}, clients: newMemClients(), clock: &clock{}, principal: principals(),
		people: &people{sessions: make(map[int64]core.Principal)},
	}
	for i, p := range ho.principal {
		ho.people.sessions[int64(i)] = p
	}
	ho.parts = Parts{
		Events: ho.log, Batches: ho.batches, Clients: ho.clients, Recheck: ho.people.recheck,
		Directory: places{"d1": "370602", "d2": "370614", "d3": "3706"},
	}
	ho.poll = 50 * time.Millisecond
	for _, f := range change {
		f(ho)
	}
	ho.follower = eventlog.NewFollower(ho.log, ho.log, eventlog.FollowerOptions{Poll: ho.poll, CallTimeout: o.CallTimeout}, nil, nil, ho.clock.now)
	ho.parts.Follower = ho.follower
	hub, err := New(ho.parts, o, nil, nil, ho.clock.now)
	if err != nil {
		t.Fatal(err)
	}
	ho.hub = hub
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- hub.Run(ctx) }()
	ho.follower.Subscribe("push", hub.Subscriber())
	var following sync.WaitGroup
	following.Go(func() { ho.follower.Run(ctx) })
	ho.stop = sync.OnceFunc(func() {
		cancel()
		following.Wait()
		if err := <-ran; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	ho.server = httptest.NewServer(http.HandlerFunc(ho.serve))
	t.Cleanup(func() { ho.stop(); ho.server.Close() })
	until(t, "the hub runs", func() bool {
		hub.mu.RLock()
		defer hub.mu.RUnlock()
		return hub.stage == stageRunning
	})
	return ho
}

// ready waits until the hub has read the log and the batches.
func (ho *house) ready() *house {
	ho.t.Helper()
	until(ho.t, "the hub has read its sources", func() bool {
		_, begun := ho.hub.live.position()
		return ho.hub.view().epoch != "" && begun
	})
	return ho
}

func (ho *house) serve(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("who"))
	if ho.inHandshake != nil {
		w = handshake{w, ho.inHandshake}
	}
	err := ho.hub.Serve(w, r, ho.principal[n])
	if err == nil {
		return
	}
	status := http.StatusBadRequest
	switch fault.KindOf(err) {
	case fault.Forbidden:
		status = http.StatusForbidden
	case fault.TooMany:
		status = http.StatusTooManyRequests
	case fault.Unavailable:
		status = http.StatusServiceUnavailable
	default:
	}
	http.Error(w, err.Error(), status)
}

// handshake runs what a test does while a handshake is going on: the 101 has not been sent yet.
type handshake struct {
	http.ResponseWriter
	meanwhile func()
}

func (h handshake) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.meanwhile()
	return http.NewResponseController(h.ResponseWriter).Hijack()
}

// peer is a client of a test.
type peer struct {
	t       *testing.T
	conn    *websocket.Conn
	scope   core.Scope
	welcome frame
	heard   chan heard // what has come, for one that listens; nil: it reads when the test does
}

// heard is a message, or the error that ended the connection.
type heard struct {
	kind int
	data []byte
	err  error
}

// listen reads all the time, as a page does: so pings are answered, whatever the test is busy with.
func (p *peer) listen() {
	p.heard = make(chan heard, 1<<12)
	go func() {
		defer close(p.heard)
		for {
			var h heard
			h.kind, h.data, h.err = p.conn.ReadMessage()
			select {
			case p.heard <- h:
			case <-p.t.Context().Done():
				return
			}
			if h.err != nil {
				return
			}
		}
	}()
}

// frame is any frame of the server.
type frame struct {
	Type      string            `json:"type"`
	Epoch     string            `json:"epoch"`
	Head      int64             `json:"head"`
	HeadID    string            `json:"head_id"`
	Recovered bool              `json:"recovered"`
	State     bool              `json:"state"`
	Seq       int64             `json:"seq"`
	ID        string            `json:"id"`
	Kind      string            `json:"kind"`
	Subject   string            `json:"subject"`
	Actor     string            `json:"actor"`
	Payload   json.RawMessage   `json:"payload"`
	Batch     int64             `json:"batch"`
	BatchID   string            `json:"batch_id"`
	Readings  []readingFrame    `json:"readings"`
	Status    []json.RawMessage `json:"status"`
	Seen      map[string]string `json:"seen"`
	Divisions json.RawMessage   `json:"divisions"`
	All       bool              `json:"all"`
	Layers    []layerTiles      `json:"layers"`
	Health    healthReport      `json:"health"`
	raw       string
}

func (ho *house) dial(who int, change ...func(*websocket.Dialer, http.Header)) (*websocket.Conn, *http.Response, error) {
	d := &websocket.Dialer{Subprotocols: []string{Protocol}, HandshakeTimeout: patience}
	header := http.Header{}
	for _, f := range change {
		f(d, header)
	}
	address := "ws" + strings.TrimPrefix(ho.server.URL, "http") + "/ws?who=" + strconv.Itoa(who)
	conn, res, err := d.Dial(address, header)
	if conn != nil {
		_ = conn.SetReadDeadline(time.Now().Add(patience))
	}
	return conn, res, err
}

// connect opens a connection without saying anything.
func (ho *house) connect(who int) *peer {
	ho.t.Helper()
	p := ho.attach(who)
	p.listen()
	return p
}

// deaf is a connection that takes little and reads only when the test does.
func (ho *house) deaf(who int) *peer {
	ho.t.Helper()
	return ho.attach(who, smallWindow)
}

func (ho *house) attach(who int, change ...func(*websocket.Dialer, http.Header)) *peer {
	ho.t.Helper()
	conn, _, err := ho.dial(who, change...)
	if err != nil {
		ho.t.Fatal(err)
	}
	ho.t.Cleanup(func() { _ = conn.Close() })
	return &peer{t: ho.t, conn: conn, scope: ho.principal[who].Scope()}
}

// clientID is a valid id for a name.
func clientID(name string) string { return "client-" + name }

// join connects and says hello; epoch "" is a client that knows nothing.
func (ho *house) join(who int, name, epoch string, lastSeq int64) *peer {
	ho.t.Helper()
	p := ho.connect(who)
	p.say(helloOf(name, epoch, core.Mark{Seq: lastSeq, ID: ho.log.idAt(lastSeq)}))
	p.welcome = p.next()
	if p.welcome.Type != typeWelcome {
		ho.t.Fatalf("the first frame is %s, not welcome", p.welcome.raw)
	}
	return p
}

// helloOf is a client's hello that has everything up to a mark.
func helloOf(name, epoch string, last core.Mark) string {
	return fmt.Sprintf(`{"type":"hello","client":%q,"epoch":%q,"last_seq":%d,"last_id":%q}`, clientID(name), epoch, last.Seq, last.ID)
}

func (p *peer) say(text string) {
	p.t.Helper()
	if err := p.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) ack(seq int64) {
	p.t.Helper()
	p.say(fmt.Sprintf(`{"type":"ack","seq":%d}`, seq))
}

func (p *peer) read() (frame, error) {
	h := heard{err: net.ErrClosed}
	if p.heard == nil {
		h.kind, h.data, h.err = p.conn.ReadMessage()
	} else if next, ok := <-p.heard; ok {
		h = next
	}
	if h.err != nil {
		return frame{}, h.err
	}
	if h.kind != websocket.TextMessage {
		return frame{}, fmt.Errorf("a frame of kind %d", h.kind)
	}
	if err := CheckServerFrame(string(h.data)); err != nil {
		p.t.Errorf("%.500s: %v", h.data, err)
	}
	f := frame{raw: string(h.data)}
	if err := json.Unmarshal(h.data, &f); err != nil {
		return frame{}, fmt.Errorf("%s: %w", h.data, err)
	}
	return f, nil
}

func (p *peer) next() frame {
	p.t.Helper()
	f, err := p.read()
	if err != nil {
		p.t.Fatal(err)
	}
	return f
}

// await reads until a frame satisfies want, and gives it.
func (p *peer) await(what string, want func(frame) bool) frame {
	p.t.Helper()
	for {
		f, err := p.read()
		if err != nil {
			p.t.Fatalf("waiting for %s: %v", what, err)
		}
		if want(f) {
			return f
		}
	}
}

func (p *peer) event() frame {
	p.t.Helper()
	return p.await("an event", func(f frame) bool { return f.Type == typeEvent })
}

// eventsTo collects the seqs of the events until a heartbeat says that there are none up to head.
func (p *peer) eventsTo(head int64) []int64 {
	p.t.Helper()
	var seqs []int64
	p.await(fmt.Sprintf("a heartbeat at %d", head), func(f frame) bool {
		if f.Type == typeEvent {
			seqs = append(seqs, f.Seq)
		}
		return f.Type == typeBeat && f.Head >= head
	})
	return seqs
}

// closed reads on until the connection ends and gives the close code and reason.
func (p *peer) closed() (code int, text string) {
	p.t.Helper()
	for {
		_, err := p.read()
		if closeErr, ok := errors.AsType[*websocket.CloseError](err); ok {
			return closeErr.Code, closeErr.Text
		}
		if err != nil {
			p.t.Fatalf("waiting for the close frame: %v", err)
		}
	}
}

func (p *peer) wantClosed(code int, contains string) {
	p.t.Helper()
	got, text := p.closed()
	if got != code || !strings.Contains(text, contains) {
		p.t.Errorf("closed with %d %q, want %d with %q", got, text, code, contains)
	}
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// smallWindow makes the client's receive buffer small, so that the server notices that it does not
// read.
func smallWindow(d *websocket.Dialer, _ http.Header) {
	d.NetDialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetReadBuffer(4 << 10)
		}
		return conn, err
	}
}
