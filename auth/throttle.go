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

// LoginKey is a hash of an account, a device or an address under which failed logins are counted. The typed text itself
// is not kept.
type LoginKey [16]byte

// loginKey returns the key of the parts. Only the last part may contain a NUL, because NUL is the separator.
func loginKey(parts ...string) LoginKey {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return LoginKey(sum[:len(LoginKey{})])
}

// accountKey returns the key under which all failures for a user name are counted.
func accountKey(user string) LoginKey { return loginKey("account", user) }

// Failures is the number of failed logins under a key at a time. The number decreases from then on.
type Failures struct {
	Count float64
	At    time.Time
}

// NoteSlack is the largest time difference between attempts that are recorded together. The store does not set a row's
// time back by less than this. A larger difference means that the clock has gone back.
const NoteSlack = time.Minute

// laterThan reports whether the store has written a row of the same key after other.
func (f Failures) laterThan(other Failures) bool {
	ahead := f.At.Sub(other.At)
	return ahead > 0 && ahead <= NoteSlack || ahead == 0 && f.Count > other.Count
}

// limit defines how failed logins under one key delay the next login.
type limit struct {
	free   int           // number of failures without a wait
	first  time.Duration // the first wait; each further failure doubles it
	most   time.Duration // the longest wait
	forget time.Duration // one failure is forgotten per this period
}

// wait returns the wait after a number of failures: first * 2^(failures-free), at most most.
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

// highest returns the largest useful count: the smallest one that causes the longest wait. Counts do not exceed it.
func (l limit) highest() float64 {
	n := l.free
	for l.wait(n) < l.most {
		n++
	}
	return float64(n)
}

// left returns how many of the failures still count: Count - (now - At) / forget, at least 0. A time in the future is
// treated as now.
func (l limit) left(f Failures, now time.Time) float64 {
	return max(0, f.Count-float64(max(0, now.Sub(f.At)))/float64(l.forget))
}

// hold is a key under which an attempt is limited and counted, with its limit.
type hold struct {
	key   LoginKey
	limit limit
}

// maxKeys is the largest number of keys in memory. Above it the older half is evicted; the store still has these rows.
const maxKeys = 100_000

// throttle decides which attempts may have their password compared. An attempt counts only after it has failed. While it
// is pending it occupies one of the key's free failures. An attempt that finds no free failure waits for the result of
// the pending ones. So simultaneous guesses are delayed like successive ones, and correct passwords that arrive together
// are all accepted.
type throttle struct {
	mu   sync.Mutex
	seen map[LoginKey]*counted
	seq  uint64 // increases with every change made by this process
}

// counted is the state of one key.
type counted struct {
	Failures
	stored  Failures      // the row that was last read from the store or written to it
	changed uint64        // the throttle's seq at the last change made by this process
	pending int           // attempts in progress
	queued  int           // attempts that wait for a pending one
	freed   chan struct{} // closed when a pending attempt ends; nil while no attempt waits
}

func newThrottle() *throttle { return &throttle{seen: map[LoginKey]*counted{}} }

// begin admits an attempt under all of its keys. Each successful begin needs an end. It returns fault.TooMany with
// RetryAfter if the failures of a key require a wait, and ctx's cause if the pending attempts do not end in time.
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

// place is what a queued attempt waits for: a key without a free failure, and the channel that is closed when an attempt
// under this key ends.
type place struct {
	key   *counted
	freed chan struct{}
}

// enter marks the attempt as pending under all keys and returns nil. It returns the place to wait at if a key has no
// free failure, and fault.TooMany if the failures of a key require a wait.
func (t *throttle) enter(holds []hold, now time.Time) (*place, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.makeRoom(now)
	var wait time.Duration
	var full *counted
	for _, h := range holds {
		c := t.of(h.key)
		if c.At.After(now) {
			c.At = now // the clock went back; this keeps the wait from growing
		}
		// A failure that is only partly forgotten counts in full. The 1e-6 absorbs rounding errors, so that a whole
		// number does not round up.
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

// end ends an attempt that begin has admitted and wakes the attempts that wait for it.
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

// fail counts a failure under each key. rows are the rows that the store has written for the keys; without them only
// this process counts the failure. When attempts fail at the same time, the row that was written last may arrive first;
// it includes all of them, so an older row does not replace it.
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

// clear resets the failures of a key.
func (t *throttle) clear(key LoginKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seq++
	if c := t.seen[key]; c != nil {
		c.Failures, c.stored, c.changed = Failures{}, Failures{}, t.seq
	}
}

// stamp returns the current seq. Call it before the read of the store and pass it to take.
func (t *throttle) stamp() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seq
}

// take merges the store's rows of the keys, which were read after the stamp. They contain the counts of other nodes and
// of this node before its restart. A row that is already known, or that is older than a change of this process, is
// ignored. A time in the future comes from a clock that was ahead; it is replaced with now once, so that it adds no wait.
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

// of returns the state of a key and creates it if there is none. The caller holds the lock.
func (t *throttle) of(key LoginKey) *counted {
	c := t.seen[key]
	if c == nil {
		c = &counted{}
		t.seen[key] = c
	}
	return c
}

// makeRoom evicts the older half of the keys if the memory is full. Keys with pending or queued attempts stay. The caller
// holds the lock.
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

// isSlowed reports whether err is the fault.TooMany of throttle.begin.
func isSlowed(err error) bool {
	e, ok := errors.AsType[*fault.Error](err)
	return ok && e.Message.Code == CodeLoginSlowed.Name()
}
