package auth

import (
	"context"
	"slices"
	"sync"
	"time"

	"onemap/internal/fault"
)

// busyAfter is what those are told to wait who find no place in a queue.
const busyAfter = 2 * time.Second

func errBusy() error {
	e := fault.NewCoded(fault.TooMany, "", CodeLoginBusy, int(busyAfter.Seconds()))
	e.RetryAfter = busyAfter
	return e
}

// turns lets so many work at once and bounds how many wait. Those who wait are served by turns of where they come
// from, a familiar one and a stranger in turn: a thousand attempts of one address hold another's up by one. When
// no more may wait, the last of the longest queue is sent away for who has fewer there.
type loginQueue struct {
	limit int // of those who wait

	mu      sync.Mutex
	free    int
	waiting int
	lines   [2]line // of strangers and of familiar callers
	next    int     // which of them is served next
}

// line is the queues of callers, served one after the other.
type line struct {
	order  []string // callers with a queue
	queues map[string][]*waiter
}

type waiter struct{ done chan error } // nil: it is its turn

func newLoginQueue(atOnce, limit int) *loginQueue {
	t := &loginQueue{limit: limit, free: atOnce}
	for i := range t.lines {
		t.lines[i].queues = map[string][]*waiter{}
	}
	return t
}

// enter waits for a turn, which leave ends. It returns fault.TooMany with RetryAfter when too many wait, and ctx's cause
// when ctx ends first.
func (t *loginQueue) enter(ctx context.Context, who string, familiar bool) error {
	w := t.queue(who, familiar)
	if w == nil {
		return nil
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		if !t.withdraw(who, familiar, w) && <-w.done == nil {
			t.leave() // its turn had come at the same moment
		}
		return context.Cause(ctx)
	}
}

// queue returns nil when it is who's turn at once.
func (t *loginQueue) queue(who string, familiar bool) *waiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free > 0 {
		t.free--
		return nil
	}
	w := &waiter{make(chan error, 1)}
	if t.waiting >= t.limit && !t.sendAway(who, familiar) {
		w.done <- errBusy()
		return w
	}
	t.waiting++
	l := t.lineOf(familiar)
	if len(l.queues[who]) == 0 {
		l.order = append(l.order, who)
	}
	l.queues[who] = append(l.queues[who], w)
	return w
}

// leave ends a turn: the next one's begins.
func (t *loginQueue) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting == 0 {
		t.free++
		return
	}
	l := &t.lines[t.next]
	if len(l.order) == 0 {
		l = &t.lines[1-t.next]
	} else {
		t.next = 1 - t.next
	}
	who := l.order[0]
	w := l.queues[who][0]
	l.order = append(l.order[1:], who)
	l.remove(who, 0)
	t.waiting--
	w.done <- nil
}

// sendAway makes room for one more of who: the last of the longest queue goes, if that stays no shorter than who's
// becomes; for a familiar caller a stranger always does.
func (t *loginQueue) sendAway(who string, familiar bool) bool {
	own := len(t.lineOf(familiar).queues[who]) + 1
	for i := range t.lines {
		longest, n := t.lines[i].longest()
		if n > own || (familiar && i == 0 && n > 0) {
			w := t.lines[i].queues[longest][n-1]
			t.lines[i].remove(longest, n-1)
			t.waiting--
			w.done <- errBusy()
			return true
		}
	}
	return false
}

// withdraw takes a waiter out of its queue; false when it has left it already.
func (t *loginQueue) withdraw(who string, familiar bool, w *waiter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lineOf(familiar)
	i := slices.Index(l.queues[who], w)
	if i < 0 {
		return false
	}
	l.remove(who, i)
	t.waiting--
	return true
}

func (t *loginQueue) lineOf(familiar bool) *line {
	if familiar {
		return &t.lines[1]
	}
	return &t.lines[0]
}

// longest is the caller with the most waiting, and how many.
func (l *line) longest() (who string, n int) {
	for w, q := range l.queues {
		if len(q) > n {
			who, n = w, len(q)
		}
	}
	return who, n
}

// remove takes the i-th of who's queue out.
func (l *line) remove(who string, i int) {
	q := slices.Delete(l.queues[who], i, i+1)
	if len(q) > 0 {
		l.queues[who] = q
		return
	}
	delete(l.queues, who)
	l.order = slices.DeleteFunc(l.order, func(w string) bool { return w == who })
}
