package mqttjson

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"onemap/sensors"
)

// Texts that devices send instead of RFC 3339, all of the same time, and texts that are not a time.
func TestTimesThatDevicesWrite(t *testing.T) {
	want := time.Date(2026, 7, 1, 7, 59, 0, 0, time.UTC)
	for _, text := range []string{
		"2026-07-01T15:59:00+08:00", "2026-07-01T15:59:00+0800", "2026-07-01T15:59:00+08", "2026-07-01 15:59:00+0800",
		"2026-07-01 15:59:00 +0800", "2026-07-01 15:59:00 +08:00", "2026-07-01t15:59:00+0800", "2026-07-01t07:59:00z", "2026-07-01 07:59:00z",
		"2026-07-01 07:59:00 UTC", "2026-07-01T07:59:00.000Z", "2026-07-01T07:59:00,000+0000", "2026-07-01T07:59Z", "2026-07-01 15:59+0800",
		"20260701T155900+0800", "20260701T155900+08:00", "20260701T1559+08", "20260701T075900Z", "20260701t075900.000z",
		" 2026-07-01T07:59:00Z ", "2026-07-01T07:59:00-0000", "2026-07-01T02:59:00-0500",
	} {
		if at, ok := parseTime([]byte(text)); !ok || !at.Equal(want) {
			t.Errorf("%s is %v, %v", text, at, ok)
		}
	}
	for _, text := range []string{
		"", " ", "2026-07-01T07:59:00", "2026-07-01 07:59:00", "20260701T075900", "20260701", "2026-07-01", "2026-07-01T07:59:00+8", "2026-07-01T07:59:00+080",
		"2026-07-01T24:59:00Z", "2026-07-01T07:60:00Z", "2026-07-01T07:58:60Z", "2026-07-01T23:59:60+08:00", "2026-07-01T07:59:61Z", "2026-13-01 07:59:00Z",
		"2026-02-30 07:59:00Z", "2026-07-01T07:59:00 CST", "2026-07-01T07:59:00ZZ", "20260701T0759001Z", "2026-07-01T07:59:00.Z", "1782892740", "2026/07/01 07:59:00Z",
		strings.Repeat("2", 60), "2026-07-01T07:59:00" + strings.Repeat("0", 40) + "Z",
	} {
		if at, ok := parseTime([]byte(text)); ok {
			t.Errorf("%q is %v", text, at)
		}
	}
}

// A clock that was never set is a time that cannot be true, not an error of the payload.
func TestClockThatWasNeverSet(t *testing.T) {
	for _, text := range []string{"0000-00-00T00:00:00Z", "2000-00-00 00:00:00+08:00", "20000000T000000Z", "2000-01-00T08:05:00+0800"} {
		all, faults := decode(`{"t":"`+text+`","v":{"level":4.9}}`, gauge(t))
		if len(all) != 1 || faults.Len() > 0 || !all[0].Time.Equal(received.Truncate(time.Microsecond)) || all[0].TimeSource != sensors.TimeWrong {
			t.Errorf("%s: %+v, %s", text, all, faults.Detail())
		}
	}
	for _, text := range []string{"0000-00-00T00:00:00", "0000-00-00", "2000-00-00T25:00:00Z", "20x0-00-00T00:00:00Z"} {
		if at, ok := parseTime([]byte(text)); ok {
			t.Errorf("%q is %v", text, at)
		}
	}
}

func TestLeapSecond(t *testing.T) {
	for _, text := range []string{"2016-12-31T23:59:60Z", "2017-01-01T07:59:60+08:00", "2016-12-31 23:59:60.000 UTC"} {
		if at, ok := parseTime([]byte(text)); !ok || !at.Equal(time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s is %v, %v", text, at, ok)
		}
	}
}

// The bytes that devices add around a payload do not change its content.
func TestWhatStandsAroundAPayload(t *testing.T) {
	device := gauge(t)
	rapid.Check(t, func(t *rapid.T) {
		before := strings.Repeat("\ufeff", rapid.IntRange(0, 2).Draw(t, "marks"))
		after := rapid.StringOfN(rapid.RuneFrom([]rune{0, 0x1a, ' ', '\t', '\r', '\n'}), 0, 8, -1).Draw(t, "after")
		level := rapid.Float64Range(0, 10).Draw(t, "level")
		plain := fmt.Sprintf(`{"t":"2026-07-01T07:59:00Z","v":{"level":%g}}`, level)
		want, _ := decode(plain, device)
		got, faults := decode(before+plain+after, device)
		if len(want) != 1 || len(got) != 1 || faults.Len() > 0 || got[0] != want[0] {
			t.Fatalf("%+v, %s, want %+v", got, faults.Detail(), want)
		}
		word := rapid.SampledFrom([]string{"offline", "Offline", "OFFLINE", `"offline"`, `{"online":false}`}).Draw(t, "word")
		if online, faults := ParseStatus([]byte(before + word + after)); online || faults.Len() > 0 {
			t.Fatalf("%v, %s", online, faults.Detail())
		}
	})
}

// Every form of a time has the same value as the RFC 3339 form.
func TestFormsOfATime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(t, "zone"))
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "at"), 0).In(zone)
		for _, form := range []string{"2006-01-02 15:04:05-0700", "2006-01-02T15:04:05 -07:00", "20060102T150405-0700", "2006-01-02 15:04:05,000-0700"} {
			text := at.Format(form)
			if got, ok := parseTime(bytes.ToLower([]byte(text))); !ok || !got.Equal(at) {
				t.Fatalf("%s is %v, %v", text, got, ok)
			}
		}
	})
}
