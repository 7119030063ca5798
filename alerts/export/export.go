// Package export writes alerts as a table for people's spreadsheets: CSV and XLSX, with the titles and the
// words of one language. Cells that a spreadsheet would run as a formula are made texts. Times are those of
// Asia/Shanghai, which the titles say.
package export

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/xuri/excelize/v2"

	"onemap/alerts"
	"onemap/internal/core"
)

// Format is the form of a file.
type Format string

// The formats.
const (
	CSV  Format = "csv"
	XLSX Format = "xlsx"
)

// ContentType is the format's media type.
func (f Format) ContentType() string {
	if f == XLSX {
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	}
	return "text/csv; charset=utf-8"
}

// Language is that of titles and words: Chinese, or English.
type Language string

// The languages.
const (
	Chinese Language = "zh"
	English Language = "en"
)

func (l Language) of(t core.Text) string {
	if (l == English && t.EN != "") || t.ZH == "" {
		return t.EN
	}
	return t.ZH
}

// Row is one alert with the steps that people took on it, and the name of its division.
type Row struct {
	Alert    alerts.Alert
	Steps    []alerts.Audit
	Division core.Text
}

// table is a file that is being written: cells are texts, numbers or nil.
type table interface {
	write(cells []any) error
	close() error
}

// Writer writes the rows of one file.
type Writer struct {
	table table
	lang  Language
}

// NewWriter begins a file with its titles. The CSV is in UTF-8 with a byte order mark, for without one
// spreadsheets read Chinese wrongly. An XLSX is kept in a temporary file and goes out with Close.
func NewWriter(out io.Writer, f Format, lang Language) (*Writer, error) {
	w := &Writer{lang: lang}
	var err error
	if f == XLSX {
		w.table, err = newSheet(out, lang.of(core.Text{ZH: "监测告警", EN: "Alerts"}))
	} else {
		w.table, err = newText(out)
	}
	if err != nil {
		return nil, err
	}
	var titles []any
	for _, c := range columns() {
		titles = append(titles, lang.of(c.title))
	}
	return w, w.table.write(titles)
}

// Write writes one alert.
func (w *Writer) Write(r Row) error {
	cells := make([]any, 0, len(columns()))
	for _, c := range columns() {
		cell := c.cell(r, w.lang)
		if text, ok := cell.(string); ok {
			cell = plain(text)
		}
		cells = append(cells, cell)
	}
	return w.table.write(cells)
}

// Close ends the file. cut is how many rows it has when there were more; 0: it has them all.
func (w *Writer) Close(cut int) error {
	if cut > 0 {
		said := core.Text{
			ZH: fmt.Sprintf("只导出了最新的 %d 条，还有更早的：请缩小筛选范围", cut),
			EN: fmt.Sprintf("Only the newest %d are here, there are older ones: narrow the filter", cut),
		}
		if err := w.table.write([]any{w.lang.of(said)}); err != nil {
			return err
		}
	}
	return w.table.close()
}

// maxCell is the longest text that a spreadsheet's cell holds, in characters.
const maxCell = 32_000

// plain makes a text that no spreadsheet runs as a formula: one that begins, after spaces and control
// characters, with one of = + - @ gets an apostrophe before it, and one that begins with a control
// character too. Control characters that a cell cannot hold become spaces; what is too long is cut.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' || r == unicode.ReplacementChar || r == '\uFFFE' || r == '\uFFFF' {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > maxCell {
		s = string(r[:maxCell]) + "…"
	}
	first := strings.TrimLeftFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\uFEFF' })
	if first != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(first)[0]) || s != "" && strings.ContainsRune("\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}

// text is a CSV file.
type text struct{ csv *csv.Writer }

func newText(out io.Writer) (*text, error) {
	if _, err := io.WriteString(out, "\uFEFF"); err != nil {
		return nil, err
	}
	w := csv.NewWriter(out)
	w.UseCRLF = true
	return &text{w}, nil
}

func (t *text) write(cells []any) error {
	fields := make([]string, len(cells))
	for i, c := range cells {
		if c != nil {
			fields[i] = fmt.Sprint(c)
		}
	}
	return t.csv.Write(fields)
}

func (t *text) close() error {
	t.csv.Flush()
	return t.csv.Error()
}

// sheet is an XLSX file of one sheet.
type sheet struct {
	out    io.Writer
	file   *excelize.File
	stream *excelize.StreamWriter
	row    int
}

func newSheet(out io.Writer, name string) (*sheet, error) {
	f := excelize.NewFile()
	s := &sheet{out: out, file: f}
	err := f.SetSheetName("Sheet1", name)
	if err == nil {
		s.stream, err = f.NewStreamWriter(name)
	}
	if err == nil {
		err = s.stream.SetColWidth(1, len(columns()), 18)
	}
	if err == nil {
		err = s.stream.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"})
	}
	if err != nil {
		return nil, s.end(err)
	}
	return s, nil
}

func (s *sheet) write(cells []any) error {
	s.row++
	return s.stream.SetRow(fmt.Sprintf("A%d", s.row), cells)
}

func (s *sheet) close() error {
	err := s.stream.Flush()
	if err == nil {
		err = s.file.Write(s.out)
	}
	return s.end(err)
}

// end removes the temporary file.
func (s *sheet) end(err error) error {
	if closing := s.file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("write the sheet: %w", err)
	}
	return nil
}

// Abandon removes what a file that is not closed keeps on the disk.
func (w *Writer) Abandon() {
	if s, ok := w.table.(*sheet); ok {
		_ = s.file.Close() // only its temporary files are lost
	}
}

// shanghai is the zone of the times: China keeps one, without summer time.
func shanghai() *time.Location { return time.FixedZone("Asia/Shanghai", 8*60*60) }

func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.In(shanghai()).Format("2006-01-02 15:04:05")
}
