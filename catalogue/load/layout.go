package load

import (
	"errors"
	"io"
	"strings"
)

// The row of names is looked for among so many lines, of so many bytes, below titles, dates and who made it.
const (
	headLines = 20
	headBytes = 1 << 20
)

// layout is how a table is written.
type layout struct {
	comma  string
	titles int // rows above the row of names
	names  []string
	where  columns
}

// columns are where the position is; lat and lon are -1 when place is not.
type columns struct{ lon, lat, place int }

// found reports whether there is a position: one column of it, or both of two.
func (c columns) found() bool { return c.place >= 0 || (c.lon >= 0 && c.lat >= 0) }

// delimiters are those that are looked for, the usual one first.
func delimiters() []string { return []string{",", ";", "\t", "|", "，"} }

// findLayout tries each delimiter on the head of the table and takes the one by which a row of names has a position. of is
// what a line "sep=;" says.
func findLayout(head []line, of string, asm *assembler) layout {
	commas := delimiters()
	if of != "" {
		commas = []string{of}
	}
	best := layout{comma: commas[0], titles: -1}
	most := 0
	for _, comma := range commas {
		rows := headOf(head, comma)
		for i, cells := range rows {
			names := columnNames(cells)
			if l := (layout{comma, i, names, asm.columns(names)}); l.where.found() && l.betterThan(best) {
				best = l
			}
		}
		if best.titles < 0 && len(rows) > 0 && len(rows[0]) > most {
			most, best.comma, best.names = len(rows[0]), comma, columnNames(rows[0])
		}
	}
	return best
}

// betterThan compares two rows of names: one with two columns for the position goes before one with a column that may be an
// address, then the first one, then the one with more names.
func (l layout) betterThan(other layout) bool {
	switch {
	case other.titles < 0:
		return true
	case (l.where.place < 0) != (other.where.place < 0):
		return l.where.place < 0
	case l.titles != other.titles:
		return l.titles < other.titles
	}
	return len(l.names) > len(other.names)
}

// delimiterFor is the delimiter by which most of the first rows have n cells.
func delimiterFor(head []line, n int) string {
	best, most := ",", 0
	for _, comma := range delimiters() {
		fit := 0
		for _, cells := range headOf(head, comma) {
			if len(cells) == n {
				fit++
			}
		}
		if fit > most {
			best, most = comma, fit
		}
	}
	return best
}

// headOf are the first rows of a table.
func headOf(head []line, comma string) [][]string {
	r := &rows{lines: &lines{max: headBytes + DefaultMaxRecord}, split: splitter{comma: comma}}
	r.lines.unread(head)
	var all [][]string
	for {
		row, err := r.next()
		if err != nil {
			return all
		}
		all = append(all, row.cells)
	}
}

// columnNames takes spaces and byte order marks off the names. They stay as they are otherwise: they become names
// of properties.
func columnNames(cells []string) []string {
	names := make([]string, len(cells))
	for i, name := range cells {
		names[i] = strings.Trim(name, " \t\r\n"+byteOrderMark)
	}
	return names
}

// indexOf finds a column by its name; the name as it stands goes before one that only folds to it.
func indexOf(names []string, name string) int {
	folded := -1
	want := foldName(name)
	for i, n := range names {
		if n == name {
			return i
		}
		if folded < 0 && want != "" && foldName(n) == want {
			folded = i
		}
	}
	return folded
}

// columns finds the position among the names: by the options, as two columns, or as one.
func (a *assembler) columns(names []string) columns {
	where := columns{-1, -1, -1}
	lon, lat := a.o.LonField, a.o.LatField
	// Both columns are named: nothing is guessed, and a name that is not there is an error of the caller.
	if lon != "" && lat != "" && lat != lon {
		where.lon, where.lat = indexOf(names, lon), indexOf(names, lat)
		return where
	}
	folded := make(map[string]int, len(names)) // the first column of each name
	for i, name := range names {
		n := foldName(name)
		if _, twice := folded[n]; !twice {
			folded[n] = i
		}
	}
	firstOf := func(r role) int {
		for _, name := range usualNames(r, a.o.Frame) {
			if i, ok := folded[name]; ok {
				return i
			}
		}
		return -1
	}
	switch {
	case lon != "":
		if lat == "" {
			where.lat = firstOf(roleLat)
		}
		if where.lon = indexOf(names, lon); where.lon >= 0 && where.lat < 0 {
			return columns{-1, -1, where.lon}
		}
		return where
	case lat != "":
		where.lat, where.lon = indexOf(names, lat), firstOf(roleLon)
		return where
	}
	where.lon, where.lat = firstOf(roleLon), firstOf(roleLat)
	if where.lon == where.lat { // 坐标X alone is neither
		where.lat = -1
	}
	if !where.found() {
		where.place = firstOf(rolePlace)
	}
	return where
}

// separatorLine consumes a first line "sep=;" and returns its delimiter. Spreadsheet programs use such a line. It returns
// "" if there is none.
func separatorLine(l *lines) (string, error) {
	first, err := l.next()
	if errors.Is(err, io.EOF) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	text := strings.Trim(string(first.text), " \""+byteOrderMark)
	if rest, ok := strings.CutPrefix(strings.ToLower(text), "sep="); ok && len(rest) == 1 {
		return rest, nil
	}
	l.unread([]line{first})
	return "", nil
}
