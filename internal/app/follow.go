package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"onemap/internal/core"
)

// eventFeed is the event log as this node follows it for its own memory.
type eventFeed interface {
	Head(ctx context.Context) (epoch string, head core.Mark, err error)
	EventsAfter(ctx context.Context, after int64, limit int) (core.EventPage, error)
	EventsNotified(ctx context.Context) error
}

// follower drops what this node holds in memory when the event log says that it has changed, on
// whichever node that was.
type follower struct {
	feed     eventFeed
	logger   *slog.Logger
	session  func(id int64)        // a session ended
	account  func(id int64)        // an account changed: all its sessions are asked anew
	forget   func()                // every session is asked anew
	registry func(context.Context) // devices or datastreams changed
	rules    func()                // rules or their targets changed

	epoch string
	last  core.Mark
}

const (
	followPoll  = time.Second
	followLimit = 500
)

// start notes where the log ends now; what is loaded after that is at least as new.
func (f *follower) start(ctx context.Context) error {
	var err error
	f.epoch, f.last, err = f.feed.Head(ctx)
	return err
}

// run follows the log until ctx ends, waking on the database's word and once a second.
func (f *follower) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := f.catchUp(ctx); err != nil && ctx.Err() == nil {
			f.logger.WarnContext(ctx, "following the event log", "error", err)
		}
		wait, cancel := context.WithTimeout(ctx, followPoll)
		err := f.feed.EventsNotified(wait)
		if err != nil && wait.Err() == nil {
			<-wait.Done() // the database is away: no busy loop
		}
		cancel()
	}
}

func (f *follower) catchUp(ctx context.Context) error {
	for {
		page, err := f.feed.EventsAfter(ctx, f.last.Seq, followLimit)
		if err != nil {
			return err
		}
		if page.Epoch != f.epoch || page.Truncated || page.Before != f.last.ID {
			// restored, or too far behind: nothing that is held can be trusted; what is read from now on is at least as new
			f.epoch, f.last = page.Epoch, page.Head
			f.everything(ctx)
			return nil
		}
		for _, e := range page.Events {
			f.apply(ctx, e)
			f.last = e.Mark()
		}
		if len(page.Events) < followLimit {
			return nil
		}
	}
}

func (f *follower) everything(ctx context.Context) {
	f.forget()
	f.registry(ctx)
	f.rules()
}

func (f *follower) apply(ctx context.Context, e core.Event) {
	switch e.Kind {
	case core.EventSessionRevoked, core.EventAccountChanged:
		var p struct {
			SessionID int64 `json:"session_id"`
			AccountID int64 `json:"account_id"`
		}
		if err := json.Unmarshal(e.Payload, &p); err != nil {
			f.logger.ErrorContext(ctx, "an event cannot be read", "seq", e.Seq, "kind", e.Kind, "error", err)
			f.forget()
			return
		}
		if p.SessionID != 0 {
			f.session(p.SessionID)
		} else {
			f.account(p.AccountID)
		}
	case core.EventRegistryChanged:
		f.registry(ctx)
		f.rules()
	case core.EventRuleChanged:
		f.rules()
	default:
	}
}
