package remote_test

import (
	"bytes"
	"net"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"

	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
	"onemap/sensors/mqtt/remote"
	"onemap/sensors/mqtt/remote/mosquittotest"
)

// device is a client that publishes.
func device(t *testing.T, addr string) paho.Client {
	t.Helper()
	target, err := remote.Endpoint{URL: "mqtt://" + addr}.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	return connectTo(t, target, "device")
}

func connectTo(t *testing.T, target *remote.Target, id string) paho.Client {
	t.Helper()
	dial := func() (net.Conn, error) { return target.Dial(t.Context(), patience) }
	c := paho.NewClient(target.ClientOptions(id, patience, dial))
	if tok := c.Connect(); !tok.WaitTimeout(patience) || tok.Error() != nil {
		t.Fatalf("connect: %v", tok.Error())
	}
	t.Cleanup(func() { c.Disconnect(0) })
	return c
}

func publish(t *testing.T, c paho.Client, topic string, qos byte, retained bool, payload any) {
	t.Helper()
	if tok := c.Publish(topic, qos, retained, payload); !tok.WaitTimeout(patience) || tok.Error() != nil {
		t.Fatalf("publish to %s: %v", topic, tok.Error())
	}
}

func TestFromMosquittoToPostGIS(t *testing.T) {
	w := newTown(t, 2)
	b := mosquittotest.Start(t, mosquittotest.Durable)
	dev := device(t, b.Addr())
	status := func(d string) string { return mqttjson.Topic("370602", d, mqttjson.KindStatus) }
	from := begin()

	// old retained messages are ignored, except "offline"
	publish(t, dev, status("dev-0"), 1, true, "online")
	publish(t, dev, obsTopic("dev-0"), 1, true, []byte(`{"v":{"level":99}}`))
	publish(t, dev, status("dev-1"), 1, true, "offline")

	in := w.ingest(sensors.IngestOptions{}, w.db.Sensors, w.reg)
	c := w.client(quick(b.URL()), in)
	for i := range 100 {
		publish(t, dev, obsTopic("dev-0"), byte(i%3), false, reading(from, i))
	}
	// invalid messages and unknown devices stop nothing
	publish(t, dev, obsTopic("dev-0"), 1, false, []byte("\x00\xff{"))
	publish(t, dev, obsTopic("dev-0"), 1, false, []byte{})
	publish(t, dev, obsTopic("dev-0"), 1, false, bytes.Repeat([]byte("x"), 100_000))
	publish(t, dev, "onemap/v1/nowhere/dev-0/obs", 1, false, reading(from, 1))
	publish(t, dev, "onemap/v1/370602/d v/obs", 1, false, reading(from, 1))
	publish(t, dev, mqttjson.Topic("370602", "stranger", mqttjson.KindObs), 1, false, reading(from, 1))
	publish(t, dev, mqttjson.Topic("370611", "dev-1", mqttjson.KindObs), 1, false, reading(from, 1))
	publish(t, dev, mqttjson.Topic("370602", "dev-0", mqttjson.KindCmd), 1, false, "for devices")
	publish(t, dev, status("dev-1"), 1, false, "online")
	for i := 100; i < 200; i++ {
		publish(t, dev, obsTopic("dev-0"), 1, false, reading(from, i))
	}

	eventually(t, "every reading is stored", func() bool { return w.stored() == 200 })
	s := c.Stats()
	if s.Refused["retained"] != 2 || s.Reconnects != 0 || s.Address != b.URL() || !s.Connected || s.QoS0 != 34 || s.QoS1 == 0 || !c.Health().OK {
		t.Errorf("stats %+v, health %+v", s, c.Health())
	}
	w.stop(c) // which has stored all that came: devices are stored side by side, garbage too
	rows := map[string]int{"bad-json": 2, "bad-topic": 3, "unknown-device": 1, "too-large": 1}
	for reason, n := range rows {
		if got := w.count(`select count(*) from quarantine where reason = $1`, reason); got != n {
			t.Errorf("%s: %d in quarantine, want %d", reason, got, n)
		}
	}
	for _, code := range []string{"topic-division", "topic-device", "payload-too-large", "device-unknown"} {
		if got := w.count(`select count(*) from quarantine where faults->0->>'code' = $1`, code); got != 1 {
			t.Errorf("%s: %d in quarantine, want 1", code, got)
		}
	}
	if n := w.count(`select count(*) from quarantine`); n != 7 {
		t.Errorf("%d in quarantine, want 7", n)
	}
	if n := w.count(`select size from quarantine where reason = 'too-large'`); n != 100_000 {
		t.Errorf("the size of the large payload is %d", n)
	}
	if n := w.count(`select count(*) from device where id = 'dev-1' and online`); n != 1 {
		t.Error("dev-1 is not on line")
	}
	if n := w.count(`select count(*) from device where id = 'dev-0' and status_at is not null`); n != 0 {
		t.Error("dev-0 has a presence from a retained message of the past")
	}
}

// A retained last will is used after the first subscription.
func TestRetainedOfflineHolds(t *testing.T) {
	w := newTown(t, 1)
	if _, err := w.sql.Exec(t.Context(), `update device set online = true, status_at = now() - interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	b := mosquittotest.Start(t, mosquittotest.Durable)
	publish(t, device(t, b.Addr()), mqttjson.Topic("370602", "dev-0", mqttjson.KindStatus), 1, true, `{"online": false}`)
	w.client(quick(b.URL()), w.ingest(sensors.IngestOptions{}, w.db.Sensors, w.reg))
	eventually(t, "it is off line", func() bool { return w.count(`select count(*) from device where online`) == 0 })
}
