package push

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"onemap/internal/core"
)

// roster keeps who is connected: in the store for every node to see, and as the clients frame for
// city-wide scopes.
type roster struct {
	mu      sync.Mutex
	present map[string]*presence // by client id
	changed chan struct{}

	recorded map[string]Client // what the store knows; the roster's goroutine alone
	counts   map[string]int    // of the last frame; likewise
	latest   atomic.Pointer[rosterFrame]
}

// presence is one client id. Two tabs may share it, and a new connection may come before the old
// one is known to be dead.
type presence struct {
	client Client
	role   core.Role
	refs   int
}

type rosterFrame struct {
	version uint64
	msg     *message
}

func newRoster() *roster {
	r := &roster{
		present: make(map[string]*presence), changed: make(chan struct{}, 1), recorded: make(map[string]Client),
	}
	r.latest.Store(&rosterFrame{})
	return r
}

// record is the client as the store keeps it.
func (c *client) record() Client {
	return Client{
		ID: c.id, Node: c.hub.o.Node, AccountID: c.who.AccountID, Division: c.who.Division, ConnectedAt: c.since,
	}
}

func (r *roster) join(c *client, now time.Time) {
	c.since = now
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.present[c.id]
	if p == nil {
		p = &presence{}
		r.present[c.id] = p
	}
	p.refs++
	p.client, p.role = c.record(), c.who.Role
	nudge(r.changed)
}

func (r *roster) leave(c *client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.present[c.id]
	if p == nil {
		return
	}
	if p.refs--; p.refs <= 0 {
		delete(r.present, c.id)
		nudge(r.changed)
	}
}

// news is the clients frame when the client may see it and has not had it.
func (r *roster) news(c *client) *message {
	f := r.latest.Load()
	if f.version == c.rosterSeen || !c.scope.Covers("") {
		return nil
	}
	c.rosterSeen = f.version
	return f.msg
}

// here lists the clients of this node, and counts its responders by division.
func (r *roster) here() (clients map[string]Client, responders map[string]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	clients, responders = make(map[string]Client, len(r.present)), make(map[string]int)
	for id, p := range r.present {
		clients[id] = p.client
		if p.role == core.RoleResponder {
			responders[p.client.Division]++
		}
	}
	return clients, responders
}

// keepRoster brings the store and the clients frame up to date: after each change, and every
// heartbeat.
func (h *Hub) keepRoster(ctx context.Context) {
	tick := time.NewTicker(h.o.Heartbeat)
	defer tick.Stop()
	for beat := true; ; {
		clients, responders := h.roster.here()
		if h.parts.Responders == nil {
			h.announce(responders)
		}
		if err := h.recordPresence(ctx, clients, beat); err != nil && ctx.Err() == nil {
			h.log.WarnContext(ctx, "could not record who is connected", slog.Any("error", err))
		}
		if h.parts.Responders != nil {
			h.askResponders(ctx)
		}
		beat = false
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			beat = true
		case <-h.roster.changed:
			pause(ctx, h.o.Coalesce)
		}
	}
}

// recordPresence tells the store what has changed, and with each beat that the others are alive. It
// stops at the first failure; what was not told is told next time.
func (h *Hub) recordPresence(ctx context.Context, clients map[string]Client, beat bool) error {
	store, r := h.parts.Clients, h.roster
	if store == nil {
		return nil
	}
	call := func(f func(context.Context) error) error {
		callCtx, cancel := context.WithTimeout(ctx, h.o.CallTimeout)
		defer cancel()
		return f(callCtx)
	}
	for id, c := range clients {
		if r.recorded[id] == c {
			continue
		}
		if err := call(func(ctx context.Context) error { return store.ClientConnected(ctx, c) }); err != nil {
			return err
		}
		r.recorded[id] = c
	}
	for id := range r.recorded {
		if _, here := clients[id]; here {
			continue
		}
		if err := call(func(ctx context.Context) error { return store.ClientGone(ctx, h.o.Node, id) }); err != nil {
			return err
		}
		delete(r.recorded, id)
	}
	if !beat {
		return nil
	}
	ids := make([]string, 0, len(clients))
	for id := range clients {
		ids = append(ids, id)
	}
	return call(func(ctx context.Context) error { return store.ClientsSeen(ctx, h.o.Node, ids, h.now()) })
}

func (h *Hub) askResponders(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, h.o.CallTimeout)
	defer cancel()
	counts, err := h.parts.Responders(ctx)
	if err != nil {
		h.log.DebugContext(ctx, "could not count the responders", slog.Any("error", err))
		return
	}
	h.announce(counts)
}

// announce makes the clients frame when the counts have changed and wakes those who may see it.
func (h *Hub) announce(counts map[string]int) {
	r := h.roster
	old := r.latest.Load()
	if old.version > 0 && maps.Equal(counts, r.counts) {
		return
	}
	r.counts = counts
	msg := must(marshalMessage(typeClients, clientsFrame{Type: typeClients, Divisions: counts}))
	r.latest.Store(&rosterFrame{version: old.version + 1, msg: msg})
	h.mu.RLock()
	defer h.mu.RUnlock()
	for scope, cl := range h.classes {
		if !scope.Covers("") {
			continue
		}
		for c := range cl.members {
			c.wake()
		}
	}
}
