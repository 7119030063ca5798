package sensors

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFaultsAreQuarantinedAndTheRestStored(t *testing.T) {
	m := newMemory()
	in, _ := path(t, m, IngestOptions{QuarantineBytes: 20})
	online := true
	one := Decoded{Readings: []Reading{reading(time.Time{}, "level", 1)}}
	two := Reading{Values: []Value{{"level", 3}, {"nosuch", 4}, {"level", math.Inf(1)}}}
	errsSeen := 0
	for _, m := range []Message{
		message("level=5 nosuch=4 of all that", reading(time.Time{}, "level", 5), reading(time.Time{}, "nosuch", 4)),
		message("level=3 nosuch=4 level=inf", two),
		message("level=NaN", reading(time.Time{}, "level", math.NaN())),
		garbage("garbage\x00\xff"),
		{Subject: "line 2", Device: "ghost", Raw: []byte("level=1"), Decoder: one},
		{Subject: "line 3", Division: "370611", Device: "dev-1", Raw: []byte("level=1"), Decoder: one},
		{Subject: "x\x00", Device: "dev-1", Raw: []byte("online"), Decoder: Decoded{Online: &online}},
		message(strings.Repeat(" ", 64<<10) + "1"),
	} {
		if err := in.Accept(m, func(err error) {
			if err != nil {
				errsSeen++
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := in.Quarantine(Quarantined{DeviceID: "dev-1", Reason: ReasonTooLarge, Size: 10 << 20}, nil); err != nil {
		t.Fatal(err)
	}
	stop(t, in)
	if diff := cmp.Diff([]float64{5}, m.values()); diff != "" || errsSeen > 0 {
		t.Error(diff, errsSeen)
	}
	var got []string
	for _, q := range m.quarantine() {
		got = append(got, fmt.Sprintf("%s|%s|%d|%d|%s", q.Reason, q.Detail, q.Size, len(q.Payload), q.Topic))
		if q.At.IsZero() {
			t.Error("a row without a time")
		}
	}
	want := []string{
		"unknown-datastream|[1].nosuch: there is no datastream nosuch|28|20|line 1",
		"unknown-datastream|nosuch: there is no datastream nosuch; level: given twice|26|20|line 1",
		"bad-value|level: NaN is not a number|9|9|line 1",
		`bad-shape|"garbage\x00\xff", not an object with "v"|9|9|line 1`,
		"unknown-device|device: ghost is not registered, or disabled|7|7|line 2",
		"bad-topic|division: the device is in 370602|7|7|line 3",
		"too-large|the payload is larger than is taken: 65537 bytes, at most 65536|65537|20|line 1",
		"too-large||10485760|0|",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var statuses []Status
	for _, b := range m.batches {
		statuses = append(statuses, b.Statuses...)
	}
	if len(statuses) != 1 || !statuses[0].Online || statuses[0].DeviceID != "dev-1" {
		t.Errorf("statuses %v", statuses)
	}
}

func TestAPoisonedMessageHoldsUpNobody(t *testing.T) {
	m := newMemory()
	m.gate = make(chan struct{})
	in, _ := path(t, m, IngestOptions{})
	m.refuses = func(b Batch) error {
		for _, o := range b.Observations {
			if o.Value == 13 || o.Value == 17 {
				return errors.New("numeric field overflow\x00")
			}
		}
		return nil
	}
	failed := 0
	for i := range 30 {
		if err := in.Accept(level(i), func(err error) {
			if err != nil {
				failed++
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	close(m.gate)
	stop(t, in)
	if got := m.values(); len(got) != 28 || slices.Contains(got, 13) || failed != 0 {
		t.Errorf("stored %v, %d failed", got, failed)
	}
	q := m.quarantine()
	if len(q) != 2 || q[0].Reason != ReasonRefused || !strings.Contains(q[0].Detail, "numeric field overflow ") || !strings.Contains(string(q[0].Payload), `level=13`) {
		t.Errorf("%+v", q)
	}
}

func TestWhatCannotEvenBeQuarantinedIsNotAcknowledged(t *testing.T) {
	m := newMemory()
	m.refuses = func(Batch) error { return errors.New("no") }
	in, _ := path(t, m, IngestOptions{})
	var got error
	if err := in.Accept(level(1), func(err error) { got = err }); err != nil {
		t.Fatal(err)
	}
	stop(t, in)
	if got == nil {
		t.Error("acknowledged")
	}
}

func TestANewDatastreamIsFoundWithoutARestart(t *testing.T) {
	m := newMemory()
	in, _ := path(t, m, IngestOptions{})
	m.set(func() { m.devices = []RegisteredDevice{device("dev-1", "level", "extra")} })
	if err := in.Accept(message("extra=7", reading(time.Time{}, "extra", 7)), nil); err != nil {
		t.Fatal(err)
	}
	stop(t, in)
	if diff := cmp.Diff([]float64{7}, m.values()); diff != "" || len(m.quarantine()) > 0 {
		t.Error(diff, m.quarantine())
	}
}
