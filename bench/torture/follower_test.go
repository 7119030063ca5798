package torture_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"onemap/alerts"
	"onemap/internal/core"
)

// follower is a browser that stays connected: it reads the push, and after each interruption resumes after the last event
// that it has, as docs/push-protocol.md specifies.
type follower struct {
	s      *stage
	cookie string

	mu     sync.Mutex
	epoch  string
	last   core.Mark
	issued map[int64]int // alert.issued events by seq: how often they came
	gaps   int           // reconnections that could not go on where the last one ended
}

// frame has the members of a push frame that a follower reads.
type frame struct {
	Type      string `json:"type"`
	Seq       int64  `json:"seq"`
	ID        string `json:"id"`
	Epoch     string `json:"epoch"`
	Recovered bool   `json:"recovered"`
	Head      int64  `json:"head"`
	HeadID    string `json:"head_id"`
	Kind      string `json:"kind"`
}

// follow logs in and reads until the test ends.
func follow(s *stage) *follower {
	s.t.Helper()
	f := &follower{s: s, cookie: s.login(), issued: map[int64]int{}}
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan struct{})
	first := make(chan struct{})
	s.t.Cleanup(func() {
		cancel()
		<-ended
	})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			f.connection(ctx, first)
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	select {
	case <-first:
	case <-time.After(patience):
		s.t.Fatal("nobody can follow the push")
	}
	return f
}

// connection reads until the connection ends.
func (f *follower) connection(ctx context.Context, first chan struct{}) {
	d := websocket.Dialer{Subprotocols: []string{"onemap.v1"}, HandshakeTimeout: 10 * time.Second}
	conn, res, err := d.DialContext(ctx, strings.Replace(f.s.server.url("/ws"), "http", "ws", 1), http.Header{"Cookie": {f.cookie}})
	if err != nil {
		return
	}
	_ = res.Body.Close() // it is empty
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	hello := map[string]any{"type": "hello", "client": "torture-follower"}
	if f.epoch != "" {
		hello["epoch"], hello["last_seq"], hello["last_id"] = f.epoch, f.last.Seq, f.last.ID
	}
	if conn.WriteJSON(hello) != nil {
		return
	}
	for {
		_, text, err := conn.ReadMessage()
		if err != nil {
			return
		}
		var one frame
		if err := json.Unmarshal(text, &one); err != nil {
			f.s.t.Errorf("a frame of the push: %v", err)
			return
		}
		f.take(one, first)
		if one.Type == "event" && conn.WriteJSON(map[string]any{"type": "ack", "seq": one.Seq}) != nil {
			return
		}
	}
}

func (f *follower) take(one frame, first chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch one.Type {
	case "welcome":
		if f.epoch == "" {
			f.last = core.Mark{Seq: one.Head, ID: one.HeadID}
			close(first)
		} else if !one.Recovered {
			f.gaps++
		}
		f.epoch = one.Epoch
	case "event":
		f.last = core.Mark{Seq: one.Seq, ID: one.ID}
		if one.Kind == alerts.EventIssued {
			f.issued[one.Seq]++
		}
	}
}

// check checks that each alert's event arrived once.
func (f *follower) check() {
	s := f.s
	s.t.Helper()
	var want []int64
	conn := s.pg.connect(database)
	if err := conn.QueryRow(s.t.Context(), `select array_agg(seq) from event_log where kind = $1`, alerts.EventIssued).Scan(&want); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "whoever follows the push has every alert", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.issued) >= len(want)
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, seq := range want {
		if n := f.issued[seq]; n != 1 {
			s.t.Errorf("the push brought event %d %d times", seq, n)
		}
	}
	if len(f.issued) != len(want) || f.gaps > 0 {
		s.t.Errorf("the push brought %d alerts of %d; %d times it could not go on", len(f.issued), len(want), f.gaps)
	}
}
