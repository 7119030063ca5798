package charset_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"onemap/internal/charset"
)

func gb(t testing.TB, s string) string {
	t.Helper()
	b, err := simplifiedchinese.GB18030.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDetect(t *testing.T) {
	chinese := "设备,值\n"
	late := strings.Repeat("device,1.5\n", 20_000)
	for name, c := range map[string]struct {
		text string
		want charset.Encoding
	}{
		"empty":                          {"", charset.UTF8},
		"ASCII":                          {"device,value\n", charset.UTF8},
		"UTF-8":                          {chinese, charset.UTF8},
		"UTF-8 with a mark":              {"\xef\xbb\xbfdevice\n", charset.UTF8},
		"GBK":                            {gb(t, chinese), charset.GB18030},
		"GBK late":                       {late + gb(t, chinese), charset.GB18030},
		"GBK without an end of line":     {"a," + gb(t, "值"), charset.GB18030},
		"GBK, lines end by CR":           {gb(t, "设备\r甲\r乙"), charset.GB18030},
		"four bytes of GB18030":          {gb(t, "㐂𠀀\n"), charset.GB18030},
		"UTF-8 with a damaged line":      {gb(t, chinese) + chinese, charset.UTF8},
		"GBK with a line that is UTF-8":  {gb(t, "设备\n值\n") + "é\n", charset.GB18030},
		"neither":                        {"\xff\xff\n", charset.UTF8},
		"UTF-16 LE":                      {"\xff\xfea\x00", charset.UTF16LE},
		"UTF-16 BE":                      {"\xfe\xff\x00a", charset.UTF16BE},
		"a long line of UTF-8, cut":      {"a" + strings.Repeat("值", 3000), charset.UTF8},
		"a long line of GBK, cut":        {"a" + gb(t, strings.Repeat("㐂值", 3000)), charset.GB18030},
		"a mark does not make GBK UTF-8": {"device\n" + gb(t, "\u00a4设备\n"), charset.GB18030},

		"ASCII, cut in its last character":      {"device,note\na,水"[:len("device,note\na,水")-1], charset.UTF8},
		"ASCII, cut in a record":                {"device,note\na,水"[:len("device,note\na,水")-1] + "\nb,x\n", charset.UTF8},
		"UTF-8, one line, cut":                  {"a,水位计水"[:len("a,水位计水")-1], charset.UTF8},
		"UTF-8, one line, a byte lost amid":     {"a,水位计站\xe6\xb0,水位\n", charset.UTF8},
		"UTF-8, each line cut at the same byte": {"水位监测\xe7\x82\n水位监\xe6\xb5\n", charset.UTF8},
		"ASCII with a degree of Latin-1":        {"t,21.5\xb0C\n", charset.UTF8},
		"ASCII with a cube of Latin-1":          {"v,m\xb3/s\n", charset.UTF8},
		"ASCII with two stray bytes":            {"dev\xd6\xb5ice,1\n", charset.UTF8},
		"ASCII with stray bytes of no sense":    {"dev,\x90\xfa\n", charset.UTF8},
		"one character of GBK in its cell":      {late + gb(t, "device,缺\n"), charset.GB18030},
		"signs of units in UTF-8":               {"t(°),q(m³/s),c(μg)\n", charset.UTF8},
		"GBK, only a sign":                      {gb(t, "device,temp(℃)\n"), charset.GB18030},
		"GBK of a place, damaged":               {gb(t, "芝罘区\n") + "\xff" + gb(t, "莱州市\n"), charset.GB18030},
		"GBK, one line with a stray byte":       {gb(t, "莱州湾水位站") + "\xff," + gb(t, "牟平区\n"), charset.GB18030},
	} {
		for how, r := range map[string]io.Reader{"whole": strings.NewReader(c.text), "by bytes": iotest.OneByteReader(strings.NewReader(c.text))} {
			var d charset.Detector
			if _, err := io.Copy(&d, struct{ io.Reader }{r}); err != nil {
				t.Fatal(err)
			}
			if got := d.Encoding(); got != c.want {
				t.Errorf("%s, %s: %s, want %s", name, how, got, c.want)
			}
		}
	}
}

func TestDecode(t *testing.T) {
	var d charset.Decoder
	for _, c := range []struct {
		record, text string
		bad          int
	}{
		{"plain", "plain", -1},
		{gb(t, "水位㐂1.5"), "水位㐂1.5", -1},
		{"ab\xff" + gb(t, "水"), "ab\ufffd水", 2},
		{gb(t, "水") + "\xcb", "水\ufffd", 2},
	} {
		text, bad := d.Decode([]byte(c.record))
		if string(text) != c.text || bad != c.bad {
			t.Errorf("%q is %q, wrong at %d; want %q, %d", c.record, text, bad, c.text, c.bad)
		}
	}
	if at := charset.FirstInvalid([]byte("水\xb4\xf3")); at != 3 {
		t.Errorf("the first wrong byte is at %d", at)
	}
	if at := charset.FirstInvalid([]byte("水\ufffd")); at != -1 {
		t.Errorf("U+FFFD itself is wrong at %d", at)
	}
}

func TestUTF16(t *testing.T) {
	for e, text := range map[charset.Encoding]string{charset.UTF16LE: "\xff\xfe\x34\x6c1\x00", charset.UTF16BE: "\x6c\x34\x001"} {
		b, err := io.ReadAll(charset.NewReader(strings.NewReader(text), e))
		if err != nil || string(b) != "水1" {
			t.Errorf("%s: %q, %v", e, b, err)
		}
	}
	r := strings.NewReader("x")
	if charset.NewReader(r, charset.UTF8) != io.Reader(r) {
		t.Error("UTF-8 is decoded")
	}
}

func TestParse(t *testing.T) {
	for name, want := range map[string]charset.Encoding{"": charset.Auto, "GBK": charset.GB18030, "utf8": charset.UTF8, "UTF-16": charset.UTF16LE, "utf-16be": charset.UTF16BE} {
		if e, ok := charset.Parse(name); !ok || e != want {
			t.Errorf("%q is %s, %v", name, e, ok)
		}
	}
	if e, ok := charset.Parse("latin1"); ok {
		t.Errorf("latin1 is %s", e)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("ab\xcb\xae\xff"))
	f.Add([]byte("\x81\x30\x81\x30\x95\x32\x82\x36"))
	f.Fuzz(func(t *testing.T, record []byte) {
		var d charset.Decoder
		text, bad := d.Decode(record)
		if !utf8.Valid(text) || bad >= len(record) || bad >= 0 && !bytes.ContainsRune(text, utf8.RuneError) {
			t.Fatalf("%q is %q, wrong at %d", record, text, bad)
		}
		if bad < 0 {
			return
		}
		if before, wrong := d.Decode(record[:bad]); wrong >= 0 {
			t.Fatalf("%q, before the wrong byte at %d, is %q, wrong at %d", record, bad, before, wrong)
		}
	})
}
