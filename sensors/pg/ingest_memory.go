package sensorspg

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"onemap/internal/core"
	"onemap/sensors"
)

// placeCache remembers the places of datastreams. Its zero value is empty and ready. What it says of a
// datastream that was deleted is found out by the commit: latest refers to the datastream.
type placeCache struct {
	mu    sync.Mutex // held to change it
	known atomic.Pointer[map[int64]streamPlace]
}

// all is what is known; it must not be changed.
func (c *placeCache) all() map[int64]streamPlace {
	if m := c.known.Load(); m != nil {
		return *m
	}
	return nil
}

// add remembers more places.
func (c *placeCache) add(more map[int64]streamPlace) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := joined(c.all(), more)
	c.known.Store(&m)
}

func joined(a, b map[int64]streamPlace) map[int64]streamPlace {
	m := make(map[int64]streamPlace, len(a)+len(b))
	maps.Copy(m, a)
	maps.Copy(m, b)
	return m
}

func (c *placeCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.Store(nil)
}

// touchCache remembers when each device's row was last told that it published, so that it is not asked
// about with every reading. Its zero value is empty and ready.
type touchCache struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

// due leaves out the devices whose row need not be told.
func (c *touchCache) due(devices []touched) []touched {
	c.mu.Lock()
	defer c.mu.Unlock()
	var due []touched
	for _, d := range devices {
		if told, ok := c.seen[d.id]; d.statusAt != nil || !ok || d.seen != nil && d.seen.Sub(told) >= seenStep {
			due = append(due, d)
		}
	}
	return due
}

func (c *touchCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = nil
}

// note takes over what was committed.
func (c *touchCache) note(devices []touched) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil || len(c.seen) > 1<<20 {
		c.seen = make(map[string]time.Time)
	}
	for _, d := range devices {
		if d.seen != nil && d.seen.After(c.seen[d.id]) {
			c.seen[d.id] = *d.seen
		}
	}
}

// recentRows bounds the batches that a node keeps, in readings; one counts at least sixteen.
const recentRows = 100_000

// recentBatches are the batches that this node committed last, so that those who follow them need not
// read them back. A number follows another without a gap only if nothing was committed between them,
// so a reader that finds the next number here has missed nothing. Its zero value is empty and ready.
type recentBatches struct {
	mu     sync.Mutex
	bySeq  map[int64]sensors.Committed
	oldest int64
	rows   int
}

func weight(c sensors.Committed) int { return max(16, len(c.Observations)+len(c.Statuses)) }

func (r *recentBatches) add(c sensors.Committed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bySeq == nil {
		r.bySeq, r.oldest = make(map[int64]sensors.Committed), c.Seq
	}
	r.oldest = min(r.oldest, c.Seq)
	r.bySeq[c.Seq] = c
	for r.rows += weight(c); r.rows > recentRows && len(r.bySeq) > 1; r.oldest++ {
		if old, ok := r.bySeq[r.oldest]; ok {
			r.rows -= weight(old)
			delete(r.bySeq, r.oldest)
		}
	}
}

// after returns the batches that follow a mark without a gap, at most limit; none when the next one is
// not here, or the one of the mark is another than here.
func (r *recentBatches) after(at core.Mark, limit int) []sensors.Committed {
	r.mu.Lock()
	defer r.mu.Unlock()
	if own, ok := r.bySeq[at.Seq]; ok && at.ID != "" && own.ID != at.ID {
		return nil
	}
	seq := at.Seq
	var list []sensors.Committed
	for len(list) < limit {
		c, ok := r.bySeq[seq+1]
		if !ok {
			break
		}
		list = append(list, c)
		seq++
	}
	return list
}

// forget empties it: the database may be another one, with numbers of its own.
func (r *recentBatches) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bySeq, r.rows = nil, 0
}
