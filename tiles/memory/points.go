package memory

import (
	"slices"
	"sort"
)

// blockSize is how many points a block holds before it is split.
const blockSize = 512

// points are slots in the order of the Morton codes of their places, then of their ids, in blocks:
// a tile, and each cell of it, is one run of them, and a change moves some hundred of them at most.
type points struct {
	blocks []block // none is empty
	n      int
}

// block is a part of the order. keys and slots have the same length; keys are kept beside the slots because a
// search looks at keys alone.
type block struct {
	keys  []uint64
	slots []uint32
}

// spread puts a zero between the bits of v.
func spread(v uint32) uint64 {
	x := uint64(v)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	x = (x | x<<2) & 0x3333333333333333
	return (x | x<<1) & 0x5555555555555555
}

// morton interleaves the bits of a place: those of y are the upper ones.
func morton(x, y uint32) uint64 { return spread(x) | spread(y)<<1 }

// fill makes the blocks of slots in order.
func (p *points) fill(keys []uint64, slots []uint32) {
	const full = blockSize * 3 / 4
	p.n = len(keys)
	p.blocks = make([]block, 0, len(keys)/full+1)
	for len(keys) > 0 {
		n := min(full, len(keys))
		p.blocks = append(p.blocks, block{slices.Clip(slices.Clone(keys[:n])), slices.Clip(slices.Clone(slots[:n]))})
		keys, slots = keys[n:], slots[n:]
	}
}

// find is the block that holds the place of (key, id), and the place in it.
func (p *points) find(key uint64, id int64, ids []int64) (at, in int) {
	less := func(k uint64, slot uint32) bool { return k < key || (k == key && ids[slot] < id) }
	at = sort.Search(len(p.blocks), func(i int) bool {
		b := &p.blocks[i]
		last := len(b.keys) - 1
		return !less(b.keys[last], b.slots[last])
	})
	if at == len(p.blocks) {
		if at == 0 {
			return 0, 0
		}
		return at - 1, len(p.blocks[at-1].keys)
	}
	b := &p.blocks[at]
	in = sort.Search(len(b.keys), func(i int) bool { return !less(b.keys[i], b.slots[i]) })
	return at, in
}

// insert puts a point into its place. A block that is full is split into two halves, so an insertion moves
// blockSize points at most. ids has the feature ids by slot: points at one place are ordered by them, so that
// every node draws the same.
func (p *points) insert(key uint64, slot uint32, ids []int64) {
	p.n++
	at, in := p.find(key, ids[slot], ids)
	if len(p.blocks) == 0 {
		p.blocks = append(p.blocks, block{[]uint64{key}, []uint32{slot}})
		return
	}
	b := &p.blocks[at]
	b.keys = slices.Insert(b.keys, in, key)
	b.slots = slices.Insert(b.slots, in, slot)
	if len(b.keys) < blockSize {
		return
	}
	// Both halves are cloned: a half that shared the array of the whole would keep all of it in memory.
	half := blockSize / 2
	upper := block{slices.Clone(b.keys[half:]), slices.Clone(b.slots[half:])}
	b.keys, b.slots = slices.Clone(b.keys[:half]), slices.Clone(b.slots[:half])
	p.blocks = slices.Insert(p.blocks, at+1, upper)
}

// remove takes a point out; it must be there. ids still knows its id.
func (p *points) remove(key uint64, slot uint32, ids []int64) {
	at, in := p.find(key, ids[slot], ids)
	b := &p.blocks[at]
	p.n--
	b.keys = slices.Delete(b.keys, in, in+1)
	b.slots = slices.Delete(b.slots, in, in+1)
	switch {
	case len(b.keys) == 0:
		p.blocks = slices.Delete(p.blocks, at, at+1)
	case len(b.keys) < blockSize/8:
		p.join(at)
	}
}

// join puts a block that has become small together with a neighbour, when both fit into one.
func (p *points) join(at int) {
	if at == len(p.blocks)-1 {
		at--
	}
	if at < 0 || len(p.blocks[at].keys)+len(p.blocks[at+1].keys) > blockSize*3/4 {
		return
	}
	a, b := &p.blocks[at], &p.blocks[at+1]
	a.keys, a.slots = append(a.keys, b.keys...), append(a.slots, b.slots...)
	p.blocks = slices.Delete(p.blocks, at+1, at+2)
}

// position is a place in the order: the first point with a key that is not less.
type position struct{ at, in int }

// seek moves forward from a position to the first key that is not less.
func (p *points) seek(from position, key uint64) position {
	at := from.at
	if at >= len(p.blocks) {
		return from
	}
	if b := &p.blocks[at]; b.keys[len(b.keys)-1] < key {
		// gallop: what is looked for is mostly near
		step := 1
		for at+step < len(p.blocks) && last(&p.blocks[at+step]) < key {
			at += step
			step *= 2
		}
		rest := p.blocks[at+1 : min(at+step+1, len(p.blocks))]
		at += 1 + sort.Search(len(rest), func(i int) bool { return last(&rest[i]) >= key })
		if at >= len(p.blocks) {
			return position{len(p.blocks), 0}
		}
		from.in = 0
	}
	keys := p.blocks[at].keys[from.in:]
	return position{at, from.in + sort.Search(len(keys), func(i int) bool { return keys[i] >= key })}
}

// last is the largest key of a block.
func last(b *block) uint64 { return b.keys[len(b.keys)-1] }

// run is a run of Morton codes, its ends included.
type run struct{ from, to uint64 }

// cover appends the runs of codes whose cells touch the box, in order. Cells of the level (0 is the
// world) are not divided further, so what lies a little outside may be in the runs.
func cover(dst []run, x0, y0, x1, y1 uint32, level uint) []run {
	return coverCell(dst, 0, 0, 32, x0, y0, x1, y1, 32-level)
}

// coverCell looks at the cell at (x, y) whose side is 2^size.
func coverCell(dst []run, x, y uint32, size uint, x0, y0, x1, y1 uint32, least uint) []run {
	side := uint32(uint64(1)<<size - 1)
	ex, ey := x|side, y|side
	if x > x1 || ex < x0 || y > y1 || ey < y0 {
		return dst
	}
	inside := x >= x0 && ex <= x1 && y >= y0 && ey <= y1
	if inside || size <= least {
		from, to := morton(x, y), morton(ex, ey)
		if n := len(dst); n > 0 && dst[n-1].to+1 == from {
			dst[n-1].to = to
			return dst
		}
		return append(dst, run{from, to})
	}
	size--
	half := uint32(1) << size
	dst = coverCell(dst, x, y, size, x0, y0, x1, y1, least)
	dst = coverCell(dst, x|half, y, size, x0, y0, x1, y1, least)
	dst = coverCell(dst, x, y|half, size, x0, y0, x1, y1, least)
	return coverCell(dst, x|half, y|half, size, x0, y0, x1, y1, least)
}

// bytes returns how much memory the order takes.
func (p *points) bytes() int64 {
	n := int64(cap(p.blocks)) * 48
	for i := range p.blocks {
		n += int64(8*cap(p.blocks[i].keys) + 4*cap(p.blocks[i].slots))
	}
	return n
}
