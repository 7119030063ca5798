package app

import (
	"context"
	"time"

	"onemap/internal/fault"
)

// The shortest and the longest pause between two attempts while the database is unavailable.
const (
	shortestWait = 250 * time.Millisecond
	longestWait  = 10 * time.Second
)

// absence records since when the database has been unavailable. The zero value means that it is available.
type absence struct {
	since time.Time
	pause time.Duration
}

// await pauses before the next attempt. The pause doubles each time, up to longestWait. It returns fault.Unavailable with
// the cause why if the database has been unavailable for longer than Wait, why itself if Wait is 0, and ctx's error if ctx
// ends first.
func (f *backfilling) await(ctx context.Context, w *absence, why error) error {
	if f.o.Wait <= 0 {
		return why
	}
	line := f.report.State.Position.Line
	if w.since.IsZero() {
		*w = absence{time.Now(), shortestWait}
		if f.o.Waiting != nil {
			f.o.Waiting(why, line)
		}
	}
	left := f.o.Wait - time.Since(w.since)
	if left <= 0 {
		return fault.Wrap(fault.Unavailable, why, "the database has been away for %s; the same command goes on behind line %d", f.o.Wait, line)
	}
	timer := time.NewTimer(min(w.pause, left))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	w.pause = min(2*w.pause, longestWait)
	return nil
}
