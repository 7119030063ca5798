package push

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/fault"
	"onemap/internal/wait"
	"onemap/sensors"
)

var errAway = fault.New(fault.Unavailable, "the database is away")

// memLog is an event log in memory with the store's contract.
type memLog struct {
	mu       sync.Mutex
	epoch    string
	events   []core.Event
	head     int64
	pruned   int64 // everything up to it is gone
	prunedID string
	away     bool
	broken   int64         // from this seq on no rows can be read; 0: all can
	quiet    bool          // appends are not notified: readers must poll
	hang     chan struct{} // calls wait for it while it is set
	hangRows chan struct{} // the same for EventsAfter alone
	notified chan struct{} // closed and replaced with each append
}

// unfollowed is a follower that nobody runs.
func unfollowed() *eventlog.Follower {
	return eventlog.NewFollower(newMemLog(), nil, eventlog.FollowerOptions{}, nil, nil, nil)
}

func newMemLog() *memLog { return &memLog{epoch: "e1", notified: make(chan struct{})} }

func (l *memLog) enter(ctx context.Context) error {
	l.mu.Lock()
	hang, away := l.hang, l.away
	l.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if away {
		return errAway
	}
	return nil
}

func (l *memLog) Head(ctx context.Context) (string, core.Mark, error) {
	if err := l.enter(ctx); err != nil {
		return "", core.Mark{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epoch, core.Mark{Seq: l.head, ID: l.idAtLocked(l.head)}, nil
}

func (l *memLog) headSeq() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// idAt is what a client that has everything up to seq knows of it.
func (l *memLog) idAt(seq int64) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.idAtLocked(seq)
}

// idAtLocked is the id of the newest event at or before seq.
func (l *memLog) idAtLocked(seq int64) string {
	id := l.prunedID
	for _, e := range l.events {
		if e.Seq <= seq {
			id = e.ID
		}
	}
	return id
}

func (l *memLog) EventsAfter(ctx context.Context, after int64, limit int) (core.EventPage, error) {
	var none core.EventPage
	if err := l.enter(ctx); err != nil {
		return none, err
	}
	l.mu.Lock()
	hang, broken := l.hangRows, l.broken > 0 && after >= l.broken
	l.mu.Unlock()
	if broken {
		return none, errAway
	}
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return none, ctx.Err()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i, _ := slices.BinarySearchFunc(l.events, after+1, func(e core.Event, seq int64) int { return int(e.Seq - seq) })
	page := slices.Clone(l.events[i:min(i+limit, len(l.events))])
	return core.EventPage{
		Epoch: l.epoch, Head: core.Mark{Seq: l.head, ID: l.idAtLocked(l.head)}, Before: l.idAtLocked(after),
		Truncated: after < l.pruned, Events: page,
	}, nil
}

// Wait implements eventlog.Waker.
func (l *memLog) Wait(ctx context.Context) error {
	l.mu.Lock()
	wait := l.notified
	away := l.away
	l.mu.Unlock()
	if away {
		return errAway
	}
	select {
	case <-wait:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// add appends an event that is addressed to divisions.
func (l *memLog) add(kind string, divisions ...string) core.Event {
	return l.append(core.Event{Kind: kind, Divisions: divisions})
}

func (l *memLog) append(e core.Event) core.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.head++
	e.Seq, e.ID, e.At = l.head, uuid.NewString(), time.Now()
	if e.Payload == nil {
		e.Payload = json.RawMessage(fmt.Sprintf(`{"n":%d}`, e.Seq))
	}
	l.events = append(l.events, e)
	if !l.quiet {
		close(l.notified)
		l.notified = make(chan struct{})
	}
	return e
}

func (l *memLog) prune(upTo int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pruned, l.prunedID = upTo, l.idAtLocked(upTo)
	l.events = slices.DeleteFunc(l.events, func(e core.Event) bool { return e.Seq <= upTo })
}

// restore is what a backup does: another epoch, and only what it holds. A folder that is put back keeps the epoch.
func (l *memLog) restore(epoch string, head int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch = epoch
	l.events = slices.DeleteFunc(l.events, func(e core.Event) bool { return e.Seq > head })
	for l.head = min(l.head, head); l.head < head; {
		l.head++
		l.events = append(l.events, core.Event{Seq: l.head, ID: uuid.NewString(), At: time.Now(), Kind: "restored"})
	}
}

func (l *memLog) setAway(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
}

func (l *memLog) setBroken(from int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = from
}

func (l *memLog) visible(s core.Scope, after, upTo int64) []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var seqs []int64
	for _, e := range l.events {
		if e.Seq > after && e.Seq <= upTo && e.VisibleTo(s) {
			seqs = append(seqs, e.Seq)
		}
	}
	return seqs
}

// memBatches is the tail of committed batches in memory.
type memBatches struct {
	mu      sync.Mutex
	batches []sensors.Committed
	head    int64
	away    bool
}

func (b *memBatches) HeadBatch(context.Context) (core.Mark, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away {
		return core.Mark{}, errAway
	}
	return core.Mark{Seq: b.head, ID: b.idAtLocked(b.head)}, nil
}

func (b *memBatches) idAtLocked(seq int64) (id string) {
	for _, c := range b.batches {
		if c.Seq <= seq {
			id = c.ID
		}
	}
	return id
}

func (b *memBatches) BatchAt(_ context.Context, seq int64) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away {
		return "", errAway
	}
	return b.idAtLocked(seq), nil
}

func (b *memBatches) BatchesAfter(_ context.Context, after core.Mark, limit int) ([]sensors.Committed, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away {
		return nil, errAway
	}
	if id := b.idAtLocked(after.Seq); after.ID != "" && id != after.ID {
		return nil, sensors.ErrOtherLog
	}
	var page []sensors.Committed
	for _, c := range b.batches {
		if c.Seq > after.Seq && len(page) < limit {
			page = append(page, c)
		}
	}
	return page, nil
}

// startAt begins with a batch of that number.
func (b *memBatches) startAt(seq int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.head, b.batches = seq, []sensors.Committed{{Seq: seq, ID: uuid.NewString(), At: time.Now()}}
}

func (b *memBatches) idAt(seq int64) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.idAtLocked(seq)
}

func (b *memBatches) commit(obs []sensors.Observation, statuses ...sensors.Status) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.head++
	b.batches = append(b.batches, sensors.Committed{Seq: b.head, ID: uuid.NewString(), At: time.Now(), Observations: obs, Statuses: statuses})
	return b.head
}

// memClients keeps presence and receipts in memory.
type memClients struct {
	mu        sync.Mutex
	connected map[string]Client
	receipts  map[string]int64
	scopes    map[string]core.Scope
	away      bool
	seen      int
	changed   chan struct{}
}

func newMemClients() *memClients {
	return &memClients{
		connected: make(map[string]Client), receipts: make(map[string]int64), scopes: make(map[string]core.Scope),
		changed: make(chan struct{}, 1),
	}
}

func (m *memClients) do(f func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return errAway
	}
	f()
	wait.Wake(m.changed)
	return nil
}

func (m *memClients) ClientConnected(_ context.Context, c Client) error {
	return m.do(func() { m.connected[c.ID] = c })
}

func (m *memClients) ClientsSeen(_ context.Context, node string, ids []string, _ time.Time) error {
	return m.do(func() {
		m.seen++
		maps.DeleteFunc(m.connected, func(id string, c Client) bool { return c.Node == node && !slices.Contains(ids, id) })
	})
}

func (m *memClients) ClientGone(_ context.Context, node, id string) error {
	return m.do(func() {
		if m.connected[id].Node == node {
			delete(m.connected, id)
		}
	})
}

func (m *memClients) SaveReceipt(_ context.Context, c Client, s core.Scope, seq int64, _ time.Time) error {
	return m.do(func() {
		if seq < m.receipts[c.ID] {
			panic("a receipt went backwards")
		}
		m.receipts[c.ID], m.scopes[c.ID] = seq, s
	})
}

func (m *memClients) setAway(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
}

func (m *memClients) receipt(id string) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.receipts[id]
}

func (m *memClients) client(id string) (Client, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.connected[id]
	return c, ok
}

// places is a Directory: datastream n belongs to device d<n/10>.
type places map[string]string

func (p places) DeviceOf(ds int64) (string, bool) {
	device := fmt.Sprintf("d%d", ds/10)
	_, ok := p[device]
	return device, ok
}

func (p places) DivisionOf(device string) (string, bool) {
	division, ok := p[device]
	return division, ok
}

// people answers rechecks.
type people struct {
	mu       sync.Mutex
	sessions map[int64]core.Principal
	err      error
	asked    int
}

func (p *people) recheck(_ context.Context, id int64) (core.Principal, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if p.err != nil {
		return core.Principal{}, p.err
	}
	who, ok := p.sessions[id]
	if !ok {
		return core.Principal{}, fault.New(fault.Unauthenticated, "no such session")
	}
	return who, nil
}

func (p *people) set(f func(map[int64]core.Principal) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = f(p.sessions)
}
