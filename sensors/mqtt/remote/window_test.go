package remote

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The window acknowledges in the order of receipt, never what is not stored, and never what came after
// something that could not be stored; it stays within its bounds whatever is settled, or is not.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		maxItems, maxBytes := rapid.IntRange(1, 20).Draw(t, "items"), rapid.IntRange(10, 200).Draw(t, "bytes")
		w := newWindow(maxItems, maxBytes)
		var put, taken []*slot
		var acked []uint16
		state := map[uint16]string{} // of what was put: "", stored, failed
		firstBad := -1               // index in put of the first that failed or found no room
		firstFailed := -1            // of the first that failed
		ended := false
		collect := func() {
			stored, cut := w.ready()
			for _, s := range stored {
				acked = append(acked, s.id)
			}
			ended = ended || cut != nil
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				s := &slot{id: uint16(len(put)), size: rapid.IntRange(1, 60).Draw(t, "size"), qos: 1}
				put = append(put, s)
				if !w.put(s, errors.New("full")) && firstBad < 0 {
					firstBad = len(put) - 1
				}
			},
			"take": func(*rapid.T) {
				if s, ok := w.take(); ok {
					taken = append(taken, s)
				}
			},
			"settle": func(t *rapid.T) {
				if len(taken) == 0 {
					return
				}
				i := rapid.IntRange(0, len(taken)-1).Draw(t, "which")
				s := taken[i]
				taken = slices.Delete(taken, i, i+1)
				if rapid.IntRange(0, 20).Draw(t, "fails") > 0 {
					state[s.id] = "stored"
					w.settle(s, nil)
					return
				}
				state[s.id] = "failed"
				if firstFailed < 0 || int(s.id) < firstFailed {
					firstFailed = int(s.id)
				}
				if firstBad < 0 || int(s.id) < firstBad {
					firstBad = int(s.id)
				}
				w.settle(s, errors.New("not stored"))
			},
			"hand": func(t *rapid.T) {
				if len(taken) == 0 {
					return
				}
				s := taken[rapid.IntRange(0, len(taken)-1).Draw(t, "which")]
				handed := false
				err := w.hand(s, func() error { handed = true; return nil })
				if gone := firstFailed >= 0 && int(s.id) > firstFailed; handed == gone || errors.Is(err, errLetGo) != gone {
					t.Fatalf("%d is handed on: %v (%v); the first that failed is %d", s.id, handed, err, firstFailed)
				}
			},
			"ready": func(*rapid.T) { collect() },
			"": func(t *rapid.T) {
				for i, id := range acked {
					if int(id) != i || state[id] != "stored" || (firstBad >= 0 && int(id) >= firstBad) {
						t.Fatalf("acknowledged %v; %d is %q, the first that failed is %d", acked, id, state[id], firstBad)
					}
				}
				items, bytes, _ := w.depth()
				if items > maxItems || (items > 1 && bytes > maxBytes) || items+len(acked) > len(put) {
					t.Fatalf("%d items, %d bytes", items, bytes)
				}
				if ended && (firstBad < 0 || items > 0) {
					t.Fatalf("ended with %d items, the first that failed is %d", items, firstBad)
				}
			},
		})
		// what is left is stored: everything up to the first failure is acknowledged, and then it ends
		for {
			s, ok := w.take()
			if !ok {
				break
			}
			taken = append(taken, s)
		}
		for _, s := range taken {
			w.settle(s, nil)
		}
		collect()
		want := len(put)
		if firstBad >= 0 {
			want = firstBad
		}
		if len(acked) != want || ended != (firstBad >= 0) {
			t.Fatalf("%d acknowledged, want %d; ended %v", len(acked), want, ended)
		}
		if items, bytes, _ := w.depth(); items != 0 || bytes != 0 {
			t.Fatalf("%d items and %d bytes are left", items, bytes)
		}
	})
}

// What is stopped is acknowledged as far as it was taken.
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

// A publish of QoS 0 that is not stored holds up nothing.
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
