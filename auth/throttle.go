package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"onemap/internal/fault"
)

// LoginKey is a hash of what failures are counted under, or of a device or an address that logs in. What was typed is
// not kept.
type LoginKey [16]byte

// loginKey is the key of the parts; only the last may hold a NUL.
func loginKey(parts ...string) LoginKey {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return LoginKey(sum[:len(LoginKey{})])
}

// accountKey is what everybody's failures on a user name are counted under.
func accountKey(user string) LoginKey { return loginKey("account", user) }

// Failures is how many logins have failed under a key, as of a time. It falls from then on.
type Failures struct {
	Count float64
	At    time.Time
}

// NoteSlack is how far the times of attempts that are noted together may lie apart. The store does not set a row's
// time back by less; by more, the clock has gone back.
const NoteSlack = time.Minute

// laterThan reports whether the store has written a row of the same key after other.
func (f Failures) laterThan(other Failures) bool {
	ahead := f.At.Sub(other.At)
	return ahead > 0 && ahead <= NoteSlack || ahead == 0 && f.Count > other.Count
}

// limit is how logins are slowed that fail under one key.
type limit struct {
	free   int           // failures without a wait
	first  time.Duration // the first wait; each further failure doubles it
	most   time.Duration // the longest wait
	forget time.Duration // one failure is forgotten in each of these
}

// wait is the wait after so many failures.
func (l limit) wait(failures int) time.Duration {
	if failures < l.free {
		return 0
	}
	d := l.first
	for range failures - l.free {
		if d *= 2; d >= l.most {
			break
		}
	}
	return min(d, l.most)
}

// highest is the count beyond which nothing is added: with it the wait is the longest.
func (l limit) highest() float64 {
	n := l.free
	for l.wait(n) < l.most {
		n++
	}
	return float64(n)
}

// left is how many of the failures still count. A time in the future is one of now.
func (l limit) left(f Failures, now time.Time) float64 {
	return max(0, f.Count-float64(max(0, now.Sub(f.At)))/float64(l.forget))
}

// hold is a key under which an attempt is judged and counted.
type hold struct {
	key   LoginKey
	limit limit
}

// maxKeys bounds a throttle's memory. When it is full the oldest half is forgotten here: the store still has it.
const maxKeys = 100_000

// throttle decides which attempts may be compared. An attempt counts when it has failed; until then it takes one of
// the key's free failures, and who finds none left waits for the outcome of those under way. So a burst of guesses is
// slowed as a row of them is, and right passwords that arrive together are all let in.
type throttle struct {
	mu   sync.Mutex
	seen map[LoginKey]*counted
	seq  uint64 // grows with every change made here
}

// counted is what a throttle knows of a key.
type counted struct {
	Failures
	stored  Failures      // the row that was last read from the store or written to it
	changed uint64        // the throttle's seq at the last change made here
	pending int           // attempts under way
	queued  int           // attempts that wait for those
	freed   chan struct{} // closed when one of those ends; nil while nobody waits
}

func newThrottle() *throttle { return &throttle{seen: map[LoginKey]*counted{}} }

// begin lets an attempt in under all of its keys: each successful begin needs an end. It returns fault.TooMany with
// RetryAfter when one of them has to wait for its failures, and ctx's cause when others' attempts do not end in time.
func (t *throttle) begin(ctx context.Context, holds []hold, now func() time.Time) error {
	for {
		at, err := t.enter(holds, now())
		if err != nil || at == nil {
			return err
		}
		select {
		case <-at.freed:
			t.unqueue(at)
		case <-ctx.Done():
			t.unqueue(at)
			return context.Cause(ctx)
		}
	}
}

// place is where an attempt waits: a key without room, and what is closed when that may have changed.
type place struct {
	key   *counted
	freed chan struct{}
}

// enter takes room under all keys, refuses, or names the place to wait at.
func (t *throttle) enter(holds []hold, now time.Time) (*place, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.makeRoom(now)
	var wait time.Duration
	var full *counted
	for _, h := range holds {
		c := t.of(h.key)
		if c.At.After(now) {
			c.At = now // the clock went back: the wait is no longer than it was
		}
		failures := int(math.Ceil(h.limit.left(c.Failures, now) - 1e-6))
		wait = max(wait, h.limit.wait(failures)-now.Sub(c.At))
		if c.pending >= max(1, h.limit.free-failures) {
			full = c
		}
	}
	switch {
	case wait > 0:
		return nil, slowed(wait)
	case full == nil:
		for _, h := range holds {
			t.seen[h.key].pending++
		}
		return nil, nil
	}
	if full.freed == nil {
		full.freed = make(chan struct{})
	}
	full.queued++
	return &place{full, full.freed}, nil
}

func (t *throttle) unqueue(p *place) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p.key.queued--
}

// end gives the room back that begin took.
func (t *throttle) end(holds []hold) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range holds {
		c := t.seen[h.key]
		c.pending--
		if c.freed != nil {
			close(c.freed)
			c.freed = nil
		}
	}
}

// fail counts a failure under each key. rows is what the store has written for them; without it the count is this
// process's alone. Of attempts that fail together the row that was written last may come first: it counts them all.
func (t *throttle) fail(holds []hold, rows []Failures, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.makeRoom(now)
	t.seq++
	for i, h := range holds {
		c := t.of(h.key)
		switch {
		case i >= len(rows):
			c.Count = min(h.limit.left(c.Failures, now)+1, h.limit.highest())
		case !c.stored.laterThan(rows[i]):
			c.Count, c.stored = rows[i].Count, rows[i]
		}
		c.At, c.changed = now, t.seq
	}
}

// clear forgets the failures of a key.
func (t *throttle) clear(key LoginKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seq++
	if c := t.seen[key]; c != nil {
		c.Failures, c.stored, c.changed = Failures{}, Failures{}, t.seq
	}
}

// stamp is what take needs of the moment before the store is read.
func (t *throttle) stamp() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seq
}

// take believes the store's rows of the keys, which were read after the stamp: other nodes, and this one before its
// restart, have counted there. A row that is known already, or older than a change made here, changes nothing. A time
// in the future, of a clock that was ahead, becomes now, once: nobody waits for it.
func (t *throttle) take(keys []LoginKey, rows map[LoginKey]Failures, stamp uint64, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.makeRoom(now)
	for _, key := range keys {
		row, there := rows[key]
		if !there && t.seen[key] == nil {
			continue
		}
		c := t.of(key)
		if c.changed > stamp || (c.stored.Count == row.Count && c.stored.At.Equal(row.At)) {
			continue
		}
		c.Failures, c.stored = row, row
		if c.At.After(now) {
			c.At = now
		}
	}
}

// of is what is known of a key, made when there is nothing.
func (t *throttle) of(key LoginKey) *counted {
	c := t.seen[key]
	if c == nil {
		c = &counted{}
		t.seen[key] = c
	}
	return c
}

// makeRoom drops the older half of what nobody is in, when the memory is full.
func (t *throttle) makeRoom(now time.Time) {
	if len(t.seen) < maxKeys {
		return
	}
	ages := make([]time.Duration, 0, len(t.seen))
	for _, c := range t.seen {
		ages = append(ages, now.Sub(c.At))
	}
	slices.Sort(ages)
	median := ages[len(ages)/2]
	for key, c := range t.seen {
		if now.Sub(c.At) >= median && c.pending == 0 && c.queued == 0 {
			delete(t.seen, key)
		}
	}
}

func slowed(wait time.Duration) error {
	e := fault.NewCoded(fault.TooMany, "", CodeLoginSlowed, int(math.Ceil(wait.Seconds())))
	e.RetryAfter = wait
	return e
}

// isSlowed reports whether err is throttle.begin's refusal.
func isSlowed(err error) bool {
	e, ok := errors.AsType[*fault.Error](err)
	return ok && e.Message.Code == CodeLoginSlowed.Name()
}
