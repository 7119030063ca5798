package sensors

import (
	"context"
	"sync"

	"onemap/internal/fault"
)

// sharedCall lets concurrent callers share one call. A caller never gets the result of a call that began before its own call of
// do. The zero value is ready for use.
type sharedCall struct {
	mu      sync.Mutex
	running bool
	next    *pendingCall // the call that has not begun yet; nil: no caller waits for one
}

// pendingCall is one call that callers wait for.
type pendingCall struct {
	done chan struct{}
	err  error // valid when done is closed
}

// do waits for a call of f that begins after do was called, and returns its result. All callers must pass the same f, and f must
// end by itself. do returns fault.Unavailable if ctx ends first.
func (t *sharedCall) do(ctx context.Context, f func() error) error {
	t.mu.Lock()
	if t.next == nil {
		t.next = &pendingCall{done: make(chan struct{})}
		if !t.running {
			t.running = true
			go t.run(f)
		}
	}
	mine := t.next
	t.mu.Unlock()
	select {
	case <-mine.done:
		return mine.err
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, ctx.Err(), "gave up waiting for the database")
	}
}

func (t *sharedCall) run(f func() error) {
	for {
		t.mu.Lock()
		now := t.next
		t.next = nil
		t.running = now != nil
		t.mu.Unlock()
		if now == nil {
			return
		}
		now.err = f()
		close(now.done)
	}
}
