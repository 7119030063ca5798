package app

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"

	"onemap/internal/charset"
	"onemap/internal/fault"
	"onemap/sensors/backfill"
)

// source is a file of readings, with its hash, read from its beginning.
type source struct {
	file    *os.File
	temp    bool
	name    string
	rejects string
	size    int64
	key     [32]byte
	detect  charset.Encoding // the encoding of the options, or the detected one
	text    io.Reader        // decompressed
	read    atomic.Int64
}

// openSource opens the file and hashes it with the options that determine the meaning of its bytes. Standard input is first
// written to a temporary file, because the hash needs a first pass.
func openSource(ctx context.Context, o BackfillOptions) (_ *source, err error) {
	s := &source{name: o.Path, rejects: o.Rejects}
	// Without a path the rejects go to a file in the working directory.
	if o.Path == "-" {
		s.name, s.temp = "standard input", true
		if s.rejects == "" {
			s.rejects = "stdin.rejects.csv"
		}
		s.file, err = spool(ctx, o.Stdin)
	} else {
		if s.rejects == "" {
			s.rejects = o.Path + ".rejects.csv"
		}
		s.file, err = os.Open(o.Path)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "import")
	}
	if err := s.begin(ctx, o.Read); err != nil {
		s.close()
		return nil, s.inFile(err)
	}
	return s, nil
}

// spool copies in to a temporary file and returns it at its beginning.
func spool(ctx context.Context, in io.Reader) (*os.File, error) {
	if in == nil {
		in = os.Stdin
	}
	// The copy is in the folder that TMPDIR names, /tmp by default.
	f, err := os.CreateTemp("", "onemap-import-")
	if err != nil {
		return nil, err
	}
	if _, err = io.Copy(f, stopping{ctx, in}); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		removeTemp(f)
		return nil, err
	}
	return f, nil
}

// stopping is a reader that returns an error after the end of its context.
type stopping struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (s stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}

// begin hashes the file, detects its encoding and goes back to its beginning.
func (s *source) begin(ctx context.Context, o backfill.Options) error {
	h := sha256.New()
	zone := "-"
	if o.Zone != nil {
		zone = o.Zone.String()
	}
	// The hash identifies an import over all runs. Another format of this text would make every imported file look new.
	fmt.Fprintf(h, "1 %q %q %q %d\n", o.Format, o.Columns, zone, o.MaxRecordBytes)
	if more := fmt.Sprintf("%q %q %q %q %v\n", o.Encoding, o.Epoch, o.DateOrder, o.Decimal, o.Missing); more != noMoreOptions {
		fmt.Fprint(h, more) // not written if they are not set, so that a file that an older version has imported keeps its key
	}
	// These options are also written only if they are set, for the same reason.
	if o.DayAt != nil || o.ValuesOf != "" {
		dayAt := "-"
		if o.DayAt != nil {
			dayAt = o.DayAt.String()
		}
		fmt.Fprintf(h, "%s %q\n", dayAt, o.ValuesOf)
	}
	var err error
	if s.size, err = io.Copy(h, stopping{ctx, s.file}); err != nil {
		return err
	}
	h.Sum(s.key[:0])
	// The encoding is detected from the whole file, because the first part of a file may be ASCII alone.
	if s.detect = o.Encoding; s.detect == "" || s.detect == charset.Auto {
		if err := s.rewind(); err != nil {
			return err
		}
		var d charset.Detector
		if _, err := io.Copy(&d, stopping{ctx, s.text}); err != nil && ctx.Err() != nil {
			return err
		} // any other error occurs again when the records are read, after the complete ones
		s.detect = d.Encoding()
	}
	return s.rewind()
}

// noMoreOptions is the text of these options in the hash if none of them is set.
const noMoreOptions = `"" "" "" "" []` + "\n"

// rewind goes to the beginning of the file and detects whether it is compressed.
func (s *source) rewind() error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	s.read.Store(0)
	// The buffer has 256 KiB. The bytes are counted below the decompression, so the progress compares with the size on
	// the disk.
	raw := bufio.NewReaderSize(counter{s.file, &s.read}, 1<<18)
	s.text = raw
	// The two bytes are the magic number of gzip. Source: RFC 1952, 2.3.1.
	if head, _ := raw.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		text, err := gzip.NewReader(raw)
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "not gzip, although it begins so")
		}
		s.text = text
	}
	return nil
}

// counter counts the bytes that are read.
type counter struct {
	r io.Reader
	n *atomic.Int64
}

// Read implements io.Reader.
func (c counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// done returns the number of bytes read so far, compressed if the file is.
func (s *source) done() int64 { return s.read.Load() }

// inFile adds the name of the file to an error.
func (s *source) inFile(err error) error { return fmt.Errorf("%s: %w", s.name, err) }

// close closes the file, and deletes it if it is the copy of the standard input.
func (s *source) close() {
	if s.temp {
		removeTemp(s.file)
		return
	}
	_ = s.file.Close()
}

// maxRejectBytes is the number of bytes of a refused record that are kept.
const maxRejectBytes = 4096

// rejects is the file of the refused records. It is created with the first one.
type rejects struct {
	path string
	file *os.File
}

// openRejects opens the file if an earlier run has written to it. length is its length at the last commit; write removes what
// is after it. If the file is shorter, it returns a note for the user.
func openRejects(path string, length int64) (*rejects, string, error) {
	r := &rejects{path: path}
	if length == 0 {
		return r, "", nil
	}
	var note string
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, "", fault.InvalidField("--rejects", "%v", err)
	}
	r.file = f
	st, err := f.Stat()
	if err == nil && st.Size() < length {
		note = fmt.Sprintf("%s is shorter than the runs before have left it: some of the records that they refused are not in it", filepath.Base(path))
	}
	return r, note, err
}

// write writes the refusals at an offset of the file, truncates the file after them, and returns its new length.
func (r *rejects) write(at int64, list []backfill.Refusal) (int64, error) {
	if len(list) == 0 {
		return at, nil
	}
	if r.file == nil {
		f, err := os.Create(r.path)
		if err != nil {
			return at, fault.InvalidField("--rejects", "%v", err)
		}
		r.file = f
	}
	// Another program has shortened the file. The refusals then follow what is left, without a gap of zero bytes.
	if st, err := r.file.Stat(); err == nil && st.Size() < at {
		at = st.Size()
	}
	// The header is written at the beginning of the file only.
	text, err := rejectRows(at == 0, list)
	if err == nil {
		err = r.file.Truncate(at)
	}
	if err == nil {
		_, err = r.file.WriteAt(text, at)
	}
	if err == nil {
		// The refusals are on the disk before the commit that counts them.
		err = r.file.Sync()
	}
	if err != nil {
		return at, fmt.Errorf("write %s: %w", r.path, err)
	}
	return at + int64(len(text)), nil
}

// rejectRows returns the refusals as CSV.
func rejectRows(header bool, list []backfill.Refusal) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if header {
		_ = w.Write([]string{"line", "reason", "detail", "record", "byte", "column"}) // w.Error returns the error below
	}
	for _, one := range list {
		_ = w.Write([]string{
			strconv.FormatInt(one.Line, 10), one.Reason, one.Detail, strings.ToValidUTF8(string(one.Record), "\uFFFD"), strconv.FormatInt(one.Offset, 10), one.Column,
		})
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// close closes the file, if there was a refusal.
func (r *rejects) close() {
	if r.file != nil {
		_ = r.file.Close()
	}
}
