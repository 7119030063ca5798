// Package load reads features from files: GeoJSON (a FeatureCollection, one Feature, or features one
// after another, as newline-delimited GeoJSON and RFC 8142 have them) and CSV with columns of
// longitude and latitude. It streams: no more than one record is held, whatever the file's size.
//
// A record that is wrong is a Refusal with its line, and the rest goes on. A file that is wrong, so
// that what follows cannot be told, is an error with its line: an import must then leave its layer
// as it was.
package load

import (
	"bufio"
	"io"
	"strconv"

	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/errs"
	"onemap/risk"
)

// Format is the form of a file.
type Format string

// The formats. FormatAuto looks at the first character: a brace begins GeoJSON.
const (
	FormatAuto    Format = "auto"
	FormatGeoJSON Format = "geojson"
	FormatCSV     Format = "csv"
)

// Encoding is how a file writes characters.
type Encoding string

// The encodings. EncodingAuto takes UTF-8 (with or without a byte order mark), UTF-16 with a mark,
// and otherwise GB18030, of which GBK is a part, when the beginning of the file is valid in it.
const (
	EncodingAuto    Encoding = "auto"
	EncodingUTF8    Encoding = "utf-8"
	EncodingGB18030 Encoding = "gb18030"
)

// NoField in one of the field options says that the file has none, and that none is looked for.
const NoField = "-"

// DefaultMaxRecord is how large one record may be, bytes.
const DefaultMaxRecord = 16 << 20

// Options say how to read a file. The zero value looks for everything itself.
//
// A field option that is empty takes the first of its usual names that the record has: see
// usualNames. One that is given must be there, or the record is refused (a CSV without it is an
// error).
type Options struct {
	Format   Format
	Encoding Encoding
	Frame    geo.Frame // of the file's coordinates; empty is WGS 84

	// KeyField holds the source's own key, by which ids are kept. A GeoJSON feature without it falls
	// back to its "id". What has neither gets a key made from its content: the same feature has the
	// same key the next time, a changed one is another feature.
	KeyField      string
	NameField     string // Chinese, or the only name
	NameENField   string
	LevelField    string // red…blue, 红…蓝, 1–4, Ⅰ–Ⅳ, 重大 较大 一般 低; empty, 0, none and 无 are core.None
	DivisionField string // GB/T 2260, padded or not
	LonField      string // CSV; the easting in a projected frame
	LatField      string // CSV; the northing

	Fields []risk.Field // types of CSV columns, by name; others stay strings

	Origin core.Origin // of every feature; empty is core.OriginReal
	Source string      // of every feature

	// Division gives the code of a place where the record names none. It may be nil.
	Division func(lon, lat float64) string

	MaxRecordBytes int // 0 is DefaultMaxRecord
}

// Open begins to read. The error is errs.Invalid and names an option that cannot be, or the first
// line when that already is wrong.
func Open(r io.Reader, o Options) (risk.Reader, error) {
	if o.MaxRecordBytes <= 0 {
		o.MaxRecordBytes = DefaultMaxRecord
	}
	if o.Origin == "" {
		o.Origin = core.OriginReal
	}
	if !o.Origin.Valid() {
		return nil, errs.InvalidField("origin", "%q is none", string(o.Origin))
	}
	frame, err := geo.ParseFrame(string(o.Frame))
	if err != nil {
		return nil, err
	}
	o.Frame = frame
	text, err := decodeText(r, o.Encoding)
	if err != nil {
		return nil, err
	}
	switch o.Format {
	case FormatGeoJSON:
		return newGeoJSON(text, o), nil
	case FormatCSV:
		return newCSV(text, o)
	case FormatAuto, "":
		if looksLikeJSON(text) {
			return newGeoJSON(text, o), nil
		}
		return newCSV(text, o)
	}
	return nil, errs.InvalidField("format", "%q is not auto, geojson or csv", string(o.Format))
}

// looksLikeJSON tells by the first character that is no space.
func looksLikeJSON(text *bufio.Reader) bool {
	head, _ := text.Peek(sniffBytes)
	for _, c := range head {
		switch c {
		case ' ', '\t', '\r', '\n', recordSeparator:
		default:
			return c == '{' || c == '['
		}
	}
	return false
}

// fatal is an error at a line.
func fatal(line int, format string, args ...any) error {
	return errs.InvalidField("line "+strconv.Itoa(line), format, args...)
}
