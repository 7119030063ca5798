package app_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"onemap/internal/core"
	"onemap/sensors"
)

// A device that only publishes readings is reported on line to the pages and in the list, and its timeline has the event.
func TestPublishingIsPresence(t *testing.T) {
	d := startDemo(t, demoDir(t)).Info()
	u := login(t, d, "commander")
	device := func() (out sensors.Device) {
		t.Helper()
		if code := u.call(http.MethodGet, "/api/v1/devices/"+d.Device.ID, nil, &out); code != http.StatusOK {
			t.Fatalf("the device: status %d", code)
		}
		return out
	}
	if got := device(); got.Online || got.Reason != "" || got.StatusAt != nil {
		t.Errorf("never seen: %+v", got)
	}
	mosquittoPub(t, d, "mqttv311", 1)
	eventually(t, "the device is on line", func() bool {
		got := device()
		return got.Online && got.Reason == sensors.PresenceByReading && got.StatusAt != nil
	})
	var events struct {
		Items []core.Event `json:"items"`
	}
	if code := u.call(http.MethodGet, "/api/v1/events?kind=presence.changed", nil, &events); code != http.StatusOK || len(events.Items) != 1 {
		t.Fatalf("events: status %d, %+v", code, events)
	}
	var p sensors.PresenceEvent
	if err := json.Unmarshal(events.Items[0].Payload, &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Changes) != 1 || p.Changes[0].Device != d.Device.ID || p.Changes[0].State != sensors.PresenceOnline {
		t.Errorf("told %+v", p)
	}
}
