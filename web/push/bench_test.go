package push

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"onemap/auth"
	"onemap/internal/core"
)

// padding brings an event's frame to about 500 bytes, what an alert without its area takes.
var padding = []byte(`{"pad":"` + strings.Repeat("x", 360) + `"}`)

// audience is n connected clients that count what arrives.
type audience struct {
	conns []*websocket.Conn
	got   sync.WaitGroup
}

func (a *audience) dial(b *testing.B, url, hello string) {
	d := websocket.Dialer{Subprotocols: []string{Protocol}, ReadBufferSize: 1 << 10, WriteBufferSize: 256}
	conn, _, err := d.Dial(url, nil)
	if err != nil {
		b.Fatal(err)
	}
	if hello != "" {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(hello)); err != nil {
			b.Fatal(err)
		}
		if _, _, err := conn.ReadMessage(); err != nil {
			b.Fatal(err)
		}
	}
	a.conns = append(a.conns, conn)
	go func() {
		for {
			_, data, err := conn.ReadMessage()
			if err != nil {
				return
			}
			if strings.HasPrefix(string(data[:16]), `{"type":"event"`) {
				a.got.Done()
			}
		}
	}()
}

func (a *audience) close() {
	for _, c := range a.conns {
		_ = c.Close()
	}
}

// BenchmarkFanOut is one event to all clients, from the log to the last client's hands, with server
// and clients in this process over the loopback. "bare" is the floor: one goroutine that writes the
// same prepared message to every connection.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{100, 1000, 2000} {
		b.Run(fmt.Sprintf("bare/%d", n), func(b *testing.B) { benchBare(b, n) })
		b.Run(fmt.Sprintf("hub/%d", n), func(b *testing.B) { benchHub(b, n) })
	}
}

func benchBare(b *testing.B, n int) {
	accepted := make(chan *websocket.Conn, n)
	up := websocket.Upgrader{Subprotocols: []string{Protocol}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, err := up.Upgrade(w, r, nil); err == nil {
			accepted <- conn
		}
	}))
	defer srv.Close()
	var all audience
	defer all.close()
	server := make([]*websocket.Conn, n)
	for i := range server {
		all.dial(b, "ws"+strings.TrimPrefix(srv.URL, "http"), "")
		server[i] = <-accepted
	}
	msg := must(marshalMessage(typeEvent, eventOf(core.Event{Seq: 1, At: time.Now(), Kind: "alert.issued", Divisions: []string{"3706"}, Payload: padding})))
	b.ResetTimer()
	for range b.N {
		all.got.Add(n)
		for _, c := range server {
			if err := c.WritePreparedMessage(msg.wire); err != nil {
				b.Fatal(err)
			}
		}
		all.got.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/client")
}

func benchHub(b *testing.B, n int) {
	log := newMemLog()
	hub, err := New(Parts{Events: log, Batches: &memBatches{}}, Options{MaxPerAccount: n}, nil, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- hub.Run(ctx) }()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := hub.Serve(w, r, auth.Principal{AccountID: 1, Role: core.RoleCommander, Division: "3706"}); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	}))
	defer srv.Close()
	for hub.view().epoch == "" {
		time.Sleep(time.Millisecond)
	}
	var all audience
	for i := range n {
		all.dial(b, "ws"+strings.TrimPrefix(srv.URL, "http"), fmt.Sprintf(`{"type":"hello","client":"client-%d"}`, i))
	}
	b.ResetTimer()
	for range b.N {
		all.got.Add(n)
		log.append(core.Event{Kind: "alert.issued", Divisions: []string{"3706"}, Payload: padding})
		all.got.Wait()
	}
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/client")
	cancel()
	all.close()
	if err := <-done; err != nil {
		b.Error(err)
	}
}

// BenchmarkPublish is what an event costs before the first write, with clients of every scope of a
// city.
func BenchmarkPublish(b *testing.B) {
	h, err := New(Parts{Events: newMemLog(), Batches: &memBatches{}}, Options{}, nil, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	for i := range 10_000 {
		s := core.Scope{Division: fmt.Sprint(370600 + i%14), Role: core.RoleResponder}
		if h.classes[s] == nil {
			h.classes[s] = &class{members: make(map[*client]struct{})}
		}
		h.classes[s].members[&client{hub: h, scope: s, class: h.classes[s], wakeup: make(chan struct{}, 1)}] = struct{}{}
	}
	e := core.Event{At: time.Now(), Kind: "alert.issued", Divisions: []string{"370602"}, Payload: padding}
	for range b.N {
		e.Seq++
		h.publish(b.Context(), []core.Event{e})
	}
}
