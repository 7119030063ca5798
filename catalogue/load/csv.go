package load

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/paulmach/orb"
	"golang.org/x/text/width"

	"onemap/catalogue"
	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// table reads a CSV file. Each row is a feature.
type table struct {
	rows   *rows
	o      Options
	asm    *assembler
	header []string
	where  columns
	types  map[string]string
	failed error
}

// newCSV returns a reader of a CSV file. It reads the file up to the row of column names.
func newCSV(text content, asm *assembler) (*table, error) {
	if asm.o.Frame == "" {
		asm.o.Frame = geo.FrameWGS84
	}
	t := &table{o: asm.o, asm: asm, types: map[string]string{}}
	lines := newLines(text, t.o.MaxRecordBytes)
	separator, err := separatorLine(lines)
	if err != nil {
		return nil, err
	}
	// The head is read ahead and put back, because its content decides how rows are split into cells.
	head := lines.peek(headLines, headBytes)
	t.rows = &rows{lines: lines}
	if len(t.o.Columns) > 0 {
		err = t.useColumns(head, separator)
	} else {
		err = t.findHeader(head, separator)
	}
	if err != nil {
		return nil, err
	}
	for _, f := range t.o.Fields {
		t.types[f.Name] = f.Type
	}
	return t, t.useHeader()
}

// findHeader reads the titles above the row of column names, and the row itself.
func (t *table) findHeader(head []line, separator string) error {
	l := findLayout(head, separator, t.asm)
	t.rows.split.comma = l.comma
	if l.titles < 0 {
		if len(l.names) == 0 {
			return fatal(1, "the file is empty; a row of column names is the first")
		}
		return t.noPosition(l.names)
	}
	var above row
	for i := range l.titles + 1 {
		r, err := t.rows.next()
		if err != nil {
			return err
		}
		if i == l.titles {
			t.header = columnNames(r.cells)
			t.nameFrom(above, r.nr)
			break
		}
		t.leaveOut(above)
		above = r
	}
	return nil
}

// leaveOut adds a note that a row above the column names is skipped.
func (t *table) leaveOut(above row) {
	if above.cells != nil {
		t.asm.tally.said = append(t.asm.tally.said, "line "+strconv.Itoa(above.nr)+" stands above the column names and is left out: "+
			clip(strings.Trim(strings.Join(above.cells, " "), " ")))
	}
}

// nameFrom takes the missing column names from the row above, if that row has names and is not a title. A cell that was
// merged over both rows has its name in the upper row.
func (t *table) nameFrom(above row, line int) {
	upper := columnNames(above.cells)
	named, filled := 0, false
	for _, name := range upper {
		if name != "" {
			named++
		}
	}
	for i := range min(len(upper), len(t.header)) {
		// A title has one cell with text, so a row with two names or more is not a title.
		if named > 1 && t.header[i] == "" && upper[i] != "" {
			t.header[i], filled = upper[i], true
		}
	}
	if !filled {
		t.leaveOut(above)
		return
	}
	t.asm.tally.said = append(t.asm.tally.said, "lines "+strconv.Itoa(above.nr)+" and "+strconv.Itoa(line)+" name the columns together: "+clipList(t.header))
}

// useColumns takes the column names from the options. It skips the first row if that row has the same names.
func (t *table) useColumns(head []line, separator string) error {
	t.header = columnNames(t.o.Columns)
	if t.rows.split.comma = separator; separator == "" {
		t.rows.split.comma = delimiterFor(head, len(t.header))
	}
	if !t.asm.columns(t.header).found() {
		return t.noPosition(t.header)
	}
	first, err := t.rows.lines.next()
	if errors.Is(err, io.EOF) {
		return fatal(1, "the file is empty")
	}
	if err != nil {
		return err
	}
	names := columnNames(strings.Split(string(first.text), t.rows.split.comma))
	if strings.Join(names, "\n") != strings.Join(t.header, "\n") {
		t.rows.lines.unread([]line{first})
	}
	return nil
}

// noPosition returns the error for a missing position column. The message explains what to do.
func (t *table) noPosition(names []string) error {
	there := "; there are: " + clipList(names)
	where := t.asm.columns(names)
	if t.o.Frame.Degrees() && indexOf(names, "easting") >= 0 {
		there = "; easting and northing are metres: name the frame, as --frame epsg:4549" + there
	}
	missing := func(what, flag, given string, r role) error {
		if given != "" {
			return fatal(1, "there is no column %q%s", given, there)
		}
		return fatal(1, "no column holds the %s: its name should be %s, or is named by %s%s", what, strings.Join(usualNames(r, t.o.Frame), ", "), flag, there)
	}
	if where.lon < 0 {
		return missing("longitude", "--lon", t.o.LonField, roleLon)
	}
	return missing("latitude", "--lat", t.o.LatField, roleLat)
}

// clipList returns the names of at most 20 columns, and the number of the others.
func clipList(names []string) string {
	const listed = 20
	var all []string
	for _, name := range names[:min(len(names), listed)] {
		all = append(all, clip(name))
	}
	if more := len(names) - listed; more > 0 {
		all = append(all, "and "+strconv.Itoa(more)+" more")
	}
	return strings.Join(all, ", ")
}

// renameTwice adds a number to a column name that occurs more than once.
func (t *table) renameTwice() {
	taken := make(map[string]int, len(t.header)) // the last number that was added to a name
	for _, name := range t.header {
		taken[name] = 1
	}
	seen := make(map[string]bool, len(t.header))
	twice := 0
	for i, name := range t.header {
		if !seen[name] || name == "" {
			seen[name] = true
			continue
		}
		n := taken[name] + 1
		for taken[name+"_"+strconv.Itoa(n)] > 0 {
			n++
		}
		// The number is the first that makes a name of its own: b, b, b_2 become b, b_3, b_2.
		again := name + "_" + strconv.Itoa(n)
		taken[name], taken[again] = n, 1
		t.header[i] = again
		if twice++; twice <= maxWords {
			t.asm.tally.said = append(t.asm.tally.said, "the column "+clip(name)+" is there twice: column "+strconv.Itoa(i+1)+" is taken as "+clip(again))
		}
	}
	if twice > maxWords {
		t.asm.tally.said = append(t.asm.tally.said, strconv.Itoa(twice-maxWords)+" more columns are there twice")
	}
}

// useHeader finds the columns of the position and the columns that the options name.
func (t *table) useHeader() error {
	t.where = t.asm.columns(t.header)
	t.rows.width = len(t.header)
	t.renameTwice()
	t.asm.roles.room += len(t.header)
	for r := roleKey; r <= roleDivision; r++ {
		name := t.asm.roles.given[r]
		if name == "" || name == NoField {
			continue
		}
		i := indexOf(t.header, name)
		if i < 0 {
			return fatal(1, "there is no column %q; there are: %s", name, clipList(t.header))
		}
		t.asm.roles.given[r] = t.header[i]
	}
	if t.where.place >= 0 {
		t.asm.tally.said = append(t.asm.tally.said, "position from "+clip(t.header[t.where.place]))
	} else {
		t.asm.tally.said = append(t.asm.tally.said, "longitude from "+clip(t.header[t.where.lon])+", latitude from "+clip(t.header[t.where.lat]))
	}
	return nil
}

// Next returns the next row as a feature, a refusal of it, io.EOF, or an error that ends the reading.
func (t *table) Next() (catalogue.Record, *catalogue.Refusal, error) {
	for {
		if t.failed != nil {
			return catalogue.Record{}, nil, t.failed
		}
		r, err := t.rows.next()
		if err != nil {
			t.failed = err
			return catalogue.Record{}, nil, err
		}
		if r.wrong == "" && isEmptyRow(r.cells) {
			continue // an empty row, which spreadsheet programs write below the last row
		}
		feature, err := t.feature(r)
		if err != nil {
			return catalogue.Record{}, &catalogue.Refusal{Line: r.nr, Offset: r.at, Key: feature.Key, Reason: err.Error()}, nil
		}
		return catalogue.Record{Line: r.nr, Offset: r.at, Feature: feature}, nil, nil
	}
}

// isEmptyRow reports whether no cell has anything but spaces.
func isEmptyRow(cells []string) bool {
	for _, cell := range cells {
		if strings.TrimSpace(cell) != "" {
			return false
		}
	}
	return true
}

// feature makes a feature of a row. The key is found first, so that a refusal can name it.
func (t *table) feature(r row) (catalogue.Feature, error) {
	// The columns of the position and columns without a name are not properties.
	cells := make(map[string]any, len(r.cells))
	for i, cell := range r.cells[:min(len(r.cells), len(t.header))] {
		if i != t.where.lon && i != t.where.lat && i != t.where.place && t.header[i] != "" {
			cells[t.header[i]] = cell
		}
	}
	who, wrongKey := t.asm.identify(cells, "")
	none := catalogue.Feature{Key: who.key}
	switch {
	case r.wrong != "":
		return none, fault.New(fault.Invalid, "%s", r.wrong)
	// More cells than the header has are accepted if they are empty, because spreadsheet programs write them.
	case len(r.cells) < len(t.header), len(r.cells) > len(t.header) && !isEmptyRow(r.cells[len(t.header):]):
		return none, fault.New(fault.Invalid, "the row has %d columns, the header %d", len(r.cells), len(t.header))
	case wrongKey != nil:
		return none, wrongKey
	}
	g, err := t.geometry(r.cells)
	if err != nil {
		return none, err
	}
	properties, err := t.properties(r.cells)
	if err != nil {
		return none, err
	}
	f, err := t.asm.feature(g, who, hashed(cells, who.key))
	f.Properties = properties
	return f, err
}

// hashed returns the values from which the key of a row without a key is made: the cells by their names, and again by
// the names in lower case. It returns nil if the row has a key. This must never change: with other keys, a second
// import of the same file would replace all its features.
func hashed(cells map[string]any, key string) map[string]any {
	if key != "" {
		return nil
	}
	all := make(map[string]any, 2*len(cells))
	for name, cell := range cells {
		all[name], all[strings.ToLower(name)] = cell, cell
	}
	return all
}

// properties returns the cells of all named columns except the columns of the position, with the types of the options.
func (t *table) properties(cells []string) (map[string]any, error) {
	all := make(map[string]any, len(t.header))
	for i, name := range t.header {
		if i == t.where.lon || i == t.where.lat || i == t.where.place || name == "" {
			continue
		}
		v, err := t.typed(name, cells[i])
		if err != nil {
			return nil, err
		}
		all[name] = v
	}
	return all, nil
}

// typed returns a cell with the type of its field. An empty cell of a number or boolean is nil. It returns
// fault.Invalid if the cell does not have the type.
func (t *table) typed(name, cell string) (any, error) {
	if err := checkText(name, cell); err != nil {
		return nil, err
	}
	kind := t.types[name]
	if kind == "" || kind == "string" {
		// The cell stays as it is: the lost digits cannot be found again, so a note tells the user.
		if lostDigits(cell) {
			t.asm.tally.short(name, cell)
		}
		return cell, nil
	}
	if isNothing(cell) {
		return nil, nil // null in JSON
	}
	// Full-width digits (１２３) are read as half-width digits.
	trimmed := strings.TrimSpace(width.Fold.String(cell))
	switch kind {
	case "number":
		v, _, ok := decimal(trimmed)
		if !ok {
			return nil, fault.InvalidField(name, "%q is no number of at most %d digits", clip(cell), core.MaxDigits)
		}
		return v, nil
	case "integer":
		v, whole, ok := decimal(trimmed)
		if !ok || !whole {
			return nil, fault.InvalidField(name, "%q is no whole number of at most %d digits", clip(cell), core.MaxDigits)
		}
		return v, nil
	case "boolean":
		switch strings.ToLower(trimmed) {
		case "true", "1", "yes", "是":
			return true, nil
		case "false", "0", "no", "否":
			return false, nil
		}
		return nil, fault.InvalidField(name, "%q is neither true nor false", clip(cell))
	}
	return cell, nil
}

// geometry returns the geometry of a row: a point from two columns, or the geometry in one column.
func (t *table) geometry(cells []string) (orb.Geometry, error) {
	if i := t.where.place; i >= 0 {
		g, err := parsePlace(cells[i], t.o.Frame, latitudeFirst(t.header[i]))
		if err != nil {
			return nil, fault.InvalidField(t.header[i], "%v", err)
		}
		return g, nil
	}
	var p orb.Point
	// p is lon, lat in degrees, and easting, northing in a projected frame.
	for i, column := range []int{t.where.lon, t.where.lat} {
		v, err := parseCoordinate(cells[column], t.o.Frame)
		if err != nil {
			return nil, fault.InvalidField(t.header[column], "%v", err)
		}
		p[i] = v
	}
	if !t.o.Frame.Degrees() && t.ambiguous() && looksSwapped(p) {
		p[0], p[1] = p[1], p[0]
	}
	return onTheGlobe(p, t.o.Frame)
}

// ambiguous reports whether the position columns are called x and y and no option names them. Surveyors call the
// northing x; most other people call the easting x.
func (t *table) ambiguous() bool {
	return t.o.LonField == "" && strings.Contains(foldName(t.header[t.where.lon]), "x") != strings.Contains(foldName(t.header[t.where.lon]), "y")
}
