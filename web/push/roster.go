package push

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"onemap/internal/core"
	"onemap/internal/wait"
)

// roster keeps the list of connected clients. It writes the list to the store, where every node reads it, and builds
// the clients frame for city-wide scopes.
type roster struct {
	mu      sync.Mutex
	present map[string]*presence // by client id
	changed chan struct{}

	recorded map[string]Client // the clients in the store; used only by the keepRoster goroutine
	told     clientsFrame      // the last frame; used only by the keepRoster goroutine
	others   []Present         // clients of other nodes, as last read from the store; used only by the keepRoster goroutine
	latest   atomic.Pointer[rosterFrame]
}

// presence is the state of one client id. Two tabs may share an id, and a new connection may arrive before the hub
// notices that the old one is dead; refs counts the connections.
type presence struct {
	client Client
	who    core.Principal
	place  alertPlace // the place of the open alert
	refs   int
}

// rosterFrame is a clients frame; its version increases with each change of the counts.
type rosterFrame struct {
	version uint64
	msg     *message
}

// newRoster returns a roster without clients.
func newRoster() *roster {
	r := &roster{
		present: make(map[string]*presence), changed: make(chan struct{}, 1), recorded: make(map[string]Client),
	}
	r.latest.Store(&rosterFrame{})
	return r
}

// record returns the client as it is stored.
func (c *client) record() Client {
	return Client{
		ID: c.id, Node: c.hub.o.Node, AccountID: c.who.AccountID, Division: c.who.Division, ConnectedAt: c.since,
	}
}

// join adds a connection of a client.
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
	status := p.client.Status // keep the status of another tab with the same id; this tab sends its own later
	p.client, p.who = c.record(), c.who
	p.client.Status = status
	wait.Wake(r.changed)
}

// leave removes a connection; the client is gone when its last connection is.
func (r *roster) leave(c *client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.present[c.id]
	if p == nil {
		return
	}
	if p.refs--; p.refs <= 0 {
		delete(r.present, c.id)
		wait.Wake(r.changed)
	}
}

// news returns the clients frame, or nil if the client may not see it or already has it.
func (r *roster) news(c *client) *message {
	f := r.latest.Load()
	if f.version == c.rosterSeen || !c.scope.Covers("") {
		return nil
	}
	c.rosterSeen = f.version
	return f.msg
}

// here returns the clients of this node.
func (r *roster) here() (clients map[string]Client, present []Present) {
	r.mu.Lock()
	defer r.mu.Unlock()
	clients = make(map[string]Client, len(r.present))
	for id, p := range r.present {
		clients[id] = p.client
		present = append(present, Present{
			Client: p.client, Login: p.who.Login, Name: p.who.Name, Role: p.who.Role,
			AlertDivision: p.place.division, AlertDivisions: p.place.divisions,
		})
	}
	return clients, present
}

// keepRoster updates the store and the clients frame after each change and at every heartbeat.
func (h *Hub) keepRoster(ctx context.Context) {
	tick := time.NewTicker(h.o.Heartbeat)
	defer tick.Stop()
	for beat := true; ; {
		clients, present := h.roster.here()
		h.announce(h.withOthers(present))
		if err := h.recordPresence(ctx, clients, beat); err != nil && ctx.Err() == nil {
			h.log.WarnContext(ctx, "could not record who is connected", slog.Any("error", err))
		}
		if h.parts.Present != nil {
			h.readPresent(ctx, present)
		}
		beat = false
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			beat = true
		case <-h.roster.changed:
			wait.For(ctx, h.o.Coalesce)
		}
	}
}

// recordPresence writes the changed clients to the store. If beat is true it also updates the last-seen time of all
// clients. It stops at the first error; the next call writes what is missing.
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

// readPresent reads the clients of the other nodes from the store. If the store is unavailable, the last result
// stays in use.
func (h *Hub) readPresent(ctx context.Context, here []Present) {
	ctx, cancel := context.WithTimeout(ctx, h.o.CallTimeout)
	defer cancel()
	all, err := h.parts.Present(ctx)
	if err != nil {
		h.log.DebugContext(ctx, "could not ask who is connected", slog.Any("error", err))
		return
	}
	h.roster.others = h.roster.others[:0]
	for _, p := range all {
		if p.Node != h.o.Node {
			h.roster.others = append(h.roster.others, p)
		}
	}
	h.announce(h.withOthers(here))
}

// withOthers returns the clients of this node and, as last read from the store, of the other nodes. A client that
// moved here from another node is listed once.
func (h *Hub) withOthers(here []Present) []Present {
	ids := make(map[string]bool, len(here))
	for _, p := range here {
		ids[p.ID] = true
	}
	all := slices.Clone(here)
	for _, p := range h.roster.others {
		if !ids[p.ID] {
			all = append(all, p)
		}
	}
	return all
}

// responders counts, by division, the connected responders and the responders with an armed alarm sound. A person
// with two machines counts once.
func responders(present []Present) clientsFrame {
	f := clientsFrame{Type: typeClients, Divisions: map[string]int{}, Armed: map[string]int{}}
	counted, armed := map[int64]bool{}, map[int64]bool{}
	for _, p := range present {
		if !slices.Contains(core.RespondingRoles(), p.Role) {
			continue
		}
		if !counted[p.AccountID] {
			counted[p.AccountID] = true
			f.Divisions[p.Division]++
		}
		if p.Status.Sound == SoundArmed && !armed[p.AccountID] {
			armed[p.AccountID] = true
			f.Armed[p.Division]++
		}
	}
	return f
}

// announce builds the clients frame if the counts have changed and updates the viewers if the open alerts have
// changed. It then wakes the clients that may see these frames.
func (h *Hub) announce(present []Present) {
	r, f := h.roster, responders(present)
	old := r.latest.Load()
	counts := old.version == 0 || !maps.Equal(f.Divisions, r.told.Divisions) || !maps.Equal(f.Armed, r.told.Armed)
	if counts {
		r.told = f
		r.latest.Store(&rosterFrame{version: old.version + 1, msg: must(marshalMessage(typeClients, f))})
	}
	open := h.viewers.take(present)
	if !counts && !open {
		return
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for scope, cl := range h.classes {
		if !open && !scope.Covers("") {
			continue
		}
		for c := range cl.members {
			c.wake()
		}
	}
}
