package mqtt_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/sensors"
	"onemap/sensors/mqtt"
)

// batch returns a payload of n old readings.
func batch(n int) []byte {
	records := make([][]byte, n)
	for i := range records {
		records[i] = reading(i)
	}
	return append(append([]byte("["), bytes.Join(records, []byte(","))...), ']')
}

// The window counts readings too: a few batches fill it.
func TestTheWindowCountsReadings(t *testing.T) {
	r := newShelf(is("dev-0"))
	s := newStandOn(t, newMemory(2), mqtt.Options{WindowReadings: 100, FloodAfter: time.Nanosecond}, sensors.IngestOptions{}, r)
	w := login(t, s.broker.Addr(), "dev-0", 4)
	go func() {
		for id := range 10 {
			w.publish(1, uint16(id+1), obsTopic("dev-0"), batch(30), false)
		}
	}()
	eventually(t, "the window is full", func() bool { held, _ := r.heldBack("dev-0"); return held == 3 })
	checkServed(t, s, "dev-1")
	awaitTrouble(t, s, sensors.TroubleFlood, "dev-0")
	if held, _ := r.heldBack("dev-0"); held != 3 {
		t.Errorf("%d batches are on their way, want 3", held)
	}
	r.back = is("nobody")
	r.storeOldest(1 << 20)
}

// A device without quota is paused, listed, and served later. Other devices are not affected, and a new connection has no new
// quota.
func TestAQuotaHoldsOneDevice(t *testing.T) {
	m := newMemory(2)
	s := newStand(t, m, mqtt.Options{Quota: 600}) // ten a second
	w := login(t, s.broker.Addr(), "dev-0", 4)
	w.publish(1, 1, obsTopic("dev-0"), batch(600), false)
	w.expect(packets.Puback, 1)
	w.publish(1, 2, obsTopic("dev-0"), batch(20), false)
	checkServed(t, s, "dev-1")
	awaitTrouble(t, s, sensors.TroubleQuota, "dev-0")
	w.expect(packets.Puback, 2)
	again := login(t, s.broker.Addr(), "dev-0", 4)
	again.publish(1, 1, obsTopic("dev-0"), batch(30), false)
	before := awaitTrouble(t, s, sensors.TroubleQuota, "dev-0")
	again.expect(packets.Puback, 1)
	if after := awaitTrouble(t, s, sensors.TroubleQuota, "dev-0"); after.Count < before.Count || after.Count < 2 {
		t.Errorf("held %d times, want twice", after.Count)
	}
}
