// Package lifecycle stops the parts of a program in the reverse order of their start.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
)

// closer is one named clean-up.
type closer struct {
	name string
	stop func(context.Context) error
}

// Stack is a stack of clean-ups: the part that was started last is stopped first. After a failed set-up, Stop stops the parts
// that were started. A second Stop does nothing. Set Logger before the first Push.
type Stack struct {
	Logger *slog.Logger
	mu     sync.Mutex
	stack  []closer
}

// Push adds a clean-up.
func (l *Stack) Push(name string, stop func(context.Context) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stack = append(l.stack, closer{name, stop})
}

// pushWait adds a clean-up that cancels a goroutine and waits for it.
func (l *Stack) pushWait(name string, cancel context.CancelFunc, done <-chan struct{}) {
	l.Push(name, func(ctx context.Context) error {
		cancel()
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// Background runs f until the stack stops it.
func (l *Stack) Background(ctx context.Context, name string, f func(context.Context)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	l.pushWait(name, cancel, done)
}

// Stop runs the clean-ups in reverse order. It runs all of them, even if one fails, and returns their joined errors.
func (l *Stack) Stop(ctx context.Context) error {
	l.mu.Lock()
	stack := l.stack
	l.stack = nil
	l.mu.Unlock()
	var all []error
	for _, c := range slices.Backward(stack) {

		if err := c.stop(ctx); err != nil {
			l.Logger.ErrorContext(ctx, "stopping failed", "part", c.name, "error", err)
			all = append(all, fmt.Errorf("stop %s: %w", c.name, err))
			continue
		}
		l.Logger.DebugContext(ctx, "stopped", "part", c.name)
	}
	return errors.Join(all...)
}
