package mqttjson

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"onemap/internal/fault"
	"onemap/sensors"
)

var received = time.Date(2026, 7, 1, 8, 0, 0, 123456789, time.UTC)

func gauge(t testing.TB) *sensors.Known {
	t.Helper()
	return known(t, sensors.Datastream{ID: 1, Name: "level", Type: "water_level"}, sensors.Datastream{ID: 2, Name: "rain", Type: "rain"}, sensors.Datastream{ID: 3, Name: "odd", Type: "nobody-knows"})
}

// decode returns the result for the payload of an obs topic.
func decode(payload string, device *sensors.Known) ([]sensors.Observation, sensors.Faults) {
	obs, _, faults := sensors.DecodeFor(device, Decoder(KindObs), []byte(payload), received, sensors.TimeLimits{})
	return obs, faults
}

// decodeCase is a payload with the expected result.
type decodeCase struct {
	name, payload string
	want          []sensors.Observation
	faults        string
}

func decodeCases() []decodeCase {
	rec := received.Truncate(time.Microsecond)
	at := time.Date(2026, 7, 1, 7, 59, 0, 0, time.UTC)
	obs := func(id int64, when time.Time, v float64, qc sensors.QC, src sensors.TimeSource) sensors.Observation {
		return sensors.Observation{DatastreamID: id, Time: when, Value: v, QC: qc, TimeSource: src, ReceivedAt: rec}
	}
	ahead := func(o sensors.Observation, now time.Time) sensors.Observation {
		o.Now = now
		return o
	}
	level := obs(1, at, 4.2, sensors.QCGood, sensors.TimeDevice)
	rain := obs(2, at, 3, sensors.QCGood, sensors.TimeDevice)
	return []decodeCase{
		{"one", `{"t":"2026-07-01T07:59:00Z","v":{"level":4.2}}`, []sensors.Observation{level}, ""},
		{"v before t, zone, spaces", " {\"v\" : {\"level\":4.2 ,\n\"rain\":3.0e0}, \"t\":\"2026-07-01T15:59:00+08:00\"}\n", []sensors.Observation{level, rain}, ""},
		{"escaped name", `{"t":"2026-07-01T07:59:00Z","v":{"l\u0065vel":4.2}}`, []sensors.Observation{level}, ""},
		{"no t", `{"v":{"level":1}}`, []sensors.Observation{obs(1, rec, 1, sensors.QCGood, sensors.TimeReceipt)}, ""},
		{"array", `[{"t":"2026-07-01T07:59:00Z","v":{"level":4.2}},{"t":"2026-07-01T07:59:00Z","v":{"rain":3}}]`, []sensors.Observation{level, rain}, ""},
		{"out of range", `{"t":"2026-07-01T07:59:00Z","v":{"level":31}}`, []sensors.Observation{obs(1, at, 31, sensors.QCBad, sensors.TimeDevice)}, ""},
		{"at the range's edge", `{"t":"2026-07-01T07:59:00Z","v":{"level":30}}`, []sensors.Observation{obs(1, at, 30, sensors.QCGood, sensors.TimeDevice)}, ""},
		{"unknown type", `{"t":"2026-07-01T07:59:00Z","v":{"odd":1e9}}`, []sensors.Observation{obs(3, at, 1e9, sensors.QCNotEvaluated, sensors.TimeDevice)}, ""},
		{"NaN costs itself only", `{"t":"2026-07-01T07:59:00Z","v":{"level":NaN,"rain":3}}`, []sensors.Observation{rain}, "bad-value: v.level: NaN is not a number"},
		{"Infinity", `{"t":"2026-07-01T07:59:00Z","v":{"rain":3,"level":-Infinity}}`, []sensors.Observation{rain}, "bad-value: v.level: -Infinity is not a number"},
		{"1e999", `{"v":{"level":1e999}}`, nil, "bad-value: v.level: 1e999 is larger than a number can be"},
		{"leading zero", `{"v":{"level":01}}`, nil, "bad-value: v.level: 01 is not a number"},
		{"hex", `{"v":{"level":0x10}}`, nil, "bad-value: v.level: 0x10 is not a number"},
		{"string", `[{"t":"2026-07-01T07:59:00Z","v":{"rain":3}},{"v":{"level":"4.2"}}]`, []sensors.Observation{rain}, "bad-value: [1].v.level: a string is not a number"},
		{"null", `{"v":{"level":null}}`, nil, "bad-value: v.level: null is not a number"},
		{"a word of ours", `{"v":{"level":red}}`, nil, `bad-value: v.level: "red" is not a number`},
		{"a kind of ours", `{"v":{"level":string}}`, nil, `bad-value: v.level: "string" is not a number`},
		{"object", `{"t":"2026-07-01T07:59:00Z","v":{"level":{"x":[1,{}]},"rain":3}}`, []sensors.Observation{rain}, "bad-value: v.level: an object is not a number"},
		{"unknown name", `{"t":"2026-07-01T07:59:00Z","v":{"lvl":1,"rain":3}}`, []sensors.Observation{rain}, "unknown-datastream: v.lvl: there is no datastream lvl"},
		{"name with NUL", `{"v":{"a\u0000b":1}}`, nil, `unknown-datastream: v."a\x00b": there is no datastream "a\x00b"`},
		{"name twice", `{"t":"2026-07-01T07:59:00Z","v":{"level":1,"rain":3,"level":2}}`, []sensors.Observation{rain}, "bad-value: v.level: given twice"},
		{"t twice", `{"t":"2026-07-01T07:59:00Z","v":{"level":1},"t":"2026-07-01T07:58:00Z"}`, nil, "bad-shape: t: given twice"},
		{"v twice", `{"v":{"level":1},"v":{"level":2}}`, nil, "bad-shape: v: given twice"},
		{"a month ahead cannot be true", `{"t":"2026-08-01T08:00:01Z","v":{"level":1}}`, []sensors.Observation{ahead(obs(1, rec, 1, sensors.QCGood, sensors.TimeWrong), rec)}, ""},
		{"year 9999", `{"t":"9999-12-31T23:59:59Z","v":{"level":1}}`, []sensors.Observation{ahead(obs(1, rec, 1, sensors.QCGood, sensors.TimeWrong), rec)}, ""},
		{"10 s ahead are nothing", `{"t":"2026-07-01T08:00:10Z","v":{"level":1}}`, []sensors.Observation{obs(1, at.Add(70*time.Second), 1, sensors.QCGood, sensors.TimeDevice)}, ""},
		{"ahead is flagged, and stands at its receipt", `[{"t":"2026-07-01T08:05:00Z","v":{"level":1}},{"t":"2026-07-31T08:00:00Z","v":{"level":2}}]`, []sensors.Observation{
			ahead(obs(1, at.Add(6*time.Minute), 1, sensors.QCGood, sensors.TimeWrong), rec), ahead(obs(1, at.AddDate(0, 0, 30).Add(time.Minute), 2, sensors.QCGood, sensors.TimeWrong), rec.Add(time.Microsecond)),
		}, ""},
		{"1970", `{"t":"1970-01-01T00:00:07Z","v":{"level":1}}`, []sensors.Observation{ahead(obs(1, rec, 1, sensors.QCGood, sensors.TimeWrong), rec)}, ""},
		{"year 0", `{"t":"0000-01-01T00:00:00Z","v":{"level":1}}`, []sensors.Observation{ahead(obs(1, rec, 1, sensors.QCGood, sensors.TimeWrong), rec)}, ""},
		{"the GPS week rolled over", `{"t":"2006-11-15T08:00:00Z","v":{"level":1}}`, []sensors.Observation{ahead(obs(1, rec, 1, sensors.QCGood, sensors.TimeWrong), rec)}, ""},
		{"several of a clock that was never set", `[{"t":"1970-01-01T00:00:07Z","v":{"level":1}},{"t":"1970-01-01T00:00:08Z","v":{"level":2}}]`, []sensors.Observation{
			ahead(obs(1, rec, 1, sensors.QCGood, sensors.TimeWrong), rec), ahead(obs(1, rec.Add(time.Microsecond), 2, sensors.QCGood, sensors.TimeWrong), rec.Add(time.Microsecond)),
		}, ""},
		{"zone of strftime", `{"t":"2026-07-01T15:59:00+0800","v":{"rain":3}}`, []sensors.Observation{rain}, ""},
		{"zone of hours", `{"t":"2026-07-01T15:59:00+08","v":{"rain":3}}`, []sensors.Observation{rain}, ""},
		{"zone of strftime with a fraction", `{"t":"2026-07-01T03:29:00.000-0430","v":{"rain":3}}`, []sensors.Observation{rain}, ""},
		{"space, comma, small z", `{"t":"2026-07-01 07:59:00,000z","v":{"rain":3}}`, []sensors.Observation{rain}, ""},
		{"no such zone", `{"t":"2026-07-01T15:59:00+8","v":{"rain":3}}`, nil, "bad-time: t: 2026-07-01T15:59:00+8 is not an RFC 3339 time"},
		{"NUL of a C text", "{\"t\":\"2026-07-01T07:59:00Z\",\"v\":{\"rain\":3}}\x00", []sensors.Observation{rain}, ""},
		{"line end and NULs", "{\"t\":\"2026-07-01T07:59:00Z\",\"v\":{\"rain\":3}}\r\n\x00\x00", []sensors.Observation{rain}, ""},
		{"byte order mark", "\ufeff{\"t\":\"2026-07-01T07:59:00Z\",\"v\":{\"rain\":3}}", []sensors.Observation{rain}, ""},
		{"NUL within", "{\"v\":{\"rain\":3}}\x00x", nil, `bad-json: offset 16: trailing bytes: "\x00" found after the end`},
		{"bad time costs its record only", `[{"t":"yesterday","v":{"level":1}},{"t":"2026-07-01T07:59:00Z","v":{"rain":3}}]`, []sensors.Observation{rain}, "bad-time: [0].t: yesterday is not an RFC 3339 time"},
		{"time without zone", `{"t":"2026-07-01T07:59:00","v":{"level":1}}`, nil, "bad-time: t: 2026-07-01T07:59:00 is not an RFC 3339 time"},
		{"31 February", `{"t":"2026-02-31T07:59:00Z","v":{"level":1}}`, nil, "bad-time: t: 2026-02-31T07:59:00Z is not an RFC 3339 time"},
		{"number as time", `{"t":1782892740,"v":{"level":1}}`, nil, "bad-time: t: a number, not an RFC 3339 string"},
		{"unknown key", `{"t":"2026-07-01T07:59:00Z","battery":3,"v":{"rain":3}}`, []sensors.Observation{rain}, `bad-shape: battery: unknown; only "t" and "v" are read`},
		{"no v", `{"t":"2026-07-01T07:59:00Z"}`, nil, "bad-shape: v: is required"},
		{"empty v", `{"v":{}}`, nil, "bad-shape: v: must not be empty"},
		{"v a number", `{"v":3}`, nil, "bad-shape: v: a number, not an object of numbers"},
		{"empty array", `[]`, nil, "bad-shape: an empty array"},
		{"array in array", `[[1]]`, nil, `bad-shape: [0]: an array, not an object with "v"`},
		{"a number", `3`, nil, `bad-shape: a number, not an object with "v"`},
		{"nothing", ``, nil, "bad-json: offset 0: a value expected, the end found"},
		{"not JSON", `level=3`, nil, `bad-json: offset 0: a value expected, "l" found`},
		{"cut off", `[{"v":{"level":1}},{"v":{"le`, nil, "bad-json: [1]: offset 28: a string without its end"},
		{"trailing bytes", `{"v":{"level":1}}x`, nil, `bad-json: offset 17: trailing bytes: "x" found after the end`},
		{"trailing comma", `{"v":{"level":1,}}`, nil, `bad-json: offset 16: '"' expected, "}" found`},
		{"no colon", `{"v" {"level":1}}`, nil, `bad-json: offset 5: ':' expected, "{" found`},
		{"not UTF-8", "{\"v\":{\"l\xff\":1}}", nil, "bad-json: offset 7: a string that is not UTF-8"},
		{"half a surrogate", `{"v":{"\ud800":1}}`, nil, "bad-json: offset 13: half of a surrogate pair"},
		{"deep", `{"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `,"v":{"level":1}}`, nil, "bad-json: offset 22: nested deeper than 16"},
		{"two faults", `[{"v":{"level":"x"}},{"t":"2026-07-01T07:59:00Z","v":{"rain":3}},{"v":{}}]`, []sensors.Observation{rain}, "bad-value: [0].v.level: a string is not a number; [2].v: must not be empty"},
	}
}

func TestDecodeObservations(t *testing.T) {
	for _, c := range decodeCases() {
		t.Run(c.name, func(t *testing.T) {
			got, faults := decode(c.payload, gauge(t))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("observations (-want +got):\n%s", diff)
			}
			text := ""
			if faults.Len() > 0 {
				text = faults.Reason() + ": " + faults.Detail()
			}
			if text != c.faults {
				t.Errorf("faults:\n got %s\nwant %s", text, c.faults)
			}
		})
	}
}

func TestDecodeCountsTheFaultsThatItDoesNotSpellOut(t *testing.T) {
	payload := "[" + strings.Repeat("{},", 99) + "{}]"
	_, faults := decode(payload, gauge(t))
	if faults.Len() != 100 || len(faults.List) != 16 || !strings.HasSuffix(faults.Detail(), "; and 84 more") {
		t.Errorf("%d faults, %d listed: %s", faults.Len(), len(faults.List), faults.Detail())
	}
}

func TestFaultsSayWhatIsWrongByCodes(t *testing.T) {
	_, faults := decode(`[{"t":7,"v":{"level":"x","nosuch":1}},{"t":"soon","v":{"level":nan}}`+strings.Repeat(",1", 20)+"]", gauge(t))
	type said struct {
		Field, Code string
		Params      map[string]string
	}
	var got []said
	for _, f := range faults.All() {
		got = append(got, said{f.Field, f.Code, f.Params})
	}
	want := []said{
		{"[0].t", "not-time-string", map[string]string{"found": "number"}},
		{"[0].v.level", "not-a-number", map[string]string{"found": "string"}},
		{"[0].v.nosuch", "no-datastream", map[string]string{"id": "nosuch"}},
		{"[1].t", "no-time", map[string]string{"value": "soon"}},
		{"[1].v.level", "not-a-number", map[string]string{"found": "nan"}},
	}
	for i := range 16 - len(want) {
		want = append(want, said{fmt.Sprintf("[%d]", i+2), "not-reading", map[string]string{"found": "number"}})
	}
	want = append(want, said{"", "more-faults", map[string]string{"n": "9"}})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, faults = decode(`{"v":`, gauge(t))
	if one := faults.List[0]; one.Code != "json-value" || one.Params["offset"] != "5" || one.Params["found"] != string(fault.TheEnd) {
		t.Errorf("%+v", one)
	}
}

func TestDecodeStatus(t *testing.T) {
	for _, c := range []struct {
		payload string
		online  bool
		fault   string
	}{
		{`online`, true, ""},
		{`offline`, false, ""},
		{`{"online":true}`, true, ""},
		{` {"online":false,"t":"2026-07-01T07:59:00Z"} `, false, ""},
		{``, false, "must not be empty"},
		{`Online`, true, ""}, {`OFFLINE`, false, ""}, {"offline\x00", false, ""}, {"\ufeffOnline\r\n\x00", true, ""}, {`"offline"`, false, ""},
		{"{\"online\":false}\x00", false, ""}, {`{"online":true,"t":"1970-01-01T00:00:00Z"}`, true, ""}, {`{"online":true,"t":"2026-07-01T15:59:00+0800"}`, true, ""},
		{`dead`, false, `neither online, offline nor an object; offset 0: '{' expected, "d" found`},
		{`0`, false, `neither online, offline nor an object; offset 0: '{' expected, "0" found`},
		{`{"online":1}`, false, "online: a number, not true or false"},
		{`{"online":truth}`, false, `neither online, offline nor an object; offset 10: true or false expected, "t" found`},
		{`{"online":true,"online":false}`, false, "online: given twice"},
		{`{"t":"2026-07-01T07:59:00Z"}`, false, "online: is required"},
		{`{"online":true,"t":"now"}`, false, "t: now is not an RFC 3339 time"},
		{`{"online":true,"x":[1]}`, false, `x: unknown; only "online" and "t" are read`},
		{`{"online":true}}`, false, `neither online, offline nor an object; offset 15: trailing bytes: "}" found after the end`},
	} {
		online, faults := ParseStatus([]byte(c.payload))
		if faults.Detail() != c.fault {
			t.Errorf("%q: fault %q, want %q", c.payload, faults.Detail(), c.fault)
		}
		if online != c.online && c.fault == "" {
			t.Errorf("%q: online is %v", c.payload, online)
		}
		var want *sensors.Status
		if c.fault == "" {
			want = &sensors.Status{DeviceID: "dev-1", Online: c.online, At: received.Truncate(time.Microsecond)}
		}
		_, got, _ := sensors.DecodeFor(gauge(t), Decoder(KindStatus), []byte(c.payload), received, sensors.TimeLimits{})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", c.payload, diff)
		}
	}
}

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var streams []sensors.Datastream
		names := rapid.SliceOfNDistinct(rapid.String(), 1, 6, rapid.ID[string]).Draw(t, "names")
		for i, n := range names {
			streams = append(streams, sensors.Datastream{ID: int64(i + 1), Name: n})
		}
		var readings []sensors.Reading
		var want []sensors.Observation
		rec := received.Truncate(time.Microsecond)
		for range rapid.IntRange(1, 5).Draw(t, "readings") {
			at := rec.Add(-time.Duration(rapid.Int64Range(0, 1e6).Draw(t, "ago")) * time.Microsecond)
			source := sensors.TimeDevice
			r := sensors.Reading{Time: at}
			if rapid.Bool().Draw(t, "no t") {
				r.Time, at, source = time.Time{}, rec, sensors.TimeReceipt
			}
			for i, n := range names {
				v := rapid.Float64().Filter(func(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }).Draw(t, "v")
				r.Values = append(r.Values, sensors.Value{Name: n, Number: v})
				want = append(want, sensors.Observation{DatastreamID: int64(i + 1), Time: at, Value: v, QC: sensors.QCNotEvaluated, TimeSource: source, ReceivedAt: rec})
			}
			readings = append(readings, r)
		}
		payload := Encode(readings...)
		got, faults := decode(string(payload), known(t, streams...))
		if faults.Len() > 0 {
			t.Fatalf("%s: %s", payload, faults.Detail())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s: %s", payload, diff)
		}
	})
}

func FuzzDecodeObservations(f *testing.F) {
	for _, seed := range []string{
		`{"t":"2026-07-01T07:59:00Z","v":{"level":4.2,"rain":3}}`, `[{"v":{"level":1}},{"v":{"rain":NaN}}]`,
		`{"v":{"level":1e999}}`, `[`, `{"v":`, `{"v":{"\ud83d\ude00":1}}`, `{"t":"1970-01-01T00:00:00Z","v":{}}`,
		"{\"v\":{\"\xff\":1}}", `{"x":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}`, "\x00", `{"v":{"level":-}}`,
		"{\"v\":{\"level\":1.2}}\x00", `{"t":"2026-11-29T00:49:49+0800","v":{"level":1.35}}`, `{"t":"1970-01-01T00:03:20Z","v":{"level":4.91}}`, "\ufeff{}",
		"{\"v\":{\"level\":1.2}}\x1a", "\ufeff\ufeff{\"v\":{\"level\":1.2}}\r\n\x00\x1a", `{"t":"2026-11-29 00:49:49 +0800","v":{"level":1}}`,
		`{"t":"20261129T004949+08","v":{"level":1}}`, `{"t":"2026-11-29t00:49z","v":{"level":1}}`, `{"t":"2016-12-31T23:59:60Z","v":{"level":1}}`,
	} {
		f.Add([]byte(seed))
	}
	device := gauge(f)
	f.Fuzz(func(t *testing.T, payload []byte) {
		obs, faults := decode(string(payload), device)
		if len(obs) == 0 && faults.Len() == 0 {
			t.Fatal("neither a reading nor a fault")
		}
		if faults.Reason() == sensors.ReasonBadJSON && len(obs) > 0 {
			t.Fatal("readings out of what is not JSON")
		}
		for _, o := range obs {
			if math.IsNaN(o.Value) || math.IsInf(o.Value, 0) {
				t.Fatalf("value %v", o.Value)
			}
			if ahead := o.Time.Sub(o.ReceivedAt); ahead > 31*24*time.Hour || ahead < -11*366*24*time.Hour {
				t.Fatalf("time %v", o.Time)
			}
		}
		if text := faults.Detail(); !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			t.Fatalf("unprintable: %q", text)
		}
	})
}

func FuzzDecodeStatus(f *testing.F) {
	for _, seed := range []string{`online`, `offline`, `Offline`, `OFFLINE`, `0`, `dead`, "offline\x00", "offline\x1a", "\ufeff offline\r\n\x00", `{"online":true,"t":"2026-07-01T07:59:00Z"}`, `{`, `{"online":`, ``} {
		f.Add([]byte(seed))
	}
	device := gauge(f)
	f.Fuzz(func(t *testing.T, payload []byte) {
		_, status, faults := sensors.DecodeFor(device, Decoder(KindStatus), payload, received, sensors.TimeLimits{})
		if (faults.Len() == 0) != (status != nil) {
			t.Fatalf("%+v, %s", status, faults.Detail())
		}
	})
}

func FuzzParseTopic(f *testing.F) {
	f.Add("onemap/v1/370602/dev-1/obs")
	f.Add("onemap/v1/370602/dev-1/obs/x")
	f.Add("$SYS/broker")
	f.Fuzz(func(t *testing.T, topic string) {
		division, device, kind, err := ParseTopic(topic)
		if err == nil && Topic(division, device, kind) != topic {
			t.Fatalf("%q came back as %q", topic, Topic(division, device, kind))
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	device := gauge(b)
	one := `{"t":"2026-07-01T07:59:00.25Z","v":{"level":4.21,"rain":3.5}}`
	decoder := Decoder(KindObs)
	for name, payload := range map[string]string{"one": one, "array of 100": "[" + strings.Repeat(one+",", 99) + one + "]"} {
		b.Run(name, func(b *testing.B) {
			bytes := []byte(payload)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, faults := sensors.DecodeFor(device, decoder, bytes, received, sensors.TimeLimits{}); faults.Len() > 0 {
					b.Fatal(faults.Detail())
				}
			}
		})
	}
}
