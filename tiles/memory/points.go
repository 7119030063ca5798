package memory

import (
	"slices"
	"sort"
)

// blockSize is the number of points at which a block is split.
const blockSize = 512

// points is an index of slots, sorted by the Morton codes of their places, then by the ids of the features. It is
// divided into blocks, so that a change moves at most a few hundred entries.
type points struct {
	blocks []block // no block is empty
	n      int     // number of all points
}

// block is a part of the index. keys are the Morton codes of the slots and have the same length. They are stored here,
// because a search reads only keys.
type block struct {
	keys  []uint64
	slots []uint32
}

// spread inserts a zero bit between the bits of v.
func spread(v uint32) uint64 {
	x := uint64(v)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	x = (x | x<<2) & 0x3333333333333333
	return (x | x<<1) & 0x5555555555555555
}

// morton returns the Morton code of a place. In each pair of bits the upper one is from y.
func morton(x, y uint32) uint64 { return spread(x) | spread(y)<<1 }

// fill builds the blocks from sorted slots. A block is filled to three quarters, so that the first insertions do not
// split it.
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

// find returns the block and the index in it at which (key, id) is, or must be inserted. ids has the feature ids by
// slot.
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

// insert adds a point. It splits a full block into two halves, so an insertion moves at most blockSize entries. ids has
// the feature ids by slot. Points at the same place are ordered by id, so that every node draws the same tile.
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
	// Both halves are copied, because a half that shares the array of the whole block keeps all of it in memory.
	half := blockSize / 2
	upper := block{slices.Clone(b.keys[half:]), slices.Clone(b.slots[half:])}
	b.keys, b.slots = slices.Clone(b.keys[:half]), slices.Clone(b.slots[:half])
	p.blocks = slices.Insert(p.blocks, at+1, upper)
}

// remove removes a point, which must be in the index. ids must still have the id of its slot.
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

// join merges a small block with a neighbour if both together fill at most three quarters of a block.
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

// position is a place in the index: the index of a block and the index in it.
type position struct{ at, in int }

// seek returns the position of the first point at or after from whose key is at least key.
func (p *points) seek(from position, key uint64) position {
	at := from.at
	if at >= len(p.blocks) {
		return from
	}
	if b := &p.blocks[at]; b.keys[len(b.keys)-1] < key {
		// Exponential search, because the wanted block is usually near.
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

// last returns the largest key of a block.
func last(b *block) uint64 { return b.keys[len(b.keys)-1] }

// run is a range of Morton codes, including both ends.
type run struct{ from, to uint64 }

// cover appends the runs of the codes of a box, in ascending order. It divides the world into quadrants down to cells
// of the level (0 is the world, 32 a single place). The runs contain whole cells, so they may contain places outside
// the box.
func cover(dst []run, x0, y0, x1, y1 uint32, level uint) []run {
	return coverCell(dst, 0, 0, 32, x0, y0, x1, y1, 32-level)
}

// coverCell appends the runs of the cell at (x, y) with a side of 2^size, which has one run of codes. It merges a run
// with the run before it if they are adjacent.
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

// bytes returns the memory of the index.
func (p *points) bytes() int64 {
	n := int64(cap(p.blocks)) * 48
	for i := range p.blocks {
		n += int64(8*cap(p.blocks[i].keys) + 4*cap(p.blocks[i].slots))
	}
	return n
}
