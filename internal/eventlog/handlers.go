package eventlog

import (
	"context"
	"encoding/json"
	"log/slog"

	"onemap/internal/core"
)

// Handlers is a subscriber that calls one function for each kind of event, with the payload decoded into that kind's
// type. Events of other kinds are ignored.
type Handlers struct {
	// OnBegin is called at the start and when events are missing. All state derived from events may then be out of date.
	OnBegin func(ctx context.Context) error
	// OnUnreadable is called for an event whose payload does not match its kind. It may be nil.
	OnUnreadable func(ctx context.Context, e core.Event)

	log   *slog.Logger
	kinds map[string]func(ctx context.Context, e core.Event) error
}

// NewHandlers returns a subscriber without functions; add them with On. A nil logger discards messages.
func NewHandlers(onBegin func(ctx context.Context) error, log *slog.Logger) *Handlers {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Handlers{OnBegin: onBegin, log: log, kinds: map[string]func(context.Context, core.Event) error{}}
}

// On adds the function for a kind of event whose payload is T.
func On[T any](h *Handlers, kind string, f func(ctx context.Context, payload T)) {
	h.kinds[kind] = func(ctx context.Context, e core.Event) error {
		var payload T
		if err := json.Unmarshal(e.Payload, &payload); err != nil {
			return err
		}
		f(ctx, payload)
		return nil
	}
}

// Begin implements Subscriber.
func (h *Handlers) Begin(ctx context.Context, _ Position, _ Cause) error { return h.OnBegin(ctx) }

// Receive implements Subscriber.
func (h *Handlers) Receive(ctx context.Context, events []core.Event) {
	for _, e := range events {
		handle := h.kinds[e.Kind]
		if handle == nil {
			continue
		}
		if err := handle(ctx, e); err != nil {
			h.log.ErrorContext(ctx, "an event cannot be read", "seq", e.Seq, "kind", e.Kind, "error", err)
			if h.OnUnreadable != nil {
				h.OnUnreadable(ctx, e)
			}
		}
	}
}
