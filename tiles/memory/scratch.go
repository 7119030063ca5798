package memory

import (
	"slices"

	"onemap/tiles/shape"
)

// Scratch is the working memory of Render. Only one goroutine may use it at a time. It grows to the needs of the largest
// tile and is reused, so that Render allocates almost nothing.
type Scratch struct {
	cutter  shape.Cutter
	runs    []run
	dots    []dot
	figures []figure
	small   []figure // small shapes, one for each cell
	found   []uint32 // shapes that the tree has found
	allowed []bool   // by division number: whether the scope covers it
	cells   table    // cell to index of small

	features []byte     // encoded Feature messages
	starts   []int      // for each feature: bytes of features and values before it
	leave    int        // number of the least severe features to leave out
	left     int        // number of features that were left out
	keys     []byte     // encoded keys of this tile
	values   []byte     // encoded values of this tile
	shape    []byte     // geometry of one feature
	keyAt    []uint32   // by column, from 1; 0: not in this tile
	keyCount uint32     // number of keys in this tile
	count    uint32     // number of values in this tile
	low      []lowEntry // index in this tile by level, then by low code of the dictionary
	now      uint32     // number of the current tile
	high     table      // index in this tile by high code, and by count
}

// lowEntry is the index of a value in the tile with the number when. It is empty in any other tile.
type lowEntry struct{ when, at uint32 }

const (
	levels   = 5       // number of entries of low that belong to levels; the codes come after them
	lowCodes = 1 << 16 // codes below lowCodes-levels are in low and the others in high, so that low stays small
)

// begin clears the scratch for a new tile. It clears low by a new number in now, which takes no time. When now
// overflows, it clears low itself.
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

// index returns the index in this tile of the value at an entry of low. added is true if the tile did not have the
// value yet; the caller must then append its bytes.
func (s *Scratch) index(low uint32) (at uint32, added bool) {
	e := &s.low[low]
	if e.when == s.now {
		return e.at, false
	}
	*e = lowEntry{s.now, s.count}
	s.count++
	return e.at, true
}

// table is a hash table from uint64 to uint32 with open addressing. Clearing it takes no time.
type table struct {
	slots []entry
	now   uint32
	n     int
}

// entry is a slot of a table. It is empty unless when equals now of the table, so clear only has to increase now.
type entry struct {
	key  uint64
	when uint32
	to   uint32
}

// clear removes all entries. If now overflows, old entries could look valid, so clear allocates new slots.
func (t *table) clear() {
	t.n = 0
	t.now++
	if t.now == 0 || t.slots == nil {
		t.slots, t.now = make([]entry, max(len(t.slots), 256)), 1
	}
}

// at returns the value of a key. If the key is new, at stores the value to and returns it with there false. The hash is
// Fibonacci hashing: a multiplication by 2^64 divided by the golden ratio.
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

// grow doubles the number of slots. At most half of them are in use, so that searches are short.
func (t *table) grow() {
	old, now := t.slots, t.now
	t.slots, t.now, t.n = make([]entry, 2*len(old)), 1, 0
	for _, e := range old {
		if e.when == now {
			t.at(e.key, e.to)
		}
	}
}
