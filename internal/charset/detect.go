package charset

import (
	"bytes"
	"unicode/utf8"
)

// maxHeld is how much of a line a Detector judges, bytes.
const maxHeld = 4096

// Detector finds the encoding of a text that is written to it, all of it: a file may have its first Chinese
// character late, and a damaged one early. The zero value is ready.
type Detector struct {
	mark    Encoding
	begin   []byte // the first bytes, until they tell whether there is a mark
	started bool
	held    []byte // of a line, from its first byte that is not ASCII
	utf8    int64  // lines that are UTF-8 and not ASCII
	gb      int64  // lines that are GB18030, and not UTF-8 or only by chance
	decoder Decoder
}

// Write takes the next part of the text. It does not fail.
func (d *Detector) Write(p []byte) (int, error) {
	n := len(p)
	if !d.started {
		d.begin = append(d.begin, p[:min(len(p), 3)]...)
		d.started = len(d.begin) >= 3
		d.mark = Mark(d.begin)
	}
	if d.mark == UTF16LE || d.mark == UTF16BE {
		return n, nil
	}
	for len(p) > 0 {
		if len(d.held) == 0 {
			if p = p[FirstHigh(p):]; len(p) == 0 {
				break
			}
		}
		end := bytes.IndexAny(p, "\r\n")
		part := p
		if end >= 0 {
			part = p[:end]
		}
		d.held = append(d.held, part[:min(len(part), maxHeld-len(d.held))]...)
		if end < 0 {
			break
		}
		d.judge()
		p = p[end:]
	}
	return n, nil
}

// judge counts the line that is held.
func (d *Detector) judge() {
	line := d.held
	if len(line) == maxHeld {
		line = wholeCharacters(line)
	}
	if utf8.Valid(line) && !byChance(line) {
		d.utf8++
	} else if _, bad := d.decoder.Decode(d.held); bad < 0 || len(d.held) == maxHeld && bad >= maxHeld-4 {
		d.gb++
	}
	d.held = d.held[:0]
}

// byChance reports whether a line of UTF-8 is rather GB18030: all that is not ASCII is of U+0400 to U+07FF (Cyrillic
// to N'Ko), whose two bytes are Chinese characters in GB18030, as 值 is. Signs like ° and ³ lie below.
func byChance(line []byte) bool {
	for _, r := range string(line) {
		if r >= utf8.RuneSelf && (r < 0x400 || r > 0x7ff) {
			return false
		}
	}
	return true
}

// wholeCharacters drops a character of UTF-8 that is cut at the end.
func wholeCharacters(line []byte) []byte {
	for cut := 1; cut < utf8.UTFMax && cut <= len(line); cut++ {
		if at := line[len(line)-cut:]; utf8.RuneStart(at[0]) {
			if !utf8.FullRune(at) {
				return line[:len(line)-cut]
			}
			break
		}
	}
	return line
}

// Encoding returns what was found: the encoding of the mark, or the one that more of the lines are in;
// UTF-8 when they are as many.
func (d *Detector) Encoding() Encoding {
	if len(d.held) > 0 {
		d.judge()
	}
	switch {
	case d.mark == UTF16LE || d.mark == UTF16BE:
		return d.mark
	case d.mark != UTF8 && d.gb > d.utf8:
		return GB18030
	default:
		return UTF8
	}
}
