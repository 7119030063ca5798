// Package backfill reads files of readings, CSV or NDJSON, record by record. A faulty record is refused, with its line number,
// and does not affect other records. The package contains no SQL and opens no file.
package backfill

import (
	"maps"
	"time"

	"onemap/internal/charset"
	"onemap/internal/core"
	"onemap/sensors"
)

// The reasons for which a record, or one of its values, is refused: some are those of a publish, the others are only for files.
const (
	ReasonBadText    = "bad-text" // a byte that is invalid in the file's encoding
	ReasonBadQC      = "bad-qc"   // not a QARTOD quality flag
	ReasonExpired    = "expired"  // older than the period that its retention class keeps
	ReasonBadJSON    = sensors.ReasonBadJSON
	ReasonBadShape   = sensors.ReasonBadShape
	ReasonBadTime    = sensors.ReasonBadTime
	ReasonBadValue   = sensors.ReasonBadValue
	ReasonTooLarge   = sensors.ReasonTooLarge
	ReasonNoDevice   = sensors.ReasonUnknownDevice
	ReasonNoStream   = sensors.ReasonUnknownDatastream
	maxValues        = 4096    // largest number of values in one record
	defaultMaxRecord = 1 << 20 // bytes
)

// Format is the form of a file.
type Format string

// The formats. FormatAuto takes a file whose first character is a brace for NDJSON, and any other file for CSV.
const (
	FormatAuto   Format = "auto"
	FormatCSV    Format = "csv"
	FormatNDJSON Format = "ndjson"
)

// Columns holds the names of the columns of a CSV file, or of the members of an object. In Options an empty name means that the
// usual names are tried.
type Columns struct {
	// The names in a CSV file are compared in the form of nameOf.
	Device, Datastream, DatastreamID, Time, Value, QC string
}

// Options configures how a file is read. The zero value reads both formats. It refuses times without a zone, times that are
// numbers, and other ambiguous input.
type Options struct {
	Format         Format
	Encoding       charset.Encoding // UTF-16 is detected by its byte order mark; any other text is UTF-8 unless this is GB18030
	Columns        Columns
	Zone           *time.Location // zone of times without one; nil: such times are refused
	Epoch          Epoch          // meaning of times that are numbers
	DateOrder      DateOrder
	DayAt          *time.Duration // time of day, since midnight, of dates without one; nil: such dates are refused
	Decimal        Decimal
	Missing        []float64 // values that mean a missing value, such as -9999
	ValuesOf       string    // datastream of all values, in a table without a column for the datastream; "": none
	Registry       *Registry // registry of the datastreams that the columns of a wide table may name; nil: no datastream is known
	MaxRecordBytes int       // 0 is 1 MiB
}

// Position is a position between two records.
type Position struct {
	Offset int64 // number of bytes before it, decompressed
	Line   int64 // number of lines before it
}

// Value is one reading of a record, before its datastream is looked up.
type Value struct {
	Device       []byte // valid until the next record, as is Datastream
	Datastream   []byte // name of the datastream in the device
	DatastreamID int64  // 0: Device and Datastream identify the datastream
	Time         time.Time
	Value        float64
	QC           sensors.QC // 0: the file has no flag
	Column       string     // column of the value
}

// Refusal describes the fault of a record, or of one of its values.
type Refusal struct {
	Line   int64  // number of the record's first line, from 1
	Offset int64  // offset of its first byte, or of the first invalid byte, in the decompressed file; UTF-16 counts as UTF-8
	Column string // the faulty column or member; "": the whole record
	Reason string
	Detail string // printable; begins with the column
	Option string // the command option with which the record can be read; "": no option helps
	Record []byte // as UTF-8, valid until the next record
}

// Record is one line of NDJSON or one row of CSV, with its readings, the number of missing values and its refusals. It is valid
// until the next call of Next.
type Record struct {
	Line     int64
	Offset   int64
	Raw      []byte // as UTF-8
	Values   []Value
	Missing  int64 // number of values that the file marks as missing
	Refusals []Refusal
	Columns  Columns // columns of the parts of the values; an empty one is determined by the column of the value
}

// Reader returns a file's records.
type Reader interface {
	// Next returns the next record; it returns io.EOF at the end. Any other error ends the reading; it is fault.Invalid if the
	// file as a whole cannot be parsed.
	Next() (*Record, error)
	// Position returns the position after the last record.
	Position() Position
	// Note returns a note for the user on how the file is read, or "".
	Note() string
}

// Counts holds the results for the readings of a file so far.
type Counts struct {
	Records    int64            `json:"records"`    // lines of NDJSON, rows of CSV
	Stored     int64            `json:"stored"`     // readings that were new to the table
	Late       int64            `json:"late"`       // stored readings that are not newer than the latest of their datastream
	History    int64            `json:"history"`    // the other stored readings that are too old for the rules: a datastream that old is stale
	Duplicates int64            `json:"duplicates"` // readings that were stored before with the same value, or as a known conflict
	Conflicts  int64            `json:"conflicts"`  // new conflicts: readings that were stored before with another value
	Bad        int64            `json:"bad"`        // readings stored and flagged: out of the range of their type
	Missing    int64            `json:"missing"`    // values that the file marks as missing: not stored
	Refused    map[string]int64 `json:"refused"`    // by reason
}

// Add returns the sum.
func (c Counts) Add(d Counts) Counts {
	c.Records += d.Records
	c.Stored += d.Stored
	c.Late += d.Late
	c.History += d.History
	c.Duplicates += d.Duplicates
	c.Conflicts += d.Conflicts
	c.Bad += d.Bad
	c.Missing += d.Missing
	// The result gets its own map, so that it does not share one with c or d.
	sum := make(map[string]int64, len(c.Refused)+len(d.Refused))
	maps.Copy(sum, c.Refused)
	for reason, n := range d.Refused {
		sum[reason] += n
	}
	c.Refused = sum
	return c
}

// RefusedAll returns the number of refusals for all reasons.
func (c Counts) RefusedAll() (n int64) {
	for _, one := range c.Refused {
		n += one
	}
	return n
}

// Taken returns the number of values that could be read: stored now, stored before, or missing.
func (c Counts) Taken() int64 { return c.Stored + c.Duplicates + c.Conflicts + c.Missing }

// AllRefused reports whether the file had data and all of it was refused.
func (c Counts) AllRefused() bool { return c.Taken() == 0 && c.RefusedAll() > 0 }

// State is the progress of the import of a file.
type State struct {
	Position     Position
	RejectsBytes int64 // length of the file of refused records
	Counts       Counts
	StartedAt    time.Time
	FinishedAt   *time.Time // nil: not finished
}

// Chunk holds the readings that one commit of an import stores, and the position in the file after them.
type Chunk struct {
	Observations []sensors.Observation // in the order of the file; all have the time of receipt of the first
	Counts       Counts                // counts of the data read for the chunk: records, refusals, flags
	End          Position
	RejectsBytes int64
	Finished     bool
}

// Stream is a datastream with the data that an import needs.
type Stream struct {
	ID       int64
	Device   string
	Name     string
	Origin   core.Origin
	Min, Max float64   // gross range, inclusive
	Oldest   time.Time // readings before this time are outside the retention period
}
