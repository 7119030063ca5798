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

// survey has the properties of a file that only the whole file shows.
type survey struct {
	noKeys map[string]bool // fields that have the usual name of a key, but are not keys because their values repeat
	scale  scale           // grading scale
}

// surveyed collects the data of a survey.
type surveyed struct {
	asm   *assembler
	keys  map[string]*distinct // by field
	words map[string]bool      // words of level fields
}

// The limits of a survey. They bound its memory: a field keeps at most 131,072 hashes of 8 bytes.
const (
	maxGrades      = 1000    // largest number of different words of levels that are kept
	maxRepeats     = 0.01    // largest share of repeated values of a key; a key may occur twice by mistake, a category repeats
	distinctValues = 1 << 17 // largest number of hashes that are kept of a field
)

// Survey reads a file once from its present offset to its end. It returns the options with the properties that only the
// whole file shows: its encoding, the fields that have the name of a key but are not keys because their values repeat,
// and its grading scale. The caller must seek back and read the file again with the returned options. An error in the
// content of the file is not an error of Survey, because the second reading returns it. Survey returns an error if an
// option is not valid or the file cannot be read.
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
	// The survey reads with the options of the import, so that both find the same records.
	r, err := Open(f, o)
	if err != nil {
		return o, err
	}
	s := &surveyed{asm: r.asm, keys: map[string]*distinct{}, words: map[string]bool{}}
	// Without the function Division the survey is faster; it does not need the divisions.
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

// encodingOf detects the encoding from the whole file.
func encodingOf(f io.Reader) (Encoding, error) {
	var d charset.Detector
	if _, err := io.Copy(&d, f); err != nil {
		return "", err
	}
	return encodingFound(&d), nil
}

// watch adds the keys and level words of one record to the survey.
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
			// A grade such as 一级(红色) has two words. The text is cloned, because it may point into the buffer of the
			// whole record.
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

// repeating returns the fields that are not keys because their values repeat. It returns none if an option names the
// key.
func (s *surveyed) repeating() map[string]bool {
	out := map[string]bool{}
	for field, d := range s.keys {
		if (s.asm.o.KeyField == "" || s.asm.o.KeyField == NoField) && d.repeats() {
			out[field] = true
		}
	}
	return out
}

// distinct estimates the share of repeated values of a field in bounded memory. If there are many values, it keeps only
// those whose hash ends with a growing number of zero bits. A repeated value has the same hash each time, so it is
// either always kept or never.
type distinct struct {
	seen     map[uint64]struct{} // hashes of the kept values
	mask     uint64              // bits that must be zero in a kept hash
	n, again int64               // number of kept values, and how many of them repeat an earlier one
}

// add adds one value. If too many hashes are kept, the mask grows by one bit, which removes about half of them, and the
// counts are halved.
func (d *distinct) add(value string) {
	// A hash has 8 bytes, no matter how long the value is.
	h := xxhash.Sum64String(value)
	if h&d.mask != 0 {
		return
	}
	d.n++
	// Two different values with the same hash count as a repetition. With 64 bits that is too rare to matter.
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

// repeats reports whether so many values are repeated that the field cannot be a key.
func (d *distinct) repeats() bool { return float64(d.again) > maxRepeats*float64(d.n) }

// notes returns a sentence for each field that has the name of a key and is not used as the key.
func (s survey) notes() []string {
	var notes []string
	for _, field := range slices.Sorted(maps.Keys(s.noKeys)) {
		notes = append(notes, clip(field)+" repeats and is not taken as the key; --key names another field, or this one")
	}
	return notes
}
