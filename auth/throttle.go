package auth

import (
	"sync"
	"time"

	"onemap/internal/errs"
)

// forgetAfter is how long a failure counts.
const forgetAfter = time.Hour

// maxKeys bounds a throttle's memory. When it is full the oldest half is forgotten: to be forgotten
// an attacker must bring 100,000 other names or addresses, each of which is slowed by the other
// throttle.
const maxKeys = 100_000

// throttle makes who fails often wait, twice as long after each further failure.
type throttle struct {
	free  int // failures without a wait
	first time.Duration
	most  time.Duration

	mu   sync.Mutex
	seen map[string]*attempts
}

type attempts struct {
	failures int
	last     time.Time
}

func newThrottle(free int, first, most time.Duration) *throttle {
	return &throttle{free: free, first: first, most: most, seen: map[string]*attempts{}}
}

// delay is the wait after so many failures.
func (t *throttle) delay(failures int) time.Duration {
	if failures < t.free {
		return 0
	}
	d := t.first
	for range failures - t.free {
		if d *= 2; d >= t.most {
			return t.most
		}
	}
	return min(d, t.most)
}

// check refuses with errs.TooMany when the last of so many failures is too recent.
func (t *throttle) check(failures int, last *time.Time, now time.Time) error {
	if last == nil || now.Sub(*last) > forgetAfter {
		return nil
	}
	// A failure that another node's clock puts into the future is one of just now.
	elapsed := max(now.Sub(*last), 0)
	if wait := t.delay(failures) - elapsed; wait > 0 {
		return &errs.Error{Kind: errs.TooMany, Msg: "too many failed logins; wait before the next", RetryAfter: wait}
	}
	return nil
}

// begin counts an attempt as failed, until clear or undo, or refuses it.
func (t *throttle) begin(key string, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.seen[key]
	if a == nil || now.Sub(a.last) > forgetAfter {
		t.makeRoom(now)
		a = &attempts{}
		t.seen[key] = a
	}
	if err := t.check(a.failures, &a.last, now); err != nil {
		return err
	}
	a.failures++
	a.last = now
	return nil
}

// undo takes one begin back.
func (t *throttle) undo(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.seen[key]; a != nil && a.failures > 0 {
		a.failures--
	}
}

// clear forgets the key's failures.
func (t *throttle) clear(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.seen, key)
}

// makeRoom drops what no longer counts, then the older half, when the memory is full.
func (t *throttle) makeRoom(now time.Time) {
	for limit := forgetAfter; len(t.seen) >= maxKeys; limit /= 2 {
		if limit == 0 { // the clock went back: nothing is old
			clear(t.seen)
		}
		for key, a := range t.seen {
			if now.Sub(a.last) >= limit {
				delete(t.seen, key)
			}
		}
	}
}
