// Package charset detects and decodes the character encodings in which people send text files: UTF-8,
// GB18030 (of which GBK and GB2312 are parts) and UTF-16. UTF-8 and GB18030 are decoded record by record,
// so that a wrong byte costs one record. UTF-16 is decoded as a stream.
package charset

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Encoding is a character encoding.
type Encoding string

// The encodings. Auto stands for the one that a Detector finds.
const (
	Auto    Encoding = "auto"
	UTF8    Encoding = "utf-8"
	GB18030 Encoding = "gb18030"
	UTF16LE Encoding = "utf-16le"
	UTF16BE Encoding = "utf-16be"
)

// Parse returns the encoding that a name stands for; "" is Auto. ok is false if there is none.
func Parse(name string) (e Encoding, ok bool) {
	switch strings.ToLower(name) {
	case "", "auto":
		return Auto, true
	case "utf-8", "utf8":
		return UTF8, true
	case "gb18030", "gbk", "gb2312":
		return GB18030, true
	case "utf-16le", "utf16le", "utf-16", "utf16":
		return UTF16LE, true
	case "utf-16be", "utf16be":
		return UTF16BE, true
	default:
		return "", false
	}
}

// Mark returns the encoding whose byte order mark the text begins with; "" if it begins with none.
func Mark(head []byte) Encoding {
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		return UTF8
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return UTF16LE
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return UTF16BE
	default:
		return ""
	}
}

// NewReader decodes a stream to UTF-8 when it is UTF-16, and returns r itself otherwise. What cannot be
// decoded becomes U+FFFD.
func NewReader(r io.Reader, e Encoding) io.Reader {
	order := unicode.LittleEndian
	switch e {
	case UTF16LE:
	case UTF16BE:
		order = unicode.BigEndian
	default:
		return r
	}
	return transform.NewReader(r, unicode.UTF16(order, unicode.UseBOM).NewDecoder())
}

// Decoder decodes records of GB18030 to UTF-8. The zero value is ready; it is for one goroutine.
type Decoder struct {
	out []byte
}

// Decode returns a record of GB18030 as UTF-8, valid until the next call, and the index of the first byte
// that cannot be decoded, or -1. From that byte on the text holds U+FFFD where it is wrong.
func (d *Decoder) Decode(record []byte) (text []byte, bad int) {
	if i := FirstHigh(record); i == len(record) {
		return record, -1
	}
	if need := 3*len(record) + utf8.UTFMax; cap(d.out) < need { // three bytes for two is the most, and one wrong byte becomes three
		d.out = make([]byte, need)
	}
	out := d.out[:cap(d.out)]
	n, _, _ := simplifiedchinese.GB18030.NewDecoder().Transform(out, record, true) // there is room, and what is wrong becomes U+FFFD
	if !bytes.ContainsRune(out[:n], utf8.RuneError) {
		return out[:n], -1
	}
	return out[:n], firstBad(record)
}

// firstBad returns the index of the first character of GB18030 that cannot be decoded.
func firstBad(record []byte) int {
	var one [8]byte
	decoder := simplifiedchinese.GB18030.NewDecoder()
	for i := 0; i < len(record); {
		size := 1
		if record[i] >= utf8.RuneSelf && i+1 < len(record) {
			size = 2
			if c := record[i+1]; c >= '0' && c <= '9' {
				size = 4
			}
		}
		end := min(i+size, len(record))
		n, _, _ := decoder.Transform(one[:], record[i:end], true)
		if r, _ := utf8.DecodeRune(one[:n]); r == utf8.RuneError {
			return i
		}
		i = end
	}
	return -1
}

// FirstInvalid returns the index of the first byte that is not UTF-8, or -1.
func FirstInvalid(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// FirstHigh returns the index of the first byte that is not ASCII, or the length.
func FirstHigh(p []byte) int {
	for i, c := range p {
		if c >= utf8.RuneSelf {
			return i
		}
	}
	return len(p)
}
