// Package export writes alerts as a table for spreadsheet programs: CSV and XLSX, with titles and words in Chinese or
// English. A cell that a spreadsheet program would run as a formula becomes text. Times are in Asia/Shanghai
// (UTC+08:00), as the titles state.
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

// Format is the file format of an export.
type Format string

// The formats.
const (
	CSV  Format = "csv"
	XLSX Format = "xlsx"
)

// ContentType returns the media type of the format. It is CSV's for an unknown format.
func (f Format) ContentType() string {
	if f == XLSX {
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	}
	return "text/csv; charset=utf-8"
}

// Language is the language of titles and words.
type Language string

// The languages.
const (
	Chinese Language = "zh"
	English Language = "en"
)

// of returns the text in the language, and in the other language if the text does not have it.
func (l Language) of(t core.Text) string {
	if (l == English && t.EN != "") || t.ZH == "" {
		return t.EN
	}
	return t.ZH
}

// Row is one alert with the handling steps of people, oldest first, and the name of its division.
type Row struct {
	Alert    alerts.Alert
	Steps    []alerts.Audit
	Division core.Text
}

// table writes one file. A cell is a string, a number or nil. close ends the file; no write may follow it.
type table interface {
	write(cells []any) error
	close() error
}

// Writer writes the rows of one file.
type Writer struct {
	table table
	lang  Language
}

// NewWriter returns a Writer and writes the row of titles. A CSV file is UTF-8 with a byte order mark, because without
// it spreadsheet programs read Chinese text wrongly. An XLSX file is kept in memory or a temporary file, and Close
// writes it to out.
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

// Write writes one row. It makes every text cell safe with plain.
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

// Close ends the file. If cut is above 0, the file has only the newest cut rows of more alerts, and Close adds a last
// row that states this. With cut 0 the file is complete.
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

// maxCell is the largest number of characters of a cell. It is below the limit of Excel, 32,767.
const maxCell = 32_000

// plain returns a text that no spreadsheet program runs as a formula (CSV injection; see OWASP). A text gets an
// apostrophe in front if its first character after spaces and control characters is = + - or @, also in the full-width
// form, or if it begins with a tab or a line break. A control character that a cell cannot hold becomes a space. A text
// longer than maxCell is cut.
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

// text implements table as a CSV file (RFC 4180, lines end with CR LF).
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

// sheet implements table as an XLSX file with one sheet. The stream writer of excelize keeps many rows in a temporary
// file instead of memory.
type sheet struct {
	out    io.Writer
	file   *excelize.File
	stream *excelize.StreamWriter
	row    int
}

// newSheet returns an XLSX file with one sheet. Every column is 18 characters wide, and the row of titles stays visible
// when a person scrolls.
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

// end closes the workbook, which removes its temporary files. It returns err, or the error of closing.
func (s *sheet) end(err error) error {
	if closing := s.file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("write the sheet: %w", err)
	}
	return nil
}

// Abandon removes the temporary files of a file that will not be closed. It does nothing after Close.
func (w *Writer) Abandon() {
	if s, ok := w.table.(*sheet); ok {
		_ = s.file.Close() // only its temporary files are lost
	}
}

// shanghai returns the time zone of the file. It is a fixed zone, because China has one time without summer time, and a
// fixed zone needs no zone database on the machine.
func shanghai() *time.Location { return time.FixedZone("Asia/Shanghai", 8*60*60) }

// moment returns the time as a cell, "2006-01-02 15:04:05" in Asia/Shanghai, and nil for the zero time.
func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.In(shanghai()).Format("2006-01-02 15:04:05")
}
