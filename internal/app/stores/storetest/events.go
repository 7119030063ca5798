package storetest

import (
	"context"
	"testing"
	"time"

	"onemap/internal/app/stores"
	"onemap/internal/core"
)

// Exec runs a statement.
func Exec(t testing.TB, db *stores.Stores, sql string, args ...any) {
	t.Helper()
	if _, err := db.Pool().Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// AppendEvent writes an event in its own transaction.
func AppendEvent(ctx context.Context, db *stores.Stores, kind string, divisions []string) error {
	_, err := db.Pool().Exec(ctx, `select append_event($1, $2, null, '1', '', '{}')`, kind, divisions)
	return err
}

// EventsAfter returns the events after a number, oldest first.
func EventsAfter(ctx context.Context, db *stores.Stores, after int64, limit int) ([]core.Event, error) {
	page, err := db.Log().EventsAfter(ctx, after, limit)
	return page.Events, err
}

// Eventually waits until so returns true. The test fails if this takes longer than three minutes.
func Eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for !so() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
