package load

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"onemap/internal/charset"
	"onemap/internal/fault"
)

// sniffBytes is how much of a file is looked at to tell its encoding and form.
const sniffBytes = 64 << 10

// byteOrderMark is U+FEFF in UTF-8. Files that were put together have several.
const byteOrderMark = "\ufeff"

// content is a file's text as UTF-8 without byte order marks at its beginning.
type content struct {
	*bufio.Reader
	start int64 // the offset in the file at which the text begins
	width widthFunc
}

// widthFunc says how many bytes of the file a piece of the text was, and how many bytes at its end are of a character that is not
// whole; these are not counted.
type widthFunc func(text []byte) (n int64, left int)

// position is how far a text has been read.
type position struct {
	width widthFunc
	at    int64  // the offset in the file of the next byte
	part  []byte // of a character of which only this has been read
}

// pass goes on behind a piece of the text.
func (p *position) pass(text []byte) {
	// A piece may end in the middle of a character. What is there of it is counted with the next piece.
	if len(p.part) > 0 {
		text = append(p.part, text...)
	}
	n, left := p.width(text)
	p.at += n
	p.part = bytes.Clone(text[len(text)-left:])
}

// back goes back to where a piece that has been passed begins.
func (p *position) back(text []byte) {
	n, _ := p.width(text)
	p.at, p.part = p.at-n, nil
}

// decodeText finds out how the file writes characters, unless e says it.
func decodeText(r io.Reader, e Encoding) (content, error) {
	raw := bufio.NewReaderSize(r, sniffBytes)
	head, err := raw.Peek(sniffBytes)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return content{}, fault.Wrap(fault.Unavailable, err, "read the file")
	}
	// An .xlsx file is a ZIP archive and an .xls file is no text either: the sentence says what to do.
	if isSpreadsheet(head) {
		return content{}, fatal(1, "the file is a spreadsheet or an archive, no text; save the sheet as CSV")
	}
	switch Encoding(strings.ToLower(string(e))) {
	case EncodingUTF8, "utf8":
		return skipMarks(raw), nil
	case EncodingGB18030, "gbk", "gb2312":
		return decodeGB(raw), nil
	case EncodingUTF16, "utf16":
		return decodeUTF16(raw), nil
	case EncodingAuto, "":
	default:
		return content{}, fault.InvalidField("encoding", "%q is not auto, utf-8, utf-16 or gb18030", string(e))
	}
	var d charset.Detector
	_, _ = d.Write(head) // it does not fail
	switch encodingFound(&d) {
	case EncodingUTF16:
		return decodeUTF16(raw), nil
	case EncodingGB18030:
		return decodeGB(raw), nil
	case EncodingUTF8, EncodingAuto:
	}
	return skipMarks(raw), nil
}

// isSpreadsheet tells the files of spreadsheets, and the archives that the newer ones are, by their first bytes.
func isSpreadsheet(head []byte) bool {
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0"))
}

// encodingFound is what a detector has found, as an option.
func encodingFound(d *charset.Detector) Encoding {
	switch d.Encoding() {
	case charset.UTF16LE, charset.UTF16BE:
		return EncodingUTF16
	case charset.GB18030:
		return EncodingGB18030
	case charset.UTF8, charset.Auto:
	}
	return EncodingUTF8
}

// hasUTF16Mark reports whether a text begins with a byte order mark of UTF-16.
func hasUTF16Mark(head []byte) bool {
	mark := charset.Mark(head)
	return mark == charset.UTF16LE || mark == charset.UTF16BE
}

// skipMarks takes the text as UTF-8.
func skipMarks(raw *bufio.Reader) content {
	c := content{Reader: raw, width: func(text []byte) (int64, int) { return int64(len(text)), 0 }}
	for {
		if head, _ := raw.Peek(len(byteOrderMark)); string(head) != byteOrderMark {
			return c
		}
		n, _ := raw.Discard(len(byteOrderMark)) // peeked, so it is there
		c.start += int64(n)
	}
}

// decodeGB reads GB18030 as UTF-8. The width of a character is that in the file, so that offsets in refusals are
// those of the file: a byte order mark is three bytes in UTF-8 and four in GB18030.
func decodeGB(raw *bufio.Reader) content {
	text := skipMarks(bufio.NewReaderSize(transform.NewReader(raw, simplifiedchinese.GB18030.NewDecoder()), sniffBytes))
	encoder := simplifiedchinese.GB18030.NewEncoder()
	text.width = widthOf(func(r rune) int64 {
		if r == utf8.RuneError {
			return 1 // a byte that is not valid in the encoding
		}
		encoded, err := encoder.String(string(r))
		if err != nil {
			return 1
		}
		return int64(len(encoded))
	})
	text.start = text.start / int64(len(byteOrderMark)) * 4
	return text
}

// decodeUTF16 reads UTF-16 as UTF-8, little-endian unless a mark says otherwise. Characters beyond U+FFFF are
// pairs of two units.
func decodeUTF16(raw *bufio.Reader) content {
	utf16 := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder()
	marked := int64(0)
	if head, _ := raw.Peek(2); hasUTF16Mark(head) {
		marked = 2
	}
	text := skipMarks(bufio.NewReaderSize(transform.NewReader(raw, utf16), sniffBytes))
	text.width = widthOf(func(r rune) int64 {
		if r > 0xffff {
			return 4
		}
		return 2
	})
	text.start = marked + text.start/int64(len(byteOrderMark))*2
	return text
}

// widthOf adds up the widths of a text's characters; those of ASCII are asked for once.
func widthOf(each func(rune) int64) widthFunc {
	ascii := each('a')
	return func(text []byte) (int64, int) {
		n := int64(0)
		for len(text) > 0 {
			if text[0] < utf8.RuneSelf {
				n += ascii
				text = text[1:]
				continue
			}
			if !utf8.FullRune(text) {
				return n, len(text)
			}
			r, size := utf8.DecodeRune(text)
			n += each(r)
			text = text[size:]
		}
		return n, 0
	}
}
