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

// sniffBytes is the number of bytes at the beginning of a file from which its encoding and format are detected.
const sniffBytes = 64 << 10

// byteOrderMark is U+FEFF in UTF-8. A file that was concatenated from others has several.
const byteOrderMark = "\ufeff"

// content is a file's text as UTF-8 without byte order marks at its beginning.
type content struct {
	*bufio.Reader
	start int64 // the offset in the file at which the text begins
	width widthFunc
}

// widthFunc returns the number of bytes that a piece of the text has in the file. left is the number of bytes of an
// incomplete character at its end; n does not include these.
type widthFunc func(text []byte) (n int64, left int)

// position is the offset in the file up to which a text has been read.
type position struct {
	width widthFunc
	at    int64  // the offset in the file of the next byte
	part  []byte // the bytes of an incomplete character that have been read
}

// pass advances the position past a piece of the text.
func (p *position) pass(text []byte) {
	// A piece may end in the middle of a character. The bytes of such a character are counted with the next piece.
	if len(p.part) > 0 {
		text = append(p.part, text...)
	}
	n, left := p.width(text)
	p.at += n
	p.part = bytes.Clone(text[len(text)-left:])
}

// back moves the position back to the beginning of a piece that pass has counted.
func (p *position) back(text []byte) {
	n, _ := p.width(text)
	p.at, p.part = p.at-n, nil
}

// decodeText returns the text of the file as UTF-8. It detects the encoding if e is EncodingAuto or empty.
func decodeText(r io.Reader, e Encoding) (content, error) {
	raw := bufio.NewReaderSize(r, sniffBytes)
	head, err := raw.Peek(sniffBytes)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return content{}, fault.Wrap(fault.Unavailable, err, "read the file")
	}
	// An .xlsx file is a ZIP archive, and an .xls file is not text either. The error message explains what to do.
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
	_, _ = d.Write(head) // Write of the detector returns no error
	switch encodingFound(&d) {
	case EncodingUTF16:
		return decodeUTF16(raw), nil
	case EncodingGB18030:
		return decodeGB(raw), nil
	case EncodingUTF8, EncodingAuto:
	}
	return skipMarks(raw), nil
}

// isSpreadsheet reports whether a file is a spreadsheet or a ZIP archive, by its first bytes.
func isSpreadsheet(head []byte) bool {
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0"))
}

// encodingFound returns the detected encoding. It returns EncodingUTF8 if none was detected.
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

// skipMarks returns a UTF-8 text without the byte order marks at its beginning.
func skipMarks(raw *bufio.Reader) content {
	c := content{Reader: raw, width: func(text []byte) (int64, int) { return int64(len(text)), 0 }}
	for {
		if head, _ := raw.Peek(len(byteOrderMark)); string(head) != byteOrderMark {
			return c
		}
		n, _ := raw.Discard(len(byteOrderMark)) // no error, because the bytes are in the buffer
		c.start += int64(n)
	}
}

// decodeGB converts GB18030 to UTF-8. It uses the width of each character in the file, so that the offsets in refusals
// are offsets in the file. A byte order mark has three bytes in UTF-8 and four in GB18030.
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

// decodeUTF16 converts UTF-16 to UTF-8. The byte order is little-endian, unless a byte order mark differs. A character
// beyond U+FFFF has two units of two bytes.
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

// widthOf returns a widthFunc that adds the widths of the characters. It calls each only once for all ASCII characters,
// because they have the same width.
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
