package memory

import (
	"slices"

	"onemap/tiles/shape"
)

// Scratch is what one rendering needs while it goes on. One goroutine uses it at a time; it grows to
// what the largest tile needed and is used again.
type Scratch struct {
	cutter  shape.Cutter
	runs    []run
	dots    []dot
	figures []figure
	small   []figure
	found   []uint32
	allowed []bool
	cells   table

	features []byte
	starts   []int // for each feature: bytes of features and values before it
	leave    int   // how many features, the least severe, are to be left out
	left     int   // and how many have been
	keys     []byte
	values   []byte
	shape    []byte
	keyAt    []uint32 // by column, from 1; 0: not in this tile
	keyCount uint32
	count    uint32 // values of this tile
	low      []lowEntry
	now      uint32
	high     table
}

// lowEntry is what a low code, or a level, maps to in the tile that is made now.
type lowEntry struct{ when, at uint32 }

const (
	levels   = 5       // the first entries of low are the levels'
	lowCodes = 1 << 16 // codes from it on are looked up in high
)

// begin forgets the tile before.
func (s *Scratch) begin(l *Layer) {
	s.dots, s.figures = s.dots[:0], s.figures[:0]
	s.features, s.starts, s.left = s.features[:0], s.starts[:0], 0
	s.keys, s.values, s.keyCount, s.count = s.keys[:0], s.values[:0], 0, 0
	s.keyAt = slices.Grow(s.keyAt[:0], len(l.keys))[:len(l.keys)]
	clear(s.keyAt)
	s.high.clear()
	if n := levels + min(len(l.dict.spans), lowCodes); n > len(s.low) {
		s.low = append(s.low, make([]lowEntry, n-len(s.low))...)
	}
	if s.now++; s.now == 0 {
		clear(s.low)
		s.now = 1
	}
}

// index returns the place in this tile of the value that is found at low, and whether it is new there.
func (s *Scratch) index(low uint32) (at uint32, added bool) {
	e := &s.low[low]
	if e.when == s.now {
		return e.at, false
	}
	*e = lowEntry{s.now, s.count}
	s.count++
	return e.at, true
}

// table maps numbers to small numbers; clearing it costs nothing.
type table struct {
	slots []entry
	now   uint32
	n     int
}

// entry is a slot of a table. It is empty unless when is the table's now, so clearing the table is one addition.
type entry struct {
	key  uint64
	when uint32
	to   uint32
}

// clear forgets all entries. When the counter overflows, old entries could look new, so the slots are made anew.
func (t *table) clear() {
	t.n = 0
	t.now++
	if t.now == 0 || t.slots == nil {
		t.slots, t.now = make([]entry, max(len(t.slots), 256)), 1
	}
}

// at returns the value of a key. It sets a new key to the value to and returns there as false.
func (t *table) at(key uint64, to uint32) (value uint32, there bool) {
	if t.n*2 >= len(t.slots) {
		t.grow()
	}
	mask := uint64(len(t.slots) - 1)
	at := (key * 0x9e3779b97f4a7c15) >> 20 & mask
	for {
		e := &t.slots[at]
		if e.when != t.now {
			*e = entry{key, t.now, to}
			t.n++
			return to, false
		}
		if e.key == key {
			return e.to, true
		}
		at = (at + 1) & mask
	}
}

// grow doubles the slots. At most half of them are in use, so a search ends soon.
func (t *table) grow() {
	old, now := t.slots, t.now
	t.slots, t.now, t.n = make([]entry, 2*len(old)), 1, 0
	for _, e := range old {
		if e.when == now {
			t.at(e.key, e.to)
		}
	}
}
