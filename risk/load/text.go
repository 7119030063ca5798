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

// decodeText gives the file's text as UTF-8 without a byte order mark.
func decodeText(r io.Reader, e Encoding) (*bufio.Reader, error) {
	raw := bufio.NewReaderSize(r, sniffBytes)
	head, err := raw.Peek(sniffBytes)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, errs.Wrap(errs.Unavailable, err, "read the file")
	}
	whole := len(head) < sniffBytes
	switch Encoding(strings.ToLower(string(e))) {
	case EncodingUTF8, "utf8":
		return skipMark(raw, head), nil
	case EncodingGB18030, "gbk", "gb2312":
		return decodeGB(raw), nil
	case EncodingAuto, "":
	default:
		return nil, errs.InvalidField("encoding", "%q is not auto, utf-8 or gb18030", string(e))
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		utf16 := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder()
		return bufio.NewReaderSize(transform.NewReader(raw, utf16), sniffBytes), nil
	case isUTF8(head, whole):
		return skipMark(raw, head), nil
	case isGB(head, whole):
		return decodeGB(raw), nil
	}
	return nil, fatal(1, "the text is neither UTF-8 nor GB18030 (GBK)")
}

func skipMark(raw *bufio.Reader, head []byte) *bufio.Reader {
	if mark := []byte("\xef\xbb\xbf"); bytes.HasPrefix(head, mark) {
		_, _ = raw.Discard(len(mark)) // it has been peeked, so it is there
	}
	return raw
}

func decodeGB(raw *bufio.Reader) *bufio.Reader {
	return bufio.NewReaderSize(transform.NewReader(raw, simplifiedchinese.GB18030.NewDecoder()), sniffBytes)
}

// isUTF8 allows for a character that is cut at the end of what was peeked.
func isUTF8(head []byte, whole bool) bool {
	if !whole {
		for cut := 0; cut < utf8.UTFMax && len(head) > 0; cut++ {
			if r, n := utf8.DecodeLastRune(head); r != utf8.RuneError || n != 1 {
				break
			}
			head = head[:len(head)-1]
		}
	}
	return utf8.Valid(head)
}

func isGB(head []byte, whole bool) bool {
	out := make([]byte, 3*len(head)+16)
	n, _, err := simplifiedchinese.GB18030.NewDecoder().Transform(out, head, whole)
	if err != nil && !errors.Is(err, transform.ErrShortSrc) {
		return false
	}
	return !bytes.ContainsRune(out[:n], utf8.RuneError)
}
