package mqtt_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/sensors/feed/mqttjson"
	"onemap/sensors/mqtt"
)

func cmdTopic(device string) string { return mqttjson.Topic("370602", device, mqttjson.KindCmd) }

func (w *wire) subscribe(id uint16, filter string) {
	w.t.Helper()
	w.send(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Subscribe}, PacketID: id,
		Filters: packets.Subscriptions{{Filter: filter, Qos: 1}},
	})
	w.expect(packets.Suback, id)
}

// expectPublishes checks that the next packets are publishes with these payloads, in any order.
func (w *wire) expectPublishes(payloads ...string) {
	w.t.Helper()
	var got []string
	for range payloads {
		pk, err := w.read()
		if err != nil || pk.FixedHeader.Type != packets.Publish {
			w.t.Fatalf("want %q, got type %d after %q, %v", payloads, pk.FixedHeader.Type, got, err)
		}
		got = append(got, string(pk.Payload))
	}
	slices.Sort(got)
	if !slices.Equal(got, payloads) {
		w.t.Fatalf("want %q, got %q", payloads, got)
	}
}

func command(t *testing.T, s *stand, text string) {
	t.Helper()
	if err := s.broker.Command(cmdTopic("dev-0"), []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// A device with a persistent session finds its subscription and the messages of the meantime, after an end of its connection
// and after a takeover. A device with a clean session finds neither.
func TestASessionGoesOn(t *testing.T) {
	bothVersions(t, func(t *testing.T, version byte) {
		s := newStand(t, newMemory(1), mqtt.Options{})
		first := persistent(t, s, version, false)
		first.subscribe(7, cmdTopic("dev-0"))
		command(t, s, "one")
		first.expectPublishes("one")
		_ = first.conn.Close()
		eventually(t, "gone", func() bool { return s.broker.Connections() == 0 })
		command(t, s, "two")

		second := persistent(t, s, version, true)
		second.expectPublishes("one", "two") // neither was acknowledged

		third := persistent(t, s, version, true)
		second.expectClosed()
		third.expectPublishes("one", "two")
		command(t, s, "three")
		third.expectPublishes("three")

		clean := login(t, s.broker.Addr(), "dev-0", version)
		third.expectClosed()
		command(t, s, "four")
		clean.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}})
		clean.expect(packets.Pingresp, 0) // and nothing before it
		_ = clean.conn.Close()
		eventually(t, "nothing kept", func() bool { return s.broker.Sessions() == 0 })
	})
}

// A device that connects many times at once has one working session at the end, however its other connections end.
func TestOneSessionHoweverManyConnectionsCompete(t *testing.T) {
	s := newStand(t, newMemory(1), mqtt.Options{})
	for round := range 20 {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				w := dial(t, s.broker.Addr())
				_, err := w.connectAnswer(hello{version: 4 + byte(i%2), user: "dev-0", password: secret("dev-0"), id: fmt.Sprint(i), persist: i%3 == 0})
				if err == nil && i%4 == 0 {
					_ = w.conn.Close()
				}
			})
		}
		all.Wait()
		last := login(t, s.broker.Addr(), "dev-0", 4)
		last.subscribe(1, cmdTopic("dev-0"))
		eventually(t, "one is left", func() bool { return s.broker.Connections() == 1 && s.broker.Sessions() == 1 })
		command(t, s, fmt.Sprint(round))
		last.expectPublishes(fmt.Sprint(round))
		_ = last.conn.Close()
	}
	eventually(t, "nothing kept", func() bool { return s.broker.Sessions() == 0 && s.broker.Connections() == 0 })
}
