package memory

import (
	"cmp"
	"slices"

	"onemap/tiles/shape"
)

// Ready ends the first load. It sorts all features by their place, so that features of one tile are close in memory,
// builds the indexes, and frees the spare memory of the columns.
func (l *Layer) Ready() {
	l.loading = false
	l.sortForms()
	order := make([]keyed, 0, len(l.slotOf))
	for _, slot := range l.slotOf {
		order = append(order, keyed{morton(l.x[slot], l.y[slot]), slot})
	}
	// Points at one place are ordered by id, as insert orders them later.
	slices.SortFunc(order, func(a, b keyed) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(l.ids[a.slot], l.ids[b.slot]))
	})
	l.permute(order)
	var keys, labelKeys []uint64
	var slots, labelSlots []uint32
	for i, k := range order {
		slot := uint32(i)
		switch {
		case l.isPoint(slot):
			keys, slots = append(keys, k.key), append(slots, slot)
		case l.hasLabel(slot):
			labelKeys, labelSlots = append(labelKeys, k.key), append(labelSlots, slot)
		}
	}
	l.points.fill(keys, slots)
	l.labels.fill(labelKeys, labelSlots)
	l.sortValues()
}

// sortValues assigns new codes to the values of the dictionary. Values of several features get the lowest codes, the
// most used first; the others follow in the order of the features. The values of one tile are then close in memory, and
// frequent codes are below lowCodes.
func (l *Layer) sortValues() {
	var shared, single []uint32
	for slot := range l.ids {
		for _, col := range l.cols {
			if col == nil || col[slot] == 0 {
				continue
			}
			if code := col[slot]; l.dict.uses[code] == 1 {
				single = append(single, code)
			}
		}
	}
	for code := 1; code < len(l.dict.spans); code++ {
		if l.dict.uses[code] > 1 {
			shared = append(shared, uint32(code))
		}
	}
	slices.SortFunc(shared, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(l.dict.uses[b], l.dict.uses[a]), cmp.Compare(a, b))
	})
	now := l.dict.reorder(append(shared, single...))
	for _, col := range l.cols {
		for slot, code := range col {
			col[slot] = now[code]
		}
	}
}

// keyed is a slot or a form with the Morton code by which it is sorted.
type keyed struct {
	key  uint64
	slot uint32
}

// hasLabel reports whether one of the shapes of a slot is a polygon. Only polygons have a label.
func (l *Layer) hasLabel(slot uint32) bool {
	for at := l.shapes[slot]; at != noShape; at = l.forms[at].next {
		if l.forms[at].Kind == shape.Polygon {
			return true
		}
	}
	return false
}

// permute renumbers the slots: a slot becomes its index in order. It removes unused slots.
func (l *Layer) permute(order []keyed) {
	l.ids, l.ranks, l.where = permuted(l.ids, order), permuted(l.ranks, order), permuted(l.where, order)
	l.x, l.y, l.shapes = permuted(l.x, order), permuted(l.y, order), permuted(l.shapes, order)
	for c := range l.cols {
		l.cols[c] = permuted(l.cols[c], order)
	}
	l.free = nil
	for i, id := range l.ids {
		l.slotOf[id] = uint32(i)
	}
	if l.shapes == nil {
		return
	}
	for i, at := range l.shapes {
		for ; at != noShape; at = l.forms[at].next {
			l.forms[at].slot = uint32(i)
		}
	}
}

// permuted returns a column in a new order, without the slots that are not in the order.
func permuted[T any](old []T, order []keyed) []T {
	if old == nil {
		return nil
	}
	out := make([]T, len(order))
	for i, k := range order {
		out[i] = old[k.slot]
	}
	return out
}

// sortForms sorts the shapes by the Morton code of their centres, links the shapes of each feature again, and adds their
// boxes to the tree.
func (l *Layer) sortForms() {
	var order []keyed
	for i := range l.forms {
		if f := &l.forms[i]; f.Kind != 0 {
			b := f.Box
			order = append(order, keyed{morton(b.X0/2+b.X1/2, b.Y0/2+b.Y1/2), uint32(i)})
		}
	}
	slices.SortFunc(order, func(a, b keyed) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.slot, b.slot)) })
	l.forms = permuted(l.forms, order)
	l.freeForm = nil
	for i := range l.shapes {
		l.shapes[i] = noShape
	}
	for i := range l.forms {
		f := &l.forms[i]
		f.next, l.shapes[f.slot] = l.shapes[f.slot], uint32(i)
		low, high := corners(f.Box)
		l.tree.Insert(low, high, uint32(i))
	}
}
