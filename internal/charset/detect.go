package charset

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// maxHeld is how much of a line a Detector judges, bytes.
const maxHeld = 4096

// Detector finds the encoding of a text that is written to it, all of it: a file may have its first Chinese
// character late, and a damaged one early. The zero value is ready.
//
// A line speaks for UTF-8 if it is that. Any other line speaks for GB18030 if more of its characters are then common
// Chinese ones than it has whole Chinese characters of UTF-8, for UTF-8 if fewer are, and for neither otherwise. So a
// character that is cut, or a stray byte, decides nothing. The encoding for which more lines speak is the text's.
type Detector struct {
	mark    Encoding
	begin   []byte // the first bytes, until they tell whether there is a mark
	started bool
	before  byte   // the byte before what is held
	held    []byte // of a line, from its first byte that is not ASCII
	utf8    int64  // lines that speak for UTF-8
	gb      int64  // lines that speak for GB18030
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
			high := FirstHigh(p)
			if high > 0 {
				d.before = p[high-1]
			}
			if p = p[high:]; len(p) == 0 {
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
		d.before = p[end]
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
	} else {
		switch gb, whole := commonGB(d.before, d.held), wholeChinese(line); {
		case gb > whole:
			d.gb++
		case gb < whole:
			d.utf8++
		}
	}
	d.held = d.held[:0]
}

// byChance reports whether a line of UTF-8 may be GB18030: all that is not ASCII is of U+0180 to U+036F (rare Latin
// letters and accents) or U+0400 to U+07FF (Cyrillic to N'Ko), whose two bytes are Chinese characters in GB18030, as 缺
// and 值 are. Signs like °, ³ and μ, and the letters of Europe, lie outside.
func byChance(line []byte) bool {
	for _, r := range string(line) {
		if r >= utf8.RuneSelf && (r < 0x180 || r > 0x36f && r < 0x400 || r > 0x7ff) {
			return false
		}
	}
	return true
}

// wholeChinese counts the Chinese characters of UTF-8 in a line, whatever stands between them.
func wholeChinese(line []byte) (n int) {
	for _, r := range string(line) {
		if unicode.Is(unicode.Han, r) {
			n++
		}
	}
	return n
}

// commonGB counts the common characters of a line that is read as GB18030: the 3,755 Chinese characters of level 1 of
// GB 2312, its signs and full-width letters, and those of four bytes, which hardly come about by chance. One that stands
// alone between letters or digits of ASCII is not counted: two stray bytes look so. before is the byte before the line.
func commonGB(before byte, line []byte) (n int) {
	for i := 0; i < len(line); {
		if line[i] < utf8.RuneSelf {
			i++
			continue
		}
		first, run, common := i, 0, 0
		for i < len(line) && line[i] >= utf8.RuneSelf {
			size := gbSize(line[i:])
			if size == 4 || size == 2 && isCommon(line[i], line[i+1]) {
				common++
			}
			run++
			i += size
		}
		if first > 0 {
			before = line[first-1]
		}
		if run > 1 || i == len(line) || !isWord(before) || !isWord(line[i]) {
			n += common
		}
	}
	return n
}

// gbSize is how many bytes the first character of a text is in GB18030: 2 or 4, or 1 for a byte that is none. The first
// byte is not ASCII.
func gbSize(b []byte) int {
	lead := func(c byte) bool { return c >= 0x81 && c <= 0xfe }
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	switch {
	case !lead(b[0]), len(b) < 2:
		return 1
	case b[1] >= 0x40 && b[1] <= 0xfe && b[1] != 0x7f:
		return 2
	case len(b) >= 4 && digit(b[1]) && lead(b[2]) && digit(b[3]):
		return 4
	}
	return 1
}

// isCommon reports whether two bytes are of rows 1 to 3 or 16 to 55 of GB 2312: its signs, letters and level 1.
func isCommon(lead, trail byte) bool {
	return trail >= 0xa1 && trail <= 0xfe && (lead >= 0xa1 && lead <= 0xa3 || lead >= 0xb0 && lead <= 0xd7)
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
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

// Encoding returns what was found: the encoding of the mark, or the one that more of the lines speak for;
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
