package push

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"onemap/internal/core"
)

func TestHelloFresh(t *testing.T) {
	ho := open(t, fast(), func(ho *house) { ho.log.add("alert.issued", "370602") }).ready()
	p := ho.join(commander, "fresh", "", 0)
	if p.welcome.Recovered || p.welcome.Epoch != "e1" || p.welcome.Head != 1 || p.welcome.State {
		t.Errorf("welcome %s", p.welcome.raw)
	}
	if f := p.next(); f.Type != typeBeat || f.Head != 1 || !f.Health.OK {
		t.Errorf("after the welcome comes %s, want a heartbeat at 1", f.raw)
	}
	ho.log.append(core.Event{Kind: "alert.updated", Subject: "7", Actor: "u1", Divisions: []string{"370602"}, Payload: []byte(`{"a": "烟台 <b>"}`)})
	f := p.event()
	if f.Seq != 2 || f.Kind != "alert.updated" || f.Subject != "7" || f.Actor != "u1" || string(f.Divisions) != `["370602"]` {
		t.Errorf("event %s", f.raw)
	}
}

// TestRecovery goes through what a hello may say of the past.
func TestRecovery(t *testing.T) {
	for _, c := range []struct {
		name      string
		epoch     string
		lastSeq   int64
		pruned    int64
		recovered bool
		want      []int64
	}{
		{"nothing missed", "e1", 40, 22, true, nil},
		{"out of memory", "e1", 37, 22, true, []int64{38, 39, 40}},
		{"out of the log", "e1", 25, 22, true, []int64{26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40}},
		{"further back than a replay goes", "e1", 19, 0, false, nil},
		{"as far back as a replay goes", "e1", 20, 0, true, []int64{
			21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
		}},
		{"pruned", "e1", 21, 22, false, nil},
		{"the last one that was not pruned", "e1", 22, 22, true, []int64{
			23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
		}},
		{"another epoch", "e0", 40, 22, false, nil},
		{"no epoch", "", 40, 22, false, nil},
		{"beyond the head", "e1", 41, 22, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := fast()
			o.RingEvents, o.MaxReplay = 8, 20
			ho := open(t, o, func(ho *house) {
				for range 40 {
					ho.log.add("alert.issued", "370602")
				}
				ho.log.prune(c.pruned)
			}).ready()
			p := ho.join(responder370602, "back", c.epoch, c.lastSeq)
			if p.welcome.Recovered != c.recovered || p.welcome.Head != 40 {
				t.Errorf("welcome %s, want recovered %v", p.welcome.raw, c.recovered)
			}
			if diff := cmp.Diff(c.want, p.eventsTo(40)); diff != "" {
				t.Error("replayed", diff)
			}
			ho.log.add("alert.issued", "370602")
			if f := p.event(); f.Seq != 41 {
				t.Errorf("then %s, want event 41", f.raw)
			}
		})
	}
}

// TestAheadOfTail: the snapshot that a client holds may be newer than what this node's tail has read.
func TestAheadOfTail(t *testing.T) {
	ho := open(t, fast(), deaf).ready()
	ho.log.mu.Lock()
	ho.log.quiet = true // the tail does not learn of it
	ho.log.mu.Unlock()
	ho.log.add("alert.issued", "370602")
	p := ho.join(responder370602, "ahead", "e1", 1)
	if !p.welcome.Recovered || p.welcome.Head != 1 {
		t.Errorf("welcome %s", p.welcome.raw)
	}
	ho.follower.Wake()
	ho.log.add("alert.issued", "370602")
	ho.follower.Wake()
	if f := p.event(); f.Seq != 2 {
		t.Errorf("got %s, want event 2 alone", f.raw)
	}
}

func TestScopes(t *testing.T) {
	ho := open(t, fast())
	ho.log.add("a", "370602")
	ho.log.add("b", "370614")
	ho.log.add("c", "370602001", "370614")
	ho.log.add("d", "3706")
	ho.log.add("e")
	ho.log.append(core.Event{Kind: "f", Divisions: []string{"370602"}, Roles: []core.Role{core.RoleSteward}})
	ho.log.append(core.Event{Kind: "account.changed", Subject: "99", Roles: []core.Role{core.RoleAdministrator}})
	ho.ready()
	for who, want := range map[int][]int64{
		commander:       {1, 2, 3, 4, 5},
		responder370602: {1, 3, 4},
		responder370614: {2, 3, 4},
		steward370602:   {1, 3, 4, 6},
		administrator:   {1, 2, 3, 4, 5, 7},
	} {
		p := ho.join(who, fmt.Sprint("scope-", who), "e1", 0)
		if diff := cmp.Diff(want, p.eventsTo(7)); diff != "" {
			t.Errorf("%v: %s", p.scope, diff)
		}
	}
}

// TestHiddenEventsAreNotLoss: the heartbeat's head passes what the client may not see, and the client
// may come back with it.
func TestHiddenEventsAreNotLoss(t *testing.T) {
	ho := open(t, fast()).ready()
	p := ho.join(responder370614, "hidden", "e1", 0)
	for range 5 {
		ho.log.add("alert.issued", "370602")
	}
	if got := p.eventsTo(5); got != nil {
		t.Errorf("saw %v of another county", got)
	}
	p.ack(5)
	until(t, "the receipt is saved", func() bool { return ho.clients.receipt(clientID("hidden")) == 5 })
	if again := ho.join(responder370614, "hidden", "e1", 5); !again.welcome.Recovered {
		t.Errorf("welcome %s", again.welcome.raw)
	}
}

// TestEachVisibleEventOnceInOrder is the promise: whoever connects when, with whatever it had, while
// events are being written, sees each event that it may see exactly once and in order.
func TestEachVisibleEventOnceInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := fast()
		o.RingEvents = rapid.IntRange(1, 60).Draw(rt, "ring")
		o.Heartbeat = patience // only what the replay itself says
		before := rapid.IntRange(0, 700).Draw(rt, "before")
		during := rapid.IntRange(1, 300).Draw(rt, "during")
		peers := rapid.IntRange(1, 12).Draw(rt, "peers")
		seed := rapid.Uint64().Draw(rt, "seed")
		ho := open(t, o, func(ho *house) {
			rng := rand.New(rand.NewPCG(seed, 0))
			for range before {
				addRandom(ho.log, rng)
			}
		})
		defer ho.server.Close()
		defer ho.stop()
		ho.ready()
		var all sync.WaitGroup
		all.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 1))
			for range during {
				addRandom(ho.log, rng)
			}
			ho.log.add("end", "3706") // seen by all
		})
		end := int64(before + during + 1)
		for i := range peers {
			all.Go(func() {
				rng := rand.New(rand.NewPCG(seed, uint64(i)+2))
				followToEnd(t, ho, i, end, rng)
			})
		}
		all.Wait()
		if t.Failed() {
			rt.Fatal("see above")
		}
	})
}

// followToEnd is one client's life: it connects, now and then drops the line and comes back with what
// it had, until the event end.
func followToEnd(t *testing.T, ho *house, i int, end int64, rng *rand.Rand) {
	who := 1 + rng.IntN(4)
	scope := ho.principal[who].Scope()
	first := rng.Int64N(ho.log.headSeq() + 1)
	last := core.Mark{Seq: first, ID: ho.log.idAt(first)}
	var got []int64
	for last.Seq < end {
		conn, _, err := ho.dial(who)
		if err != nil {
			t.Error(err)
			return
		}
		p := &peer{t: t, conn: conn}
		if err := conn.WriteMessage(1, []byte(helloOf(fmt.Sprint("n", i), "e1", last))); err != nil {
			t.Error(err)
			return
		}
		for left := 1 + rng.IntN(200); left > 0 && last.Seq < end; left-- {
			f, err := p.read()
			if err != nil {
				t.Error(err)
				return
			}
			if f.Type == typeWelcome && !f.Recovered {
				t.Errorf("client %d at %v was not recovered: %s", i, last, f.raw)
				return
			}
			if f.Type == typeEvent {
				got, last = append(got, f.Seq), core.Mark{Seq: f.Seq, ID: f.ID}
			}
		}
		_ = conn.Close()
	}
	if want := ho.log.visible(scope, first, end); !slices.Equal(got, want) {
		t.Errorf("client %d (%v) from %d: %s", i, scope, first, cmp.Diff(want, got))
	}
}

func addRandom(l *memLog, rng *rand.Rand) {
	e := core.Event{Kind: "alert.issued"}
	for _, d := range []string{"370602", "370614", "370602001", "3706"} {
		if rng.IntN(4) == 0 {
			e.Divisions = append(e.Divisions, d)
		}
	}
	if rng.IntN(6) == 0 {
		e.Roles = []core.Role{core.RoleSteward, core.RoleCommander}
	}
	l.append(e)
}
