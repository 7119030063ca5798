package memory

import (
	"encoding/binary"
	"math"
	"slices"

	"onemap/internal/core"
	"onemap/tiles"
	"onemap/tiles/shape"
)

// The tags of the messages Tile, Layer and Feature of MVT 2.1. A tag is the number of the field, shifted by 3, and the
// wire type of Protocol Buffers: 0 is a varint, 2 is length-delimited.
const (
	tagLayer    = 3<<3 | 2
	tagVersion  = 15 << 3
	tagName     = 1<<3 | 2
	tagFeature  = 2<<3 | 2
	tagKey      = 3<<3 | 2
	tagExtent   = 5 << 3
	tagID       = 1 << 3
	tagTags     = 2<<3 | 2
	tagType     = 3 << 3
	tagGeometry = 4<<3 | 2
)

// Part is a layer's part of a tile.
type Part struct {
	Bytes []byte // a Tile message with one layer; empty if the tile shows nothing of the layer
	// Shown is the number of features, thinned cells and clusters in the part. Of is the number of features that they
	// represent.
	Shown, Of int
	// Over is true if the part was larger than its budget, so that it is coarser than the rules of the layer state.
	Over bool
	// Left is the number of the least severe features that were left out, because the coarsest part was still too large.
	Left int
}

// coarsest is the last step of raster: a cell of one pixel, doubled 9 times, is a whole tile.
const coarsest = 9

// Render returns the layer's part of a tile. It only reads the layer. If the part is larger than the budget, it draws
// it again with larger cells and a larger tolerance. At the coarsest step it leaves out the least severe features until
// the part fits.
func (l *Layer) Render(q Query, s *Scratch) Part {
	view := shape.View{Z: q.Z, X: q.X, Y: q.Y, Buffer: q.Rules.BufferUnits(), Tolerance: q.Rules.Tolerance()}
	s.judge(l, &q)
	s.leave = 0
	for step := 0; ; {
		fits := s.draw(l, &q, &view, step)
		if len(s.starts) == 0 {
			return Part{}
		}
		size := s.size(l.name, q.Labels)
		if q.Budget > 0 && (!fits || size > q.Budget) && step < coarsest {
			step = min(step+s.steps(size, q.Budget), coarsest)
			view.Tolerance = max(q.Rules.Tolerance(), 1) * float64(int(1)<<step)
			continue
		}
		p := Part{Of: s.total(), Over: step > 0}
		for q.Budget > 0 && size > q.Budget && len(s.starts) > 0 {
			p.Left += s.excess(size - q.Budget)
			s.leave = p.Left
			s.draw(l, &q, &view, step)
			size = s.size(l.name, q.Labels)
		}
		if p.Shown = len(s.starts); p.Shown > 0 {
			p.Bytes = s.assemble(make([]byte, 0, size), l.name, q.Labels)
		}
		return p
	}
}

// steps returns the number of steps by which the next part must be coarser. It estimates the size of the whole part
// from the features that were drawn before the budget was used up.
func (s *Scratch) steps(size, budget int) int {
	whole := size / len(s.starts) * (len(s.dots) + len(s.figures))
	if whole > 3*budget {
		return 2
	}
	return 1
}

// draw collects and encodes the features, the worst last. It stops and returns false if they exceed the budget and a
// coarser step is possible.
func (s *Scratch) draw(l *Layer, q *Query, view *shape.View, step int) bool {
	s.begin(l)
	// Coarser cells still use only the features in the cells of the rules. A change of a feature outside these cells does
	// not mark this tile as out of date.
	r, least, box := q.raster(step), q.raster(0), view.Box()
	s.scanPoints(l, q, box, least.dots.align(box), r)
	s.scanShapes(l, q, box, least.shapes.align(box), r)
	room := q.Budget
	if room <= 0 || step >= coarsest {
		room = math.MaxInt
	}
	// ranks has a bit for each rank that a point has. The loop below skips the points for the other ranks.
	var ranks uint
	for i := range s.dots {
		ranks |= 1 << s.dots[i].rank
	}
	next := 0
	for rank := range uint8(5) {
		for ; next < len(s.figures) && s.figures[next].rank == rank; next++ {
			if s.addFigure(l, &s.figures[next], view); len(s.features)+len(s.values) > room {
				return false
			}
		}
		if ranks&(1<<rank) == 0 {
			continue
		}
		for i := range s.dots {
			if s.dots[i].rank != rank {
				continue
			}
			if s.addDot(l, &s.dots[i], view); len(s.features)+len(s.values) > room {
				return false
			}
		}
	}
	return true
}

// total returns the number of features that the drawn dots and figures represent.
func (s *Scratch) total() int {
	n := 0
	for i := range s.dots {
		n += int(s.dots[i].count)
	}
	for i := range s.figures {
		n += int(s.figures[i].count)
	}
	return n
}

// addDot encodes a point as a Feature message. A cluster has no id and only two attributes, its worst level and its
// count. addDot skips the first s.leave features of a tile, which are the least severe ones.
func (s *Scratch) addDot(l *Layer, d *dot, view *shape.View) {
	if s.left < s.leave {
		s.left++
		return
	}
	start := s.open(l.ids[d.slot], !d.many)
	tags := len(s.features)
	if d.many {
		s.level(l, levelOf(d.rank))
		s.number(l, uint64(d.count))
	} else {
		s.attributes(l, d.slot, d.count)
	}
	s.close(tags)
	b := append(s.features, tagType, byte(shape.Point), tagGeometry, 0, 9) // MoveTo, once
	length := len(b) - 2
	b = appendUvarint(b, zigzag(tileUnits(d.x, view.X, view.Z)))
	b = appendUvarint(b, zigzag(tileUnits(d.y, view.Y, view.Z)))
	b[length] = byte(len(b) - length - 1)
	s.features = b
	s.close(start)
}

// addFigure encodes a line or a polygon, cut to the view, as a Feature message. It skips features as addDot does.
func (s *Scratch) addFigure(l *Layer, f *figure, view *shape.View) {
	form := &l.forms[f.at]
	s.shape = s.cutter.Commands(s.shape[:0], &form.Shape, view)
	if len(s.shape) == 0 {
		return // the box of the shape touches the view, but the shape does not
	}
	if s.left < s.leave {
		s.left++
		return
	}
	start := s.open(f.id, true)
	tags := len(s.features)
	s.attributes(l, form.slot, f.count)
	s.close(tags)
	b := append(s.features, tagType, byte(form.Kind), tagGeometry)
	b = appendUvarint(b, uint64(len(s.shape)))
	s.features = append(b, s.shape...)
	s.close(start)
}

// open begins a Feature message and its tags, and returns the offset of its content. close ends the message. A feature
// with a negative id has no id in the tile, because ids in MVT are unsigned.
func (s *Scratch) open(id int64, named bool) (start int) {
	s.starts = append(s.starts, len(s.features)+len(s.values))
	b := append(s.features, tagFeature, 0)
	start = len(b)
	if named && id >= 0 {
		b = appendUvarint(append(b, tagID), uint64(id))
	}
	s.features = append(b, tagTags, 0)
	return start
}

// close writes the length of the message that begins at start into the byte before it. If the length needs more than
// one byte, close moves the message to make room.
func (s *Scratch) close(start int) {
	n := len(s.features) - start
	if n < 0x80 {
		s.features[start-1] = byte(n)
		return
	}
	more := uvarintLen(uint64(n)) - 1
	s.features = append(s.features, s.features[len(s.features)-more:]...)
	copy(s.features[start+more:], s.features[start:start+n])
	binary.PutUvarint(s.features[start-1:], uint64(n))
}

// attributes writes the tags of a feature that represents count features.
func (s *Scratch) attributes(l *Layer, slot, count uint32) {
	// Each different value is written once into a tile. A value that only this feature has needs no look-up, if the
	// feature is drawn only once in the tile.
	once := l.drawnOnce(slot)
	for c, col := range l.cols {
		if col == nil || col[slot] == 0 {
			continue
		}
		code := col[slot]
		var at uint32
		added := once && l.dict.uses[code] == 1 // nothing else in this tile can have it
		switch {
		case added:
			at = s.count
			s.count++
		case code < lowCodes-levels:
			at, added = s.index(code + levels)
		default:
			var there bool
			if at, there = s.high.at(uint64(code), s.count); !there {
				s.count++
				added = true
			}
		}
		if added {
			s.values = append(s.values, l.dict.value(code)...)
		}
		s.tag(l, c, at)
	}
	s.level(l, core.Level(l.ranks[slot]&15))
	if count > 1 {
		s.number(l, uint64(count))
	}
}

// drawnOnce reports whether a feature is drawn at most once in a tile. A geometry collection with shapes of several
// kinds is drawn once for each kind.
func (l *Layer) drawnOnce(slot uint32) bool {
	return l.isPoint(slot) || l.forms[l.shapes[slot]].next == noShape
}

// level writes the tag of a level.
func (s *Scratch) level(l *Layer, level core.Level) {
	at, added := s.index(uint32(level))
	if added {
		s.values = appendUint(s.values, uint64(level))
	}
	s.tag(l, len(l.keys)-2, at)
}

// number writes the tag of a count.
func (s *Scratch) number(l *Layer, v uint64) {
	at, there := s.high.at(v|1<<32, s.count) // codes are below 1<<32, so a count never has the key of a code
	if !there {
		s.count++
		s.values = appendUint(s.values, v)
	}
	s.tag(l, len(l.keys)-1, at)
}

// tag writes a pair of indices into the layer's keys and values (MVT 2.1, section 4.4). A key is written when the
// first feature of the tile needs it.
func (s *Scratch) tag(l *Layer, column int, value uint32) {
	if s.keyAt[column] == 0 {
		s.keyCount++
		s.keyAt[column] = s.keyCount
		s.keys = appendUvarint(append(s.keys, tagKey), uint64(len(l.keys[column])))
		s.keys = append(s.keys, l.keys[column]...)
	}
	s.features = appendUvarint(s.features, uint64(s.keyAt[column]-1))
	s.features = appendUvarint(s.features, uint64(value))
}

// appendUvarint is binary.AppendUvarint with a fast path for numbers of one or two bytes, which the compiler can inline.
func appendUvarint(b []byte, v uint64) []byte {
	if v < 0x80 {
		return append(b, byte(v))
	}
	if v < 0x4000 {
		return append(b, byte(v)|0x80, byte(v>>7))
	}
	return binary.AppendUvarint(b, v)
}

// excess returns how many features at the beginning of the part must be left out to save over bytes. It counts each
// feature with the values that it was the first to use.
func (s *Scratch) excess(over int) int {
	n, _ := slices.BinarySearch(s.starts, over)
	return n
}

// inner returns the length of the Layer message: version, name, features, keys, values and extent.
func (s *Scratch) inner(name string, labels bool) int {
	n := len(name)
	if labels {
		n += len(tiles.LabelSuffix)
	}
	return 2 + 1 + uvarintLen(uint64(n)) + n + len(s.features) + len(s.keys) + len(s.values) + 3
}

// size returns the length of the whole part, with the tag and the length of its Layer message.
func (s *Scratch) size(name string, labels bool) int {
	n := s.inner(name, labels)
	return 1 + uvarintLen(uint64(n)) + n
}

// assemble writes the Layer message around what was drawn. Readers accept its fields in any order.
func (s *Scratch) assemble(b []byte, name string, labels bool) []byte {
	b = append(b, tagLayer)
	b = binary.AppendUvarint(b, uint64(s.inner(name, labels)))
	b = append(b, tagVersion, 2, tagName)
	if labels {
		b = binary.AppendUvarint(b, uint64(len(name)+len(tiles.LabelSuffix)))
		b = append(append(b, name...), tiles.LabelSuffix...)
	} else {
		b = binary.AppendUvarint(b, uint64(len(name)))
		b = append(b, name...)
	}
	b = append(b, s.features...)
	b = append(b, s.keys...)
	b = append(b, s.values...)
	b = append(b, tagExtent)
	return binary.AppendUvarint(b, core.TileExtent) // two bytes
}

// tileUnits converts a world coordinate to tile units from the corner of a tile, rounded to the nearest unit. It may be
// outside 0 to 4096 for a point in the buffer.
func tileUnits(v, tile, z uint32) int64 {
	if z <= 20 {
		d := int64(v) - int64(uint64(tile)<<(32-z))
		shift := 20 - z
		if shift == 0 {
			return d
		}
		return (d + 1<<(shift-1)) >> shift
	}
	return (int64(v) - int64(uint64(tile)<<(32-z))) << (z - 20)
}

// zigzag encodes a signed number as an unsigned one, so that small numbers stay small: 0, -1, 1, -2 become 0, 1, 2, 3
// (MVT 2.1, section 4.3.2).
func zigzag(v int64) uint64 { return uint64(v<<1) ^ uint64(v>>63) }

// levelOf returns the level of a rank; it is the inverse of rank.
func levelOf(rank uint8) core.Level {
	if rank == 0 {
		return core.None
	}
	return core.Level(5 - rank)
}
