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

	"onemap/internal/errs"
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
		return content{}, errs.Wrap(errs.Unavailable, err, "read the file")
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
		return content{}, errs.InvalidField("encoding", "%q is not auto, utf-8, utf-16 or gb18030", string(e))
	}
	switch guessEncoding(head, len(head) < sniffBytes) {
	case EncodingUTF16:
		return decodeUTF16(raw), nil
	case EncodingGB18030:
		return decodeGB(raw), nil
	case EncodingUTF8:
		return skipMarks(raw), nil
	case EncodingAuto:
	}
	return content{}, fatal(1, "the text is neither UTF-8 nor GB18030 (GBK)")
}

// guessEncoding is the encoding of a piece of text, empty when it is none. whole says that it is all of the text.
func guessEncoding(head []byte, whole bool) Encoding {
	if hasUTF16Mark(head) {
		return EncodingUTF16
	}
	var c encodingCounts
	c.add(head)
	if whole {
		c.end()
	}
	return c.encoding()
}

func hasUTF16Mark(head []byte) bool {
	return bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff"))
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

func decodeGB(raw *bufio.Reader) content {
	text := skipMarks(bufio.NewReaderSize(transform.NewReader(raw, simplifiedchinese.GB18030.NewDecoder()), sniffBytes))
	encoder := simplifiedchinese.GB18030.NewEncoder()
	text.width = widthOf(func(r rune) int64 {
		if r == utf8.RuneError {
			return 1 // a byte that is none of the encoding
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

// encodingCounts counts what of a text's bytes is UTF-8 and what is GB18030.
type encodingCounts struct {
	total         int64 // bytes
	good, weak    int64 // characters of UTF-8 in three and four bytes, and in two: those come about in GBK by chance
	bad           int64 // bytes that are no UTF-8
	goodGB, badGB int64
	left, leftGB  []byte // a character that the piece before cut off
}

// add counts the next piece of the text.
func (c *encodingCounts) add(piece []byte) {
	c.total += int64(len(piece))
	c.left = c.utf8(append(c.left, piece...), false)
	c.leftGB = c.gb(append(c.leftGB, piece...), false)
}

// end counts what was left: a character that is cut off at the end of the text.
func (c *encodingCounts) end() {
	c.left = c.utf8(c.left, true)
	c.leftGB = c.gb(c.leftGB, true)
}

// utf8 returns what may be the beginning of a character.
func (c *encodingCounts) utf8(text []byte, whole bool) []byte {
	for len(text) > 0 {
		if text[0] < utf8.RuneSelf {
			text = text[1:]
			continue
		}
		r, n := utf8.DecodeRune(text)
		switch {
		case n > 2:
			c.good++
		case r != utf8.RuneError:
			c.weak++
		case !whole && !utf8.FullRune(text):
			return bytes.Clone(text)
		default:
			c.bad++
		}
		text = text[n:]
	}
	return nil
}

// gb knows the form of the encoding alone, not which of its codes are characters: GB 18030-2005, 1, 2 and 4 bytes.
func (c *encodingCounts) gb(text []byte, whole bool) []byte {
	for len(text) > 0 {
		n := gbLength(text)
		switch {
		case n == 0 && !whole:
			return bytes.Clone(text)
		case n <= 0:
			c.badGB++
			n = 1
		case n > 1:
			c.goodGB++
		}
		text = text[n:]
	}
	return nil
}

// gbLength is the length of the first character, 0 when the text ends in it, and -1 when it is none.
func gbLength(text []byte) int {
	within := func(i int, low, high byte) bool { return text[i] >= low && text[i] <= high }
	switch {
	case text[0] < 0x80:
		return 1
	case !within(0, 0x81, 0xfe):
		return -1
	case len(text) < 2:
		return 0
	case within(1, 0x40, 0xfe) && text[1] != 0x7f:
		return 2
	case !within(1, 0x30, 0x39):
		return -1
	case len(text) < 4:
		return 0
	case within(2, 0x81, 0xfe) && within(3, 0x30, 0x39):
		return 4
	}
	return -1
}

// encoding is what the text is, by what most of it is: a few bytes that are wrong make of UTF-8 no GBK, and a text that is
// partly the one and partly the other is read as UTF-8, so that what is not is refused. It is empty for what is neither.
func (c *encodingCounts) encoding() Encoding {
	mixed := c.good > 3 && 3*c.good > c.bad
	switch {
	case c.good >= c.bad || c.good+c.weak >= 5*c.bad || mixed:
		return EncodingUTF8
	case c.badGB == 0 || c.goodGB > 4*c.badGB:
		return EncodingGB18030
	case c.bad <= maxStray || c.bad <= c.total/50:
		return EncodingUTF8 // stray bytes in a text of ASCII
	}
	return ""
}

// maxStray is how many wrong bytes even a short text of ASCII may have; each refuses its record.
const maxStray = 2
