package backfill

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"slices"
	"strings"

	"onemap/internal/fault"
)

// maxTitleRows is the number of rows in which the column names are searched, because titles and remarks may come before them.
const maxTitleRows = 20

// columns holds the indexes of the columns that are read; -1 means that there is no such column.
type columns struct{ device, datastream, id, date, time, value, qc int }

// usual returns the names that are tried for a column without a given name, in the form of nameOf.
func usual(column string) []string {
	switch column {
	case "device":
		return []string{
			"device", "device_id", "device_no", "station", "station_id", "station_no", "station_code", "stcd",
			"设备", "设备编号", "设备编码", "设备号", "设备id", "站号", "站码", "站点", "站点编号", "站点编码", "站点号", "测站", "测站编号", "测站编码", "测站号",
			"测点", "测点编号", "测点编码", "监测点", "监测点编号", "监测站", "监测站编号", "监测设备", "传感器编号", "区站号", "编号",
		}
	case "datastream":
		return []string{
			"datastream", "datastream_name", "name", "parameter", "variable", "element", "item",
			"指标", "指标名称", "要素", "要素名称", "监测要素", "观测要素", "监测项", "监测项目", "监测指标", "观测项", "观测项目", "测项", "项目", "参数", "因子", "监测因子", "数据流",
		}
	case "datastream_id":
		return []string{"datastream_id", "数据流编号"}
	case "date":
		return []string{"date", "日期", "观测日期", "监测日期", "采集日期", "测量日期"}
	case "t":
		return []string{
			"t", "time", "ts", "timestamp", "datetime", "date_time", "observed_at", "observation_time", "tm",
			"时间", "监测时间", "观测时间", "采集时间", "测量时间", "采样时间", "数据时间", "记录时间", "上报时间", "发生时间", "日期时间", "时刻", "时间戳",
		}
	case "v":
		return []string{
			"v", "value", "result", "val", "reading", "measurement",
			"值", "监测值", "观测值", "数值", "测值", "测量值", "实测值", "采集值", "读数", "数据", "结果", "数据值",
		}
	default:
		return []string{"qc", "quality", "qc_flag", "质控", "质控码", "质量", "质量码", "质量标识"}
	}
}

// nameOf normalizes a column name for comparison: lower case, half-width, without added signs.
func nameOf(cell []byte) string {
	name := strings.ToLower(strings.TrimSpace(halfWidth(cell)))
	return strings.NewReplacer(" ", "_", "-", "_").Replace(name)
}

// withoutUnit removes a unit or a remark in brackets from the end of a name: 水位(m), rain [mm].
func withoutUnit(name string) string {
	for _, pair := range [...][2]string{{"(", ")"}, {"[", "]"}, {"（", "）"}, {"【", "】"}} {
		// The index 0 is excluded, because a name that consists of a remark only would become empty.
		if i := strings.Index(name, pair[0]); i > 0 && strings.HasSuffix(name, pair[1]) {
			return strings.TrimRight(name[:i], " _")
		}
	}
	return name
}

// header finds the row that names the columns, and reads it.
func (t *table) header() error {
	var first error // the fault of the first row that does not contain column names, or of the first row that has a time column
	timed := false
	for range maxTitleRows {
		row, whole, err := t.record()
		// A short file may end before maxTitleRows; the fault of the best row explains more than the end of the file.
		if errors.Is(err, io.EOF) && first != nil {
			return first
		}
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "the first row, which names the columns, cannot be read")
		}
		row, bad := t.text.utf8(row)
		switch {
		case len(bytes.TrimSpace(row)) == 0:
			continue
		case t.delimiterLine(row):
			continue
		}
		line := t.before.Line + 1
		if err = t.names(line, row, whole, bad); err == nil {
			return nil
		}
		// A row with a time column is more probably the header than a title, so its fault is the one to report.
		if has := t.col.time >= 0; first == nil || has && !timed {
			first, timed = err, has
		}
	}
	if first == nil {
		return fault.New(fault.Invalid, "the first %d rows are empty; a row that names the columns is needed", maxTitleRows)
	}
	return first
}

// delimiterLine reads a line such as sep=; with which spreadsheets declare the delimiter.
func (t *table) delimiterLine(row []byte) bool {
	row = bytes.Trim(bytes.TrimRight(row, " \r\n"), `"`)
	// The delimiter has 1 to 3 bytes: a full-width comma has three in UTF-8.
	if len(row) < 5 || !bytes.EqualFold(row[:4], []byte("sep=")) || len(row) > 7 {
		return false
	}
	t.comma = bytes.Clone(row[4:])
	return true
}

// names reads a row as the header row with the column names.
func (t *table) names(line int64, row []byte, whole bool, bad int) error {
	field := "line " + itoa(int(line))
	// header reads col.time after a fault, so it must not be that of the row before.
	t.col = columns{time: -1}
	switch {
	case bad >= 0:
		return fault.InvalidField(field, "byte %d is no text; say the encoding, as --encoding gb18030", bad+1)
	case !whole:
		return fault.InvalidField(field, "a quote is not closed")
	}
	// A delimiter that a sep= line declares is kept. A delimiter that this row suggests is dropped if the row is not
	// the header.
	given := t.comma
	if len(given) == 0 {
		t.comma = delimiterOf(row)
	}
	t.leanDecimal()
	msg := t.split(row)
	var err error
	if msg != "" {
		err = fault.InvalidField(field, "%s", msg)
	} else {
		t.width = len(t.cells)
		err = t.place(field)
	}
	if err != nil {
		t.comma = given
	}
	return err
}

// delimiterOf returns the delimiter that occurs most often in a row; it returns the comma if there is none.
func delimiterOf(row []byte) []byte {
	// The comma comes first: another sign must occur more often than it.
	best, most := []byte(","), bytes.Count(row, []byte(","))
	for _, sign := range [...]string{"\t", ";", "|", "，", "；"} {
		if n := bytes.Count(row, []byte(sign)); n > most {
			best, most = []byte(sign), n
		}
	}
	return best
}

// leanDecimal decides the meaning of a comma in a number if it is ambiguous.
func (t *table) leanDecimal() {
	switch string(t.comma) {
	// Spreadsheets write semicolons where the comma is the decimal sign.
	case ";", "；":
		t.numbers.lean = DecimalComma
	case ",":
		t.numbers.lean = DecimalPoint
	default:
		t.numbers.lean = ""
	}
}

// place finds the required columns: the time, and in addition either the value and its datastream (its id, or the device and the
// name), or the device and one column per datastream.
func (t *table) place(field string) error {
	t.head = make([]string, len(t.cells))
	names := make([]string, len(t.cells))
	for i, c := range t.cells {
		t.head[i], names[i] = strings.TrimSpace(string(c)), nameOf(c)
	}
	given := t.o.Columns
	// The loop sets all other columns.
	col := columns{date: -1}
	for _, c := range []struct {
		at          *int
		name, given string
	}{
		{&col.device, "device", given.Device}, {&col.datastream, "datastream", given.Datastream}, {&col.id, "datastream_id", given.DatastreamID},
		{&col.time, "t", given.Time}, {&col.value, "v", given.Value}, {&col.qc, "qc", given.QC},
	} {
		var err error
		if *c.at, err = find(names, c.name, c.given); err != nil {
			return fault.InvalidField(field, "%v; there are: %s", err, clip(strings.Join(t.head, ", ")))
		}
	}
	// A date column is used only with a time column that has a usual name. Without one, the date column is the time
	// column.
	if given.Time == "" {
		col.date, _ = find(names, "date", "")
		if col.time < 0 {
			col.time, col.date = col.date, -1
		}
	}
	t.col = col
	return t.placeValues(field)
}

// placeValues determines whether the table is long or wide, and whether all required columns exist.
func (t *table) placeValues(field string) error {
	missing := func(what string) error {
		return fault.InvalidField(field, "%s; there are: %s", what, clip(strings.Join(t.head, ", ")))
	}
	switch {
	case t.col.time < 0:
		return missing("no column is named as one of times: t, time, timestamp, 时间, 监测时间 …; --time names it")
	case t.o.ValuesOf != "" && t.col.datastream >= 0 && (t.col.value >= 0 || t.o.Columns.Datastream != ""):
		return missing("the column " + clip(t.head[t.col.datastream]) + " names the datastream, and --values-of is given")
	case t.col.value >= 0 && t.col.device >= 0 && t.o.ValuesOf != "":
		t.all = []byte(t.o.ValuesOf)
		return t.named()
	case t.col.value >= 0 && (t.col.id >= 0 || t.col.device >= 0 && t.col.datastream >= 0):
		return t.named()
	case t.col.value >= 0 && t.col.device >= 0:
		return missing("no column is named as one of datastreams; --datastream names it, or --values-of the datastream of all values")
	case t.col.value >= 0:
		return missing("columns device and datastream, or datastream_id, are needed; --device, --datastream and --datastream-id name them")
	}
	// If the user names a column of a long table, the file is not read as a wide table.
	if t.o.Columns.Value == "" && t.o.Columns.Datastream == "" {
		if err := t.placeWide(field); err != nil || len(t.wide) > 0 {
			return cmp.Or(err, t.named())
		}
	}
	return missing("no column is named as one of values: v, value, 值, 监测值 …, nor as a datastream or a device; --value names it")
}

// named keeps the names of the columns for what only the registry can refuse.
func (t *table) named() error {
	t.rec.Columns = Columns{
		Device: t.column(t.col.device), Datastream: t.column(t.col.datastream), DatastreamID: t.column(t.col.id), Time: t.column(t.col.time),
	}
	if t.wide != nil || t.all != nil {
		t.rec.Columns.Datastream = ""
	}
	return nil
}

// find returns the index of a column, by the given name or a usual one, or -1. If no full name matches, it ignores a unit after the
// name. It returns an error if the given name does not exist, or if a name exists twice.
func find(names []string, column, given string) (int, error) {
	want := usual(column)
	if given != "" {
		want = []string{nameOf([]byte(given))}
	}
	// The full names are tried first, so that a column v wins over a column v (m).
	for _, form := range [...]func(string) string{strings.TrimSpace, withoutUnit} {
		for _, name := range want {
			is := func(have string) bool { return form(have) == name }
			i := slices.IndexFunc(names, is)
			if i < 0 {
				continue
			}
			if slices.ContainsFunc(names[i+1:], is) {
				return -1, fault.New(fault.Invalid, "the column %q is there twice", name)
			}
			return i, nil
		}
	}
	if given != "" {
		return -1, fault.New(fault.Invalid, "there is no column %s", clip(given))
	}
	return -1, nil
}
