package load

import (
	"errors"
	"io"
	"strings"
)

// The row of column names is searched in this number of lines and bytes, because titles, dates and authors may precede
// it.
const (
	headLines = 20
	headBytes = 1 << 20
)

// layout is the format of a table.
type layout struct {
	comma  string
	titles int // number of rows above the row of column names
	names  []string
	where  columns
}

// columns holds the indexes of the columns with the position; -1 means none. Either lon and lat are set, or place.
type columns struct{ lon, lat, place int }

// found reports whether the position was found: either the place column, or both lon and lat.
func (c columns) found() bool { return c.place >= 0 || (c.lon >= 0 && c.lat >= 0) }

// delimiters returns the delimiters that are tried, the most common first.
func delimiters() []string { return []string{",", ";", "\t", "|", "，"} }

// findLayout tries each delimiter on the head of the table. It returns the best layout in which a row of names has the
// columns of a position. of is the delimiter of a line "sep=;", or "".
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
		// While no layout is found, the names of the delimiter with the most columns are kept for the message.
		if best.titles < 0 && len(rows) > 0 && len(rows[0]) > most {
			most, best.comma, best.names = len(rows[0]), comma, columnNames(rows[0])
		}
	}
	return best
}

// betterThan compares two rows of names. A row with two columns for the position is better than a row with one column,
// which may be an address. Then the earlier row is better, then the row with more names.
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

// delimiterFor returns the delimiter with which most of the first rows have n cells.
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

// headOf returns the rows of the head of a table, split at comma.
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

// columnNames removes spaces and byte order marks around the names. It does not change them otherwise, because they
// become the names of properties.
func columnNames(cells []string) []string {
	names := make([]string, len(cells))
	for i, name := range cells {
		names[i] = strings.Trim(name, " \t\r\n"+byteOrderMark)
	}
	return names
}

// indexOf returns the index of a column by its name, or -1. An exact match is preferred to a match of the folded names.
func indexOf(names []string, name string) int {
	folded := -1
	want := foldName(name)
	for i, n := range names {
		if n == name {
			return i
		}
		// The first match of a folded name counts, as in columns below.
		if folded < 0 && want != "" && foldName(n) == want {
			folded = i
		}
	}
	return folded
}

// columns finds the columns of the position: by the names in the options, as two columns, or as one column.
func (a *assembler) columns(names []string) columns {
	where := columns{-1, -1, -1}
	lon, lat := a.o.LonField, a.o.LatField
	// If the options name both columns, no other names are tried. A missing column is an error of the caller.
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
	// A delimiter has one byte here; a longer rest is a normal first line.
	text := strings.Trim(string(first.text), " \""+byteOrderMark)
	if rest, ok := strings.CutPrefix(strings.ToLower(text), "sep="); ok && len(rest) == 1 {
		return rest, nil
	}
	l.unread([]line{first})
	return "", nil
}
