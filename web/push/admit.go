package push

import (
	"context"

	"onemap/internal/core"
)

// admit handles a hello: it checks that the session is still valid, decides whether a replay can bring the client up to
// date, and joins the client to its class. The error is a *closing.
func (h *Hub) admit(ctx context.Context, c *client, hi hello) error {
	ctx, cancel := context.WithTimeout(ctx, h.o.CallTimeout)
	defer cancel()
	// The connection was registered with the hub before this check. So a session that ends from now on closes the
	// connection, and this check finds a session that ended before.
	if err := h.sessions.check(ctx, c); err != nil {
		return err
	}
	c.id = hi.Client
	for ctx.Err() == nil { // repeat if the log was reset in between, until CallTimeout
		v := h.view()
		// The ring is empty until the follower has read the log. The client gets code 4101 and tries again.
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

// view is the state of the hub's ring at one moment.
type view struct {
	epoch       string
	gen         uint64
	floor, head core.Mark
}

// view returns the state of the ring. A reset of the log after it increases gen, and join then returns false.
func (h *Hub) view() view {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return view{h.events.epoch, h.events.gen, h.events.floor, h.events.head}
}

// recoverable reports whether a replay can bring the client up to date: this log contains the event that the client
// names, with the same id, everything after it can still be read, and the client is at most MaxReplay events behind.
func (h *Hub) recoverable(ctx context.Context, v view, last core.Mark) (bool, error) {
	if v.head.Seq-last.Seq > int64(h.o.MaxReplay) {
		return false, nil
	}
	h.mu.RLock()
	id, ok := h.events.idAt(last.Seq)
	h.mu.RUnlock()
	// A mark whose seq matches and whose id does not is one of another log, such as a restored copy.
	if ok {
		return id == last.ID, nil
	}
	if last.Seq > v.head.Seq {
		h.parts.Follower.Wake() // a snapshot from another node can be slightly ahead of this node: read the log itself
	}
	page, err := h.parts.Events.EventsAfter(ctx, last.Seq, 1)
	if err != nil {
		return false, err
	}
	// The contract "nothing is silently lost or stale" of docs/ARCHITECTURE.md: the replay must be complete. If one of
	// these conditions does not hold, the client takes a full snapshot.
	return page.Epoch == v.epoch && !page.Truncated && page.Before == last.ID && last.Seq <= page.Head.Seq, nil
}

// provenBatch returns the batch of a client's state after a check of its id. It returns nil if the client names none, if
// the log has a different batch at this seq, or if the batch is no longer known.
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
	// The client then receives everything that this node knows, and learns from the welcome that there is a gap.
	if id == "" || id != at.ID {
		return nil, nil
	}
	return at, nil
}

// exists reports whether the log has assigned a seq. If the log cannot be read, it returns true.
func (h *Hub) exists(ctx context.Context, seq int64) bool {
	v := h.view()
	if seq <= v.head.Seq {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, h.o.CallTimeout)
	defer cancel()
	h.parts.Follower.Wake()
	_, head, err := h.parts.Events.Head(ctx)
	// A client is not closed because the store is unavailable.
	return err != nil || seq <= head.Seq
}

// join adds the client to the class of its scope and sets its position in the log. It returns false if the log was reset
// since recovered was decided.
func (h *Hub) join(c *client, gen uint64, hi hello, recovered bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.events.gen != gen {
		return false
	}
	how := joinedFresh
	// Without a replay, the client takes a snapshot, which is at least as new as the head of this moment.
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
	c.tilesAt = h.tiles.position() // tiles that the client fetches after the welcome are at least this new
	// The position of the client may be ahead of the ring of this node, because another node served its snapshot.
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
	// The counters begin at those of the class, so that pace counts only the events that are published from now on.
	c.doneCount.Store(cl.count)
	c.doneBytes.Store(cl.bytes)
	h.metrics.joined[how].Inc()
	return true
}

// furthest returns the mark with the greater seq.
func furthest(a, b core.Mark) core.Mark {
	if b.Seq > a.Seq {
		return b
	}
	return a
}
