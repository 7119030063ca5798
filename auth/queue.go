package auth

import (
	"context"
	"slices"
	"sync"
	"time"

	"onemap/internal/fault"
)

// busyAfter is the RetryAfter of an attempt that is refused because a queue is full.
const busyAfter = 2 * time.Second

func errBusy() error {
	e := fault.NewCoded(fault.TooMany, "", CodeLoginBusy, int(busyAfter.Seconds()))
	e.RetryAfter = busyAfter
	return e
}

// loginQueue limits how many attempts run at the same time and how many wait. Each caller has its own queue. The callers
// are served in rotation, alternating between familiar callers and strangers, so that a thousand attempts from one
// address delay an attempt from another address by one turn only. When the limit of waiting attempts is reached, the
// last attempt of the longest queue is refused in favor of a caller with a shorter queue.
type loginQueue struct {
	limit int // largest number of waiting attempts

	mu      sync.Mutex
	free    int
	waiting int
	lines   [2]line // 0: strangers, 1: familiar callers
	next    int     // index of the line that is served next
}

// line holds the queues of several callers. The callers are served in rotation.
type line struct {
	order  []string // callers with a queue, in the order of service
	queues map[string][]*waiter
}

type waiter struct{ done chan error } // receives nil when the turn begins, or the error of the refusal

func newLoginQueue(atOnce, limit int) *loginQueue {
	t := &loginQueue{limit: limit, free: atOnce}
	for i := range t.lines {
		t.lines[i].queues = map[string][]*waiter{}
	}
	return t
}

// enter waits for a turn; call leave to end the turn. It returns fault.TooMany with RetryAfter if too many attempts wait,
// and ctx's cause if ctx ends first.
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
			t.leave() // the turn began at the moment when ctx ended
		}
		return context.Cause(ctx)
	}
}

// queue adds an attempt of who to its queue. It returns nil if the turn of the attempt begins at once.
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

// leave ends a turn and begins the turn of the next waiting attempt.
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

// sendAway makes room for one more attempt of who and reports whether it could. It refuses the last attempt of the
// longest queue of a line if that queue is longer than who's queue would become. For a familiar caller it always refuses
// the last attempt of the longest queue of strangers, if there is one.
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

// withdraw removes a waiter from its queue. It returns false if the waiter is no longer in the queue.
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

// longest returns the caller with the most waiting attempts, and their number.
func (l *line) longest() (who string, n int) {
	for w, q := range l.queues {
		if len(q) > n {
			who, n = w, len(q)
		}
	}
	return who, n
}

// remove removes the i-th attempt from who's queue, and the caller if its queue is then empty.
func (l *line) remove(who string, i int) {
	q := slices.Delete(l.queues[who], i, i+1)
	if len(q) > 0 {
		l.queues[who] = q
		return
	}
	delete(l.queues, who)
	l.order = slices.DeleteFunc(l.order, func(w string) bool { return w == who })
}
