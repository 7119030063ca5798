// Package wait contains two helpers for background loops: a pause that ends with its context, and a wake-up that never
// blocks.
package wait

import (
	"context"
	"time"
)

// For waits d, or until ctx ends. It reports whether the whole time has passed.
func For(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Wake puts a token into a channel of capacity one, so that its reader runs once more. It never blocks.
func Wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
