package remote

import (
	"errors"
	"sync"
	"time"

	"onemap/internal/wait"
)

// slot is one publish between its receipt and its acknowledgement.
type slot struct {
	topic    string
	payload  []byte
	size     int // memory of the publish, bytes: payload, topic and overhead
	qos      byte
	retained bool
	dup      bool   // the broker may have delivered it before
	id       uint16 // packet id
	received time.Time
	stored   bool // guarded by the window
	dropped  bool // dropped by a cut; guarded by the window
}

// needsAck reports whether the broker waits for an acknowledgement.
func (s *slot) needsAck() bool { return s.qos > 0 }

// window holds the publishes that a connection has received and not acknowledged. Acknowledgements must be sent in the order
// of receipt (MQTT 3.1.1, [MQTT-4.6.0-2] and [MQTT-4.6.0-3]), but the ingest path stores publishes of different devices in
// any order. So only the stored publishes at the beginning of the window are acknowledged.
//
// The window is limited. A cut ends it: when a publish exceeds the limit, that publish and all later ones are dropped; when a
// publish could not be stored, it and all later ones are dropped. Dropped publishes are never acknowledged on this
// connection. The broker still has them and sends them again over the next connection.
type window struct {
	maxItems, maxBytes int

	mu           sync.Mutex
	slots        []*slot // in the order of receipt; the first is the oldest unacknowledged one
	next         int     // index in slots of the first that was not taken
	bytes        int
	cut          error   // reason of the cut, after which nothing more is kept; nil: no cut
	droppedTaken []*slot // taken, and then dropped by a cut

	came    chan struct{} // signals that a publish can be taken, or a cut
	settled chan struct{} // signals that a publish may be acknowledged, or a cut
}

// newWindow returns an empty window. The channels have a capacity of one, so that a signal is kept and never blocks its
// sender.
func newWindow(maxItems, maxBytes int) *window {
	return &window{maxItems: maxItems, maxBytes: maxBytes, came: make(chan struct{}, 1), settled: make(chan struct{}, 1)}
}

// put adds a publish. If there is no room, it returns false, and the window is cut with the reason full. A publish of QoS 0
// does not cut the window; only that publish is lost.
func (w *window) put(s *slot, full error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut != nil {
		return false
	}
	// A publish larger than maxBytes is accepted if the window is empty. Otherwise it could never pass.
	if len(w.slots) >= w.maxItems || (len(w.slots) > 0 && w.bytes+s.size > w.maxBytes) {
		if s.needsAck() {
			w.cut = full
			wait.Wake(w.settled)
		}
		return false
	}
	w.slots = append(w.slots, s)
	w.bytes += s.size
	wait.Wake(w.came)
	return true
}

// take returns the oldest publish that was not taken. It returns false if there is none.
func (w *window) take() (*slot, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next == len(w.slots) {
		return nil, false
	}
	s := w.slots[w.next]
	w.next++
	return s, true
}

// errDropped is the error of a publish after one that was not stored. The broker sends both again, in their order.
var errDropped = errors.New("a publish before it was not stored")

// hand calls accept unless the publish was dropped since it was taken. The lock keeps a cut from coming in between. Otherwise
// the publish could be stored before the one that the broker sends again, whose readings would then be late, and the rules do
// not evaluate late readings. accept must neither block nor call settle in the same goroutine.
func (w *window) hand(s *slot, accept func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.dropped {
		return errDropped
	}
	return accept()
}

// settle records the result of a publish. A publish that was not stored cuts the window, unless it is of QoS 0.
func (w *window) settle(s *slot, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil || !s.needsAck() {
		s.stored = true
	} else {
		w.cutFrom(s, err)
	}
	wait.Wake(w.settled)
}

// stop drops the publishes that were not taken.
func (w *window) stop(why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop(w.next, why)
	wait.Wake(w.settled)
}

// cutFrom drops s and all later publishes. If s is not in the window, an earlier cut has dropped it.
func (w *window) cutFrom(s *slot, err error) {
	for i, at := range w.slots {
		if at == s {
			w.drop(i, err)
			return
		}
	}
}

// drop drops all publishes from slots[from] on. If there are several cuts, the reason of the first stays.
func (w *window) drop(from int, why error) {
	if w.cut == nil {
		w.cut = why
	}
	for i, s := range w.slots[from:] {
		w.bytes -= s.size
		s.dropped = true
		if from+i < w.next && s.needsAck() {
			w.droppedTaken = append(w.droppedTaken, s)
		}
	}
	clear(w.slots[from:])
	w.slots = w.slots[:from]
	w.next = min(w.next, from)
}

// ready removes and returns the stored publishes at the beginning of the window. cut is not nil if no more will follow.
func (w *window) ready() (stored []*slot, cut error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for n < w.next && w.slots[n].stored {
		w.bytes -= w.slots[n].size
		n++
	}
	stored = append(stored, w.slots[:n]...)
	left := copy(w.slots, w.slots[n:])
	clear(w.slots[left:])
	w.slots = w.slots[:left]
	w.next -= n
	if left == 0 {
		if cap(w.slots) > 4096 {
			w.slots = nil // release the memory after a flood
		}
		return stored, w.cut
	}
	return stored, nil
}

// unacked returns the publishes that were passed to the ingest path and not acknowledged.
func (w *window) unacked() []*slot {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := append([]*slot(nil), w.droppedTaken...)
	for _, s := range w.slots[:w.next] {
		if s.needsAck() {
			list = append(list, s)
		}
	}
	return list
}

// depth returns the number and bytes of the waiting publishes, and the time of receipt of the oldest. The time is zero if
// none waits.
func (w *window) depth() (items, bytes int, oldest time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.slots) > 0 {
		oldest = w.slots[0].received
	}
	return len(w.slots), w.bytes, oldest
}
