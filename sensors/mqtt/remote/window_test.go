package remote

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// windowModel is the model of a window. Publishes are numbered in the order of put.
type windowModel struct {
	w                  *window
	maxItems, maxBytes int
	put                int
	taken              []*slot
	acked              []uint16
	stored             map[uint16]bool
	firstBad           int // the first that failed or found no room; -1: none did
	firstFailed        int // the first that failed
	ended              bool
}

func (m *windowModel) offer(t *rapid.T) {
	s := &slot{id: uint16(m.put), size: rapid.IntRange(1, 60).Draw(t, "size"), qos: 1}
	m.put++
	if !m.w.put(s, errors.New("full")) && m.firstBad < 0 {
		m.firstBad = int(s.id)
	}
}

func (m *windowModel) take() bool {
	s, ok := m.w.take()
	if ok {
		m.taken = append(m.taken, s)
	}
	return ok
}

// draw returns the index in taken of a publish that was taken and not settled.
func (m *windowModel) draw(t *rapid.T) (int, bool) {
	if len(m.taken) == 0 {
		return 0, false
	}
	return rapid.IntRange(0, len(m.taken)-1).Draw(t, "which"), true
}

func (m *windowModel) settle(t *rapid.T) {
	i, ok := m.draw(t)
	if !ok {
		return
	}
	s := m.taken[i]
	m.taken = slices.Delete(m.taken, i, i+1)
	if rapid.IntRange(0, 20).Draw(t, "fails") > 0 {
		m.stored[s.id] = true
		m.w.settle(s, nil)
		return
	}
	if m.firstFailed < 0 || int(s.id) < m.firstFailed {
		m.firstFailed = int(s.id)
	}
	if m.firstBad < 0 || int(s.id) < m.firstBad {
		m.firstBad = int(s.id)
	}
	m.w.settle(s, errors.New("not stored"))
}

func (m *windowModel) hand(t *rapid.T) {
	i, ok := m.draw(t)
	if !ok {
		return
	}
	s, handed := m.taken[i], false
	err := m.w.hand(s, func() error { handed = true; return nil })
	if gone := m.firstFailed >= 0 && int(s.id) > m.firstFailed; handed == gone || errors.Is(err, errDropped) != gone {
		t.Fatalf("%d is handed on: %v (%v); the first that failed is %d", s.id, handed, err, m.firstFailed)
	}
}

func (m *windowModel) ready() {
	stored, cut := m.w.ready()
	for _, s := range stored {
		m.acked = append(m.acked, s.id)
	}
	m.ended = m.ended || cut != nil
}

func (m *windowModel) check(t *rapid.T) {
	for i, id := range m.acked {
		if int(id) != i || !m.stored[id] || (m.firstBad >= 0 && int(id) >= m.firstBad) {
			t.Fatalf("acknowledged %v; %d is stored: %v, the first that failed is %d", m.acked, id, m.stored[id], m.firstBad)
		}
	}
	items, bytes, _ := m.w.depth()
	if items > m.maxItems || (items > 1 && bytes > m.maxBytes) || items+len(m.acked) > m.put {
		t.Fatalf("%d items, %d bytes", items, bytes)
	}
	if m.ended && (m.firstBad < 0 || items > 0) {
		t.Fatalf("ended with %d items, the first that failed is %d", items, m.firstBad)
	}
}

// finish stores the rest: everything up to the first failure is acknowledged, and then the window ends.
func (m *windowModel) finish(t *rapid.T) {
	for m.take() {
	}
	for _, s := range m.taken {
		m.w.settle(s, nil)
	}
	m.ready()
	want := m.put
	if m.firstBad >= 0 {
		want = m.firstBad
	}
	if len(m.acked) != want || m.ended != (m.firstBad >= 0) {
		t.Fatalf("%d acknowledged, want %d; ended %v", len(m.acked), want, m.ended)
	}
	if items, bytes, _ := m.w.depth(); items != 0 || bytes != 0 {
		t.Fatalf("%d items and %d bytes are left", items, bytes)
	}
}

// The window acknowledges in the order of receipt. It never acknowledges a publish that is not stored, or one after a publish
// that could not be stored. It stays within its limits in all cases.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &windowModel{
			maxItems: rapid.IntRange(1, 20).Draw(t, "items"), maxBytes: rapid.IntRange(10, 200).Draw(t, "bytes"),
			stored: map[uint16]bool{}, firstBad: -1, firstFailed: -1,
		}
		m.w = newWindow(m.maxItems, m.maxBytes)
		t.Repeat(map[string]func(*rapid.T){
			"put": m.offer, "settle": m.settle, "hand": m.hand, "": m.check,
			"take":  func(*rapid.T) { m.take() },
			"ready": func(*rapid.T) { m.ready() },
		})
		m.finish(t)
	})
}

// After stop, what was taken is still acknowledged.
func TestWindowStops(t *testing.T) {
	w := newWindow(10, 1000)
	slots := make([]*slot, 3)
	for i := range slots {
		slots[i] = &slot{size: 1, qos: 1}
		w.put(slots[i], nil)
	}
	first, _ := w.take()
	stop := errors.New("stop")
	w.stop(stop)
	if stored, cut := w.ready(); len(stored) != 0 || cut != nil {
		t.Fatalf("%d stored, %v", len(stored), cut)
	}
	w.settle(first, nil)
	if stored, cut := w.ready(); len(stored) != 1 || !errors.Is(cut, stop) {
		t.Fatalf("%d stored, %v", len(stored), cut)
	}
}

// A publish of QoS 0 that is not stored delays nothing.
func TestWindowQoS0(t *testing.T) {
	w := newWindow(2, 1000)
	zero, one := &slot{size: 1}, &slot{size: 1, qos: 1}
	w.put(zero, nil)
	w.put(one, nil)
	if w.put(&slot{size: 1}, errors.New("full")) {
		t.Fatal("the window has no bound")
	}
	for range 2 {
		w.take()
	}
	w.settle(zero, errors.New("not stored"))
	w.settle(one, nil)
	if stored, cut := w.ready(); len(stored) != 2 || cut != nil {
		t.Fatalf("%d stored, %v", len(stored), cut)
	}
}
