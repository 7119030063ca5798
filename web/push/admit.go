package push

import (
	"context"

	"onemap/internal/core"
)

// admit answers a hello: it checks that the session still holds, decides whether the client can be
// brought up to date by a replay, and lets it in. The error is a *closing.
func (h *Hub) admit(ctx context.Context, c *client, hi hello) error {
	ctx, cancel := context.WithTimeout(ctx, h.o.CallTimeout)
	defer cancel()
	// The connection is known to the hub since before this check, so a session that ends from now on
	// closes it, and one that ended before is seen here.
	if err := h.sessions.check(ctx, c); err != nil {
		return err
	}
	c.id = hi.Client
	for ctx.Err() == nil { // again when the log was reset in between, until the call's time is over
		v := h.view()
		if v.epoch == "" {
			break
		}
		recovered := false
		if hi.Epoch == v.epoch {
			var err error
			if recovered, err = h.recoverable(ctx, v, hi.Last); err != nil {
				break
			}
			if hi.Batch, err = h.provenBatch(ctx, hi.Batch); err != nil {
				break
			}
		}
		if h.join(c, v.gen, hi, recovered) {
			h.roster.join(c, h.now())
			return nil
		}
	}
	return goingAway(causeNotReady, "the event log cannot be read now: try again in a moment")
}

// view is what the hub knows of the log at one moment.
type view struct {
	epoch       string
	gen         uint64
	floor, head core.Mark
}

func (h *Hub) view() view {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return view{h.events.epoch, h.events.gen, h.events.floor, h.events.head}
}

// recoverable reports whether this log has the client's past, up to the very event that it names, and everything
// after that is still there to be sent.
func (h *Hub) recoverable(ctx context.Context, v view, last core.Mark) (bool, error) {
	if v.head.Seq-last.Seq > int64(h.o.MaxReplay) {
		return false, nil
	}
	h.mu.RLock()
	id, ok := h.events.idAt(last.Seq)
	h.mu.RUnlock()
	if ok {
		return id == last.ID, nil
	}
	if last.Seq > v.head.Seq {
		h.parts.Follower.Wake() // a snapshot from another node can be a moment ahead of this one's tail: only the log knows
	}
	page, err := h.parts.Events.EventsAfter(ctx, last.Seq, 1)
	if err != nil {
		return false, err
	}
	return page.Epoch == v.epoch && !page.Truncated && page.Before == last.ID && last.Seq <= page.Head.Seq, nil
}

// provenBatch returns the batch that a client's state is of, nil when the log has another one in its place, or it is
// not known any more.
func (h *Hub) provenBatch(ctx context.Context, at *core.Mark) (*core.Mark, error) {
	if at == nil {
		return nil, nil
	}
	id, ok := h.live.idAt(at.Seq)
	if !ok {
		var err error
		if id, err = h.parts.Batches.BatchAt(ctx, at.Seq); err != nil {
			return nil, err
		}
	}
	if id == "" || id != at.ID {
		return nil, nil
	}
	return at, nil
}

// exists reports whether the log has given out a seq. When nobody can tell, it may have.
func (h *Hub) exists(ctx context.Context, seq int64) bool {
	v := h.view()
	if seq <= v.head.Seq {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, h.o.CallTimeout)
	defer cancel()
	h.parts.Follower.Wake()
	_, head, err := h.parts.Events.Head(ctx)
	return err != nil || seq <= head.Seq
}

// join makes the client a member of its scope's class, at its position in the log. It fails when
// the log is not the one that the decision was made for.
func (h *Hub) join(c *client, gen uint64, hi hello, recovered bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.events.gen != gen {
		return false
	}
	how := joinedFresh
	c.gen, c.position = gen, h.events.head
	if recovered {
		c.position, how = hi.Last, joinedLive
		if hi.Last.Seq < h.events.head.Seq {
			how = joinedRecovered
			c.replaying.Store(true)
		}
	}
	c.sent.Store(c.position.Seq)
	var continued bool
	c.stateAt, continued = h.live.resume(hi.Batch, recovered)
	c.tilesAt = h.tiles.position() // tiles that are fetched after the welcome are no older
	head := furthest(h.events.head, c.position)
	c.welcome = must(marshalMessage(typeWelcome, welcomeFrame{
		Type: typeWelcome, Epoch: h.events.epoch, Head: head.Seq, HeadID: head.ID,
		Recovered: recovered, State: continued, Time: h.now().UTC(),
	}))
	cl := h.classes[c.scope]
	if cl == nil {
		cl = &class{members: make(map[*client]struct{})}
		h.classes[c.scope] = cl
	}
	cl.members[c] = struct{}{}
	c.class = cl
	c.doneCount.Store(cl.count)
	c.doneBytes.Store(cl.bytes)
	h.metrics.joined[how].Inc()
	return true
}

// furthest returns the mark that is further on of the two.
func furthest(a, b core.Mark) core.Mark {
	if b.Seq > a.Seq {
		return b
	}
	return a
}
