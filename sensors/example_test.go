package sensors_test

import (
	"context"
	"fmt"
	"time"

	"onemap/sensors"
)

// printer is a store that prints the committed batches. A server uses a database instead.
type printer struct{}

func (printer) CommitBatch(_ context.Context, b sensors.Batch) (sensors.BatchResult, error) {
	for _, o := range b.Observations {
		fmt.Printf("datastream %d: %v at %s\n", o.DatastreamID, o.Value, o.Time.Format(time.RFC3339))
	}
	for _, q := range b.Quarantine {
		fmt.Printf("quarantine: %q from %s: %s\n", q.Payload, q.Topic, q.Detail)
	}
	return sensors.BatchResult{Stored: len(b.Observations)}, nil
}

func (printer) Stored(_ context.Context, o []sensors.Observation) ([]bool, error) {
	return make([]bool, len(o)), nil
}

func (printer) LoadRegistry(context.Context) ([]sensors.RegisteredDevice, error) {
	return []sensors.RegisteredDevice{{Device: sensors.Device{
		ID: "tank-7", Division: "370602", Streams: []sensors.Datastream{{ID: 42, Name: "w01018", Type: "cod"}},
	}}}, nil
}

func (printer) RegistrySeq(context.Context) (int64, error) { return 1, nil }

func (printer) DatastreamTypes(context.Context) ([]sensors.DatastreamType, error) {
	return []sensors.DatastreamType{{Code: "cod", Min: 0, Max: 2000}}, nil
}

// A feed that has decoded a frame passes the content to the receiver, and answers the device when done is called. This frame
// is of HJ 212; its factor codes are the names of the datastreams.
func ExampleReceiver() {
	registry := sensors.NewRegistry(printer{}, sensors.RegistryOptions{}, nil, nil)
	ingest := sensors.NewIngest(sensors.IngestOptions{}, registry, printer{}, nil, nil)
	ingest.Start()

	var receiver sensors.Receiver = ingest
	frame := []byte("QN=20260701160000000;ST=32;CN=2011;MN=tank-7;CP=&&DataTime=20260701160000;w01018-Rtd=31.5,w99-Rtd=1&&")
	answered := make(chan struct{})
	err := receiver.Accept(sensors.Message{
		Device:   "tank-7",             // MN
		Subject:  "tcp 10.0.0.7:41022", // whom the people who look at the quarantine can ask
		Raw:      frame,
		Received: time.Date(2026, 7, 1, 8, 0, 2, 0, time.UTC),
		Decoder: sensors.Decoded{Readings: []sensors.Reading{{
			Time:   time.Date(2026, 7, 1, 16, 0, 0, 0, time.FixedZone("CST", 8*3600)), // DataTime
			Values: []sensors.Value{{Name: "w01018", Number: 31.5}, {Name: "w99", Number: 1}},
		}}},
	}, func(err error) {
		if err == nil {
			fmt.Println("stored: now the device gets its answer, CN=9014")
		} // else it gets none, and sends the frame again
		close(answered)
	})
	if err != nil {
		fmt.Println("not taken: no answer", err)
		return
	}
	<-answered
	if err := ingest.Stop(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// datastream 42: 31.5 at 2026-07-01T08:00:00Z
	// quarantine: "QN=20260701160000000;ST=32;CN=2011;MN=tank-7;CP=&&DataTime=20260701160000;w01018-Rtd=31.5,w99-Rtd=1&&" from tcp 10.0.0.7:41022: w99: there is no datastream w99
	// stored: now the device gets its answer, CN=9014
}
