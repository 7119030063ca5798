package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"onemap/internal/app/stores"
	sensorspg "onemap/sensors/pg"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/backfill"
)

// BackfillOptions configures the import of a file of readings.
type BackfillOptions struct {
	Path      string    // "-" is Stdin
	Stdin     io.Reader // nil is os.Stdin
	Read      backfill.Options
	Rejects   string // file for the refused readings; "" means Path with .rejects.csv
	Strict    bool   // stop at the first refusal
	Again     bool   // import the file again although it was imported before
	Synthetic bool   // accept readings of synthetic devices
	ChunkRows int    // readings per commit; 0 means 20,000
	Clock     func() time.Time
	Wait      time.Duration               // how long to wait for a database that becomes unavailable; 0: do not wait
	Waiting   func(why error, line int64) // called once when a wait begins; line is the last imported line; may be nil
	Progress  func(BackfillProgress)
}

// BackfillProgress is the progress of an import.
type BackfillProgress struct {
	Done, Total int64 // bytes of the file on the disk (compressed, if it is compressed)
	Rows        int64 // readings of this run that were stored or already known
	Elapsed     time.Duration
}

// BackfillReport is the result of an import.
type BackfillReport struct {
	Path, Rejects string
	Resumed       int64 // this run began after this line; 0: at the beginning
	Already       bool  // the file was imported before, and this run did nothing
	Before        int64 // readings that an earlier run refused; this run has read the file again because of them
	Finished      bool
	State         backfill.State
	Rows          int64 // readings of this run
	Took          time.Duration
	Notes         []string // what a person should know
}

// The number of readings of one commit. More readings in a commit need more memory, and more of them are read again
// after a failure.
const (
	defaultChunkRows = 20_000
	maxChunkRows     = 50_000
)

// ImportObservations imports a file of readings. It continues where an earlier run for the same file ended, also after a
// crash. If the database becomes unavailable during the import, it waits up to Wait. If it returns an error, the readings
// that it has committed stay in the database.
func ImportObservations(ctx context.Context, url string, o BackfillOptions, logger *slog.Logger) (BackfillReport, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.ChunkRows < 0 || o.ChunkRows > maxChunkRows {
		return BackfillReport{}, fault.InvalidField("--chunk", "%d is not between 1 and %d", o.ChunkRows, maxChunkRows)
	}
	if o.ChunkRows == 0 {
		o.ChunkRows = defaultChunkRows
	}
	// The file is opened before the database, so that a wrong path is reported at once.
	src, err := openSource(ctx, o)
	if err != nil {
		return BackfillReport{}, err
	}
	defer src.close()
	db, err := stores.Open(ctx, stores.Options{URL: url, MaxConns: 4, Logger: logger, Clock: o.Clock})
	if err != nil {
		return BackfillReport{}, err
	}
	defer db.Close()
	f := &backfilling{o: o, db: db, src: src, began: o.Clock()}
	err = f.run(ctx)
	f.report.Took = o.Clock().Sub(f.began)
	if err == nil && !f.report.Already {
		logger.InfoContext(ctx, "imported observations", "file", src.name, "stored", f.report.State.Counts.Stored, "refused", f.report.State.Counts.RefusedAll())
	}
	return f.report, err
}

// backfilling is one run.
type backfilling struct {
	o       BackfillOptions
	db      *stores.Stores
	src     *source
	opened  bool
	in      *sensorspg.Backfill
	reg     *backfill.Registry
	rejects *rejects
	some    bool // at least one value was understood; used only by the reading goroutine
	began   time.Time
	report  BackfillReport
}

// run retries until the file is imported, the database has been unavailable for too long, or another error occurs.
func (f *backfilling) run(ctx context.Context) error {
	f.report.Path, f.report.Rejects = f.src.name, f.src.rejects
	var w absence
	for {
		before := f.report.State.Position
		err := f.attempt(ctx)
		// Only an unavailable database is waited for. Success and all other errors end the run.
		if ctx.Err() != nil || !fault.Is(err, fault.Unavailable) {
			return err
		}
		// The import has made progress, so the time without a database begins anew.
		if f.report.State.Position != before {
			w = absence{}
		}
		if err := f.await(ctx, &w, err); err != nil {
			return err
		}
		if err := f.src.rewind(); err != nil {
			return f.src.inFile(err)
		}
	}
}

// attempt continues the import at its stored position, on one connection.
func (f *backfilling) attempt(ctx context.Context) error {
	first := !f.opened
	in, st, err := f.open(ctx, first)
	if err != nil {
		return err
	}
	// Close releases the advisory lock of the file, so that the next attempt, or another process, can import it.
	defer in.Close()
	f.in, f.opened, f.report.State = in, true, st
	if first {
		f.report.Resumed = st.Position.Line
	}
	if st.FinishedAt != nil { // if not first, this run finished it, but the answer to its last commit was lost
		f.report.Already, f.report.Finished = first, true
		return nil
	}
	// The datastreams are read at each attempt, because they may have changed while the database was unavailable.
	streams, err := f.db.Sensors.BackfillStreams(ctx)
	if err != nil {
		return err
	}
	f.reg, f.some = backfill.NewRegistry(streams), st.Counts.Taken() > 0
	o := f.o.Read
	o.Registry, o.Encoding = f.reg, f.src.detect
	r, err := backfill.Open(f.src.text, o, st.Position)
	if err != nil {
		return f.src.inFile(err)
	}
	var note string
	if f.rejects, note, err = openRejects(f.src.rejects, st.RejectsBytes); err != nil {
		return err
	}
	f.report.Notes = notes(r.Note(), note)
	defer f.rejects.close()
	return f.chunks(ctx, r)
}

// open opens the import. If an earlier run finished but refused readings, the file is read again, because the reason, for
// example an unknown device, may no longer apply. Readings that are already stored are recognized.
func (f *backfilling) open(ctx context.Context, first bool) (*sensorspg.Backfill, backfill.State, error) {
	in, st, err := f.db.Sensors.OpenBackfill(ctx, f.src.key, f.src.name, f.o.Again && first)
	if err != nil || !first || st.FinishedAt == nil || st.Counts.RefusedAll() == 0 {
		return in, st, err
	}
	// The lock is held by a connection, so the first import is closed before the file is opened again from its
	// beginning.
	f.report.Before = st.Counts.RefusedAll()
	in.Close()
	return f.db.Sensors.OpenBackfill(ctx, f.src.key, f.src.name, true)
}

// notes returns the notes that are not empty.
func notes(all ...string) []string {
	return slices.DeleteFunc(all, func(note string) bool { return note == "" })
}

// chunks stores the chunks of a file. A goroutine reads one chunk ahead while the previous one is stored.
func (f *backfilling) chunks(ctx context.Context, r backfill.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	// The channel has no buffer, so at most two chunks are in memory: the one that is stored, and the one that is
	// ready.
	ready := make(chan *chunk)
	done := make(chan struct{})
	// The reader has ended before chunks returns, because the next attempt rewinds the same file.
	defer func() { cancel(); <-done }()
	go func() {
		defer close(done)
		for {
			c := f.read(r)
			select {
			case ready <- c:
			case <-ctx.Done():
				return
			}
			if c.err != nil || c.Finished {
				return
			}
		}
	}()
	for {
		select {
		case c := <-ready:
			// The chunk is stored before its error is returned, so the records before a faulty one are imported.
			if err := f.write(ctx, c); err != nil {
				return err
			}
			if c.err != nil {
				return f.src.inFile(c.err)
			}
			if c.Finished {
				f.report.Finished = true
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// place is the position of a reading in its file. column is the column that identifies the datastream.
type place struct {
	line, offset int64
	column       string
}

// chunk is a chunk for the store, with the readings that were refused in it and the error that ended reading after it.
type chunk struct {
	backfill.Chunk
	places   []place // of the observations
	refusals []backfill.Refusal
	done     int64
	err      error
}

// read returns the next chunk.
func (f *backfilling) read(r backfill.Reader) *chunk {
	c := &chunk{Chunk: backfill.Chunk{Counts: backfill.Counts{Refused: map[string]int64{}}, End: r.Position()}}
	c.Observations, c.places = make([]sensors.Observation, 0, f.o.ChunkRows), make([]place, 0, f.o.ChunkRows)
	// PostgreSQL stores microseconds.
	received := f.o.Clock().UTC().Truncate(time.Microsecond)
	ahead := 0
	// A chunk also ends after as many refusals, so that a file of refused records does not fill the memory.
	for len(c.Observations) < f.o.ChunkRows && len(c.refusals) < f.o.ChunkRows {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			c.End, c.Finished = r.Position(), true
			break
		}
		if err == nil {
			err = f.take(c, rec, received, &ahead)
		}
		if err != nil {
			c.err = err
			break
		}
		c.End = r.Position()
	}
	c.done = f.src.done()
	return c
}

// take adds a record to the chunk. An error ends the import before the record.
func (f *backfilling) take(c *chunk, rec *backfill.Record, received time.Time, ahead *int) error {
	// obs is the number of observations before this record. On an error the chunk is cut back to it, so that no record
	// is stored in part.
	obs, bad := len(c.Observations), int64(0)
	refusals := rec.Refusals
	for i := range rec.Values {
		v := &rec.Values[i]
		o, refused, err := f.observe(rec, v, received, ahead)
		if err != nil {
			c.Observations, c.places = c.Observations[:obs], c.places[:obs]
			return err
		}
		if refused != nil {
			refusals = append(refusals, *refused)
			continue
		}
		// A reading with the flag "bad" is stored and counted.
		if o.QC == sensors.QCBad {
			bad++
		}
		c.Observations, c.places = append(c.Observations, o), append(c.places, place{rec.Line, rec.Offset, rec.ColumnOfDatastream(v)})
	}
	if len(refusals) > 0 {
		if err := f.stops(refusals); err != nil {
			c.Observations, c.places = c.Observations[:obs], c.places[:obs]
			return err
		}
	}
	c.Counts.Records++
	c.Counts.Missing += rec.Missing
	f.some = f.some || len(rec.Values)+int(rec.Missing) > 0
	c.Counts.Bad += bad
	for _, r := range refusals {
		c.refuse(r)
	}
	return nil
}

// refuse records a refusal. It copies the record's bytes, because the reader reuses its buffer.
func (c *chunk) refuse(r backfill.Refusal) {
	c.Counts.Refused[r.Reason]++
	r.Record = append([]byte(nil), r.Record[:min(len(r.Record), maxRejectBytes)]...)
	c.refusals = append(c.refusals, r)
}

// observe finds the datastream of a value and returns the observation, or the refusal if the value cannot be stored. An
// error ends the import.
func (f *backfilling) observe(rec *backfill.Record, v *backfill.Value, received time.Time, ahead *int) (o sensors.Observation, refused *backfill.Refusal, err error) {
	s, refused := f.reg.Find(rec, v)
	if s == nil {
		return o, refused, nil
	}
	// Contract "origin": synthetic data enter a database only with the option.
	if s.Origin == core.OriginSynthetic && !f.o.Synthetic {
		return o, nil, fault.InvalidField("--synthetic", "line %d: the device %s is synthetic: its readings are refused unless --synthetic says that this database may hold them", rec.Line, s.Device)
	}
	// The value is checked as the ingest path checks it, so a file and a live device are judged by the same limits.
	o, refused = backfill.Limits{}.Observe(rec, v, s, received, *ahead)
	if refused == nil && !o.Now.IsZero() {
		*ahead++
	}
	return o, refused, nil
}

// stops returns an error if the refusals of a record end the import. With --strict every refusal does. While no value has
// been understood, so does a refusal that an option would avoid, because without the option the whole file may be refused.
func (f *backfilling) stops(refusals []backfill.Refusal) error {
	for _, r := range refusals {
		if r.Option != "" && !f.some {
			return fault.InvalidField(r.Option, "line %d: %s", r.Line, r.Detail)
		}
	}
	if f.o.Strict {
		r := refusals[0]
		return fault.InvalidField(fmt.Sprintf("line %d", r.Line), "%s (%s)", r.Detail, r.Reason)
	}
	return nil
}

// write stores a chunk. It writes the refused readings to the disk before the commit that counts them.
func (f *backfilling) write(ctx context.Context, c *chunk) error {
	st := &f.report.State
	for {
		var err error
		// After a crash between the two steps, the next run truncates the file to the committed length and writes the
		// same refusals again. So no refusal is missing and none is there twice.
		if c.RejectsBytes, err = f.rejects.write(st.RejectsBytes, c.refusals); err != nil {
			return err
		}
		counts, gone, err := f.in.Write(ctx, c.Chunk, st.Counts)
		if err != nil {
			return fmt.Errorf("behind line %d: %w", st.Position.Line, err)
		}
		// The transaction was not committed. The chunk is stored again without these readings.
		if len(gone) > 0 {
			c.drop(gone)
			continue
		}
		st.Counts, st.Position, st.RejectsBytes = counts, c.End, c.RejectsBytes
		f.report.Rows += int64(len(c.Observations))
		if f.o.Progress != nil {
			f.o.Progress(BackfillProgress{Done: c.done, Total: f.src.size, Rows: f.report.Rows, Elapsed: f.o.Clock().Sub(f.began)})
		}
		return nil
	}
}

// drop refuses the readings of datastreams that were deleted while the file was read.
func (c *chunk) drop(gone []int64) {
	lost := map[int64]bool{}
	for _, id := range gone {
		lost[id] = true
	}
	// The slices are filtered in place; the index of kept never passes the one that is read.
	kept, places := c.Observations[:0], c.places[:0]
	for i, o := range c.Observations {
		p := c.places[i]
		if lost[o.DatastreamID] {
			c.refuse(backfill.Refusal{
				Line: p.line, Offset: p.offset, Column: p.column, Reason: backfill.ReasonNoStream,
				Detail: fmt.Sprintf("datastream %d: there is none any more", o.DatastreamID),
			})
			continue
		}
		kept, places = append(kept, o), append(places, p)
	}
	c.Observations, c.places = kept, places
}

// removeTemp closes and deletes a temporary file.
func removeTemp(f *os.File) {
	_ = f.Close()
	_ = os.Remove(f.Name())
}
