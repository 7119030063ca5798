// Package backfill reads files of readings, CSV or NDJSON, record by record: what is wrong with one
// record is a refusal of it, by line, and costs no other. It knows no SQL and opens no file.
package backfill

import (
	"maps"
	"time"

	"onemap/internal/charset"
	"onemap/internal/core"
	"onemap/sensors"
)

// The reasons for which a record, or a value of one, is refused; those of a publish that apply, and these.
const (
	ReasonBadText    = "bad-text" // a byte that is no text in the file's encoding
	ReasonBadQC      = "bad-qc"   // no quality flag of QARTOD
	ReasonExpired    = "expired"  // older than its retention class keeps
	ReasonBadJSON    = sensors.ReasonBadJSON
	ReasonBadShape   = sensors.ReasonBadShape
	ReasonBadTime    = sensors.ReasonBadTime
	ReasonBadValue   = sensors.ReasonBadValue
	ReasonTooLarge   = sensors.ReasonTooLarge
	ReasonNoDevice   = sensors.ReasonUnknownDevice
	ReasonNoStream   = sensors.ReasonUnknownDatastream
	maxValues        = 4096    // of one record
	defaultMaxRecord = 1 << 20 // bytes
)

// Format is the form of a file.
type Format string

// The forms; FormatAuto tells NDJSON by its first brace.
const (
	FormatAuto   Format = "auto"
	FormatCSV    Format = "csv"
	FormatNDJSON Format = "ndjson"
)

// Columns names columns of a CSV file or members of an object; in Options an empty name is one of the usual names.
type Columns struct {
	Device, Datastream, DatastreamID, Time, Value, QC string
}

// Options says how a file is read. The zero value reads both forms, and refuses times without a zone, times that
// are numbers and what else can be read in two ways.
type Options struct {
	Format         Format
	Encoding       charset.Encoding // UTF-16 is told by its mark; any other text is UTF-8 unless this is GB18030
	Columns        Columns
	Zone           *time.Location // of times that name none; nil refuses them
	Epoch          Epoch          // of times that are numbers
	DateOrder      DateOrder
	DayAt          *time.Duration // the time of day, since midnight, of dates without one; nil refuses them
	Decimal        Decimal
	Missing        []float64 // values that stand for a missing one, as -9999
	ValuesOf       string    // the datastream of all values, in a table without a column of its name; "": there is none
	Registry       *Registry // whose datastreams the columns of a wide table may name; nil: of none
	MaxRecordBytes int       // 0 is 1 MiB
}

// Position is a place between two records.
type Position struct {
	Offset int64 // bytes before it, decompressed
	Line   int64 // lines before it
}

// Value is one reading of a record, its datastream not looked up yet.
type Value struct {
	Device       []byte // valid until the next record, as is Datastream
	Datastream   []byte // its name in the device
	DatastreamID int64  // 0: it is named by Device and Datastream
	Time         time.Time
	Value        float64
	QC           sensors.QC // 0: not given
	Column       string     // of the value
}

// Refusal is what is wrong with a record, or with one value of it.
type Refusal struct {
	Line   int64  // of its first line, from 1
	Offset int64  // of its first byte, or of the first byte that is no text, in the decompressed file; UTF-16 counts as UTF-8
	Column string // the column or member that is wrong; "" is the whole record
	Reason string
	Detail string // printable; begins with the column
	Option string // with this option of the command the record can be read; "": none helps
	Record []byte // as UTF-8, valid until the next record
}

// Record is one line of NDJSON or one row of CSV: its readings, what is missing and its refusals. It is valid
// until the next one.
type Record struct {
	Line     int64
	Offset   int64
	Raw      []byte // as UTF-8
	Values   []Value
	Missing  int64 // values that the file says are missing
	Refusals []Refusal
	Columns  Columns // where the parts of the values stand; one that is empty is told by the column of the value
}

// Reader returns a file's records.
type Reader interface {
	// Next returns the next record, io.EOF at the end, or an error that ends the reading: fault.Invalid
	// when the file as a whole cannot be understood.
	Next() (*Record, error)
	// Position is the place behind the last record.
	Position() Position
	// Note is what a person should know of how the file is read, or "".
	Note() string
}

// Counts is what became of a file's readings so far.
type Counts struct {
	Records    int64            `json:"records"`    // lines of NDJSON, rows of CSV
	Stored     int64            `json:"stored"`     // readings that were new to the table
	Late       int64            `json:"late"`       // of these, older than what their datastream had
	History    int64            `json:"history"`    // and of the others, those too old for the rules: as old as silence
	Duplicates int64            `json:"duplicates"` // there already, with the same value
	Conflicts  int64            `json:"conflicts"`  // there already, with another value: kept beside it
	Bad        int64            `json:"bad"`        // kept and flagged: out of the range of their type
	Missing    int64            `json:"missing"`    // values that the file says are missing: not stored
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
	sum := make(map[string]int64, len(c.Refused)+len(d.Refused))
	maps.Copy(sum, c.Refused)
	for reason, n := range d.Refused {
		sum[reason] += n
	}
	c.Refused = sum
	return c
}

// RefusedAll is how many were refused, whatever the reason.
func (c Counts) RefusedAll() (n int64) {
	for _, one := range c.Refused {
		n += one
	}
	return n
}

// Taken is how many values were understood: stored, known already or missing.
func (c Counts) Taken() int64 { return c.Stored + c.Duplicates + c.Conflicts + c.Missing }

// AllRefused reports whether there was something to import, and all of it was refused.
func (c Counts) AllRefused() bool { return c.Taken() == 0 && c.RefusedAll() > 0 }

// State is how far a file is.
type State struct {
	Position     Position
	RejectsBytes int64 // length of the file of refused records
	Counts       Counts
	StartedAt    time.Time
	FinishedAt   *time.Time // nil: it is not finished
}

// Chunk is what one commit of an import stores, with where the file is after it.
type Chunk struct {
	Observations []sensors.Observation // in the order of the file; received as the first of them
	Counts       Counts                // of what was read for it: records, refusals, flags
	End          Position
	RejectsBytes int64
	Finished     bool
}

// Stream is a datastream with what an import needs of it.
type Stream struct {
	ID       int64
	Device   string
	Name     string
	Origin   core.Origin
	Min, Max float64   // gross range, both inside
	Oldest   time.Time // older readings are no longer kept
}
