package sensors_test

import (
	"fmt"
	"time"

	"onemap/sensors"
)

// A device that published every minute becomes silent. Three minutes later its datastream is stale and the device is off
// line.
func ExampleJudgePresence() {
	noon := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	device := sensors.DeviceFacts{
		ID: "gauge-7", LastSeen: noon, Published: sensors.DeviceState{Online: true, Reason: sensors.PresenceByReading, Since: noon.Add(-time.Hour)},
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
