package lifecycle

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
)

func TestLifecycleStopsInReverseAndOnce(t *testing.T) {
	l := Stack{Logger: slog.New(slog.DiscardHandler)}
	var order []string
	boom := errors.New("boom")
	for _, name := range []string{"database", "broker", "web"} {
		l.Push(name, func(context.Context) error {
			order = append(order, name)
			if name == "broker" {
				return boom
			}
			return nil
		})
	}
	running := make(chan struct{})
	l.Background(t.Context(), "loop", func(ctx context.Context) { close(running); <-ctx.Done(); order = append(order, "loop") })
	<-running
	if err := l.Stop(t.Context()); !errors.Is(err, boom) {
		t.Errorf("stop: %v", err)
	}
	if want := []string{"loop", "web", "broker", "database"}; !slices.Equal(order, want) {
		t.Errorf("stopped in the order %v, want %v", order, want)
	}
	if err := l.Stop(t.Context()); err != nil || len(order) != 4 {
		t.Errorf("second stop: %v, %v", err, order)
	}
}

func TestLifecycleStopIsBounded(t *testing.T) {
	l := Stack{Logger: slog.New(slog.DiscardHandler)}
	block := make(chan struct{})
	l.Background(t.Context(), "stuck", func(context.Context) { <-block })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stop of a stuck part: %v", err)
	}
	close(block)
}
