package push

import (
	"sync/atomic"
	"testing"
	"time"

	"onemap/internal/core"
)

// TestSourceAway: heartbeats go on and say so, nobody is thrown out, and what was written meanwhile
// arrives when the source is back.
func TestSourceAway(t *testing.T) {
	ho := open(t, fast()).ready()
	p := ho.join(commander, "p", "e1", 0)
	ho.log.setAway(true)
	ho.log.add("alert.issued", "3706")
	beat := p.await("bad health", func(f frame) bool { return f.Type == typeBeat && !f.Health.OK })
	if own := partOf(beat, "push"); own.OK || own.Lag <= 0 || own.Detail != "the event log could not be read" {
		t.Errorf("the heartbeat says %+v", own)
	}
	if own := ho.hub.Health(); own.OK || own.Part != "push" {
		t.Errorf("Health %+v", own)
	}
	p.await("another heartbeat", func(f frame) bool { return f.Type == typeBeat && !f.Health.OK })
	ho.log.setAway(false)
	if f := p.event(); f.Seq != 1 {
		t.Errorf("got %s", f.raw)
	}
	p.await("good health", func(f frame) bool { return f.Type == typeBeat && f.Health.OK })
}

// TestSourceHangs: a call that does not come back is as bad, and blocks nothing.
func TestSourceHangs(t *testing.T) {
	o := fast()
	o.CallTimeout = patience
	ho := open(t, o).ready()
	p := ho.join(commander, "p", "e1", 0)
	release := make(chan struct{})
	ho.log.mu.Lock()
	ho.log.hang = release
	ho.log.mu.Unlock()
	ho.log.add("alert.issued", "3706")
	ho.clock.advance(time.Minute)
	beat := p.await("bad health", func(f frame) bool { return f.Type == typeBeat && !f.Health.OK })
	if own := partOf(beat, "push"); own.Lag < 59 {
		t.Errorf("the heartbeat says %+v", own)
	}
	ho.log.mu.Lock()
	ho.log.hang = nil
	ho.log.mu.Unlock()
	close(release)
	if f := p.event(); f.Seq != 1 {
		t.Errorf("got %s", f.raw)
	}
}

func partOf(f frame, name string) core.Health {
	for _, h := range f.Health.Parts {
		if h.Part == name {
			return h
		}
	}
	return core.Health{}
}

// TestNotReady: before the log has been read once nobody can be told anything true.
func TestNotReady(t *testing.T) {
	ho := open(t, fast(), func(ho *house) { ho.log.away = true })
	p := ho.connect(commander)
	p.say(`{"type":"hello","client":"abcdefgh"}`)
	p.wantClosed(CloseGoingAway, "cannot be read now")
	ho.log.setAway(false)
	ho.ready()
	ho.join(commander, "p", "", 0)
}

// TestReplayAway: a replay that needs the source while it is away is not begun; one that stops half-way
// goes on after a reconnect.
func TestReplayAway(t *testing.T) {
	o := fast()
	o.RingEvents = 4
	ho := open(t, o, deaf, func(ho *house) {
		for range 3 * eventPage {
			ho.log.add("alert.issued", "3706")
		}
	}).ready()
	ho.log.setAway(true)
	p := ho.connect(commander)
	p.say(`{"type":"hello","client":"abcdefgh","epoch":"e1","last_seq":0}`)
	p.wantClosed(CloseGoingAway, "cannot be read now")
	// What is in memory needs no source.
	p = ho.join(commander, "p", "e1", 3*eventPage-2)
	if got := p.eventsTo(3 * eventPage); len(got) != 2 {
		t.Errorf("got %v", got)
	}
	ho.log.setAway(false)

	ho.log.setBroken(2 * eventPage)
	q := ho.join(commander, "q", "e1", 0)
	last := int64(0)
	for {
		f, err := q.read()
		if err != nil {
			break
		}
		if f.Type != typeEvent {
			continue
		}
		if f.Seq != last+1 {
			t.Fatalf("%d after %d", f.Seq, last)
		}
		last = f.Seq
	}
	if last != 2*eventPage {
		t.Errorf("it stopped after %d", last)
	}
	ho.log.setBroken(0)
	q = ho.join(commander, "q", "e1", last)
	if got := q.eventsTo(3 * eventPage); len(got) != int(3*eventPage-last) {
		t.Errorf("after %d came %d events", last, len(got))
	}
}

// TestRestored: the database comes back from a backup while clients are connected.
func TestRestored(t *testing.T) {
	for name, c := range map[string]struct {
		epoch string
		head  int64
	}{"another epoch": {"e2", 20}, "another epoch, fewer events": {"e2", 3}, "the same epoch, fewer events": {"e1", 3}} {
		t.Run(name, func(t *testing.T) {
			ho := open(t, fast(), func(ho *house) {
				for range 10 {
					ho.log.add("alert.issued", "3706")
				}
			}).ready()
			p := ho.join(commander, "p", "e1", 10)
			ho.log.restore(c.epoch, c.head)
			p.wantClosed(CloseResume, "restored")
			ho.ready()
			p = ho.join(commander, "p", "e1", 10)
			if p.welcome.Recovered || p.welcome.Epoch != c.epoch || p.welcome.Head != c.head {
				t.Errorf("welcome %s", p.welcome.raw)
			}
			ho.log.add("alert.issued", "3706")
			if f := p.event(); f.Seq != c.head+1 {
				t.Errorf("got %s", f.raw)
			}
		})
	}
}

// TestPrunedUnderTheTail: the hub was away for longer than the log keeps; nobody is shown a gap.
func TestPrunedUnderTheTail(t *testing.T) {
	ho := open(t, fast()).ready()
	p := ho.join(commander, "p", "e1", 0)
	ho.log.mu.Lock()
	ho.log.quiet, ho.log.away = true, true
	ho.log.mu.Unlock()
	for range 10 {
		ho.log.add("alert.issued", "3706")
	}
	ho.log.prune(6)
	ho.log.setAway(false)
	p.wantClosed(CloseResume, "pruned")
	ho.ready()
	if p := ho.join(commander, "p", "e1", 0); p.welcome.Recovered {
		t.Errorf("welcome %s", p.welcome.raw)
	}
	p = ho.join(commander, "q", "e1", 6)
	if got := p.eventsTo(10); !p.welcome.Recovered || len(got) != 4 {
		t.Errorf("welcome %s, then %v", p.welcome.raw, got)
	}
}

// TestPolls: a notification that never comes delays an event and does not lose it.
func TestPolls(t *testing.T) {
	ho := open(t, fast()).ready()
	p := ho.join(commander, "p", "e1", 0)
	ho.log.mu.Lock()
	ho.log.quiet = true
	ho.log.mu.Unlock()
	ho.log.add("alert.issued", "3706")
	if f := p.event(); f.Seq != 1 {
		t.Errorf("got %s", f.raw)
	}
}

// TestHealth: the parts' own words are in the heartbeat, at once when they turn; a function that hangs
// is told of.
func TestHealth(t *testing.T) {
	good := []core.Health{{Part: "database", OK: true}}
	var parts atomic.Pointer[[]core.Health] // nil: the function hangs until it is set
	parts.Store(&good)
	o := fast()
	o.Heartbeat = patience // only a change brings one
	ho := open(t, o, func(ho *house) {
		ho.parts.Health = func() []core.Health {
			for {
				if answer := parts.Load(); answer != nil {
					return *answer
				}
				time.Sleep(time.Millisecond)
			}
		}
	}).ready()
	p := ho.join(commander, "p", "e1", 0)
	p.await("good health", func(f frame) bool { return f.Health.OK && partOf(f, "database").OK && partOf(f, "push").OK })
	parts.Store(&[]core.Health{{Part: "database", OK: true}, {Part: "rules", Lag: 7, Detail: "behind"}})
	f := p.await("the rules' bad health", func(f frame) bool { return f.Type == typeBeat && partOf(f, "rules").Part != "" })
	if rules := partOf(f, "rules"); f.Health.OK || rules.OK || rules.Lag != 7 || rules.Detail != "behind" {
		t.Errorf("got %s", f.raw)
	}
	parts.Store(nil)
	f = p.await("a silent health function", func(f frame) bool { return f.Type == typeBeat && partOf(f, "health").Part != "" })
	if partOf(f, "health").OK || f.Health.OK || partOf(f, "rules").Part == "" {
		t.Errorf("got %s", f.raw)
	}
	parts.Store(&good)
	p.await("good health again", func(f frame) bool { return f.Health.OK })
}
