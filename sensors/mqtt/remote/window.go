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
	size     int // of the payload as it came, bytes
	qos      byte
	retained bool
	dup      bool   // the broker may have delivered it before
	id       uint16 // of the packet
	received time.Time
	stored   bool // guarded by the window
	dropped  bool // let go of by a cut; guarded by the window
}

// needsAck reports whether the broker waits for an acknowledgement.
func (s *slot) needsAck() bool { return s.qos > 0 }

// window holds what a connection has received and not acknowledged. MQTT wants acknowledgements in
// the order of receipt (MQTT-4.6.0), and the ingest path stores in any order between devices: so only
// the prefix that is stored is acknowledged.
//
// It is bounded. What goes beyond, and everything from a publish on that could not be stored, is let
// go of and never acknowledged on this connection: the broker has it, and sends it again on the next.
type window struct {
	maxItems, maxBytes int

	mu    sync.Mutex
	slots []*slot // from the oldest that is not acknowledged
	next  int     // in slots: the first that was not taken
	bytes int
	cut   error   // nothing more is kept; nil: no cut
	gone  []*slot // taken, and let go of by a cut

	came    chan struct{} // something can be taken, or the cut came
	settled chan struct{} // something may be acknowledged, or the cut came
}

func newWindow(maxItems, maxBytes int) *window {
	return &window{maxItems: maxItems, maxBytes: maxBytes, came: make(chan struct{}, 1), settled: make(chan struct{}, 1)}
}

// put keeps a publish. When there is no room it reports false, and full is the cut unless the publish
// asks for no acknowledgement: those are lost one by one.
func (w *window) put(s *slot, full error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut != nil {
		return false
	}
	// a publish larger than the bound passes alone
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

// take returns the oldest publish that was not taken.
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

// errLetGo says that a publish before it was not stored: the broker sends both again, in their order.
var errLetGo = errors.New("a publish before it was not stored")

// hand calls accept unless the publish was let go of since it was taken. No cut comes between the look and the call:
// otherwise the publish would be stored before the one that is sent again, which the rules then find late. accept
// neither blocks nor settles on this goroutine.
func (w *window) hand(s *slot, accept func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.dropped {
		return errLetGo
	}
	return accept()
}

// settle says what became of a publish. One that is not stored cuts, unless it asks for no
// acknowledgement.
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

// stop lets go of what was not taken.
func (w *window) stop(why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop(w.next, why)
	wait.Wake(w.settled)
}

func (w *window) cutFrom(s *slot, err error) {
	for i, at := range w.slots {
		if at == s {
			w.drop(i, err)
			return
		}
	} // else it was let go of already
}

// drop lets go of everything from slots[from] on; the first reason counts.
func (w *window) drop(from int, why error) {
	if w.cut == nil {
		w.cut = why
	}
	for i, s := range w.slots[from:] {
		w.bytes -= s.size
		s.dropped = true
		if from+i < w.next && s.needsAck() {
			w.gone = append(w.gone, s)
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
			w.slots = nil // let go of what a flood has grown
		}
		return stored, w.cut
	}
	return stored, nil
}

// unacked returns what was handed to the ingest path and not acknowledged.
func (w *window) unacked() []*slot {
	w.mu.Lock()
	defer w.mu.Unlock()
	owed := append([]*slot(nil), w.gone...)
	for _, s := range w.slots[:w.next] {
		if s.needsAck() {
			owed = append(owed, s)
		}
	}
	return owed
}

// depth is how much waits, and since when the oldest does; zero when nothing waits.
func (w *window) depth() (items, bytes int, oldest time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.slots) > 0 {
		oldest = w.slots[0].received
	}
	return len(w.slots), w.bytes, oldest
}
