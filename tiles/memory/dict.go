package memory

import (
	"encoding/binary"
	"hash/maphash"
	"math"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// dict holds the distinct values of a layer's attributes, each once. A value is stored as the bytes of an MVT Value that
// can be copied into a tile. A code identifies a value while it has uses; 0 means no value. When a value has no more
// uses, its code becomes free. compact frees the memory of unused values when there are many.
type dict struct {
	seed   maphash.Seed
	arena  []byte
	spans  []span   // by code
	uses   []uint32 // by code
	free   []uint32 // codes that are not in use
	slots  []uint32 // hash table with open addressing: codes; 0 is empty, grave is deleted
	filled int      // number of slots that are not empty, with the deleted ones
	dead   int      // number of unused bytes in the arena
}

// span is the place of a value in the arena: offset and length in bytes.
type span struct {
	at     uint32
	length uint32
}

const (
	grave     = math.MaxUint32 // marks a deleted slot of the hash table
	maxCodes  = 1 << 30        // largest number of codes
	maxArena  = math.MaxInt32  // largest number of bytes of all values of a layer
	firstSize = 64             // slots of a new hash table; a power of two
)

func newDict() *dict {
	return &dict{seed: maphash.MakeSeed(), spans: make([]span, 1), uses: make([]uint32, 1), slots: make([]uint32, firstSize)}
}

// value returns the bytes of a code, with the tag and the length of a value field in an MVT layer.
func (d *dict) value(code uint32) []byte {
	s := d.spans[code]
	return d.arena[s.at : s.at+s.length]
}

// take returns the code of an encoded value and counts one more use of it. The code of an empty value is 0. It returns
// fault.TooLarge if the dictionary is full.
func (d *dict) take(value []byte) (uint32, error) {
	if len(value) == 0 {
		return 0, nil
	}
	mask := uint64(len(d.slots) - 1)
	at, spare := maphash.Bytes(d.seed, value)&mask, -1
	for ; d.slots[at] != 0; at = (at + 1) & mask {
		code := d.slots[at]
		if code == grave {
			if spare < 0 {
				spare = int(at)
			}
			continue
		}
		if string(d.value(code)) == string(value) {
			d.uses[code]++
			return code, nil
		}
	}
	code, err := d.add(value)
	if err != nil {
		return 0, err
	}
	if spare >= 0 {
		at = uint64(spare)
	} else {
		d.filled++
	}
	d.slots[at] = code
	if d.filled*4 > len(d.slots)*3 {
		d.rehash()
	}
	return code, nil
}

// add stores a new value and returns its code. It returns fault.TooLarge if there are more than maxCodes values or more
// than maxArena bytes.
func (d *dict) add(value []byte) (uint32, error) {
	if len(d.arena)+len(value) > maxArena || len(d.spans) >= maxCodes {
		return 0, fault.New(fault.TooLarge, "the layer has more different values than fit into memory")
	}
	s := span{uint32(len(d.arena)), uint32(len(value))}
	d.arena = append(d.arena, value...)
	if n := len(d.free); n > 0 {
		code := d.free[n-1]
		d.free = d.free[:n-1]
		d.spans[code], d.uses[code] = s, 1
		return code, nil
	}
	d.spans, d.uses = append(d.spans, s), append(d.uses, 1)
	return uint32(len(d.spans) - 1), nil
}

// drop removes one use of a code. Without uses the code becomes free.
func (d *dict) drop(code uint32) {
	if code == 0 {
		return
	}
	if d.uses[code]--; d.uses[code] > 0 {
		return
	}
	value := d.value(code)
	mask := uint64(len(d.slots) - 1)
	at := maphash.Bytes(d.seed, value) & mask
	for d.slots[at] != code {
		at = (at + 1) & mask
	}
	d.slots[at] = grave
	d.dead += len(value)
	d.spans[code] = span{}
	d.free = append(d.free, code)
	if d.dead > len(d.arena)/2 && d.dead > 1<<16 {
		d.compact()
	}
}

// compact copies the used values to a new arena. The codes do not change.
func (d *dict) compact() {
	arena := make([]byte, 0, (len(d.arena)-d.dead)*5/4)
	for code, s := range d.spans {
		if s.length > 0 {
			at := uint32(len(arena))
			arena = append(arena, d.arena[s.at:s.at+s.length]...)
			d.spans[code].at = at
		}
	}
	d.arena, d.dead = arena, 0
	d.rehash()
}

// rehash builds a new hash table of the live values. It removes the deleted slots.
func (d *dict) rehash() {
	live := len(d.spans) - 1 - len(d.free)
	size := firstSize
	for size < live*2 {
		size *= 2
	}
	d.slots, d.filled = make([]uint32, size), live
	mask := uint64(size - 1)
	for code := 1; code < len(d.spans); code++ {
		if d.spans[code].length == 0 {
			continue
		}
		at := maphash.Bytes(d.seed, d.value(uint32(code))) & mask
		for d.slots[at] != 0 {
			at = (at + 1) & mask
		}
		d.slots[at] = uint32(code)
	}
}

// reorder assigns new codes to the values, in the given order of their old codes. It returns the new codes, indexed by
// the old ones. It also frees the spare memory that remains after a bulk load.
func (d *dict) reorder(order []uint32) []uint32 {
	now := make([]uint32, len(d.spans))
	arena := make([]byte, 0, len(d.arena)-d.dead)
	spans, uses := make([]span, 1, len(order)+1), make([]uint32, 1, len(order)+1)
	for _, code := range order {
		now[code] = uint32(len(spans))
		spans, uses = append(spans, span{uint32(len(arena)), d.spans[code].length}), append(uses, d.uses[code])
		arena = append(arena, d.value(code)...)
	}
	d.arena, d.spans, d.uses, d.free, d.dead = arena, spans, uses, nil, 0
	d.rehash()
	return now
}

// bytes returns the memory of the dictionary, without the headers of its slices.
func (d *dict) bytes() int64 {
	return int64(cap(d.arena) + 8*cap(d.spans) + 4*cap(d.uses) + 4*cap(d.free) + 4*cap(d.slots))
}

// The tags of the message Value of MVT 2.1, and the tag of a value in the message Layer (field 4, length-delimited).
const (
	tagValue  = 4<<3 | 2
	tagString = 1<<3 | 2
	tagDouble = 3<<3 | 1
	tagUint   = 5 << 3
	tagSint   = 6 << 3
	tagBool   = 7 << 3
)

// appendString appends a text as a value of a Layer message.
func appendString(b, text []byte) []byte {
	n := 1 + uvarintLen(uint64(len(text))) + len(text)
	b = append(b, tagValue)
	b = binary.AppendUvarint(b, uint64(n))
	b = append(b, tagString)
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

// appendNumber appends a number as a value of a Layer message. It writes a whole number up to 2^53 as an integer, which
// is shorter than a double.
func appendNumber(b []byte, v float64) []byte {
	switch {
	case v != math.Trunc(v) || math.Abs(v) > 1<<53:
		b = append(b, tagValue, 9, tagDouble)
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	case v >= 0:
		return appendUint(b, uint64(v))
	default:
		z := uint64(-v)*2 - 1 // zigzag
		b = append(b, tagValue, byte(1+uvarintLen(z)), tagSint)
		return binary.AppendUvarint(b, z)
	}
}

// appendUint appends a non-negative whole number as a value of a Layer message.
func appendUint(b []byte, v uint64) []byte {
	b = append(b, tagValue, byte(1+uvarintLen(v)), tagUint)
	return binary.AppendUvarint(b, v)
}

// appendTyped appends the value of a field of the type kind. text is the value as JSON writes it. Readers of tiles have
// only float64 numbers, so a number that a float64 cannot hold exactly becomes a text with all its digits. For a
// boolean field with another text it appends nothing.
func appendTyped(b []byte, kind string, text []byte) []byte {
	switch kind {
	case "number", "integer":
		v, exact := core.ExactFloat(text)
		if !exact {
			return appendString(b, text)
		}
		return appendNumber(b, v)
	case "boolean":
		switch string(text) {
		case "true":
			return append(b, tagValue, 2, tagBool, 1)
		case "false":
			return append(b, tagValue, 2, tagBool, 0)
		}
		return b
	default:
		return appendString(b, text)
	}
}

// uvarintLen returns the number of bytes of a varint: one for each seven bits.
func uvarintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}
