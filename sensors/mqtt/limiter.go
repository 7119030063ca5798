package mqtt

import (
	"container/list"
	"sync"
	"time"
)

// connLimiter caps the number of connections. A connection that has not authenticated is pending, and may stay so for
// the handshake's timeout. When the limiter is full, it evicts the oldest pending connection of the address that has
// most of them. It also evicts the oldest pending connection of an address that has too many slow ones. Devices behind one
// gateway that reconnect at the same moment are not slow.
type connLimiter struct {
	max   int           // connections
	slow  int           // pending connections of one address that may be older than grace
	grace time.Duration // half of the handshake's timeout

	mu      sync.Mutex
	all     map[*conn]struct{}
	pending map[string]*list.List // by host, oldest first
	closed  bool
	open    sync.WaitGroup
}

// newConnLimiter returns a limiter with the limits of the options. A connection is slow when it is pending for more
// than half of the handshake's timeout.
func newConnLimiter(o Options) *connLimiter {
	return &connLimiter{max: o.MaxClients, slow: o.MaxSlow, grace: o.HandshakeTimeout / 2, all: map[*conn]struct{}{}, pending: map[string]*list.List{}}
}

// add counts a new connection; it returns false if there is no room for it.
func (l *connLimiter) add(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	own := l.pending[c.host]
	switch {
	case l.closed:
		return false
	case len(l.all) >= l.max:
		if !l.makeRoom(c, own) {
			return false
		}
	case own != nil && own.Len() >= l.slow:
		l.evict(own, c.opened.Add(-l.grace))
	}
	if own = l.pending[c.host]; own == nil {
		own = list.New()
		l.pending[c.host] = own
	}
	c.place = own.PushBack(c)
	l.all[c] = struct{}{}
	l.open.Add(1)
	return true
}

// makeRoom evicts a pending connection for a new one.
func (l *connLimiter) makeRoom(c *conn, own *list.List) bool {
	most, at := 0, ""
	for host, pending := range l.pending {
		if pending.Len() > most {
			most, at = pending.Len(), host
		}
	}
	switch {
	case most == 0:
		return false
	// An address with few pending connections gets the place of the address with the most. Otherwise the new connection
	// may only replace a slow one of its own address.
	case own == nil || own.Len()+1 < most:
		return l.evict(l.pending[at], c.opened)
	}
	return l.evict(own, c.opened.Add(-l.grace))
}

// evictOne evicts a pending connection because file descriptors ran out.
func (l *connLimiter) evictOne(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.makeRoom(&conn{opened: now}, nil)
}

// evict closes the oldest connection of a list if it was opened before the time.
func (l *connLimiter) evict(pending *list.List, before time.Time) bool {
	oldest := pending.Front().Value.(*conn)
	if oldest.opened.After(before) {
		return false
	}
	l.removePending(oldest)
	oldest.evicted.Store(true)
	_ = oldest.raw.Close() // wakes its reader
	return true
}

// removePending takes a connection off the list of pending ones.
func (l *connLimiter) removePending(c *conn) {
	if c.place == nil {
		return
	}
	pending := l.pending[c.host]
	pending.Remove(c.place)
	c.place = nil
	if pending.Len() == 0 {
		delete(l.pending, c.host)
	}
}

// authenticated is called when a connection has authenticated.
func (l *connLimiter) authenticated(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removePending(c)
}

// remove is called once for each connection that was added.
func (l *connLimiter) remove(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removePending(c)
	delete(l.all, c)
	l.open.Done()
}

// close refuses all further connections.
func (l *connLimiter) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

// list returns the connections.
func (l *connLimiter) list() []*conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]*conn, 0, len(l.all))
	for c := range l.all {
		all = append(all, c)
	}
	return all
}
