package backfill

import (
	"bytes"
	"slices"
	"strings"

	"onemap/internal/fault"
)

// wideColumn is a column of a wide table. Its values are of the datastream name of a device: of device or, if that is nil, of
// the device of the row.
type wideColumn struct {
	index  int
	device []byte
	name   []byte
}

// placeWide finds the columns whose name is a datastream. In a table without a device column it finds those whose name is a
// device.
func (t *table) placeWide(field string) error {
	t.wide, t.unread = nil, nil
	for i, name := range t.head {
		if i == t.col.device || i == t.col.time || i == t.col.date || i == t.col.qc || name == "" {
			continue
		}
		c, err := t.datastreamColumn(name)
		if t.col.device < 0 {
			c, err = t.deviceColumn(name)
		}
		if err != nil {
			return fault.InvalidField(field, "the column %s: %v", clip(name), err)
		}
		// The note of the table lists such columns, because a misspelled heading would otherwise go unnoticed.
		if c.name == nil {
			t.unread = append(t.unread, clip(name))
			continue
		}
		c.index = i
		// Two columns of one datastream would be two values at the same time.
		if twice := slices.IndexFunc(t.wide, func(w wideColumn) bool { return bytes.Equal(w.name, c.name) && bytes.Equal(w.device, c.device) }); twice >= 0 {
			return fault.InvalidField(field, "the datastream %q has two columns, %s and %s", string(c.name), clip(t.head[t.wide[twice].index]), clip(name))
		}
		t.wide = append(t.wide, c)
	}
	return nil
}

// datastreamColumn returns the column of a datastream that some device has. The column has no name if there is no such
// datastream.
func (t *table) datastreamColumn(name string) (wideColumn, error) {
	if t.o.ValuesOf != "" {
		return wideColumn{}, fault.New(fault.Invalid, "--values-of says the datastream of all values, for tables with a column of values or a column a device")
	}
	for _, name := range [...]string{name, withoutUnit(name)} {
		if t.o.Registry.Known(name) {
			return wideColumn{name: []byte(name)}, nil
		}
	}
	return wideColumn{}, nil
}

// deviceColumn returns the column of a device's datastream. The heading is a device that has only one datastream (or
// --values-of names it), as bt-1, or a device and a datastream with a sign in between, as bt-1/level. The column has no name
// if there is no such device.
func (t *table) deviceColumn(name string) (wideColumn, error) {
	for _, name := range [...]string{name, withoutUnit(name)} {
		name = halfWidth([]byte(name)) // ids are ASCII
		if names := t.o.Registry.Names(name); names != nil {
			return t.onlyDatastream(name, names)
		}
		if i := strings.IndexAny(name, "/:. "); i > 0 { // no device id contains these signs
			device, stream := name[:i], strings.TrimLeft(name[i:], "/:. ")
			if slices.Contains(t.o.Registry.Names(device), stream) {
				return wideColumn{device: []byte(device), name: []byte(stream)}, nil
			}
		}
	}
	return wideColumn{}, nil
}

// onlyDatastream returns the datastream of a column whose heading is only a device. It does not guess.
func (t *table) onlyDatastream(device string, names []string) (wideColumn, error) {
	c := wideColumn{device: []byte(device)}
	switch {
	case t.o.ValuesOf != "" && !slices.Contains(names, t.o.ValuesOf):
		return c, fault.New(fault.Invalid, "the device has no datastream %s, which --values-of names; it has %s", clip(t.o.ValuesOf), clip(strings.Join(names, ", ")))
	case t.o.ValuesOf != "":
		c.name = []byte(t.o.ValuesOf)
	case len(names) == 1:
		c.name = []byte(names[0])
	default:
		return c, fault.New(fault.Invalid, "the device has %d datastreams, %s: name the column as %s/%s, or say by --values-of which one all columns mean",
			len(names), clip(strings.Join(names, ", ")), device, names[0])
	}
	return c, nil
}
