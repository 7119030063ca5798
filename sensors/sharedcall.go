package sensors

import (
	"context"
	"sync"

	"onemap/internal/fault"
)

// sharedCall lets callers at the same time share one call. A caller never gets what came of a call that began before
// it asked. Its zero value is ready.
type sharedCall struct {
	mu      sync.Mutex
	running bool
	next    *pendingCall // of those who wait for the next call; nil: nobody does
}

// pendingCall is one call that callers wait for.
type pendingCall struct {
	done chan struct{}
	err  error // when done
}

// do waits for a call of f that begins after do. All callers must give the same f, which must end by itself. The
// error is fault.Unavailable when ctx ends first.
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
