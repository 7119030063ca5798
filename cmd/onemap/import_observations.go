package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"onemap/internal/app"
	"onemap/internal/charset"
	"onemap/internal/config"
	"onemap/internal/fault"
	"onemap/sensors/backfill"
)

// importObservationsCmd is the subcommand import-observations. Values that can be read in two ways, such as 03/04/2026,
// are refused unless a flag states how to read them.
type importObservationsCmd struct {
	config.Database
	Files []string `arg:"" name:"file" help:"CSV with a row of column names, one row a reading, or one column a datastream or a device, or NDJSON; gzip is taken; - is standard input."`

	Format       string `help:"Form of the files: auto, csv or ndjson." default:"auto" enum:"auto,csv,ndjson"`
	Device       string `help:"Column of the device; device, device_id, station, 设备 … when not given." placeholder:"COLUMN"`
	Datastream   string `help:"Column of the datastream's name; datastream, name, 指标 … when not given." placeholder:"COLUMN"`
	DatastreamID string `name:"datastream-id" help:"Column of the datastream's id, instead of those two; datastream_id when not given." placeholder:"COLUMN"`
	Time         string `help:"Column of the time; t, time, ts, timestamp, 时间 … when not given." placeholder:"COLUMN"`
	Value        string `help:"Column of the value; v, value, result, 值 … when not given." placeholder:"COLUMN"`
	QC           string `name:"qc" help:"Column of the quality flag of QARTOD; qc, quality, 质控 when not given." placeholder:"COLUMN"`

	ValuesOf string `help:"Name of the datastream of which all values are: in a table with a column of values and none of datastreams, or with a column a device." placeholder:"NAME"`

	Encoding  string `help:"Text of the files: auto, utf-8, gb18030 (or gbk), utf-16le, utf-16be." default:"auto" placeholder:"NAME"`
	Zone      string `help:"Zone of times that name none, as Asia/Shanghai; without it they are refused." placeholder:"ZONE"`
	Epoch     string `help:"Unit of times that are numbers since 1970: s or ms; without it they are refused." default:"" enum:",s,ms" placeholder:"UNIT"`
	DateOrder string `help:"Dates whose year is last: mdy or dmy; without it those that can be read both ways are refused." default:"" enum:",mdy,dmy" placeholder:"ORDER"`
	DayAt     string `help:"Time of day of dates that have none, as 08:00; without it they are refused." placeholder:"HH:MM"`
	Decimal   string `help:"Sign before a fraction: point or comma; when not given each number is read by itself, and in doubt by the delimiter." default:"" enum:",point,comma" placeholder:"SIGN"`
	Missing   codes  `help:"Number that stands for a missing value, as -9999; may be given again. Words like NULL and 缺测 and empty cells always do." placeholder:"CODE"`

	Strict    bool   `help:"Stop at the first record that is refused; what came before it stays."`
	Again     bool   `help:"Import a file although it was imported."`
	Synthetic bool   `help:"Take readings of synthetic devices; a production database has none."`
	Rejects   string `help:"File for the records that are refused; FILE.rejects.csv when not given." placeholder:"FILE" type:"path"`
	Chunk     int    `help:"Readings of a commit." default:"20000"`

	Wait time.Duration `help:"How long to wait for a database that goes away during the import; 0: not at all." default:"5m"`
}

// codes are numbers that mean a missing value.
type codes []float64

// Decode implements kong.MapperValue. It reads the numbers of one flag, separated by commas. kong's own decoder refuses
// an argument that begins with a minus, such as -9999.
func (c *codes) Decode(ctx *kong.DecodeContext) error {
	for code := range strings.SplitSeq(ctx.Scan.Pop().String(), ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(code), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%q is no number; words for missing values are known already", code)
		}
		*c = append(*c, v)
	}
	return nil
}

// Run imports the files one after the other and prints a report for each. It stops at the first file that fails. An
// interrupted import continues at the same place when it is started again, because its position is stored with each
// commit.
func (c *importObservationsCmd) Run(ctx context.Context, s *session) error {
	url, err := c.URL()
	if err != nil {
		return err
	}
	o, err := c.options()
	if err != nil {
		return err
	}
	var taken, left int64
	for _, path := range c.Files {
		o.Path = path
		o.Progress = func(p app.BackfillProgress) {
			s.progress.ShowNote("importing "+path+", kB", p.Done>>10, p.Total>>10, rateNote(p))
		}
		o.Waiting = func(why error, line int64) {
			s.progress.Done()
			fmt.Fprintf(os.Stderr, "onemap: %s: stored as far as line %d; waiting up to %s for the database: %v\n", path, line, c.Wait, why)
		}
		report, err := app.ImportObservations(ctx, url, o, s.logger)
		s.progress.Done()
		printBackfill(os.Stdout, report)
		switch {
		case errors.Is(err, context.Canceled):
			fmt.Fprintf(os.Stderr, "onemap: stopped behind line %d; start again to go on from there\n", report.State.Position.Line)
			return err
		case err != nil:
			return err
		}
		// Duplicates and conflicts count as taken: a reading that is already stored is not an error of the file. The refused
		// rows of a file that was imported earlier do not count again.
		n := report.State.Counts
		taken += n.Stored + n.Duplicates + n.Conflicts
		if !report.Already {
			left += n.RefusedAll()
		}
	}
	return refused(taken, left)
}

// options returns the options of the import, without the path of a file. It returns fault.Invalid with the name of the
// flag if a value is wrong.
func (c *importObservationsCmd) options() (app.BackfillOptions, error) {
	o := app.BackfillOptions{
		Rejects: c.Rejects, Strict: c.Strict, Again: c.Again, Synthetic: c.Synthetic, ChunkRows: c.Chunk, Wait: c.Wait,
		Read: backfill.Options{
			Format: backfill.Format(c.Format),
			Columns: backfill.Columns{
				Device: c.Device, Datastream: c.Datastream, DatastreamID: c.DatastreamID, Time: c.Time, Value: c.Value, QC: c.QC,
			},
			Epoch: backfill.Epoch(c.Epoch), DateOrder: backfill.DateOrder(c.DateOrder), Decimal: backfill.Decimal(c.Decimal), Missing: c.Missing,
			ValuesOf: c.ValuesOf,
		},
	}
	encoding, ok := charset.Parse(c.Encoding)
	if !ok {
		return o, fault.InvalidField("--encoding", "%q is none of auto, utf-8, gb18030, utf-16le, utf-16be", c.Encoding)
	}
	if encoding != charset.Auto {
		o.Read.Encoding = encoding
	}
	if c.Rejects != "" && len(c.Files) > 1 {
		return o, fault.InvalidField("--rejects", "names one file, and %d are imported", len(c.Files))
	}
	if c.Chunk < 1 {
		return o, fault.InvalidField("--chunk", "%d is not a number of readings", c.Chunk)
	}
	if c.Wait < 0 {
		return o, fault.InvalidField("--wait", "%s is less than no time", c.Wait)
	}
	if c.DayAt != "" {
		at, err := dayAt(c.DayAt)
		if err != nil {
			return o, err
		}
		o.Read.DayAt = &at
	}
	if c.Zone != "" {
		zone, err := time.LoadLocation(c.Zone)
		if err != nil || c.Zone == "Local" {
			return o, fault.InvalidField("--zone", "%q is no zone like Asia/Shanghai or UTC", c.Zone)
		}
		o.Read.Zone = zone
	}
	return o, nil
}

// dayAt parses a time of day from 00:00 to 24:00 and returns it as the time since midnight. 24:00 is 00:00 of the next
// day.
func dayAt(text string) (time.Duration, error) {
	if text == "24:00" {
		return 24 * time.Hour, nil
	}
	at, err := time.Parse("15:04", text)
	if err != nil {
		return 0, fault.InvalidField("--day-at", "%q is no time of day like 08:00", text)
	}
	return time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute, nil
}

// rateNote returns the share that is done, the rate, and the estimated time for the rest. It is empty at the beginning,
// when no rate is known. Done and Total are bytes, Rows are readings.
func rateNote(p app.BackfillProgress) string {
	if p.Elapsed <= 0 || p.Done <= 0 {
		return ""
	}
	left := time.Duration(float64(p.Elapsed) * float64(p.Total-p.Done) / float64(p.Done))
	return fmt.Sprintf("%d%%, %.0f rows/s, %s left", p.Done*100/max(p.Total, 1), float64(p.Rows)/p.Elapsed.Seconds(), max(left, 0).Round(time.Second))
}

// printBackfill prints the report of one file. It prints nothing if the import did not begin.
func printBackfill(w io.Writer, r app.BackfillReport) {
	if r.Path == "" {
		return
	}
	n := r.State.Counts
	switch {
	case r.Already:
		fmt.Fprintf(w, "%s: already imported, on %s; --again imports it once more\n", r.Path, r.State.FinishedAt.Format(time.RFC3339))
	case r.Before > 0:
		fmt.Fprintf(w, "%s: imported before, with %d readings refused; it is read once more\n", r.Path, r.Before)
	case r.Resumed > 0:
		fmt.Fprintf(w, "%s: went on behind line %d, where it had been stopped\n", r.Path, r.Resumed)
	}
	how := "imported"
	if !r.Finished {
		how = "stopped behind line " + fmt.Sprint(r.State.Position.Line)
	}
	fmt.Fprintf(w, "%s: %s: %d records, stored %d (new %d, history %d, late %d), duplicates %d, conflicts %d, flagged bad %d, missing %d, refused %d\n",
		r.Path, how, n.Records, n.Stored, n.Stored-n.Late-n.History, n.History, n.Late, n.Duplicates, n.Conflicts, n.Bad, n.Missing, n.RefusedAll())
	for _, reason := range slices.Sorted(maps.Keys(n.Refused)) {
		fmt.Fprintf(w, "  refused as %s: %d\n", reason, n.Refused[reason])
	}
	if n.RefusedAll() > 0 {
		fmt.Fprintf(w, "  they are in %s\n", r.Rejects)
	}
	if !r.Already && r.Took > 0 {
		fmt.Fprintf(w, "  %d readings in %s, %.0f/s\n", r.Rows, r.Took.Round(time.Millisecond), float64(r.Rows)/r.Took.Seconds())
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "  note: %s\n", note)
	}
}
