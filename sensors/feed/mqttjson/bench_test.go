package mqttjson

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"onemap/sensors"
)

// instant is a store that commits at once.
type instant struct{ registered }

func (instant) CommitBatch(_ context.Context, b sensors.Batch) (sensors.BatchResult, error) {
	return sensors.BatchResult{Seq: 1, Stored: len(b.Observations)}, nil
}

func (instant) Stored(_ context.Context, readings []sensors.Observation) ([]bool, error) {
	return make([]bool, len(readings)), nil
}

// BenchmarkIngest measures the path from Accept to the answer, without a network and without a database.
func BenchmarkIngest(b *testing.B) {
	for name, records := range map[string]int{"one value": 1, "arrays of 100": 100} {
		b.Run(name, func(b *testing.B) { benchmarkIngest(b, records) })
	}
}

func benchmarkIngest(b *testing.B, records int) {
	const devices = 1000
	var m instant
	for d := range devices {
		m.registered = append(m.registered, sensors.RegisteredDevice{Device: sensors.Device{
			ID: fmt.Sprintf("dev-%d", d), Division: "370602", Streams: []sensors.Datastream{{ID: int64(d), Name: "level", Type: "water_level"}},
		}})
	}
	registry := sensors.NewRegistry(m, sensors.RegistryOptions{}, nil, nil)
	if err := registry.Reload(b.Context()); err != nil {
		b.Fatal(err)
	}
	in := sensors.NewIngest(sensors.IngestOptions{FloodHold: -1}, registry, m, nil, nil)
	in.Start()
	base := time.Now().Add(-time.Hour)
	messages := make([]sensors.Message, devices)
	for d := range messages {
		messages[d] = benchMessage(fmt.Sprintf("dev-%d", d), base, records)
	}
	var all sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		all.Add(1)
		for err := in.Accept(messages[i%devices], func(error) { all.Done() }); err != nil; err = in.Accept(messages[i%devices], func(error) { all.Done() }) {
			if err := in.Await(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N*records)/b.Elapsed().Seconds(), "readings/s")
	if err := in.Stop(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// benchMessage returns a message with this number of records of one value.
func benchMessage(id string, base time.Time, records int) sensors.Message {
	readings := make([]sensors.Reading, records)
	for i := range readings {
		readings[i] = sensors.Reading{Time: base.Add(time.Duration(i) * time.Second), Values: []sensors.Value{{Name: "level", Number: float64(i)}}}
	}
	return sensors.Message{
		Device: id, Division: "370602", Subject: Topic("370602", id, KindObs), Raw: Encode(readings...), Decoder: Decoder(KindObs),
	}
}
