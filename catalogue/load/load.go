// Package load reads features from files: GeoJSON (a FeatureCollection, features, geometries or an array of them, or
// features one after another, as newline-delimited GeoJSON and RFC 8142 have them) and CSV with columns of
// longitude and latitude, or one of WKT. It streams: no more than one record is held, whatever the file's size.
//
// For a wrong record the reader returns a Refusal with its line and offset, and continues. If the file itself is wrong,
// so that the records after the error cannot be found, it returns an error with the line. An import must then not change
// its layer.
//
// Coordinates come out as lon, lat in EPSG:4326, whatever frame the file has. Levels are the four colours, from the
// words and numbers that departments use (level.go). Division codes are unpadded.
//
// The files: text.go detects the encoding. scan.go cuts JSON values out of a stream, geojson.go makes features of them,
// and recover.go continues after a broken one. rows.go cuts rows, layout.go finds the row of column names, and csv.go
// makes features of rows. place.go and wkt.go parse positions. roles.go and fields.go decide which field is the key,
// the name, the level and the division. survey.go reads the whole file once before, for decisions that need the whole
// file. notes.go reports how the fields were used.
package load

import (
	"bufio"
	"io"
	"strconv"

	"onemap/catalogue"
	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// Format is the format of a file.
type Format string

// The formats. FormatAuto detects the format from the first character: a brace or a bracket begins GeoJSON.
const (
	FormatAuto    Format = "auto"
	FormatGeoJSON Format = "geojson"
	FormatCSV     Format = "csv"
)

// Encoding is the character encoding of a file.
type Encoding string

// The encodings. EncodingAuto detects UTF-8 (with or without a byte order mark), UTF-16 with a mark, and GB18030, which
// includes GBK. It examines the beginning of the file; Survey examines the whole file.
const (
	EncodingAuto    Encoding = "auto"
	EncodingUTF8    Encoding = "utf-8"
	EncodingGB18030 Encoding = "gb18030"
	EncodingUTF16   Encoding = "utf-16" // little-endian, unless a mark says otherwise
)

// NoField in one of the field options means that the file has no such field, so the reader does not search for one.
const NoField = "-"

// DefaultMaxRecord is the largest size of one record, in bytes. It bounds the memory of a reader.
const DefaultMaxRecord = 16 << 20

// Options control how a file is read. With the zero value the reader detects everything.
//
// An empty field option means the first of its usual names that the record has (see usualNames). A field that an option
// names is required: a record without it is refused, and a CSV file without the column is an error.
type Options struct {
	Format   Format
	Encoding Encoding
	Frame    geo.Frame // of the file's coordinates; empty is WGS 84, or what the crs of a GeoJSON file says

	// KeyField is the field with the source's own key. A second import finds the stored feature, and so its id, by this
	// key. A GeoJSON feature without this field uses its "id". A feature without both gets a key from its content: an
	// unchanged feature has the same key at the next import, and a changed feature becomes a new one.
	KeyField      string
	NameField     string // Chinese, or the only name
	NameENField   string
	LevelField    string // see parseLevel; a word that it does not know leaves the level empty and is counted
	DivisionField string // GB/T 2260, padded or not
	LonField      string // CSV; the easting in a projected frame. Alone, or with the same LatField: "lon,lat" or WKT
	LatField      string // CSV; the northing

	Columns []string          // CSV without a row of names: the names, in order
	Fields  []catalogue.Field // types of CSV columns, by name; others stay strings

	AllowZero bool // take points at 0, 0

	Origin core.Origin // of every feature; empty is core.OriginReal
	Source string      // of every feature

	// Division returns the code of a place where the record names none. It may be nil.
	Division func(lon, lat float64) string

	MaxRecordBytes int // 0 is DefaultMaxRecord

	found survey // what Survey found in the whole file
}

// Reader reads the records of one file. It implements catalogue.Reader.
type Reader struct {
	catalogue.Reader
	asm *assembler
}

// Notes returns sentences that state how the fields were used so far, and which values of the records were left out.
func (r *Reader) Notes() []string { return append(r.asm.o.found.notes(), r.asm.tally.notes()...) }

// Open returns a reader of the file. It returns fault.Invalid if an option is not valid, or if the beginning of the file
// is wrong; the error names the option or the line.
func Open(r io.Reader, o Options) (*Reader, error) {
	if o.MaxRecordBytes <= 0 {
		o.MaxRecordBytes = DefaultMaxRecord
	}
	if o.Origin == "" {
		o.Origin = core.OriginReal
	}
	if !o.Origin.Valid() {
		return nil, fault.InvalidField("origin", "%q is none", string(o.Origin))
	}
	if o.Frame != "" {
		frame, err := geo.ParseFrame(string(o.Frame))
		if err != nil {
			return nil, err
		}
		o.Frame = frame
	}
	text, err := decodeText(r, o.Encoding)
	if err != nil {
		return nil, err
	}
	asm := newAssembler(o)
	switch o.Format {
	case FormatGeoJSON:
	case FormatCSV:
		return readerOf(asm)(newCSV(text, asm))
	case FormatAuto, "":
		if !looksLikeJSON(text.Reader) {
			return readerOf(asm)(newCSV(text, asm))
		}
	default:
		return nil, fault.InvalidField("format", "%q is not auto, geojson or csv", string(o.Format))
	}
	if option := o.ofTables(); option != "" {
		return nil, fault.InvalidField(option, "is for tables, and the file is GeoJSON")
	}
	return &Reader{Reader: newGeoJSON(text, asm), asm: asm}, nil
}

// ofTables returns the name of an option that is set and has no meaning for GeoJSON, and "" if there is none.
func (o Options) ofTables() string {
	switch {
	case o.LonField != "":
		return "--lon"
	case o.LatField != "":
		return "--lat"
	case len(o.Columns) > 0:
		return "--columns"
	}
	return ""
}

// readerOf turns a table and its error into a Reader and its error.
func readerOf(asm *assembler) func(*table, error) (*Reader, error) {
	return func(t *table, err error) (*Reader, error) {
		if err != nil {
			return nil, err
		}
		return &Reader{Reader: t, asm: asm}, nil
	}
}

// looksLikeJSON reports whether the first character that is not white space begins a JSON object or array.
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
	return fault.InvalidField("line "+strconv.Itoa(line), format, args...)
}
