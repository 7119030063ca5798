package sensors

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFaultsAreQuarantinedAndTheRestStored(t *testing.T) {
	m := newMemory()
	in, _ := path(t, m, IngestOptions{QuarantineBytes: 20})
	payload := `{"v":{"level":3,"nosuch":4}}`
	errsSeen := 0
	for _, e := range []Envelope{
		env(payload),
		env("garbage\x00\xff"),
		{Topic: "onemap/v1/370602/ghost/obs", Division: "370602", Device: "ghost", Kind: KindObs, Payload: []byte(`{"v":{"level":1}}`)},
		{Topic: "onemap/v1/370611/dev-1/obs", Division: "370611", Device: "dev-1", Kind: KindObs, Payload: []byte(`{"v":{"level":1}}`)},
		{Topic: "x\x00", Division: "370602", Device: "dev-1", Kind: KindCmd, Payload: nil},
		{Topic: "onemap/v1/370602/dev-1/status", Division: "370602", Device: "dev-1", Kind: KindStatus, Payload: []byte("online")},
		env(strings.Repeat(" ", 64<<10) + "1"),
	} {
		if err := in.Accept(e, func(err error) {
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
	if diff := cmp.Diff([]float64{3}, m.values()); diff != "" || errsSeen > 0 {
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
		"unknown-datastream|v.nosuch: there is no datastream nosuch|28|20|onemap/v1/370602/dev-1/obs",
		`bad-json|offset 0: a value expected, "g" found|9|9|onemap/v1/370602/dev-1/obs`,
		"unknown-device|device: ghost is not registered, or disabled|17|17|onemap/v1/370602/ghost/obs",
		"bad-topic|division: the device is in 370602|17|17|onemap/v1/370611/dev-1/obs",
		"bad-topic|neither obs nor status|0|0|x ",
		"too-large|the payload is larger than is taken: 65537 bytes, at most 65536|65537|20|onemap/v1/370602/dev-1/obs",
		"too-large||10485760|0|",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if s := m.batches[len(m.batches)-1].Statuses; len(s) > 1 {
		t.Errorf("statuses %v", s)
	}
}

func TestAPoisonedEnvelopeHoldsUpNobody(t *testing.T) {
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
	if len(q) != 2 || q[0].Reason != ReasonRefused || !strings.Contains(q[0].Detail, "numeric field overflow ") || !strings.Contains(string(q[0].Payload), `"level":13`) {
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
	if err := in.Accept(env(`{"v":{"extra":7}}`), nil); err != nil {
		t.Fatal(err)
	}
	stop(t, in)
	if diff := cmp.Diff([]float64{7}, m.values()); diff != "" || len(m.quarantine()) > 0 {
		t.Error(diff, m.quarantine())
	}
}
