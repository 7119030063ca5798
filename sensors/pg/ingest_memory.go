package sensorspg

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"onemap/internal/core"
	"onemap/sensors"
)

// placeCache caches the places of datastreams. Its zero value is empty and ready for use. An entry of a deleted datastream
// does no harm: the commit fails, because the table latest has a foreign key to datastream.
type placeCache struct {
	mu    sync.Mutex // serializes changes; readers do not need it
	known atomic.Pointer[map[int64]streamPlace]
}

// all returns the cached places; the map must not be changed.
func (c *placeCache) all() map[int64]streamPlace {
	if m := c.known.Load(); m != nil {
		return *m
	}
	return nil
}

// add caches more places. It copies the map, because readers use the old one without a lock.
func (c *placeCache) add(more map[int64]streamPlace) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := joined(c.all(), more)
	c.known.Store(&m)
}

// joined returns a new map with the entries of both.
func joined(a, b map[int64]streamPlace) map[int64]streamPlace {
	m := make(map[int64]streamPlace, len(a)+len(b))
	maps.Copy(m, a)
	maps.Copy(m, b)
	return m
}

// forget clears the cache.
func (c *placeCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.Store(nil)
}

// touchCache caches the last_seen that was last written to each device's row, so that the row is not written with every
// reading. Its zero value is empty and ready for use.
type touchCache struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

// due returns the devices whose row must be updated: those with a status, those not in the cache, and those whose cached
// last_seen is at least seenStep old.
func (c *touchCache) due(devices []touched) []touched {
	c.mu.Lock()
	defer c.mu.Unlock()
	var due []touched
	for _, d := range devices {
		if last, ok := c.seen[d.id]; d.statusAt != nil || !ok || d.seen != nil && d.seen.Sub(last) >= seenStep {
			due = append(due, d)
		}
	}
	return due
}

// forget clears the cache.
func (c *touchCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = nil
}

// record caches the last_seen of devices after a commit.
func (c *touchCache) record(devices []touched) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// a cleared cache costs only one more write of each row
	if c.seen == nil || len(c.seen) > 1<<20 {
		c.seen = make(map[string]time.Time)
	}
	for _, d := range devices {
		if d.seen != nil && d.seen.After(c.seen[d.id]) {
			c.seen[d.id] = *d.seen
		}
	}
}

// recentRows limits the size of the batches that a node keeps, in readings. Each batch counts as at least sixteen readings.
const recentRows = 100_000

// recentBatches keeps the batches that this node committed last, so that followers need not read them from the database. Two
// batches have consecutive numbers only if nothing was committed between them. So a reader that finds the next number here has
// missed nothing. The zero value is empty and ready for use.
type recentBatches struct {
	mu sync.Mutex
	// bySeq may have gaps, because other nodes commit batches too. oldest is at most the smallest kept number, and rows
	// is the sum of the weights.
	bySeq  map[int64]sensors.Committed
	oldest int64
	rows   int
}

// weight returns the size of a batch, in readings.
func weight(c sensors.Committed) int { return max(16, len(c.Observations)+len(c.Statuses)) }

// add adds a batch and removes the oldest ones above the limit, but never the batch itself.
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

// after returns at most limit batches that follow a mark without a gap. It returns none if the next batch is not kept, or if
// the kept batch with the mark's number has another id than the mark.
func (r *recentBatches) after(at core.Mark, limit int) []sensors.Committed {
	r.mu.Lock()
	defer r.mu.Unlock()
	if own, ok := r.bySeq[at.Seq]; ok && at.ID != "" && own.ID != at.ID {
		return nil
	}
	seq := at.Seq
	var list []sensors.Committed
	for len(list) < limit {
		// A missing number is a batch of another node, one that was evicted, or none yet; the caller asks the database.
		c, ok := r.bySeq[seq+1]
		if !ok {
			break
		}
		list = append(list, c)
		seq++
	}
	return list
}

// forget removes all batches: the database may be a different one, with different numbers.
func (r *recentBatches) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bySeq, r.rows = nil, 0
}
