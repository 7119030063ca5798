package mqtt

import (
	"container/list"
	"sync"
	"time"
)

// gate bounds the connections, and gives the room that strangers hold to whoever needs it. One that
// has not said who it is may stay for the handshake's time while there is room. When there is none,
// the address with the most of them gives its oldest; and an address gives its oldest, too, when it
// has many that are slow. A gateway behind which every device comes back at once is not slow.
type gate struct {
	max   int           // connections
	slow  int           // of one address that may be undecided for longer than grace
	grace time.Duration // half of the handshake's time

	mu        sync.Mutex
	all       map[*conn]struct{}
	undecided map[string]*list.List // by host, oldest first
	closed    bool
	empty     sync.WaitGroup
}

func newGate(o Options) *gate {
	return &gate{max: o.MaxClients, slow: o.MaxSlow, grace: o.HandshakeTimeout / 2, all: map[*conn]struct{}{}, undecided: map[string]*list.List{}}
}

// enter lets the connection in, or reports that there is no room.
func (g *gate) enter(c *conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	own := g.undecided[c.host]
	switch {
	case g.closed:
		return false
	case len(g.all) >= g.max:
		if !g.makeRoom(c, own) {
			return false
		}
	case own != nil && own.Len() >= g.slow:
		g.evict(own, c.opened.Add(-g.grace))
	}
	if own = g.undecided[c.host]; own == nil {
		own = list.New()
		g.undecided[c.host] = own
	}
	c.place = own.PushBack(c)
	g.all[c] = struct{}{}
	g.empty.Add(1)
	return true
}

// makeRoom ends a stranger for the sake of a newcomer.
func (g *gate) makeRoom(c *conn, own *list.List) bool {
	most, at := 0, ""
	for host, l := range g.undecided {
		if l.Len() > most {
			most, at = l.Len(), host
		}
	}
	switch {
	case most == 0:
		return false
	case own == nil || own.Len()+1 < most:
		return g.evict(g.undecided[at], c.opened)
	}
	return g.evict(own, c.opened.Add(-g.grace))
}

// giveOne ends a stranger because something else ran out.
func (g *gate) giveOne(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.makeRoom(&conn{opened: now}, nil)
}

// evict ends the oldest of a list when it came before the time.
func (g *gate) evict(l *list.List, before time.Time) bool {
	oldest := l.Front().Value.(*conn)
	if oldest.opened.After(before) {
		return false
	}
	g.forget(oldest)
	oldest.evicted.Store(true)
	_ = oldest.raw.Close() // wakes who reads it
	return true
}

// forget takes a connection from the undecided ones.
func (g *gate) forget(c *conn) {
	if c.place == nil {
		return
	}
	l := g.undecided[c.host]
	l.Remove(c.place)
	c.place = nil
	if l.Len() == 0 {
		delete(g.undecided, c.host)
	}
}

// decided is called when a connection has said who it is.
func (g *gate) decided(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forget(c)
}

// leave is called once for each that entered.
func (g *gate) leave(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forget(c)
	delete(g.all, c)
	g.empty.Done()
}

// shut lets nobody in any more.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// inside lists the connections.
func (g *gate) inside() []*conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]*conn, 0, len(g.all))
	for c := range g.all {
		list = append(list, c)
	}
	return list
}
