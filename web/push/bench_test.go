package push

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/tiles"
)

// padding brings an event's frame to about 500 bytes, what an alert without its area takes.
var padding = []byte(`{"pad":"` + strings.Repeat("x", 360) + `"}`)

// audience is n connected clients that count what arrives of one kind.
type audience struct {
	kind  string
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
	prefix := []byte(`{"type":"` + a.kind + `"`)
	go func() {
		for {
			_, data, err := conn.ReadMessage()
			if err != nil {
				return
			}
			if bytes.HasPrefix(data, prefix) {
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
	all := audience{kind: typeEvent}
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
	_, log, url := serveBench(b, n)
	all := audience{kind: typeEvent}
	defer all.close()
	for i := range n {
		all.dial(b, url, fmt.Sprintf(`{"type":"hello","client":"client-%d"}`, i))
	}
	b.ResetTimer()
	for range b.N {
		all.got.Add(n)
		log.append(core.Event{Kind: "alert.issued", Divisions: []string{"3706"}, Payload: padding})
		all.got.Wait()
	}
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/client")
}

// serveBench is a hub for n clients with a server in front of it. A client is the commander, or with
// ?scope= one of cityScopes.
func serveBench(b *testing.B, n int) (hub *Hub, log *memLog, url string) {
	log = newMemLog()
	follower := eventlog.NewFollower(log, log, eventlog.FollowerOptions{}, nil, nil, nil)
	hub, err := New(Parts{Events: log, Follower: follower, Batches: &memBatches{}}, Options{MaxPerAccount: n, CoalesceTiles: time.Millisecond}, nil, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
	done := make(chan error, 1)
	go func() { done <- hub.Run(ctx) }()
	follower.Subscribe("push", hub.Subscriber())
	var following sync.WaitGroup
	following.Go(func() { follower.Run(ctx) })
	scopes := cityScopes()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i, _ := strconv.Atoi(r.URL.Query().Get("scope"))
		if err := hub.Serve(w, r, core.Principal{AccountID: 1, Role: scopes[i].Role, Division: scopes[i].Division}); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	}))
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
		following.Wait()
		srv.Close()
	})
	for hub.view().epoch == "" {
		time.Sleep(time.Millisecond)
	}
	return hub, log, "ws" + strings.TrimPrefix(srv.URL, "http")
}

// BenchmarkPublish is what an event costs before the first write, with clients of every scope of a
// city.
func BenchmarkPublish(b *testing.B) {
	h, err := New(Parts{Events: newMemLog(), Follower: unfollowed(), Batches: &memBatches{}}, Options{}, nil, nil, nil)
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

// tilesOfACity are a city's changes in one gathering: n features, each at home in one of 14 counties,
// each with the tiles of zooms 8 to 14 of where it was and where it is.
func tilesOfACity(n int) [][]tiles.Notice {
	rnd := rand.New(rand.NewPCG(1, 2))
	calls := make([][]tiles.Notice, n)
	for i := range calls {
		county := rnd.Uint32N(14)
		notice := tiles.Notice{Layer: "risk_source", Audience: core.Audience{Kind: core.AudienceDivision}, Division: fmt.Sprint(370600 + county)}
		x, y := 13_630+county%4*28+rnd.Uint32N(28), 6300+county/4*28+rnd.Uint32N(28)
		for z := range uint32(7) {
			notice.Ranges = append(notice.Ranges, tiles.Range{Z: 14 - z, X0: x >> z, Y0: y >> z, X1: (x + rnd.Uint32N(2)) >> z, Y1: (y + 1) >> z})
		}
		calls[i] = []tiles.Notice{notice}
	}
	return calls
}

// cityScopes are a city's commanders and the responders of its 13 counties.
func cityScopes() []core.Scope {
	scopes := []core.Scope{{Division: "3706", Role: core.RoleCommander}}
	for i := range 13 {
		scopes = append(scopes, core.Scope{Division: fmt.Sprint(370600 + i), Role: core.RoleResponder})
	}
	return scopes
}

// BenchmarkTiles is what 2,000 notices a second cost with 1,000 clients of 14 scopes, up to the first
// write: an operation is one gathering of 200 ms, five of them are a second's.
func BenchmarkTiles(b *testing.B) {
	h := bareHub(b, 1000/14+1, cityScopes()...)
	calls := tilesOfACity(400)
	b.ReportAllocs()
	for b.Loop() {
		for _, notices := range calls {
			h.TilesChanged(notices)
		}
		h.showTiles()
		for _, cl := range h.classes {
			for c := range cl.members {
				<-c.wakeup
				_, c.tilesAt = h.tiles.since(c.scope, c.tilesAt)
			}
		}
	}
	gathering := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	b.ReportMetric(gathering/400, "ns/notice")
	b.ReportMetric(100*5*gathering/1e9, "%core")
}

// BenchmarkTilesFanOut is one gathering to 1,000 clients of 14 scopes, from the engine's call to the
// last client's hands, over the loopback; a millisecond of it is the gathering.
func BenchmarkTilesFanOut(b *testing.B) {
	const n = 1000
	hub, _, url := serveBench(b, n)
	all := audience{kind: typeTiles}
	defer all.close()
	for i := range n {
		all.dial(b, fmt.Sprintf("%s?scope=%d", url, i%14), fmt.Sprintf(`{"type":"hello","client":"client-%d"}`, i))
	}
	notices := slices.Concat(tilesOfACity(400)...)
	b.ResetTimer()
	for range b.N {
		all.got.Add(n)
		hub.TilesChanged(notices)
		all.got.Wait()
	}
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/client")
}

// BenchmarkTilesChanged is what the engine waits for, a notice.
func BenchmarkTilesChanged(b *testing.B) {
	h := bareHub(b, 1, cityScopes()...)
	calls := tilesOfACity(400)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		h.TilesChanged(calls[i%400])
		if i++; i%400 == 0 {
			b.StopTimer()
			h.showTiles()
			b.StartTimer()
		}
	}
}
