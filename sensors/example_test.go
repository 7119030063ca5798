package sensors_test

import (
	"context"
	"fmt"
	"time"

	"onemap/internal/core"
	"onemap/sensors"
)

// oneDevice is a registry of one device: a water level gauge that is expected to send each minute.
type oneDevice struct{}

func (oneDevice) LoadRegistry(context.Context) ([]sensors.RegisteredDevice, error) {
	gauge := sensors.Device{ID: "gauge-7", Enabled: true, Streams: []sensors.Datastream{{ID: 41, DeviceID: "gauge-7", Name: "level", Type: "water_level", IntervalS: 60}}}
	return []sensors.RegisteredDevice{{Device: gauge}}, nil
}

func (oneDevice) RegistrySeq(context.Context) (int64, error) { return 0, nil }

func (oneDevice) DatastreamTypes(context.Context) ([]sensors.DatastreamType, error) {
	return []sensors.DatastreamType{{Code: "water_level", Title: core.Text{EN: "Water level"}, Symbol: "m", Min: -5, Max: 20, IntervalS: 60}}, nil
}

// A payload is an object with a time and values by the names of datastreams, or an array of such objects. What is wrong costs
// nothing else: the fault names the field.
func ExampleDecodeObservations() {
	ctx := context.Background()
	registry := sensors.NewRegistry(oneDevice{}, sensors.RegistryOptions{}, nil, nil)
	if err := registry.Reload(ctx); err != nil {
		fmt.Println(err)
		return
	}
	received := time.Date(2026, 11, 1, 0, 0, 2, 0, time.UTC)
	payload := `{"t": "2026-11-01T08:00:00+08:00", "v": {"level": 3.62, "rain": 0.2}}`
	observations, faults := sensors.DecodeObservations([]byte(payload), received, registry.Device("gauge-7"), sensors.TimeLimits{})
	for _, o := range observations {
		fmt.Println("datastream", o.DatastreamID, "is", o.Value, "at", o.Time)
	}
	fmt.Println(faults.Reason(), "|", faults.Detail())
	// Output:
	// datastream 41 is 3.62 at 2026-11-01 00:00:00 +0000 UTC
	// unknown-datastream | v.rain: there is no datastream rain
}

// A device that published each minute falls silent: three minutes later its datastream is stale, and the device is off line.
func ExampleJudgePresence() {
	noon := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	device := sensors.DeviceFacts{
		ID: "gauge-7", LastSeen: noon, LastTold: sensors.DeviceState{Online: true, Reason: sensors.PresenceByReading, Since: noon.Add(-time.Hour)},
		Datastreams: []sensors.StreamFacts{{ID: 41, Name: "level", IntervalS: 60, NewestAt: noon, Received: noon}},
	}
	listening := noon.Add(-24 * time.Hour)
	for _, now := range []time.Time{noon.Add(179 * time.Second), noon.Add(180 * time.Second)} {
		verdict := sensors.JudgePresence(device, now, listening)
		fmt.Println(now.Format(time.TimeOnly), "changes:", len(verdict.Changes))
		for _, c := range verdict.Changes {
			fmt.Println(" ", c.Device, c.Datastream, c.State, c.Reason)
		}
	}
	// Output:
	// 12:02:59 changes: 0
	// 12:03:00 changes: 2
	//   gauge-7  offline silence
	//   gauge-7 level stale silence
}
