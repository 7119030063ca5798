package load

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"onemap/internal/charset"
	"onemap/internal/fault"
)

// survey is what only the whole file can tell.
type survey struct {
	noKeys map[string]bool // fields with the name of a key whose values repeat
	scale  scale           // by which it grades
}

// surveyed is what Survey keeps while it reads.
type surveyed struct {
	asm   *assembler
	keys  map[string]*distinct
	words map[string]bool
}

const (
	maxGrades      = 1000    // different words of grade, at most
	maxRepeats     = 0.01    // of the records: a key may be there twice by a mistake, a category repeats
	distinctValues = 1 << 17 // hashes that are kept of a field
)

// Survey reads a file once from where it stands, and returns the options with what only the whole of it tells: its encoding,
// which fields that are called like a key are none, because their values repeat, and by which scale it grades. The file has
// to be read again with what it returns. It never fails by what is wrong with the file; that is for the reading to say. The
// error is about an option that cannot be, or about reading.
func Survey(f io.ReadSeeker, o Options) (Options, error) {
	start, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return o, fault.Wrap(fault.Unavailable, err, "read the file")
	}
	if o.Encoding == EncodingAuto || o.Encoding == "" {
		if o.Encoding, err = encodingOf(f); err != nil {
			return o, fault.Wrap(fault.Unavailable, err, "read the file")
		}
		if _, err := f.Seek(start, io.SeekStart); err != nil {
			return o, fault.Wrap(fault.Unavailable, err, "read the file")
		}
	}
	r, err := Open(f, o)
	if err != nil {
		return o, err
	}
	s := &surveyed{asm: r.asm, keys: map[string]*distinct{}, words: map[string]bool{}}
	// The survey needs no county of a place.
	r.asm.watch, r.asm.o.Division = s.watch, nil
	for err == nil {
		_, _, err = r.Next()
	}
	if !errors.Is(err, io.EOF) && !fault.Is(err, fault.Invalid) {
		return o, err
	}
	o.found = survey{noKeys: s.repeating(), scale: scaleOf(s.words)}
	return o, nil
}

// encodingOf looks at the whole file.
func encodingOf(f io.Reader) (Encoding, error) {
	var d charset.Detector
	if _, err := io.Copy(&d, f); err != nil {
		return "", err
	}
	return encodingFound(&d), nil
}

// watch looks at the values of one record.
func (s *surveyed) watch(properties map[string]any, id string) {
	if own := strings.TrimSpace(id); own != "" {
		s.key(ownID).add(own)
	}
	for name, v := range properties {
		for _, p := range s.asm.roles.candidates(name) {
			if isBlank(v) {
				continue
			}
			text := asText(v)
			switch {
			case p.r == roleKey && !lostDigits(text):
				s.key(name).add(text)
			case p.r == roleLevel && len(s.words) < maxGrades:
				for part := range strings.FieldsFuncSeq(gradeWord(text), func(r rune) bool { return r == '(' || r == ')' }) {
					s.words[strings.Clone(gradeWord(part))] = true
				}
			}
		}
	}
}

// key returns the estimate for a field that may be a key.
func (s *surveyed) key(field string) *distinct {
	d := s.keys[field]
	if d == nil {
		d = &distinct{seen: map[uint64]struct{}{}}
		s.keys[strings.Clone(field)] = d
	}
	return d
}

// repeating are the fields that are no key, unless an option names them.
func (s *surveyed) repeating() map[string]bool {
	out := map[string]bool{}
	for field, d := range s.keys {
		if (s.asm.o.KeyField == "" || s.asm.o.KeyField == NoField) && d.repeats() {
			out[field] = true
		}
	}
	return out
}

// distinct estimates how many of a field's values are there more than once. Of many values it keeps those whose hash is a
// multiple of a growing power of two: a value that repeats is kept every time or never.
type distinct struct {
	seen     map[uint64]struct{}
	mask     uint64
	n, again int64 // of the values that are kept
}

// add takes one value. When too many are kept, the mask grows by one bit and about half of them are forgotten,
// with half of the counts.
func (d *distinct) add(value string) {
	// Hashes are kept in place of values: 8 bytes each, however long a value is.
	h := xxhash.Sum64String(value)
	if h&d.mask != 0 {
		return
	}
	d.n++
	if _, known := d.seen[h]; known {
		d.again++
		return
	}
	d.seen[h] = struct{}{}
	if len(d.seen) < distinctValues {
		return
	}
	d.mask = d.mask<<1 | 1
	for h := range d.seen {
		if h&d.mask != 0 {
			delete(d.seen, h)
		}
	}
	d.n, d.again = d.n/2, d.again/2
}

// repeats reports whether so many values are there more than once that the field cannot be a key.
func (d *distinct) repeats() bool { return float64(d.again) > maxRepeats*float64(d.n) }

// notes say which fields were looked at as a key and are none.
func (s survey) notes() []string {
	var notes []string
	for _, field := range slices.Sorted(maps.Keys(s.noKeys)) {
		notes = append(notes, clip(field)+" repeats and is not taken as the key; --key names another field, or this one")
	}
	return notes
}
