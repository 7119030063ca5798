package remote

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
)

// script is an ingest path whose queue is full for the second publish. While the client waits for it, the first publish
// cannot be stored, because the database is unavailable for a moment.
type script struct {
	t      *testing.T
	full   error
	taken  []string // payloads
	failed func(error)
	over   context.CancelFunc
}

// Accept implements sensors.Receiver.
func (r *script) Accept(m sensors.Message, done func(error)) error {
	switch string(m.Raw) {
	case "1":
		r.failed = done
	case "2":
		if r.failed != nil {
			return r.full
		}
	}
	r.taken = append(r.taken, string(m.Raw))
	return nil
}

// Await implements sensors.Receiver.
func (r *script) Await(context.Context) error {
	told := make(chan struct{})
	go func() {
		defer close(told)
		r.failed(fault.New(fault.Unavailable, "the database is away"))
	}()
	<-told
	r.failed = nil
	defer r.over()
	return nil
}

// Quarantine implements sensors.Receiver.
func (r *script) Quarantine(q sensors.Quarantined, _ func(error)) error {
	r.t.Errorf("in quarantine: %+v", q)
	return nil
}

// A publish that was taken when the one before it could not be stored is not passed on, however soon the database is
// available again. The broker sends both again, and the first must not be late for the rules.
func TestPumpDoesNotOvertake(t *testing.T) {
	ctx, over := context.WithCancel(t.Context())
	defer over()
	r := &script{t: t, full: fullQueue(t), over: over}
	l := &link{
		c:      &Client{opts: Options{}.withDefaults(), receiver: r, log: slog.New(slog.DiscardHandler), clock: time.Now},
		window: newWindow(10, 1000),
	}
	for i, payload := range []string{"1", "2"} {
		l.window.put(&slot{topic: mqttjson.Topic("370602", "dev-0", mqttjson.KindObs), payload: []byte(payload), size: 1, id: uint16(i + 1), qos: 1}, errOverrun)
	}
	l.pump(ctx)
	if !slices.Equal(r.taken, []string{"1"}) {
		t.Errorf("handed on: %v", r.taken)
	}
	if stored, cut := l.window.ready(); len(stored) != 0 || cut == nil {
		t.Errorf("%d are to be acknowledged, cut %v", len(stored), cut)
	}
	if owed := l.window.unacked(); len(owed) != 2 {
		t.Errorf("%d are owed, want both", len(owed))
	}
}

// fullQueue is the error of an ingest path with a full queue.
func fullQueue(t *testing.T) error {
	t.Helper()
	in := sensors.NewIngest(sensors.IngestOptions{MaxQueue: 1}, nil, nil, nil, nil)
	var err error
	for range 2 {
		err = in.Accept(sensors.Message{Device: "dev-0", Decoder: sensors.Decoded{}}, func(error) {})
	}
	if !sensors.IsFull(err) {
		t.Fatalf("a full queue says %v", err)
	}
	return err
}
