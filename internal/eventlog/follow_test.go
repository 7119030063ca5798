package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"onemap/internal/core"
	"onemap/internal/eventlog"
)

// history is a log in memory that a test can restore and prune.
type history struct {
	mu     sync.Mutex
	epoch  string
	events []core.Event
	pruned core.Mark
	away   bool
	reads  int
}

func (h *history) add(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for range n {
		seq := h.headLocked().Seq + 1
		h.events = append(h.events, core.Event{Seq: seq, ID: fmt.Sprintf("%s/%d", h.epoch, seq), Kind: "test", Payload: []byte(`{}`)})
	}
}

func (h *history) headLocked() core.Mark { return h.beforeLocked(1 << 60) }

func (h *history) beforeLocked(seq int64) core.Mark {
	at := h.pruned
	for _, e := range h.events {
		if e.Seq <= seq {
			at = e.Mark()
		}
	}
	return at
}

func (h *history) set(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

func (h *history) Head(context.Context) (string, core.Mark, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away {
		return "", core.Mark{}, errors.New("away")
	}
	return h.epoch, h.headLocked(), nil
}

func (h *history) EventsAfter(_ context.Context, after int64, limit int) (core.EventPage, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reads++
	if h.away {
		return core.EventPage{}, errors.New("away")
	}
	p := core.EventPage{Epoch: h.epoch, Head: h.headLocked(), Before: h.beforeLocked(after).ID, Truncated: after < h.pruned.Seq}
	for _, e := range h.events {
		if e.Seq > after && len(p.Events) < limit {
			p.Events = append(p.Events, e)
		}
	}
	return p, nil
}

// heard is a subscriber that records its calls.
type heard struct {
	mu    sync.Mutex
	said  []string
	fails int // so many times Begin fails
}

func (h *heard) Begin(_ context.Context, at eventlog.Position, why eventlog.Cause) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fails > 0 {
		h.fails--
		return errors.New("not now")
	}
	h.said = append(h.said, fmt.Sprintf("begin %d at %s", why, at.Mark.ID))
	return nil
}

func (h *heard) Receive(_ context.Context, events []core.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range events {
		h.said = append(h.said, e.ID)
	}
}

func (h *heard) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	said := h.said
	h.said = nil
	return said
}

// follow runs a follower with two subscribers in a synctest bubble, with fake time.
func follow(t *testing.T, h *history, o eventlog.FollowerOptions, test func(f *eventlog.Follower, one, two *heard)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := eventlog.NewFollower(h, nil, o, nil, nil, nil)
		var one, two heard
		f.Subscribe("one", &one)
		f.Subscribe("two", &two)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { f.Run(ctx) })
		synctest.Wait()
		test(f, &one, &two)
		cancel()
		running.Wait()
	})
}

func wantSaid(t *testing.T, what string, one, two *heard, want ...string) {
	t.Helper()
	synctest.Wait()
	for i, h := range []*heard{one, two} {
		if got := h.take(); !slices.Equal(got, want) {
			t.Errorf("%s: subscriber %d was told %q, want %q", what, i+1, got, want)
		}
	}
}

func TestEverySubscriberIsToldEveryEvent(t *testing.T) {
	h := &history{epoch: "a"}
	h.add(3)
	follow(t, h, eventlog.FollowerOptions{Page: 2}, func(f *eventlog.Follower, one, two *heard) {
		wantSaid(t, "at the start", one, two, "begin 0 at a/3")
		h.add(5) // more than two pages
		f.Wake()
		wantSaid(t, "woken", one, two, "a/4", "a/5", "a/6", "a/7", "a/8")
		h.add(1)
		wantSaid(t, "before the poll", one, two)
		time.Sleep(time.Second)
		wantSaid(t, "after the poll", one, two, "a/9")
	})
}

func TestALogThatDoesNotContinue(t *testing.T) {
	for name, c := range map[string]struct {
		change func(h *history)
		want   []string
	}{
		"another epoch": {func(h *history) { h.epoch, h.events = "b", nil }, []string{"begin 1 at ", "b/1"}},
		"put back":      {func(h *history) { h.events[2].ID, h.events[3].ID = "x", "y" }, []string{"begin 1 at y", "a/5"}},
		"fewer events":  {func(h *history) { h.events = h.events[:2] }, []string{"begin 1 at a/2", "a/3"}},
		"pruned": {func(h *history) {
			h.events = append(h.events[4:], core.Event{Seq: 6, ID: "a/6"}, core.Event{Seq: 7, ID: "a/7"})
			h.pruned = core.Mark{Seq: 5, ID: "a/5"}
		}, []string{"begin 2 at a/7", "a/8"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := &history{epoch: "a"}
			h.add(4)
			follow(t, h, eventlog.FollowerOptions{}, func(f *eventlog.Follower, one, two *heard) {
				wantSaid(t, "at the start", one, two, "begin 0 at a/4")
				h.set(func() { c.change(h) })
				f.Wake()
				synctest.Wait()
				h.add(1)
				f.Wake()
				wantSaid(t, "then", one, two, c.want...)
			})
		})
	}
}

// TestASubscriberThatCannotBegin: no subscriber receives an event until all have begun, at the position that is current then.
func TestASubscriberThatCannotBegin(t *testing.T) {
	h := &history{epoch: "a"}
	h.add(1)
	follow(t, h, eventlog.FollowerOptions{}, func(f *eventlog.Follower, one, two *heard) {
		wantSaid(t, "at the start", one, two, "begin 0 at a/1")
		two.fails = 2
		h.set(func() { h.epoch, h.events = "b", nil })
		h.add(3)
		f.Wake()
		synctest.Wait()
		if said := two.take(); len(said) > 0 {
			t.Errorf("told %q", said)
		}
		h.set(func() { h.epoch, h.events = "c", nil }) // restored once more while it failed
		h.add(2)
		time.Sleep(10 * time.Second)
		h.add(1)
		f.Wake()
		synctest.Wait()
		if said := two.take(); !slices.Equal(said, []string{"begin 1 at c/2", "c/3"}) {
			t.Errorf("the second was told %q", said)
		}
		if said := one.take(); said[len(said)-1] != "c/3" || said[len(said)-2] != "begin 1 at c/2" {
			t.Errorf("the first was told %q", said)
		}
	})
}

func TestALogThatCannotBeRead(t *testing.T) {
	h := &history{epoch: "a", away: true}
	follow(t, h, eventlog.FollowerOptions{}, func(f *eventlog.Follower, one, two *heard) {
		time.Sleep(2 * time.Second)
		if _, late := f.Late(); late {
			t.Error("late within the grace")
		}
		h.set(func() { h.reads = 0 })
		for range 1000 {
			f.Wake()
		}
		time.Sleep(2 * time.Second)
		if age, late := f.Late(); !late || age != 4*time.Second {
			t.Errorf("age %v, late %v", age, late)
		}
		wantSaid(t, "while it is away", one, two)
		h.set(func() { h.away = false })
		time.Sleep(2 * time.Second)
		wantSaid(t, "when it is back", one, two, "begin 0 at ")
		if age, late := f.Late(); late {
			t.Errorf("late when it is back, age %v", age)
		}
	})
}

func TestHandlers(t *testing.T) {
	var began, unreadable int
	var got []int64
	h := eventlog.NewHandlers(func(context.Context) error { began++; return nil }, nil)
	h.OnUnreadable = func(context.Context, core.Event) { unreadable++ }
	eventlog.On(h, "number", func(_ context.Context, n int64) { got = append(got, n) })
	if err := h.Begin(t.Context(), eventlog.Position{}, eventlog.Started); err != nil {
		t.Fatal(err)
	}
	h.Receive(t.Context(), []core.Event{
		{Kind: "number", Payload: []byte(`7`)}, {Kind: "other", Payload: []byte(`8`)}, {Kind: "number", Payload: []byte(`"x"`)}, {Kind: "number", Payload: []byte(`9`)},
	})
	if began != 1 || unreadable != 1 || !slices.Equal(got, []int64{7, 9}) {
		t.Errorf("began %d, unreadable %d, %v", began, unreadable, got)
	}
}
