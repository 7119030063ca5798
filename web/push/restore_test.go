package push

import (
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	"pgregory.net/rapid"

	"onemap/internal/core"
)

// away is a client that comes and goes: what it has of the log, by number, and up to where.
type away struct {
	ho   *house
	name string
	has  map[int64]string // the ids of the events that it holds
	last core.Mark
}

// comesBack connects, takes what it is sent, and a snapshot when it is told to, until it is up to date; then it goes.
func (a *away) comesBack() {
	t := a.ho.t
	t.Helper()
	for {
		p := a.ho.connect(commander)
		// It fails when the client is sent away before that, which its reading tells as well.
		_ = p.conn.WriteMessage(websocket.TextMessage, []byte(helloOf(a.name, "e1", a.last)))
		done := a.follow(p)
		_ = p.conn.Close()
		if done {
			return
		}
	}
}

// follow reads until the client is up to date, or its connection ends: false then.
func (a *away) follow(p *peer) bool {
	for {
		f, err := p.read()
		if err != nil {
			return false
		}
		switch f.Type {
		case typeWelcome:
			if !f.Recovered {
				a.has, a.last = a.ho.log.snapshot()
			}
		case typeEvent:
			if f.Seq > a.last.Seq {
				a.has[f.Seq], a.last = f.ID, core.Mark{Seq: f.Seq, ID: f.ID}
			}
		case typeBeat:
			if _, head := a.ho.log.snapshot(); f.HeadID == head.ID && a.last == head {
				return true
			}
		}
	}
}

// snapshot is what a client reads by HTTP: everything that the log has, and up to where.
func (l *memLog) snapshot() (map[int64]string, core.Mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	has := make(map[int64]string, len(l.events))
	for _, e := range l.events {
		has[e.Seq] = e.ID
	}
	return has, core.Mark{Seq: l.head, ID: l.idAtLocked(l.head)}
}

// TestPutBackWhileAway: while clients are away the log is put back to an earlier state under the same epoch, and goes
// on with other events under the same numbers, in any order of these. Who comes back never keeps an event that the log
// does not have, and never lacks one that it has.
func TestPutBackWhileAway(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := fast()
		o.RingEvents, o.Heartbeat = 1+rapid.IntRange(0, 20).Draw(rt, "ring"), 20*o.Tick
		ho := open(t, o)
		defer ho.server.Close()
		defer ho.stop()
		ho.log.add("first", "3706")
		ho.ready()
		var clients []*away
		for i := range 3 {
			clients = append(clients, &away{ho: ho, name: fmt.Sprint("away", i), has: map[int64]string{}})
		}
		var pruned int64
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch what := rapid.SampledFrom([]string{"add", "add", "back", "prune", "client", "client", "client"}).Draw(rt, "what"); what {
			case "add":
				for range rapid.IntRange(1, 10).Draw(rt, "events") {
					ho.log.add("more", "3706")
				}
			case "back":
				to := rapid.Int64Range(max(1, pruned+1), max(1, pruned+1, ho.log.headSeq())).Draw(rt, "to")
				ho.log.restore("e1", to)
			case "prune":
				if head := ho.log.headSeq(); head > 1 {
					pruned = max(pruned, rapid.Int64Range(0, head-1).Draw(rt, "upTo"))
					ho.log.prune(pruned)
				}
			case "client":
				rapid.SampledFrom(clients).Draw(rt, "who").comesBack()
			}
		}
		ho.log.add("last", "3706")
		want, _ := ho.log.snapshot()
		for _, c := range clients {
			c.comesBack()
			maps.DeleteFunc(c.has, func(seq int64, _ string) bool { return seq <= pruned })
			if d := cmp.Diff(want, c.has); d != "" {
				rt.Fatalf("%s (-log +client): %s", c.name, d)
			}
		}
	})
}
