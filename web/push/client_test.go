package push

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// TestSlowClient: one that does not read is closed once too much waits for it, others are not held
// up, and when it comes back it is given everything it has not seen.
func TestSlowClient(t *testing.T) {
	o := fast()
	o.QueueStall, o.QueueMessages = 50*time.Millisecond, 20
	o.Heartbeat = patience // it answers no ping
	ho := open(t, o).ready()
	slow := ho.deaf(responder370602)
	slow.say(`{"type":"hello","client":"slow-client","epoch":"e1","last_seq":0}`)
	slow.await("welcome", func(f frame) bool { return f.Type == typeWelcome })
	fast := ho.join(responder370602, "fast", "e1", 0)

	big := []byte(`{"pad":"` + strings.Repeat("x", 64<<10) + `"}`)
	n := int64(0)
	for ho.connections() == 2 {
		e := ho.log.append(core.Event{Kind: "alert.issued", Divisions: []string{"370602"}, Payload: big})
		n = e.Seq
		if f := fast.event(); f.Seq != n {
			t.Fatalf("the fast one got %d, want %d", f.Seq, n)
		}
	}
	var got []int64
	for {
		f, err := slow.read()
		if err != nil {
			break // with 4100, or in the middle of a frame when not even that could be sent
		}
		if f.Type == typeEvent {
			got = append(got, f.Seq)
		}
	}
	last := int64(len(got))
	if last >= n || !slices.Equal(got, ho.log.visible(slow.scope, 0, last)) {
		t.Fatalf("the slow one has %v of %d", got, n)
	}
	back := ho.join(responder370602, "slow", "e1", last)
	if diff := cmp.Diff(ho.log.visible(slow.scope, last, n), back.eventsTo(n)); diff != "" {
		t.Error(diff)
	}
}

// TestSlowByLag: few events, but one that is not taken for too long.
func TestSlowByLag(t *testing.T) {
	o := fast()
	o.QueueLag, o.Heartbeat = time.Second, patience
	ho := open(t, o).ready()
	slow := ho.deaf(responder370602)
	slow.say(`{"type":"hello","client":"slow-client","epoch":"e1","last_seq":0}`)
	slow.await("welcome", func(f frame) bool { return f.Type == typeWelcome })
	ho.log.append(core.Event{Kind: "big", Divisions: []string{"370602"}, Payload: []byte(`"` + strings.Repeat("x", 16<<20) + `"`)})
	until(t, "it is cut off", func() bool { return ho.connections() == 0 })
}

// TestPace holds the bounds of the protocol page against a client's account.
func TestPace(t *testing.T) {
	h, err := New(Parts{Events: newMemLog(), Follower: unfollowed(), Batches: &memBatches{}}, Options{}, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		count     int64
		bytes     int64
		waited    time.Duration
		replaying bool
		slow      bool
	}{
		{"up to date", 0, 0, 0, false, false},
		{"a burst is not its fault", 100_000, 1 << 30, 10 * time.Millisecond, false, false},
		{"256 may wait", 256, 1 << 20, 2 * time.Second, false, false},
		{"257 may not", 257, 0, 2 * time.Second, false, true},
		{"nor more than a mebibyte", 1, 1<<20 + 1, 2 * time.Second, false, true},
		{"nor anything for 5 s", 1, 1, 5001 * time.Millisecond, false, true},
		{"state alone is merged", 0, 0, time.Hour, false, false},
		{"a replay takes its time", 9000, 1 << 30, 59 * time.Second, true, false},
		{"but not for ever", 9000, 1 << 30, 61 * time.Second, true, true},
	} {
		cl := &client{hub: h, class: &class{count: c.count, bytes: c.bytes}}
		cl.waited.Store(int64(c.waited))
		cl.replaying.Store(c.replaying)
		why := cl.pace()
		if (why != nil) != c.slow || why != nil && (why.code != CloseResume || why.cause != causeSlow) {
			t.Errorf("%s: %v", c.name, why)
		}
	}
}

func TestReceipts(t *testing.T) {
	o := fast()
	o.Heartbeat = patience
	ho := open(t, o, func(ho *house) {
		ho.log.add("alert.issued", "370602")
		ho.log.add("alert.issued", "370602")
	}).ready()
	p := ho.join(responder370602, "p", "e1", 0)
	if got := p.eventsTo(2); len(got) != 2 {
		t.Fatalf("got %v", got)
	}
	p.ack(1)
	until(t, "1 is saved", func() bool { return ho.clients.receipt(clientID("p")) == 1 })
	// The store is away: what waits is one receipt a client, the newest; it is saved when it is back.
	ho.clients.setAway(true)
	p.ack(2)
	p.ack(2)
	p.ack(1)
	for range 5 {
		n := ho.log.add("alert.issued", "370602").Seq
		p.event()
		p.ack(n)
	}
	until(t, "the last receipt waits", func() bool {
		ho.hub.receipts.mu.Lock()
		defer ho.hub.receipts.mu.Unlock()
		rec, ok := ho.hub.receipts.waiting[receiptKey{clientID("p"), responder370602}]
		return ok && rec.seq == 7 && len(ho.hub.receipts.waiting) == 1
	})
	ho.clients.setAway(false)
	until(t, "7 is saved", func() bool { return ho.clients.receipt(clientID("p")) == 7 })
	if s := ho.clients.scopes[clientID("p")]; s != p.scope {
		t.Errorf("saved for %v", s)
	}
	p.ack(8)
	p.wantClosed(CloseBadFrame, "seq: 8 is beyond the head of the event log")
	if n := ho.clients.receipt(clientID("p")); n != 7 {
		t.Errorf("%d was saved", n)
	}
}

// TestReceiptAheadOfStream: a snapshot may bring a client further than its stream has come. Its receipt
// counts as far as the stream is, never further.
func TestReceiptAheadOfStream(t *testing.T) {
	o := fast()
	o.CallTimeout, o.Heartbeat = patience, patience
	ho := open(t, o, func(ho *house) { ho.log.add("alert.issued", "370602") }).ready()
	p := ho.join(responder370602, "p", "e1", 0)
	p.event()
	release := make(chan struct{})
	ho.log.mu.Lock()
	ho.log.hangRows = release // the tail stands still
	ho.log.mu.Unlock()
	ho.log.add("alert.issued", "370602")
	ho.log.add("alert.issued", "370614") // hidden: never sent, and no obstacle
	p.ack(3)
	until(t, "1 is saved", func() bool { return ho.clients.receipt(clientID("p")) == 1 })
	ho.log.mu.Lock()
	ho.log.hangRows = nil
	ho.log.mu.Unlock()
	close(release)
	if f := p.event(); f.Seq != 2 {
		t.Errorf("got %s", f.raw)
	}
	until(t, "3 is saved", func() bool { return ho.clients.receipt(clientID("p")) == 3 })
}

// TestReceiptsAtStop: what was acknowledged is saved before Run returns.
func TestReceiptsAtStop(t *testing.T) {
	o := fast()
	o.SaveEvery = time.Hour
	ho := open(t, o).ready()
	p := ho.join(responder370602, "p", "e1", 0)
	until(t, "presence is recorded", func() bool { _, ok := ho.clients.client(clientID("p")); return ok })
	ho.log.add("alert.issued", "370602")
	p.event()
	p.ack(1)
	until(t, "the receipt has come", func() bool {
		ho.hub.receipts.mu.Lock()
		defer ho.hub.receipts.mu.Unlock()
		return len(ho.hub.receipts.waiting) == 1
	})
	stopped := make(chan struct{})
	go func() { ho.stop(); close(stopped) }()
	p.wantClosed(CloseGoingAway, "stopping")
	<-stopped
	if n := ho.clients.receipt(clientID("p")); n != 1 {
		t.Errorf("saved %d, want 1", n)
	}
	if _, ok := ho.clients.client(clientID("p")); ok {
		t.Error("it is still said to be connected")
	}
}

func TestReceiptsBounded(t *testing.T) {
	h, err := New(Parts{Events: newMemLog(), Follower: unfollowed(), Batches: &memBatches{}, Clients: newMemClients()}, Options{MaxReceipts: 2}, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		h.receipts.put(&client{hub: h, id: clientID(fmt.Sprint(i))}, 1)
		h.receipts.put(&client{hub: h, id: clientID("0")}, int64(i)) // a newer one of who waits already is taken
	}
	if got := h.receipts.waiting[receiptKey{clientID("0"), 0}]; len(h.receipts.waiting) != 2 || got.seq != 4 {
		t.Errorf("%d wait, the first with %d", len(h.receipts.waiting), got.seq)
	}
}

func TestPresence(t *testing.T) {
	ho := open(t, fast(), func(ho *house) {
		ho.clients.connected["left-over"] = Client{ID: "left-over", Node: "n1"} // of a life before this one
		ho.clients.connected["elsewhere"] = Client{ID: "elsewhere", Node: "n2"}
	}).ready()
	city := ho.join(commander, "city", "e1", 0)
	counts := func(want string) {
		t.Helper()
		city.await("clients "+want, func(f frame) bool { return f.Type == typeClients && string(f.Divisions) == want })
	}
	counts(`{}`)
	until(t, "the left-over is forgotten", func() bool { _, ok := ho.clients.client("left-over"); return !ok })
	if _, ok := ho.clients.client("elsewhere"); !ok {
		t.Error("another node's client was forgotten")
	}
	a := ho.join(responder370602, "a", "e1", 0)
	counts(`{"370602":1}`)
	b := ho.join(responder370614, "b", "e1", 0)
	counts(`{"370602":1,"370614":1}`)
	tab := ho.join(responder370602, "a", "e1", 0) // a second tab of the same browser
	until(t, "it is recorded", func() bool {
		c, ok := ho.clients.client(clientID("a"))
		return ok && c.Node == "n1" && c.AccountID == responder370602 && c.Division == "370602" && !c.ConnectedAt.IsZero()
	})
	_ = a.conn.Close()
	_ = b.conn.Close()
	counts(`{"370602":1}`)
	until(t, "b is gone", func() bool { _, ok := ho.clients.client(clientID("b")); return !ok })
	if _, ok := ho.clients.client(clientID("a")); !ok {
		t.Error("a is said to be gone, but its second tab is there")
	}
	ho.clients.setAway(true)
	_ = tab.conn.Close()
	counts(`{}`)
	ho.clients.setAway(false)
	until(t, "a is gone", func() bool { _, ok := ho.clients.client(clientID("a")); return !ok })
	county := ho.join(responder370614, "c", "e1", 0)
	ho.log.add("alert.issued", "370614")
	for f := county.next(); f.Type != typeEvent; f = county.next() {
		if f.Type == typeClients {
			t.Errorf("a county was sent %s", f.raw)
		}
	}
}

// TestRespondersOfAllNodes: where the store counts them, its word is sent.
func TestRespondersOfAllNodes(t *testing.T) {
	ho := open(t, fast(), func(ho *house) {
		elsewhere := func(account int64, sound Sound, alert int64) Present {
			return Present{
				Client: Client{ID: fmt.Sprintf("elsewhere-%d", account), Node: "n2", AccountID: account, Division: "370685",
					Status: ClientStatus{Sound: sound, Alert: alert}},
				Login: "r370685", Name: "招远", Role: core.RoleResponder, AlertDivision: "370685",
			}
		}
		ho.parts.Present = func(context.Context) ([]Present, error) {
			return []Present{elsewhere(101, SoundArmed, 7), elsewhere(102, SoundOff, 0)}, nil
		}
	}).ready()
	city := ho.join(commander, "city", "e1", 0)
	city.await("clients", func(f frame) bool {
		return f.Type == typeClients && string(f.Divisions) == `{"370685":2}` && strings.Contains(f.raw, `"armed":{"370685":1}`)
	})
	city.await("viewers", func(f frame) bool { return f.Type == typeViewers && strings.Contains(f.raw, `"alert":7`) })
}

// TestStatusOfClients: what a client says of its sound is counted for the city; who has an alert open is told to
// those who may see the alert, and to nobody else.
func TestStatusOfClients(t *testing.T) {
	ho := open(t, fast(), func(ho *house) {
		ho.parts.AlertPlace = func(_ context.Context, s core.Scope, id int64) (string, []string, error) {
			if id != 58 || !s.Covers("370602") {
				return "", nil, fault.New(fault.NotFound, "there is no such alert")
			}
			return "370602", []string{"370602"}, nil
		}
	}).ready()
	city, near, far := ho.join(commander, "city", "e1", 0), ho.join(responder370602, "near", "e1", 0), ho.join(responder370614, "far", "e1", 0)
	near.say(`{"type":"status","sound":"armed","visible":true,"alert":58,"acting":true}`)
	far.say(`{"type":"status","sound":"off","visible":true,"alert":58,"acting":true}`) // it may not see it: ignored
	open := func(f frame) bool {
		return f.Type == typeViewers && strings.Contains(f.raw, `{"alert":58,"people":[{"user":`) && strings.Contains(f.raw, `"division":"370602","acting":true}]`)
	}
	city.await("who has it open", open)
	near.await("who has it open", open)
	city.say(`{"type":"status","sound":"muted","visible":false,"alert":58}`)
	near.await("both", func(f frame) bool { return f.Type == typeViewers && strings.Count(f.raw, `"user":`) == 2 })
	until(t, "the store has what they said", func() bool {
		a, _ := ho.clients.client(clientID("near"))
		b, _ := ho.clients.client(clientID("far"))
		return a.Status == ClientStatus{Sound: SoundArmed, Visible: true, Alert: 58, Acting: true} &&
			b.Status == ClientStatus{Sound: SoundOff, Visible: true}
	})
	late := ho.join(commander, "late", "e1", 0)
	late.await("the armed", func(f frame) bool { return f.Type == typeClients && strings.Contains(f.raw, `"armed":{"370602":1}`) })
	late.await("after a welcome", func(f frame) bool { return f.Type == typeViewers && strings.Count(f.raw, `"user":`) == 2 })
	_ = near.conn.Close()
	city.await("it is closed", func(f frame) bool { return f.Type == typeViewers && strings.Count(f.raw, `"user":`) == 1 })
	ho.log.add("alert.issued", "370614")
	for f := far.next(); f.Type != typeEvent; f = far.next() {
		if f.Type == typeViewers {
			t.Errorf("a county that may not see the alert was sent %s", f.raw)
		}
	}
}

// TestTooManyStatuses: a client that never stops saying how it is, is at fault.
func TestTooManyStatuses(t *testing.T) {
	o := fast()
	o.MaxStatus, o.Heartbeat = 3, time.Minute
	ho := open(t, o).ready()
	p := ho.join(commander, "chatty", "e1", 0)
	for range 4 {
		p.say(`{"type":"status","sound":"off"}`)
	}
	p.wantClosed(CloseBadFrame, "more than 3 status frames")
}

// wrapped is a writer of a middleware that knows http.ResponseController only.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// TestBehindMiddlewareAndTLS: through a wrapped writer, over TLS.
func TestBehindMiddlewareAndTLS(t *testing.T) {
	ho := open(t, fast()).ready()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { ho.serve(wrapped{w}, r) }))
	defer server.Close()
	d := websocket.Dialer{Subprotocols: []string{Protocol}, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	conn, _, err := d.Dial("wss"+strings.TrimPrefix(server.URL, "https")+"/ws?who=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	p := &peer{t: t, conn: conn}
	p.say(`{"type":"hello","client":"abcdefgh","epoch":"e1","last_seq":0}`)
	ho.log.add("alert.issued", "3706")
	p.event()
}

// TestRunsOnce and what New needs.
func TestRunsOnce(t *testing.T) {
	ho := open(t, fast())
	if err := ho.hub.Run(t.Context()); err == nil {
		t.Error("ran twice")
	}
	if _, err := New(Parts{}, Options{}, nil, nil, nil); err == nil {
		t.Error("made a hub without sources")
	}
}
