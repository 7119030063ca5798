package backfill_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/internal/charset"
	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/backfill"
)

// read returns all readings and refusals as lines of text.
func read(t testing.TB, text string, o backfill.Options) []string {
	t.Helper()
	r, err := backfill.Open(strings.NewReader(text), o, backfill.Position{})
	if err != nil {
		return []string{"error: " + err.Error()}
	}
	return rest(t, r)
}

func rest(t testing.TB, r backfill.Reader) (out []string) {
	t.Helper()
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			return append(out, "error: "+err.Error())
		}
		for _, v := range rec.Values {
			who := fmt.Sprintf("%s/%s", v.Device, v.Datastream)
			if v.DatastreamID != 0 {
				who = fmt.Sprint(v.DatastreamID)
			}
			out = append(out, fmt.Sprintf("%d: %s %s %g qc%d", rec.Line, who, v.Time.Format(time.RFC3339Nano), v.Value, v.QC))
		}
		if rec.Missing > 0 {
			out = append(out, fmt.Sprintf("%d: missing %d", rec.Line, rec.Missing))
		}
		for _, f := range rec.Refusals {
			out = append(out, fmt.Sprintf("%d: refused %s: %s", f.Line, f.Reason, f.Detail))
		}
	}
}

func TestCSV(t *testing.T) {
	shanghai := time.FixedZone("", 8*3600)
	long := strings.Repeat("x", 300)
	for name, c := range map[string]struct {
		text string
		o    backfill.Options
		want []string
	}{
		"usual names, mark, CRLF, no newline at the end": {
			"\ufeffdevice,datastream,t,v,qc\r\na,level,2026-03-14T12:00:00+08:00,1.5,3\r\na,level,2026-03-14T04:00:01Z,-2e-1,", backfill.Options{},
			[]string{"2: a/level 2026-03-14T04:00:00Z 1.5 qc3", "3: a/level 2026-03-14T04:00:01Z -0.2 qc0"},
		},
		"by id, other columns are not read, empty lines are none": {
			"note,datastream_id,time,value\nx,17,2026-03-14T04:00:00.1234567Z,1\n\n,18,2026-03-14 04:00:00Z,2\n", backfill.Options{},
			[]string{"2: 17 2026-03-14T04:00:00.123456Z 1 qc0", "4: 18 2026-03-14T04:00:00Z 2 qc0"},
		},
		"named columns, semicolons, Chinese": {
			"站;要素;时间;读数\n甲;水位;2026/03/14 12:00;1\n",
			backfill.Options{Zone: shanghai, Columns: backfill.Columns{Device: "站", Value: "读数"}},
			[]string{"2: 甲/水位 2026-03-14T04:00:00Z 1 qc0"},
		},
		"quotes, one over a line's end": {
			"device,datastream,t,v,note\n\"a\"\"b\",level,2026-03-14T04:00:00Z,\"1\",\"two\nlines, one row\"\na,level,2026-03-14T04:00:00Z,2,\n", backfill.Options{},
			[]string{`2: a"b/level 2026-03-14T04:00:00Z 1 qc0`, "4: a/level 2026-03-14T04:00:00Z 2 qc0"},
		},
		"a quote that is never closed costs its own row": {
			"device,datastream,t,v\na,\"level,2026-03-14T04:00:00Z,1\na,level,2026-03-14T04:00:00Z,2\n", backfill.Options{},
			[]string{"2: refused bad-shape: a quote is not closed", "3: a/level 2026-03-14T04:00:00Z 2 qc0"},
		},
		"quotes that are no pair cost their own rows": {
			"device,datastream,t,v\na,le\"vel,2026-03-14T04:00:00Z,1\na,level,2026-03-14T04:00:00Z,2\na,\"level,2026-03-14T04:00:00Z,3\na,level,2026-03-14T04:00:00Z,4\n", backfill.Options{},
			[]string{
				"2: refused bad-shape: a quote is not closed", "3: a/level 2026-03-14T04:00:00Z 2 qc0",
				"4: refused bad-shape: a quote is not closed", "5: a/level 2026-03-14T04:00:00Z 4 qc0",
			},
		},
		"each fault costs its own row": {
			"device,datastream,t,v,qc\n,level,2026-03-14T04:00:00Z,1,\na,,2026-03-14T04:00:00Z,1,\na,level,2026-02-30T04:00:00Z,1,\na,level,2026-03-14T04:00:00,1,\n" +
				"a,level,,1,\na,level,2026-03-14T04:00:00Z,NaN,\na,level,2026-03-14T04:00:00Z,1e999,\na,level,2026-03-14T04:00:00Z,0x1p3,\na,level,2026-03-14T04:00:00Z,,\n" +
				"a,level,2026-03-14T04:00:00Z,1,7\na,level,2026-03-14T04:00:00Z\na,le\"\"vel,2026-03-14T04:00:00Z,1,\n\xb4\xf3,level,2026-03-14T04:00:00Z,1,\na,level,2026-03-14T04:00:00Z,3,1\n",
			backfill.Options{},
			[]string{
				"2: refused unknown-device: device: empty", "3: refused unknown-datastream: datastream: empty",
				"4: refused bad-time: t: 2026-02-30T04:00:00Z is not a time like 2026-03-14T12:00:00+08:00",
				"5: refused bad-time: t: 2026-03-14T04:00:00 names no zone; say which, as --zone Asia/Shanghai", "6: refused bad-time: t: empty",
				"7: missing 1", "8: refused bad-value: v: 1e999 is larger than a number can be",
				"9: refused bad-value: v: 0x1p3 is not a number",
				"10: missing 1", "11: refused bad-qc: qc: 7 is none of 1, 2, 3, 4, 9", "12: refused bad-shape: 3 columns, the header has 5",
				"13: refused bad-shape: datastream: a quote in the middle of a cell",
				"14: refused bad-text: device: byte 1 of the record is not UTF-8", "15: a/level 2026-03-14T04:00:00Z 3 qc1",
			},
		},
		"a row without end": {
			"device,datastream,t,v\n" + long + "\na,level,2026-03-14T04:00:00Z,2\n", backfill.Options{MaxRecordBytes: 64},
			[]string{"2: refused too-large: the record is longer than 64 bytes", "3: a/level 2026-03-14T04:00:00Z 2 qc0"},
		},
		"GBK":       {"\xc9\xe8\xb1\xb8,t,v\n", backfill.Options{}, []string{"error: line 1: byte 1 is no text; say the encoding, as --encoding gb18030"}},
		"empty":     {"", backfill.Options{}, []string{"error: the file is empty"}},
		"no value":  {"device,datastream,t\n", backfill.Options{}, []string{"error: line 1: no column is named as one of values: v, value, 值, 监测值 …, nor as a datastream or a device; --value names it; there are: device, datastream, t"}},
		"no device": {"datastream,t,v\n", backfill.Options{}, []string{"error: line 1: columns device and datastream, or datastream_id, are needed; --device, --datastream and --datastream-id name them; there are: datastream, t, v"}},
		"twice":     {"datastream_id,t,v,v\n", backfill.Options{}, []string{`error: line 1: the column "v" is there twice; there are: datastream_id, t, v, v`}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.want, read(t, c.text, c.o)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestNDJSON(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"one value": {
			`{"device":"a","datastream":"level","t":"2026-03-14T12:00:00+08:00","v":1.5,"qc":2,"more":{"x":[1,{"}":"\""}]}}` + "\n" + `{"datastream_id":17,"t":"2026-03-14T04:00:00Z","v":-1}`,
			[]string{"1: a/level 2026-03-14T04:00:00Z 1.5 qc2", "2: 17 2026-03-14T04:00:00Z -1 qc0"},
		},
		"as devices publish": {
			` {"v" : {"level": 1, "rain":2.5 , "\u6c34": 3}, "device":"a", "t":"2026-03-14T04:00:00Z"} ` + "\r\n",
			[]string{"1: a/level 2026-03-14T04:00:00Z 1 qc0", "1: a/rain 2026-03-14T04:00:00Z 2.5 qc0", "1: a/水 2026-03-14T04:00:00Z 3 qc0"},
		},
		"a wrong value costs itself alone": {
			`{"device":"a","t":"2026-03-14T04:00:00Z","v":{"level":"1","rain":2,"x":null,"y":1e999}}`,
			[]string{
				"1: a/rain 2026-03-14T04:00:00Z 2 qc0", "1: missing 1", `1: refused bad-value: v.level: "\"1\"" is not a number`,
				"1: refused bad-value: v.y: 1e999 is larger than a number can be",
			},
		},
		"a name given twice": {
			`{"device":"a","t":"2026-03-14T04:00:00Z","v":{"level":1,"rain":2,"level":3}}`,
			[]string{"1: a/rain 2026-03-14T04:00:00Z 2 qc0", "1: refused bad-value: v.level: given twice", "1: refused bad-value: v.level: given twice"},
		},
		"each fault costs its own line": {
			`{"device":"a","datastream":"level","t":"2026-03-14T04:00:00Z","v":NaN}
{"device":"a","datastream":"level","v":1}
{"device":"a","datastream":"level","t":1700000000,"v":1}
{"device":"a","datastream":"level","t":"2026-03-14T04:00:00Z"}
{"device":"a","device":"b","datastream":"level","t":"2026-03-14T04:00:00Z","v":1}
{"datastream":"level","t":"2026-03-14T04:00:00Z","v":1}
{"device":"a","t":"2026-03-14T04:00:00Z","v":1}
{"device":"a","t":"2026-03-14T04:00:00Z","v":{}}
{"datastream_id":"x","t":"2026-03-14T04:00:00Z","v":1}
[1]
` + "\xb4\xf3" + `
{"device":"a","datastream":"level","t":"2026-03-14T04:00:00Z","v":2}`,
			[]string{
				"1: refused bad-json: not JSON", "2: refused bad-time: t: missing", "3: refused bad-time: t: 1700000000 looks like a time since 1970 in seconds; if it is, give --epoch s", "4: refused bad-shape: v: missing",
				"5: refused bad-shape: device: given twice", "6: refused unknown-device: device: missing", "7: refused unknown-datastream: datastream: missing",
				"8: refused bad-shape: v: empty", `9: refused unknown-datastream: datastream_id: "\"x\"" is no datastream's id`, "10: refused bad-shape: not an object",
				"11: refused bad-text: byte 1 of the record is not UTF-8", "12: a/level 2026-03-14T04:00:00Z 2 qc0",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.want, read(t, c.text, backfill.Options{Format: backfill.FormatNDJSON})); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// Complete records before the end of a truncated file are read; half of a line is not.
func TestBrokenReader(t *testing.T) {
	text := "device,datastream,t,v\na,level,2026-03-14T04:00:00Z,1\na,level,2026-03-14T04:00:00Z,2"
	r, err := backfill.Open(io.MultiReader(strings.NewReader(text), iotest.ErrReader(io.ErrUnexpectedEOF)), backfill.Options{}, backfill.Position{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"2: a/level 2026-03-14T04:00:00Z 1 qc0", "error: cannot be read beyond line 2: unexpected EOF"}
	if d := cmp.Diff(want, rest(t, r)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestAFileThatBecameShorter(t *testing.T) {
	_, err := backfill.Open(strings.NewReader("datastream_id,t,v\n"), backfill.Options{}, backfill.Position{Offset: 100, Line: 4})
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("error %v, want invalid", err)
	}
}

func TestObserve(t *testing.T) {
	received := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	s := &backfill.Stream{ID: 1, Min: -10, Max: 100, Oldest: time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)}
	for name, c := range map[string]struct {
		v      backfill.Value
		reason string
		qc     sensors.QC
		source sensors.TimeSource
	}{
		"good":                 {backfill.Value{Time: received, Value: 100}, "", sensors.QCGood, sensors.TimeDevice},
		"out of range":         {backfill.Value{Time: received, Value: 100.1, QC: sensors.QCGood}, "", sensors.QCBad, sensors.TimeDevice},
		"a flag that is given": {backfill.Value{Time: received, Value: 1, QC: sensors.QCSuspect}, "", sensors.QCSuspect, sensors.TimeDevice},
		"missing stays so":     {backfill.Value{Time: received, Value: -9999, QC: sensors.QCMissing}, "", sensors.QCMissing, sensors.TimeDevice},
		"ahead":                {backfill.Value{Time: received.Add(11 * time.Second), Value: 1}, "", sensors.QCGood, sensors.TimeWrong},
		"a little ahead":       {backfill.Value{Time: received.Add(10 * time.Second), Value: 1}, "", sensors.QCGood, sensors.TimeDevice},
		"far ahead":            {backfill.Value{Time: received.AddDate(0, 2, 0)}, backfill.ReasonBadTime, 0, 0},
		"a clock never set":    {backfill.Value{Time: time.Unix(0, 0).UTC()}, backfill.ReasonBadTime, 0, 0},
		"oldest that is kept":  {backfill.Value{Time: s.Oldest, Value: 1}, "", sensors.QCGood, sensors.TimeDevice},
		"no longer kept":       {backfill.Value{Time: s.Oldest.Add(-time.Microsecond)}, backfill.ReasonExpired, 0, 0},
	} {
		o, refused := backfill.Limits{}.Observe(&backfill.Record{}, &c.v, s, received, 3)
		reason := ""
		if refused != nil {
			reason = refused.Reason
		}
		if reason != c.reason || o.QC != c.qc || o.TimeSource != c.source {
			t.Errorf("%s: %q, %+v", name, reason, o)
		}
		if ahead := c.source == sensors.TimeWrong; ahead != o.Now.Equal(received.Add(3*time.Microsecond)) {
			t.Errorf("%s: now is %s", name, o.Now)
		}
	}
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("device,datastream,t,v,qc\na,level,2026-03-14T12:00:00+08:00,1.5,3\n\"a\nb\",\"x,2026-03-14 12:00,1,\r\n"), 1)
	f.Add([]byte("title\n\nsep=|\rtime|device|level|rain(mm)\r1763596800|\xb4\xf3|1,5|--\r"), 0)
	f.Add([]byte("\xff\xfed\x00,\x00t\x00"), 0)
	f.Add([]byte("\ufeffdatastream_id;t;v\n1;2026-03-14T12:00:00Z;1\n\n\"\"\"\n"), 2)
	f.Fuzz(func(t *testing.T, text []byte, stop int) {
		resumes(t, text, backfill.Options{Format: backfill.FormatCSV, Zone: time.UTC, MaxRecordBytes: 200}, stop)
		resumes(t, text, backfill.Options{Format: backfill.FormatCSV, Encoding: charset.GB18030, Epoch: backfill.EpochSeconds, Registry: registry(), MaxRecordBytes: 200}, stop)
	})
}

func FuzzNDJSON(f *testing.F) {
	f.Add([]byte(`{"device":"a","datastream":"level","t":"2026-03-14T12:00:00+08:00","v":1.5,"qc":2,"more":{"x":[1,{"}":"\""}]}}`+"\n[]\n"), 1)
	f.Add([]byte(`{"v" : {"level": 1, "rain":2.5 , "\u6c34": 3,"x":"\\"}, "device":"a", "t":"2026-03-14T04:00:00Z"}`), 0)
	f.Fuzz(func(t *testing.T, text []byte, stop int) {
		resumes(t, text, backfill.Options{Format: backfill.FormatNDJSON, MaxRecordBytes: 200}, stop)
	})
}

// resumes reads a text at once, and in two parts split at every byte. The records must be the same, each value must be
// storable, and no byte may be left.
func resumes(t *testing.T, text []byte, o backfill.Options, stop int) {
	type line struct {
		text string
		at   backfill.Position
	}
	mark := charset.Mark(text)
	utf16 := mark == charset.UTF16LE || mark == charset.UTF16BE // its bytes are counted as UTF-8
	all := func(in io.Reader, at backfill.Position) (out []line, err error) {
		r, err := backfill.Open(in, o, at)
		if err != nil {
			return nil, err
		}
		for {
			rec, err := r.Next()
			if errors.Is(err, io.EOF) {
				if at := r.Position(); at.Offset != int64(len(text)) && !utf16 {
					t.Fatalf("ended at byte %d of %d", at.Offset, len(text))
				}
				return out, nil
			}
			if err != nil {
				t.Fatalf("a record cannot be an error: %v", err)
			}
			if len(rec.Values)+len(rec.Refusals) == 0 && rec.Missing == 0 {
				t.Fatalf("line %d vanished", rec.Line)
			}
			for _, v := range rec.Values {
				if v.Value != v.Value || v.Value-v.Value != 0 || v.Time.Year() > 10_000 || (v.DatastreamID == 0) == (len(v.Device) == 0) {
					t.Fatalf("line %d: %+v", rec.Line, v)
				}
			}
			out = append(out, line{fmt.Sprintf("%d %d %v %d %v", rec.Line, rec.Offset, rec.Values, rec.Missing, rec.Refusals), r.Position()})
		}
	}
	whole, err := all(bytes.NewReader(text), backfill.Position{})
	if err != nil {
		if !fault.Is(err, fault.Invalid) {
			t.Fatalf("error %v, want invalid", err)
		}
		return
	}
	if len(whole) == 0 {
		return
	}
	cut := int(uint(stop) % uint(len(whole)))
	tail, err := all(iotest.OneByteReader(bytes.NewReader(text)), whole[cut].at)
	if err != nil || !cmp.Equal(tail, whole[cut+1:], cmp.AllowUnexported(line{})) && len(tail)+len(whole[cut+1:]) > 0 {
		t.Fatalf("behind record %d: %v\n%v\nwant\n%v", cut, err, tail, whole[cut+1:])
	}
}
