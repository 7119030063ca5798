// Package memory holds one layer of the map in memory and makes the layer's part of a tile. Points are sorted by their
// Morton codes, lines and polygons are in an R-tree, and attributes are codes of a dictionary. The time for a tile
// depends on the content of the tile, not on the size of the layer. Coordinates are world coordinates (see package
// shape): uint32, x from 180°W to the east, y from the north.
//
// A feature is a slot, which is an index of the columns of the layer (ids, levels, places, codes of attributes). Columns
// take much less memory than one struct for each feature, and they have no pointers for the garbage collector to follow.
// There are three indexes of slots: points (points by Morton code), labels (the places of the names of polygons, also by
// Morton code) and tree (the boxes of lines and polygons).
//
// A Morton code interleaves the bits of x and y. The points of a tile, and the points of each cell of a tile, are
// therefore next to each other, so a tile is read in a few runs.
//
// Render works in three steps. scanPoints and scanShapes collect the features of the view. Where the rules of the layer
// require it, they keep one feature for each cell. draw encodes the features, the worst level last, so that it is on
// top. If the result is larger than the budget of bytes, Render starts again with larger cells.
//
// A Layer is not safe for concurrent changes: several goroutines may call Render at the same time, but only one may
// call Put or Delete, and no Render may run meanwhile. Prepare may run at any time.
package memory

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/tidwall/rtree"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/tiles"
	"onemap/tiles/shape"
)

// noShape marks the end of a feature's list of shapes.
const noShape = math.MaxUint32

// Layer holds the features of one layer. A feature is a slot: an index of the columns below.
type Layer struct {
	name  string
	keys  []string // names of the attributes, by column, then level and count
	kinds []string // types of the layer's own fields

	slotOf map[int64]uint32 // slot by feature id
	free   []uint32         // unused slots
	ids    []int64
	ranks  []uint8    // order of drawing<<4 | level
	where  []uint32   // number of the division; see areas
	x, y   []uint32   // place of a point, or of the label of a polygon
	shapes []uint32   // first entry of forms; noShape: a point. The column is nil while the layer has only points
	cols   [][]uint32 // codes of the dictionary, in the order of keys; a column is nil while no feature has a value in it

	dict  *dict
	areas divisions

	points points
	labels points // of polygons

	forms    []form
	freeForm []uint32                       // unused entries of forms
	tree     rtree.RTreeGN[float32, uint32] // entries of forms by their boxes
	vertices int64                          // of all shapes
	heap     int64                          // memory of all shapes, bytes

	undrawn map[int64]tiles.Undrawn // by feature id
	loading bool                    // true until Ready; points, labels and tree are still empty
}

// form is one shape of a feature. The shapes of a feature are a linked list.
type form struct {
	shape.Shape
	slot uint32
	next uint32 // next entry of forms, or noShape
}

// New returns an empty layer with the fields of a spec. size is the expected number of features. The caller adds
// features with Put and must call Ready after the first load.
func New(s tiles.Spec, size int) *Layer {
	l := &Layer{
		name: s.Name, keys: []string{"name_zh", "name_en", "division", "origin"}, slotOf: make(map[int64]uint32, size),
		dict: newDict(), undrawn: map[int64]tiles.Undrawn{}, loading: true,
	}
	for _, f := range s.Fields {
		l.keys = append(l.keys, f.Name)
		l.kinds = append(l.kinds, f.Type)
	}
	l.cols = make([][]uint32, len(l.keys))
	l.keys = append(l.keys, "level", "count")
	l.ids, l.ranks, l.where = make([]int64, 0, size), make([]uint8, 0, size), make([]uint32, 0, size)
	l.x, l.y = make([]uint32, 0, size), make([]uint32, 0, size)
	return l
}

// Item is a feature that is ready for Put: everything slow is done. It does not refer to memory of the loader.
type Item struct {
	id              int64
	point           bool
	x, y            uint32
	shapes          []shape.Shape
	note            string
	division        string
	level, severity core.Level
	values          []byte   // encoded values of all columns, one after another
	ends            []uint32 // end of each column's value in values
}

// Prepare returns the item of a feature. It reads only the fields of the layer, which never change, so it may run at the
// same time as Render, Put or Delete. The builder is memory that the caller reuses.
func (l *Layer) Prepare(f *tiles.Feature, b *shape.Builder) Item {
	it := Item{id: f.ID, division: f.Division, level: f.Level, severity: f.Severity}
	l.encodeValues(&it, f)
	if f.Geometry == nil {
		it.note = cmp.Or(f.Problem, "it has no geometry")
		return it
	}
	it.shapes, it.note = shape.New(f.Geometry, b)
	if len(it.shapes) == 1 {
		if x, y, ok := it.shapes[0].Single(); ok {
			it.point, it.x, it.y, it.shapes = true, x, y, nil
		}
	}
	for i := range it.shapes {
		if it.shapes[i].Kind == shape.Polygon {
			it.x, it.y = it.shapes[i].Label()
		}
	}
	return it
}

// encodeValues encodes the attributes of a feature as MVT values, in the order of the columns. The layer keeps the
// encoded values, so that making a tile only copies bytes.
func (l *Layer) encodeValues(it *Item, f *tiles.Feature) {
	it.ends = make([]uint32, 0, len(l.cols))
	it.values = make([]byte, 0, 96)
	end := func() { it.ends = append(it.ends, uint32(len(it.values))) }
	for _, text := range [][]byte{f.NameZH, f.NameEN, []byte(f.Division), []byte(f.Origin)} {
		if len(text) > 0 {
			it.values = appendString(it.values, text)
		}
		end()
	}
	for i, kind := range l.kinds {
		if i < len(f.Values) && f.Values[i] != nil {
			it.values = appendTyped(it.values, kind, f.Values[i])
		}
		end()
	}
}

// Extent is a box in world coordinates in which a feature is or was, and the division of the feature. The caller uses
// it to drop the tiles that the change concerns.
type Extent struct {
	Box      shape.Box
	Division string
}

// Put adds or replaces a feature and returns its old and its new place: none, one or two places. Before Ready it
// returns no places. It returns fault.TooLarge if the feature does not fit into the layer; the layer then does not have
// the feature.
func (l *Layer) Put(it *Item) (places []Extent, err error) {
	if was, ok := l.Delete(it.id); ok {
		places = append(places, was)
	}
	if it.note != "" {
		l.undrawn[it.id] = tiles.Undrawn{ID: it.id, Division: it.division, Reason: it.note, Partly: it.drawn()}
	}
	if !it.drawn() {
		return places, nil
	}
	slot, err := l.newSlot(it)
	if err != nil {
		return places, err
	}
	l.slotOf[it.id] = slot
	if it.point {
		l.addPoint(&l.points, slot)
	} else {
		l.addShapes(slot, it.shapes)
	}
	if l.loading {
		return nil, nil
	}
	return append(places, l.extent(slot)), nil
}

// ID returns the id of the feature.
func (it *Item) ID() int64 { return it.id }

// drawn reports whether tiles show the feature or a part of it.
func (it *Item) drawn() bool { return it.point || len(it.shapes) > 0 }

// newSlot fills a slot with a feature and returns it. If the dictionary is full, it returns fault.TooLarge and drops the
// codes that it has already taken, so that nothing of the feature stays.
func (l *Layer) newSlot(it *Item) (uint32, error) {
	if len(l.ids) >= math.MaxInt32 {
		return 0, fault.New(fault.TooLarge, "the layer has more features than fit into memory")
	}
	codes := make([]uint32, 0, 16)
	start := uint32(0)
	for _, end := range it.ends {
		code, err := l.dict.take(it.values[start:end])
		if err != nil {
			for _, c := range codes {
				l.dict.drop(c)
			}
			return 0, err
		}
		codes, start = append(codes, code), end
	}
	slot := l.row()
	l.ids[slot] = it.id
	l.ranks[slot] = rank(it.severity)<<4 | uint8(it.level)
	l.where[slot] = l.areas.take(it.division)
	l.x[slot], l.y[slot] = it.x, it.y
	for c, code := range codes {
		l.set(c, slot, code)
	}
	return slot, nil
}

// row returns an unused slot. It extends all columns if there is none.
func (l *Layer) row() uint32 {
	if n := len(l.free); n > 0 {
		slot := l.free[n-1]
		l.free = l.free[:n-1]
		return slot
	}
	l.ids, l.ranks, l.where = append(l.ids, 0), append(l.ranks, 0), append(l.where, 0)
	l.x, l.y = append(l.x, 0), append(l.y, 0)
	if l.shapes != nil {
		l.shapes = append(l.shapes, noShape)
	}
	for c := range l.cols {
		if l.cols[c] != nil {
			l.cols[c] = append(l.cols[c], 0)
		}
	}
	return uint32(len(l.ids) - 1)
}

// set writes the code of one attribute. It creates the column with the first value, because many layers have fields
// without values.
func (l *Layer) set(column int, slot, code uint32) {
	if l.cols[column] == nil {
		if code == 0 {
			return
		}
		l.cols[column] = make([]uint32, len(l.ids), max(cap(l.ids), len(l.ids)))
	}
	l.cols[column][slot] = code
}

// code returns the code of one attribute, and 0 if the feature has no value.
func (l *Layer) code(column int, slot uint32) uint32 {
	if c := l.cols[column]; c != nil {
		return c[slot]
	}
	return 0
}

// rank returns the place of a level in the order of drawing, from 0 for none to 4 for red. The worst level is drawn
// last.
func rank(level core.Level) uint8 {
	if level == core.None || !level.Valid() {
		return 0
	}
	return uint8(5 - level)
}

// addPoint adds a slot to an index of points. It does nothing while the layer is loading, because Ready sorts all slots
// at once, which is much faster than many insertions.
func (l *Layer) addPoint(p *points, slot uint32) {
	if !l.loading {
		p.insert(morton(l.x[slot], l.y[slot]), slot, l.ids)
	}
}

// addShapes stores the shapes of a feature as a linked list of forms and adds their boxes to the tree. A geometry
// collection may have shapes of several kinds. A feature with polygons has one label, no matter how many polygons it
// has.
func (l *Layer) addShapes(slot uint32, shapes []shape.Shape) {
	if l.shapes == nil {
		l.shapes = make([]uint32, len(l.ids), cap(l.ids))
		for i := range l.shapes {
			l.shapes[i] = noShape
		}
	}
	label := false
	for _, s := range shapes {
		at := l.newForm(form{Shape: s, slot: slot, next: l.shapes[slot]})
		l.shapes[slot] = at
		if !l.loading {
			low, high := corners(s.Box)
			l.tree.Insert(low, high, at)
		}
		l.vertices += int64(s.Vertices())
		l.heap += int64(s.Bytes())
		label = label || s.Kind == shape.Polygon
	}
	if label {
		l.addPoint(&l.labels, slot)
	}
}

// newForm stores a form in a free entry or at the end, and returns its index.
func (l *Layer) newForm(f form) uint32 {
	if n := len(l.freeForm); n > 0 {
		at := l.freeForm[n-1]
		l.freeForm = l.freeForm[:n-1]
		l.forms[at] = f
		return at
	}
	l.forms = append(l.forms, f)
	return uint32(len(l.forms) - 1)
}

// corners returns a box in the form of the tree. It is never smaller than the exact box.
func corners(b shape.Box) (low, high [2]float32) {
	return [2]float32{below(b.X0), below(b.Y0)}, [2]float32{above(b.X1), above(b.Y1)}
}

// below rounds a world coordinate down to a float32. A float32 has 24 bits of precision and a coordinate 32, so the
// tree may find shapes just outside a box. Callers check the exact box.
func below(v uint32) float32 {
	f := float32(v)
	if float64(f) > float64(v) {
		return math.Nextafter32(f, 0)
	}
	return f
}

// above rounds a world coordinate up to a float32; see below.
func above(v uint32) float32 {
	f := float32(v)
	if float64(f) < float64(v) {
		return math.Nextafter32(f, math.MaxFloat32)
	}
	return f
}

// Delete removes a feature and returns its place. ok is false if the feature is not in the layer.
func (l *Layer) Delete(id int64) (was Extent, ok bool) {
	delete(l.undrawn, id)
	slot, ok := l.slotOf[id]
	if !ok {
		return was, false
	}
	was = l.extent(slot)
	delete(l.slotOf, id)
	if l.isPoint(slot) {
		l.removePoint(&l.points, slot)
	} else {
		l.removeShapes(slot)
	}
	for c := range l.cols {
		l.dict.drop(l.code(c, slot))
		l.set(c, slot, 0)
	}
	l.areas.drop(l.where[slot])
	l.free = append(l.free, slot)
	return was, true
}

// removePoint removes a slot from an index of points; see addPoint.
func (l *Layer) removePoint(p *points, slot uint32) {
	if !l.loading {
		p.remove(morton(l.x[slot], l.y[slot]), slot, l.ids)
	}
}

// removeShapes removes the shapes of a feature and frees their forms; see addShapes.
func (l *Layer) removeShapes(slot uint32) {
	label := false
	for at := l.shapes[slot]; at != noShape; {
		f := &l.forms[at]
		if !l.loading {
			low, high := corners(f.Box)
			l.tree.Delete(low, high, at)
		}
		l.vertices -= int64(f.Vertices())
		l.heap -= int64(f.Bytes())
		label = label || f.Kind == shape.Polygon
		next := f.next
		*f = form{}
		l.freeForm = append(l.freeForm, at)
		at = next
	}
	l.shapes[slot] = noShape
	if label {
		l.removePoint(&l.labels, slot)
	}
}

// isPoint reports whether the feature of a slot is a point, which has no shapes.
func (l *Layer) isPoint(slot uint32) bool { return l.shapes == nil || l.shapes[slot] == noShape }

// extent returns the box around all shapes of a slot. The box of a point has the point as both corners.
func (l *Layer) extent(slot uint32) Extent {
	e := Extent{Division: l.areas.code(l.where[slot])}
	if l.isPoint(slot) {
		e.Box = shape.Box{X0: l.x[slot], Y0: l.y[slot], X1: l.x[slot], Y1: l.y[slot]}
		return e
	}
	for i, at := 0, l.shapes[slot]; at != noShape; i, at = i+1, l.forms[at].next {
		b := l.forms[at].Box
		if i == 0 {
			e.Box = b
			continue
		}
		e.Box = shape.Box{
			X0: min(e.Box.X0, b.X0), Y0: min(e.Box.Y0, b.Y0), X1: max(e.Box.X1, b.X1), Y1: max(e.Box.Y1, b.Y1),
		}
	}
	return e
}

// Stats has the sizes of a layer.
type Stats struct {
	Features, Vertices int64
	Bytes              int64 // estimated memory on the heap
}

// Stats returns the sizes of the layer. The factors are the bytes of one entry of each column and index.
func (l *Layer) Stats() Stats {
	n := int64(cap(l.ids))*(8+1+4+4+4) + int64(cap(l.shapes))*4 + int64(len(l.slotOf))*24
	for _, c := range l.cols {
		n += int64(cap(c)) * 4
	}
	n += l.dict.bytes() + l.points.bytes() + l.labels.bytes() + int64(cap(l.forms))*formBytes + l.heap + int64(l.tree.Len())*32
	return Stats{Features: int64(len(l.slotOf)), Vertices: l.vertices, Bytes: n}
}

// Count returns the number of drawn features in the divisions for which covers returns true.
func (l *Layer) Count(covers func(division string) bool) (n int64) {
	for i, uses := range l.areas.uses {
		if uses > 0 && covers(l.areas.codes[i]) {
			n += int64(uses)
		}
	}
	return n
}

// formBytes is the memory of a form without its shape, bytes.
const formBytes = 8

// Undrawn returns the features that tiles do not show, or show only in part, in the divisions for which covers returns
// true. The list is ordered by id and has at most limit features; count is the number of all of them.
func (l *Layer) Undrawn(covers func(division string) bool, limit int) (list []tiles.Undrawn, count int) {
	for _, u := range l.undrawn {
		if covers(u.Division) {
			list = append(list, u)
		}
	}
	slices.SortFunc(list, func(a, b tiles.Undrawn) int { return cmp.Compare(a.ID, b.ID) })
	count = len(list)
	return list[:min(limit, count)], count
}

// String implements fmt.Stringer.
func (l *Layer) String() string { return fmt.Sprintf("layer %s", l.name) }
