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

// roster keeps who is connected: in the store for every node to see, and as the clients frame for
// city-wide scopes.
type roster struct {
	mu      sync.Mutex
	present map[string]*presence // by client id
	changed chan struct{}

	recorded map[string]Client // what the store knows; the roster's goroutine alone
	told     clientsFrame      // the last frame; likewise
	others   []Present         // at other nodes, by the store's last word; likewise
	latest   atomic.Pointer[rosterFrame]
}

// presence is one client id. Two tabs may share it, and a new connection may come before the old
// one is known to be dead.
type presence struct {
	client Client
	who    core.Principal
	place  alertPlace // of the alert that is open
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
	status := p.client.Status // of another tab with the same id; this one says its own
	p.client, p.who = c.record(), c.who
	p.client.Status = status
	wait.Wake(r.changed)
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
		wait.Wake(r.changed)
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

// here lists the clients of this node.
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

// keepRoster brings the store and the clients frame up to date: after each change, and every
// heartbeat.
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

// askPresent asks the store who is connected to the other nodes. While it cannot be asked, what it said last
// stands.
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

// withOthers is who is connected: here, and by the store's last word at other nodes. A client that has come here
// from another node counts once.
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

// responders counts the responders by division, and those at whose machine an alarm sounds. A person with two
// machines counts once.
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

// announce makes the clients frame when the counts have changed, and the viewers frames when who has which alert
// open has, and wakes those who may see them.
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
