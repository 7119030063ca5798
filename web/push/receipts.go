package push

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"onemap/internal/core"
)

// receipts saves the acknowledgements of the clients' machines. A newer receipt replaces the waiting one of the same
// client, so the number of waiting receipts is limited by the number of clients.
type receipts struct {
	hub *Hub

	mu      sync.Mutex
	waiting map[receiptKey]receipt
}

// receiptKey identifies a client. A client id belongs to a browser, which people with different accounts may use.
type receiptKey struct {
	client  string
	account int64
}

// receipt is the newest seq that a client has acknowledged. scope decides which alerts it is a receipt for.
type receipt struct {
	client Client
	scope  core.Scope
	seq    int64
	at     time.Time
}

// newReceipts returns an empty queue.
func newReceipts(h *Hub) *receipts {
	return &receipts{hub: h, waiting: make(map[receiptKey]receipt)}
}

// put queues a receipt. Above MaxReceipts it refuses and counts the receipt; nothing is lost, because the client's next
// receipt is cumulative.
func (r *receipts) put(c *client, seq int64) {
	if r.hub.parts.Clients == nil {
		return
	}
	rec := receipt{client: c.record(), scope: c.scope, seq: seq, at: r.hub.now()}
	if !r.merge(rec) {
		r.hub.metrics.receipts.WithLabelValues("refused").Inc()
	}
}

// merge queues a receipt unless a newer one of the client waits. It returns false if the queue is full.
func (r *receipts) merge(rec receipt) bool {
	key := receiptKey{rec.client.ID, rec.client.AccountID}
	r.mu.Lock()
	defer r.mu.Unlock()
	old, ok := r.waiting[key]
	if ok && old.seq >= rec.seq {
		return true
	}
	if !ok && len(r.waiting) >= r.hub.o.MaxReceipts {
		return false
	}
	r.waiting[key] = rec
	r.hub.metrics.waiting.Set(float64(len(r.waiting)))
	return true
}

// forget drops the waiting receipts, because their seqs belong to the previous log.
func (r *receipts) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.waiting)
	r.hub.metrics.waiting.Set(0)
}

// run saves the waiting receipts every SaveEvery.
func (r *receipts) run(ctx context.Context) {
	if r.hub.parts.Clients == nil {
		return
	}
	tick := time.NewTicker(r.hub.o.SaveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return // Hub.settle saves the rest after the clients have left
		case <-tick.C:
			r.save(ctx)
		}
	}
}

// saveWorkers is the number of receipts that are saved at the same time.
const saveWorkers = 4

// save writes all waiting receipts. A receipt that cannot be saved waits again.
func (r *receipts) save(ctx context.Context) {
	r.mu.Lock()
	batch := r.waiting
	if len(batch) == 0 {
		r.mu.Unlock()
		return
	}
	r.waiting = make(map[receiptKey]receipt)
	r.hub.metrics.waiting.Set(0)
	r.mu.Unlock()

	gen := r.hub.view().gen
	work := make(chan receipt)
	var workers sync.WaitGroup
	for range min(saveWorkers, len(batch)) {
		workers.Go(func() {
			for rec := range work {
				r.saveOne(ctx, gen, rec)
			}
		})
	}
	for _, rec := range batch {
		work <- rec
	}
	close(work)
	workers.Wait()
}

// saveOne saves one receipt. After an error it queues it again, unless the log was reset since gen was read.
func (r *receipts) saveOne(ctx context.Context, gen uint64, rec receipt) {
	callCtx, cancel := context.WithTimeout(ctx, r.hub.o.CallTimeout)
	defer cancel()
	err := r.hub.parts.Clients.SaveReceipt(callCtx, rec.client, rec.scope, rec.seq, rec.at)
	if err == nil {
		r.hub.metrics.receipts.WithLabelValues("saved").Inc()
		return
	}
	r.hub.metrics.receipts.WithLabelValues("failed").Inc()
	r.hub.log.DebugContext(ctx, "a receipt could not be saved yet", slog.String("client", rec.client.ID), slog.Any("error", err))
	if r.hub.view().gen == gen {
		r.merge(rec)
	}
}
