package backfill_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"

	"onemap/internal/charset"
	"onemap/sensors/backfill"
)

func east() *time.Location { return time.FixedZone("", 8*3600) }

// registry returns the datastreams of the tests' devices.
func registry() *backfill.Registry {
	return backfill.NewRegistry([]backfill.Stream{
		{ID: 1, Device: "bt-1", Name: "level"}, {ID: 2, Device: "bt-2", Name: "level"}, {ID: 3, Device: "bt-2", Name: "rain"}, {ID: 4, Device: "bt-2", Name: "水位"},
		{ID: 5, Device: "bt-2", Name: "q(m3/s)"}, {ID: 6, Device: "bt-3", Name: "水位"}, {ID: 7, Device: "bt-4", Name: "level"},
	})
}

// oneTime parses one time, in a row of CSV without quotes.
func oneTime(t testing.TB, text string, o backfill.Options) string {
	t.Helper()
	got := read(t, "datastream_id\tt\tv\n1\t"+text+"\t0\n", o)
	if len(got) != 1 {
		t.Fatalf("%q is %q", text, got)
	}
	return strings.TrimSuffix(strings.TrimPrefix(got[0], "2: 1 "), " 0 qc0")
}

func TestTimes(t *testing.T) {
	const want = "2026-11-20T00:05:00Z"
	for _, text := range []string{
		"2026-11-20T08:05:00+08:00", "2026-11-20t08:05:00+08:00", "2026-11-20T00:05:00z", "2026-11-20 08:05", "2026/11/20 8:05", "2026/11/20 8:05:00", "2026/11/20  8:05:00.000",
		"2026-11-20T08:05+0800", "2026-11-20T08:05:00 +0800", "2026-11-20 8:05 +08", "2026-11-20 8:05:00 UTC+8", "2026-11-20 0:05 GMT", "2026.11.20 8:05",
		"2026年11月20日8时5分", "2026年11月20日 8时05分00秒", "2026年11月20日8点5分", "2026年11月20日 8:05", "2026 年 11 月 20 日 8 时 5 分", "2026年11月20日上午8时5分",
		"2026/11/20 8:05 AM", "2026/11/20 8:05am", "2026/11/20 上午 8:05:00", "2026/11/20 8:05 上午", "2026-11-20 AM 8:05", "11/20/2026 8:05 AM", "11/20/2026, 8:05:00 AM", "20/11/2026 8:05", "20.11.2026 08:05", "20-11-2026 08:05:00",
		"20261120080500", "202611200805", "20261120 0805", "20261120T080500", "20261120 08:05",
		"２０２６－１１－２０　０８：０５", "2026／11／20 8：05", "２０２６年１１月２０日８时５分",
	} {
		if got := oneTime(t, text, backfill.Options{Zone: east()}); got != want {
			t.Errorf("%q is %s", text, got)
		}
	}
	for text, want := range map[string]string{
		"2026/1/5 8:05":             "2026-01-05T00:05:00Z",
		"2026-11-20 24:00":          "2026-11-20T16:00:00Z",
		"2026-11-20T24:00:00+08:00": "2026-11-20T16:00:00Z",
		"2026年12月31日24时":            "2026-12-31T16:00:00Z",
		"2026-02-28 24:00:00":       "2026-02-28T16:00:00Z",
		"2026/11/20 12:05 AM":       "2026-11-19T16:05:00Z",
		"2026/11/20 12:05 PM":       "2026-11-20T04:05:00Z",
		"2026/11/20 8:05 p.m.":      "2026-11-20T12:05:00Z",
		"2026年11月20日下午8时5分9秒":       "2026-11-20T12:05:09Z",
		"2026年11月20日8时":             "2026-11-20T00:00:00Z",
		"2026112008":                "2026-11-20T00:00:00Z",
		"2026-11-20 8:5":            "2026-11-20T00:05:00Z",
		"2026-11-20T08:05-03:00":    "2026-11-20T11:05:00Z",
		"2026-11-20 8:05 UTC-3":     "2026-11-20T11:05:00Z",
		"2/2/2026 8:05":             "2026-02-02T00:05:00Z",
		"2026-11-20 08:05:00.1234":  "2026-11-20T00:05:00.1234Z",
		"2026-11-20 08:05:00,5":     "2026-11-20T00:05:00.5Z",
		"2026-11-20 08:05:00-03:30": "2026-11-20T11:35:00Z",
	} {
		if got := oneTime(t, text, backfill.Options{Zone: east()}); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// A text that can be read in two ways is refused, with the option that decides. A text that is not a time is refused too.
func TestTimesThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"1763596800":             "looks like a time since 1970 in seconds; if it is, give --epoch s",
		"1763596800123":          "looks like a time since 1970 in milliseconds; if it is, give --epoch ms",
		"1763596800.5":           "--epoch s",
		"46346.34":               "46346.34 is a number, no time; if it is a spreadsheet's day number, of 2026-11-20, format the column as a date",
		"1.5":                    "is a number, no time",
		"2026112025":             "--epoch s",
		"3/4/2026 8:05":          "--date-order",
		"03-04-2026 08:05":       "--date-order",
		"2026-11-20":             "2026-11-20 has no time of day; say which one is meant, as --day-at 08:00",
		"2026/11/20":             "--day-at",
		"20261120":               "--day-at",
		"2026年11月20日":            "--day-at",
		"2026-02-30":             "is not a time",
		"20261320":               "is a number, no time",
		"2026/11/20 24:01":       "is not a time",
		"2026-11-20 24:00:01":    "is not a time",
		"2026-11-20 25:00":       "is not a time",
		"2026-13-01 08:05":       "is not a time",
		"2026-02-30 8:05":        "is not a time",
		"2026/11/20 13:05 AM":    "is not a time",
		"上午 8:05":                "is not a time",
		"2026年11月20 8:05":        "is not a time",
		"26/11/20 8:05":          "is not a time",
		"yesterday":              "is not a time",
		"2026-11-20 8:00-9:00":   "may be a span of time, or a time in the zone -9:00; write seconds before a zone",
		"2026-11-20 08:00-09:00": "may be a span of time",
		"2026年11月20日8:00-9:00":   "may be a span of time",
		"20261120 0800-0900":     "may be a span of time",
		"2026-11-20 08:00~09:00": "has no zone that can be read",
		"2026-11-20 8:05 CST":    "has no zone that can be read",
		"2026-11-20 8:05 +25":    "has no zone that can be read",
		"2026-11-20 8:":          "is not a time",
		"13/13/2026 8:05":        "is not a time",
	} {
		if got := oneTime(t, text, backfill.Options{Zone: east()}); !strings.Contains(got, "refused bad-time: t: ") || !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %q", text, got, want)
		}
	}
}

func TestTimesByOption(t *testing.T) {
	seconds, millis := backfill.Options{Epoch: backfill.EpochSeconds}, backfill.Options{Epoch: backfill.EpochMilliseconds}
	for _, c := range []struct {
		text string
		o    backfill.Options
		want string
	}{
		{"1763596800", seconds, "2025-11-20T00:00:00Z"},
		{"1763596800.25", seconds, "2025-11-20T00:00:00.25Z"},
		{"１７６３５９６８００", seconds, "2025-11-20T00:00:00Z"},
		{"1763596800123", millis, "2025-11-20T00:00:00.123Z"},
		{"1763596800123.5", millis, "2025-11-20T00:00:00.1235Z"},
		{"2026-11-20T08:05:00Z", millis, "2026-11-20T08:05:00Z"},
		{"1763596800123", seconds, "looks like a time since 1970 in milliseconds, and --epoch s is given"},
		{"1763596800", millis, "looks like a time since 1970 in seconds, and --epoch ms is given"},
		{"-5", seconds, "is no time in seconds since 1970"},
		{"99999999999999999999", seconds, "is no time"},
		{"3/4/2026 8:05", backfill.Options{Zone: east(), DateOrder: backfill.MonthFirst}, "2026-03-04T00:05:00Z"},
		{"3/4/2026 8:05", backfill.Options{Zone: east(), DateOrder: backfill.DayFirst}, "2026-04-03T00:05:00Z"},
		{"20/4/2026 8:05", backfill.Options{Zone: east(), DateOrder: backfill.MonthFirst}, "20/4/2026 8:05 has no month 20, and --date-order mdy says that the month is first; if the day is first, give --date-order dmy"},
		{"4/20/2026 8:05", backfill.Options{Zone: east(), DateOrder: backfill.DayFirst}, "4/20/2026 8:05 has no month 20, and --date-order dmy says that the day is first; if the month is first, give --date-order mdy"},
		{"31/11/2026 8:05", backfill.Options{Zone: east(), DateOrder: backfill.MonthFirst}, "is not a time"},
		{"20.11.2026 20:05", backfill.Options{Zone: east(), DateOrder: backfill.MonthFirst}, "2026-11-20T12:05:00Z"},
		{"5.11.2026 20:05", backfill.Options{Zone: east(), DateOrder: backfill.MonthFirst}, "2026-11-05T12:05:00Z"},
		{"5.11.2026 20:05", backfill.Options{Zone: east(), DateOrder: backfill.DayFirst}, "2026-11-05T12:05:00Z"},
		{"11.20.2026 20:05", backfill.Options{Zone: east(), DateOrder: backfill.MonthFirst}, "is not a time"},
	} {
		if got := oneTime(t, c.text, c.o); !strings.HasSuffix(got, c.want) && !strings.Contains(got, c.want) {
			t.Errorf("%q is %s, want %s", c.text, got, c.want)
		}
	}
}

// Dates without a time of day have that of --day-at.
func TestDays(t *testing.T) {
	for _, c := range []struct {
		at   time.Duration
		want string
	}{{8 * time.Hour, "2026-11-20T00:00:00Z"}, {20*time.Hour + 30*time.Minute, "2026-11-20T12:30:00Z"}, {0, "2026-11-19T16:00:00Z"}, {24 * time.Hour, "2026-11-20T16:00:00Z"}} {
		o := backfill.Options{Zone: east(), DayAt: &c.at}
		for _, text := range []string{"2026-11-20", "2026/11/20", "2026.11.20", "20261120", "2026年11月20日", "2026 年 11 月 20 日", "11/20/2026", "20.11.2026", "２０２６－１１－２０", "20261120 "} {
			if got := oneTime(t, text, o); got != c.want {
				t.Errorf("%q at %s is %s, want %s", text, c.at, got, c.want)
			}
		}
		if got := oneTime(t, "2026-11-20 9:05", o); got != "2026-11-20T01:05:00Z" {
			t.Errorf("a time of its own is %s", got)
		}
		for _, empty := range []string{"", "--", " ", "/"} {
			got := read(t, "datastream_id,日期,时间,v\n1,2026/11/20,"+empty+",0\n", o)
			if want := []string{"2: 1 " + c.want + " 0 qc0"}; !slices.Equal(got, want) {
				t.Errorf("a date and %q is %q, want %q", empty, got, want)
			}
		}
	}
	got := read(t, "datastream_id,日期,时间,v\n1,2026/11/20,,0\n", backfill.Options{Zone: east()})
	if len(got) != 1 || !strings.Contains(got[0], "refused bad-time: 时间: 2026/11/20 has no time of day; say which one is meant, as --day-at") {
		t.Errorf("a date and an empty cell: %q", got)
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		delimiter, cell string
		o               backfill.Options
		want            string
	}{
		{",", `"1,234.5"`, backfill.Options{}, "1234.5"},
		{",", `"-1,234,567"`, backfill.Options{}, "-1.234567e+06"},
		{",", `"12,345"`, backfill.Options{}, "12345"},
		{",", `"1,5"`, backfill.Options{}, "1.5"},
		{",", `"1，234．5"`, backfill.Options{}, "1234.5"},
		{",", `"1,234"`, backfill.Options{Decimal: backfill.DecimalComma}, "1.234"},
		{",", "１．５", backfill.Options{}, "1.5"},
		{",", "－１２．５", backfill.Options{}, "-12.5"},
		{",", "−3", backfill.Options{}, "-3"},
		{",", "1 234.5", backfill.Options{}, "1234.5"},
		{",", "1\u202f234.5", backfill.Options{}, "1234.5"},
		{",", "1'234", backfill.Options{}, "1234"},
		{",", "+.5", backfill.Options{}, "0.5"},
		{",", "1.5E-3", backfill.Options{}, "0.0015"},
		{";", "1,5", backfill.Options{}, "1.5"},
		{";", "1,234", backfill.Options{}, "1.234"},
		{";", "1.234,5", backfill.Options{}, "1234.5"},
		{";", "1.234.567,5", backfill.Options{}, "1.2345675e+06"},
		{";", "1,5E2", backfill.Options{}, "150"},
		{";", "1.5", backfill.Options{}, "1.5"},
		{";", "1,234", backfill.Options{Decimal: backfill.DecimalPoint}, "1234"},
		{";", "1.234", backfill.Options{Decimal: backfill.DecimalComma}, "1234"},
		{"\t", "1,5", backfill.Options{}, "1.5"},
		{"\t", "0,125", backfill.Options{}, "0.125"},
		{"\t", "1,234", backfill.Options{}, "refused bad-value: v: 1,234 may be 1.234 or 1234; say which, by --decimal comma or --decimal point"},
		{"|", "1,234.5", backfill.Options{}, "1234.5"},
		{",", `"1,23,4"`, backfill.Options{}, "is not a number"},
		{",", `"1,234.5.6"`, backfill.Options{}, "is not a number"},
		{",", "1.5m", backfill.Options{}, "is not a number"},
		{",", "Inf", backfill.Options{}, "is not a number"},
		{",", "1e", backfill.Options{}, "is not a number"},
		{";", ",", backfill.Options{}, "is not a number"},
		{";", "1,5", backfill.Options{Decimal: backfill.DecimalPoint}, "is not a number"},
		{",", "-9999", backfill.Options{}, "-9999"},
		{",", "-9999.0", backfill.Options{Missing: []float64{-9999, 999.9}}, "missing 1"},
		{",", "999.9", backfill.Options{Missing: []float64{-9999, 999.9}}, "missing 1"},
	} {
		text := strings.Join([]string{"datastream_id", "t", "v"}, c.delimiter) + "\n" + strings.Join([]string{"1", "2026-11-20T00:00:00Z", c.cell}, c.delimiter) + "\n"
		got := read(t, text, c.o)
		if want := c.want + " qc0"; len(got) != 1 || !strings.HasSuffix(got[0], " "+want) && !strings.Contains(got[0], c.want) || c.want[0] != 'i' && c.want[0] != 'r' && strings.Contains(got[0], "refused") {
			t.Errorf("%s with %q is %q, want %s", c.cell, c.delimiter, got, c.want)
		}
	}
	for _, word := range []string{"", " ", "NULL", "null", "NaN", "nan", "N/A", "#N/A", "NA", "None", "-", "--", "---", "/", "///", "——", "缺测", "缺失", "无数据", "－－", `\N`, "＃Ｎ／Ａ"} {
		if got := read(t, "datastream_id,t,v\n1,2026-11-20T00:00:00Z,"+word+"\n", backfill.Options{}); !slices.Equal(got, []string{"2: missing 1"}) {
			t.Errorf("%q is %q", word, got)
		}
	}
}

// Files as they occur: names, delimiters, rows before the header, encodings and line ends.
func TestKindsOfFiles(t *testing.T) {
	const long, zoned = "device,datastream,t,v\nbt-2,level,2026-11-20T00:00:00Z,1.5\n", "bt-2,level,2026-11-20 08:00:00,1.5\n"
	want := []string{"2: bt-2/level 2026-11-20T00:00:00Z 1.5 qc0"}
	at := func(line int, more ...string) []string {
		return append([]string{strings.Replace(want[0], "2:", fmt.Sprint(line)+":", 1)}, more...)
	}
	for name, c := range map[string]struct {
		text string
		o    backfill.Options
		want []string
	}{
		"GBK":                     {coded(t, simplifiedchinese.GBK, "站号,监测项目,观测时间,数值\n"+zoned), backfill.Options{Encoding: charset.GB18030}, want},
		"GB18030, a bad byte":     {coded(t, simplifiedchinese.GB18030, "站号,要素,时间,值,备注\n") + "a\xff,x,y,z,\n" + coded(t, simplifiedchinese.GB18030, strings.TrimSpace(zoned)+",㐂\n"), backfill.Options{Encoding: charset.GB18030}, []string{"2: refused bad-text: 站号: byte 2 of the record is not GB18030", "3" + want[0][1:]}},
		"marks":                   {"\ufeff\ufeff设备编号,监测项,监测时间,监测值\n" + zoned, backfill.Options{}, want},
		"UTF-16 LE":               {coded(t, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), strings.ReplaceAll(long, ",", "\t")), backfill.Options{}, want},
		"UTF-16 BE, Chinese":      {coded(t, unicode.UTF16(unicode.BigEndian, unicode.UseBOM), "设备编码,指标,采集时间,测值\r\n"+zoned), backfill.Options{}, want},
		"UTF-16 without a mark":   {coded(t, unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), long), backfill.Options{Encoding: charset.UTF16LE}, want},
		"CR only":                 {strings.ReplaceAll(long, "\n", "\r"), backfill.Options{}, want},
		"CR only, no end":         {strings.TrimSuffix(strings.ReplaceAll(long, "\n", "\r"), "\r"), backfill.Options{}, want},
		"CRLF":                    {strings.ReplaceAll(long, "\n", "\r\n"), backfill.Options{}, want},
		"pipes":                   {strings.ReplaceAll(long, ",", "|"), backfill.Options{}, want},
		"full-width commas":       {"设备，指标，时间，值\n" + strings.ReplaceAll(zoned, ",", "，"), backfill.Options{}, want},
		"sep=":                    {"sep=;\n" + strings.ReplaceAll(long, ",", ";"), backfill.Options{}, at(3)},
		"a title, an empty row":   {"莱州湾水位站观测数据,,,\n\n" + long, backfill.Options{}, at(4)},
		"units and spaces":        {" Device ID , 指标 ,观测时间（北京时间）,值 (m)\n" + zoned, backfill.Options{}, want},
		"full-width ids":          {"设备,指标,时间,值\nｂｔ－２,level,2026-11-20 08:00,1.5\n", backfill.Options{}, want},
		"spaces around quotes":    {"device, \"datastream\" ,t,v\n\"bt-2\" , \"level\",2026-11-20T00:00:00Z,\"1.5\"\n", backfill.Options{}, want},
		"more delimiters":         {"device,datastream,t,v\nbt-2,level,2026-11-20T00:00:00Z,1.5,,\n", backfill.Options{}, want},
		"date and time of day":    {"设备,指标,日期,时间,值\nbt-2,level,2026/11/20,8:00:00,1.5\n", backfill.Options{}, want},
		"only a date column":      {"设备,指标,日期,值\nbt-2,level,2026/11/20 8:00,1.5\n", backfill.Options{}, want},
		"wide":                    {"time,device,level,rain\n2026-11-20T00:00:00Z,bt-2,1.5,0.2\n", backfill.Options{}, at(2, "2: bt-2/rain 2026-11-20T00:00:00Z 0.2 qc0")},
		"wide, units and remarks": {"站号,时间,水位(m),Q,q(m3/s),备注\nbt-2,2026-11-20 8:00,1.5,1,///,好\n", backfill.Options{}, []string{"2: bt-2/水位 2026-11-20T00:00:00Z 1.5 qc0", "2: missing 1"}},
		"wide, a bad value costs itself": {"time;device;level;rain\n2026-11-20T00:00:00Z;bt-2;1,5;x\n", backfill.Options{},
			at(2, "2: refused bad-value: rain: x is not a number")},
		"wide, a station's name": {"name,device,time,level\n站,bt-2,2026-11-20T00:00:00Z,1.5\n", backfill.Options{}, want},
		"wide, one twice":        {"time,device,level,level(m)\n", backfill.Options{}, []string{`error: line 1: the datastream "level" has two columns, level and level(m)`}},
		"wide, none known":       {"time,device,depth\n", backfill.Options{}, []string{"error: line 1: no column is named as one of values: v, value, 值, 监测值 …, nor as a datastream or a device; --value names it; there are: time, device, depth"}},
		"a device a column": {"time,bt-1,bt-3(m),备注\n2026-11-20T00:00:00Z,1.5,2,x\n", backfill.Options{},
			[]string{"2: bt-1/level 2026-11-20T00:00:00Z 1.5 qc0", "2: bt-3/水位 2026-11-20T00:00:00Z 2 qc0"}},
		"a datastream a column, of several devices": {"时间,bt-1/level (m),bt-2:rain,bt-2.level,bt-2 水位,bt-2/q(m3/s)\n2026-11-20 8:00,1,2,3,--,x\n", backfill.Options{},
			[]string{
				"2: bt-1/level 2026-11-20T00:00:00Z 1 qc0", "2: bt-2/rain 2026-11-20T00:00:00Z 2 qc0", "2: bt-2/level 2026-11-20T00:00:00Z 3 qc0", "2: missing 1",
				"2: refused bad-value: bt-2/q(m3/s): x is not a number",
			}},
		"devices of which one has several datastreams": {"time,bt-1,bt-2\n", backfill.Options{},
			[]string{"error: line 1: the column bt-2: the device has 4 datastreams, level, q(m3/s), rain, 水位: name the column as bt-2/level, or say by --values-of which one all columns mean"}},
		"devices, and which datastream":        {"time，ｂｔ－２，bt-4\n2026-11-20T00:00:00Z，1.5，2\n", backfill.Options{ValuesOf: "level"}, at(2, "2: bt-4/level 2026-11-20T00:00:00Z 2 qc0")},
		"devices without that datastream":      {"time,bt-1,bt-3\n", backfill.Options{ValuesOf: "level"}, []string{"error: line 1: the column bt-3: the device has no datastream level, which --values-of names; it has 水位"}},
		"a device twice":                       {"time,bt-1,bt-1/level\n", backfill.Options{}, []string{`error: line 1: the datastream "level" has two columns, bt-1 and bt-1/level`}},
		"a long table without its datastreams": {"站号,时间,值\nbt-2,2026-11-20 8:00,1.5\n", backfill.Options{ValuesOf: "level"}, want},
		"and without the option": {"站号,时间,值\n", backfill.Options{},
			[]string{"error: line 1: no column is named as one of datastreams; --datastream names it, or --values-of the datastream of all values; there are: 站号, 时间, 值"}},
		"titles above a row that lacks a column": {"水位表,,\n\n站号,时间,水深\nbt-2,2026-11-20 8:00,1\n", backfill.Options{},
			[]string{"error: line 3: no column is named as one of values: v, value, 值, 监测值 …, nor as a datastream or a device; --value names it; there are: 站号, 时间, 水深"}},
		"a line end in a cell":           {"device,datastream,t,v\nbt-2,level,\"2026-11-20\n08:00\",1.5\n", backfill.Options{}, want},
		"both say the datastream":        {long, backfill.Options{ValuesOf: "level"}, []string{"error: line 1: the column datastream names the datastream, and --values-of is given; there are: device, datastream, t, v"}},
		"an option of tables for NDJSON": {`{"device":"bt-2"}`, backfill.Options{ValuesOf: "level"}, []string{"error: --values-of: is for tables, and the file is NDJSON"}},
		"an old spreadsheet":             {"\xd0\xcf\x11\xe0...", backfill.Options{}, []string{"error: the file is a spreadsheet or a zip archive, no text; save the sheet as CSV"}},
		"a spreadsheet":                  {"PK\x03\x04...", backfill.Options{}, []string{"error: the file is a spreadsheet or a zip archive, no text; save the sheet as CSV"}},
		"named column":                   {"编号,指标,when,读数\n" + zoned, backfill.Options{Columns: backfill.Columns{Time: "When"}}, want},
		"no such column":                 {long, backfill.Options{Columns: backfill.Columns{Time: "when"}}, []string{"error: line 1: there is no column when; there are: device, datastream, t, v"}},
		"missing in NDJSON": {`{"device":"bt-2","t":"2026-11-20T00:00:00Z","v":{"level":null,"rain":"缺测","q":-9999}}` + "\n", backfill.Options{Missing: []float64{-9999}},
			[]string{"1: missing 3"}},
		"epochs in NDJSON": {`{"device":"bt-2","datastream":"level","t":1795132800000,"v":1.5}`, backfill.Options{Epoch: backfill.EpochMilliseconds}, at(1)},
		"NDJSON in GBK, CR only": {coded(t, simplifiedchinese.GBK, `{"device":"bt-2","datastream":"水位","t":"2026-11-20 08:00","v":1}`+"\r"+`{"device":`+"\r"), backfill.Options{Encoding: charset.GB18030},
			[]string{"1: bt-2/水位 2026-11-20T00:00:00Z 1 qc0", "2: refused bad-json: not JSON"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Registry, c.o.Zone = registry(), east()
			if d := cmp.Diff(c.want, read(t, c.text, c.o)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func coded(t testing.TB, e encoding.Encoding, text string) string {
	t.Helper()
	out, err := e.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A refusal contains the line, the byte and the column.
func TestWhereARefusalIs(t *testing.T) {
	text := "device,datastream,时间,v\na,level,yesterday,1\n\na,l\xffvel,2026-11-20T00:00:00Z,1\n"
	r, err := backfill.Open(strings.NewReader(text), backfill.Options{}, backfill.Position{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []backfill.Refusal{
		{Line: 2, Offset: int64(strings.Index(text, "a,level")), Column: "时间", Reason: backfill.ReasonBadTime},
		{Line: 4, Offset: int64(strings.Index(text, "\xff")), Column: "datastream", Reason: backfill.ReasonBadText},
	} {
		rec, err := r.Next()
		if err != nil || len(rec.Refusals) != 1 {
			t.Fatalf("%+v, %v", rec, err)
		}
		got := rec.Refusals[0]
		if got.Line != want.Line || got.Offset != want.Offset || got.Column != want.Column || got.Reason != want.Reason {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// A refusal because of one column names the column, also if only the registry or the clock can find the fault.
func TestEachRefusalNamesItsColumn(t *testing.T) {
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct{ text, want string }{
		{"站号,要素,时间,数值\nnobody,level,2026-11-20 8:00,1\n", "unknown-device 站号"},
		{"站号,要素,时间,数值\nbt-2,depth,2026-11-20 8:00,1\n", "unknown-datastream 要素"},
		{"数据流编号,时间,数值\n99,2026-11-20 8:00,1\n", "unknown-datastream 数据流编号"},
		{"站号,时间,level,rain (mm)\nbt-1,2026-11-20 8:00,,1\n", "unknown-datastream rain (mm)"},
		{"站号,时间,level,rain\nnobody,2026-11-20 8:00,,1\n", "unknown-device 站号"},
		{"站号,时间,数值\nbt-3,2026-11-20 8:00,1\n", "unknown-datastream 数值"}, // --values-of
		{"站号,要素,时间,数值\nbt-2,level,2126-11-20 8:00,1\n", "bad-time 时间"},
		{"站号,要素,时间,数值\nbt-2,level,1970-11-20 8:00,1\n", "bad-time 时间"},
		{"站号,要素,时间,数值\nbt-2,level,1999-11-20 8:00,1\n", "expired 时间"},
		{"站号,要素,时间,数值,备注\nbt-2,le\"vel,1999-11-20 8:00,1,\"\n", "bad-shape 要素"},
		{"站号,要素,时间,数值,备注\nbt-2,level,2026-11-20 8:00,1,\"a\xff\"\n", "bad-text 备注"},
		{"站号,要素,时间,数值\nbt-2,level,2026-11-20 8:00\n", "bad-shape "},
		{`{"device":"nobody","datastream":"level","t":"2026-11-20T00:00:00Z","v":1}`, "unknown-device device"},
		{`{"device":"bt-2","datastream":"depth","t":"2026-11-20T00:00:00Z","v":1}`, "unknown-datastream datastream"},
		{`{"device":"bt-2","t":"2026-11-20T00:00:00Z","v":{"depth":1}}`, "unknown-datastream v.depth"},
		{`{"datastream_id":99,"t":"2026-11-20T00:00:00Z","v":1}`, "unknown-datastream datastream_id"},
		{`{"device":"bt-2","datastream":"level","t":"2126-11-20T00:00:00Z","v":1}`, "bad-time t"},
	} {
		o := backfill.Options{Zone: east(), Registry: registry()}
		if strings.HasPrefix(c.text, "站号,时间,数值") {
			o.ValuesOf = "level"
		}
		r, err := backfill.Open(strings.NewReader(c.text), o, backfill.Position{})
		if err != nil {
			t.Fatalf("%q: %v", c.text, err)
		}
		rec, err := r.Next()
		if err != nil {
			t.Fatalf("%q: %v", c.text, err)
		}
		all := rec.Refusals
		for i := range rec.Values {
			s, refused := o.Registry.Find(rec, &rec.Values[i])
			if s != nil {
				s.Oldest = now.AddDate(-5, 0, 0)
				_, refused = backfill.Limits{}.Observe(rec, &rec.Values[i], s, now, 0)
			}
			if refused != nil {
				all = append(all, *refused)
			}
		}
		if len(all) != 1 || all[0].Reason+" "+all[0].Column != c.want || !strings.HasPrefix(all[0].Detail, all[0].Column) || all[0].Line == 0 {
			t.Errorf("%q: %+v, want %s", c.text, all, c.want)
		}
	}
}

func TestUnreadColumnsAreNoted(t *testing.T) {
	r, err := backfill.Open(strings.NewReader("time,device,level,depth,备注\n"), backfill.Options{Registry: registry()}, backfill.Position{})
	if err != nil || r.Note() != "columns that name no datastream are not read: depth, 备注" {
		t.Errorf("%q, %v", r.Note(), err)
	}
	r, err = backfill.Open(strings.NewReader("time,bt-1,bt-2 note,bt-9\n"), backfill.Options{Registry: registry()}, backfill.Position{})
	if err != nil || r.Note() != "columns that name no device are not read: bt-2 note, bt-9" {
		t.Errorf("%q, %v", r.Note(), err)
	}
}

// In every form, a formatted time is parsed to the same time.
func TestTimesComeBack(t *testing.T) {
	layouts := []string{
		time.RFC3339, "2006-01-02 15:04:05", "2006/1/2 15:04:05", "2006/1/2 3:04:05 PM", "2006年1月2日15时4分5秒", "2006年01月02日 15:04:05", "20060102150405",
		"20060102T150405Z0700", "2006-01-02T15:04:05-0700", "2.1.2006 15:04:05", "2006-1-2 15:04:05 -07",
	}
	rapid.Check(t, func(rt *rapid.T) {
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(rt, "seconds"), 0).In(east())
		text := at.Format(rapid.SampledFrom(layouts).Draw(rt, "layout"))
		if rapid.Bool().Draw(rt, "wide") {
			text = strings.Map(func(r rune) rune {
				if r > ' ' && r < 0x7f {
					return r - '!' + 0xff01
				}
				return r
			}, text)
		}
		if got := oneTime(t, text, backfill.Options{Zone: east()}); got != at.UTC().Format(time.RFC3339) {
			rt.Fatalf("%s is %s, want %s", text, got, at.UTC().Format(time.RFC3339))
		}
	})
}

// An invalid byte only affects the records that contain it.
func TestABadByteCostsItsRecord(t *testing.T) {
	rows := "device,datastream,t,v\n"
	for i := range 20 {
		rows += fmt.Sprintf("bt-%d,level,2026-11-20T00:00:%02dZ,1.5\n", i, i)
	}
	body := strings.Index(rows, "\n") + 1
	rapid.Check(t, func(rt *rapid.T) {
		text := []byte(rows)
		at := rapid.IntRange(body, len(text)-1).Draw(rt, "at")
		text[at] = rapid.SampledFrom([]byte{0xff, 0x80, 0, '"', ',', '\r', 0xe6}).Draw(rt, "byte")
		if bytes.Count(text, []byte("\n")) != 21 {
			rt.Skip("a line's end is gone")
		}
		good := 0
		for _, line := range read(t, string(text), backfill.Options{}) {
			if !strings.Contains(line, "refused") && !strings.Contains(line, "missing") {
				good++
			}
		}
		if good < 19 {
			rt.Fatalf("byte %d costs %d records", at, 20-good)
		}
	})
}

func FuzzScalars(f *testing.F) {
	for _, s := range []string{"2026年11月20日下午8时5分", "11/20/2026 8:05 PM", "1.234,5", "1763596800.5", "24:00", "２０２６", "－１，２３４．５"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsAny(s, "\t\r\n\"") {
			return
		}
		for _, text := range []string{"datastream_id\tt\tv\n1\t" + s + "\t0\n", "datastream_id\tt\tv\n1\t2026-11-20T00:00:00Z\t" + s + "\n"} {
			for _, line := range read(t, text, backfill.Options{Zone: east(), Epoch: backfill.EpochSeconds}) {
				if strings.Contains(line, "Inf") || strings.Contains(line, "error") {
					t.Fatalf("%q is %s", s, line)
				}
			}
		}
	})
}
