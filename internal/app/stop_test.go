package app_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"

	"onemap/demo"
	"onemap/internal/core"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
)

// TestTheServersEndIsNotTheDevices: an orderly stop disconnects every device, but reports none of them off line, neither to
// browsers nor in the database, neither before the stop nor after the next start.
func TestTheServersEndIsNotTheDevices(t *testing.T) {
	dir := demoDir(t)
	o := demoOptions(t, dir)
	o.Simulate, o.Speed = true, 1
	first := startDemoOn(t, o)
	info := first.Info()
	visitor := deviceWithWill(t, info)
	defer visitor.Disconnect(0)
	u := login(t, info, "commander")
	online := func(u *user) int {
		t.Helper()
		var page struct {
			Items []sensors.Device `json:"items"`
		}
		if code := u.call(http.MethodGet, "/api/v1/devices", nil, &page); code != http.StatusOK {
			t.Fatalf("devices: status %d", code)
		}
		n := 0
		for _, d := range page.Items {
			if d.Online {
				n++
			}
		}
		return n
	}
	const some = 50
	eventually(t, "devices are on line", func() bool { return online(u) >= some })
	eventually(t, "that is told", func() bool { return len(presenceEvents(t, u)) > 0 })
	page := u.connect("client-of-the-page", "", core.Mark{})
	told := page.rest()

	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	if err := first.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	for _, f := range append(page.seen, <-told...) {
		for _, s := range f.Status {
			if !s.Online {
				t.Errorf("a browser was told that %s is off line", s.DeviceID)
			}
		}
	}

	o.Simulate = false
	again := login(t, startDemoOn(t, o).Info(), "commander")
	if n := online(again); n < some {
		t.Errorf("%d devices are on line after the next start, %d were before the stop", n, some)
	}
	for _, e := range presenceEvents(t, again) {
		var p sensors.PresenceEvent
		if err := json.Unmarshal(e.Payload, &p); err != nil {
			t.Fatal(err)
		}
		for _, c := range p.Changes {
			if c.State == sensors.PresenceOffline {
				t.Errorf("told of %s: %s because of %s", c.Device, c.State, c.Reason)
			}
		}
	}
}

// presenceEvents returns the events of the devices' presence.
func presenceEvents(t *testing.T, u *user) []core.Event {
	t.Helper()
	var events struct {
		Items []core.Event `json:"items"`
	}
	if code := u.call(http.MethodGet, "/api/v1/events?kind=presence.changed", nil, &events); code != http.StatusOK {
		t.Fatalf("events: status %d", code)
	}
	return events.Items
}

// deviceWithWill connects the test's device as most devices connect: with a will, and it publishes the status online.
func deviceWithWill(t *testing.T, info demo.Info) paho.Client {
	t.Helper()
	topic := mqttjson.Topic(info.Device.Division, info.Device.ID, mqttjson.KindStatus)
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://"+info.MQTT).SetClientID(info.Device.ID).
		SetUsername(info.Device.ID).SetPassword(info.Device.Password).SetAutoReconnect(false).SetConnectTimeout(patience).
		SetWill(topic, "offline", 1, true))
	steps := []func() paho.Token{c.Connect, func() paho.Token { return c.Publish(topic, 1, true, "online") }}
	for _, step := range steps {
		if token := step(); !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatalf("the visitor's device: %v", token.Error())
		}
	}
	return c
}

// rest reads until the connection ends and returns the frames.
func (l *live) rest() <-chan []frame {
	out := make(chan []frame, 1)
	go func() {
		var frames []frame
		for {
			var f frame
			if l.conn.ReadJSON(&f) != nil {
				out <- frames
				return
			}
			frames = append(frames, f)
		}
	}()
	return out
}
