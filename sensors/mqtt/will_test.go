package mqtt_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
	"onemap/sensors/mqtt"
)

// TestWills tests that every spelling of "offline" is published when the device is lost. A will that is not understood, or on
// another topic, does not prevent the connection and is listed with its content.
func TestWills(t *testing.T) {
	own := statusTopic("dev-0")
	for _, c := range []struct {
		topic, will string
		kind, said  string // of the trouble; none: it is spoken
	}{
		{own, "Offline", "", ""},
		{own, "OFFLINE", "", ""},
		{own, "offline\x00", "", ""},
		{own, "offline\x1a", "", ""},
		{own, " offline\r\n\x00\x00", "", ""},
		{own, "\xef\xbb\xbfoffline", "", ""},
		{own, `"offline"`, "", ""},
		{own, `{"online":false}` + "\x00", "", ""},
		{own, "0", sensors.TroubleStatus, "0"},
		{own, "dead", sensors.TroubleStatus, "dead"},
		{own, "离线", sensors.TroubleStatus, "离线"},
		{own, "", sensors.TroubleStatus, ""},
		{own, "off\x00line", sensors.TroubleStatus, "off\ufffdline"},
		{mqttjson.Topic("370602", "dev-0", "lwt"), "offline", sensors.TroubleTopic, "/lwt"},
		{obsTopic("dev-0"), "offline", sensors.TroubleTopic, "/obs"},
		{"lwt/dev-0", "offline", sensors.TroubleTopic, "lwt/dev-0"},
		{"a/+/#", "offline", sensors.TroubleTopic, "a/+/#"},
		{statusTopic("dev-1"), "offline", sensors.TroubleTopic, "of another device"},
	} {
		t.Run(fmt.Sprintf("%s %q", c.topic, c.will), func(t *testing.T) {
			s := newStand(t, newMemory(2), mqtt.Options{})
			w := dial(t, s.broker.Addr())
			if code := w.connect(hello{version: 4, user: "dev-0", password: secret("dev-0"), willTopic: c.topic, will: c.will}); code != 0 {
				t.Fatalf("CONNACK %#x", code)
			}
			w.publish(1, 1, own, []byte("online"), false)
			w.expect(packets.Puback, 1)
			w.publish(1, 2, obsTopic("dev-0"), reading(1), false)
			w.expect(packets.Puback, 2)
			spoken := c.kind == ""
			if n := s.refused(t, "will"); (n == 0) != spoken {
				t.Errorf("%v wills are refused", n)
			}
			if !spoken {
				if found := awaitTrouble(t, s, c.kind, "dev-0"); !strings.Contains(found.Detail, c.said) {
					t.Errorf("shown as %q", found.Detail)
				}
			}
			_ = w.conn.Close()
			eventually(t, "gone", func() bool { return s.broker.Connections() == 0 })
			stopAll(t, s) // what was to be said would be by now
			if online, times := s.online("dev-0"); online == spoken || (times == 2) != spoken {
				t.Errorf("on line: %v, %d statuses", online, times)
			}
			if _, times := s.online("dev-1"); times != 0 {
				t.Error("a will was spoken for another device")
			}
		})
	}
}

// A DISCONNECT with the reason 4 requests the will, with or without properties.
func TestAWillThatIsAskedFor(t *testing.T) {
	for _, bye := range [][]byte{{0xe0, 1, 4}, {0xe0, 2, 4, 0}} {
		s := newStand(t, newMemory(1), mqtt.Options{})
		w := dial(t, s.broker.Addr())
		if code := w.connect(hello{version: 5, user: "dev-0", password: secret("dev-0"), willTopic: statusTopic("dev-0"), will: "offline"}); code != 0 {
			t.Fatalf("CONNACK %#x", code)
		}
		if _, err := w.conn.Write(bye); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the will is spoken", func() bool { _, times := s.online("dev-0"); return times == 1 })
	}
}

func TestAStatusThatIsNotUnderstood(t *testing.T) {
	s := newStand(t, newMemory(1), mqtt.Options{})
	w := login(t, s.broker.Addr(), "dev-0", 4)
	w.publish(1, 1, statusTopic("dev-0"), []byte("alive"), false)
	w.expect(packets.Puback, 1)
	if found := awaitTrouble(t, s, sensors.TroubleStatus, "dev-0"); found.Code != "status-unread" || !strings.Contains(found.Detail, "alive") {
		t.Errorf("shown as %+v", found)
	}
	if q := s.quarantine(); len(q) != 1 || q[0].Reason != sensors.ReasonBadStatus {
		t.Errorf("quarantine %+v", q)
	}
}

// TestAnOldVersionKeepsItsKeepAlive tests that a 3.1.1 device keeps the keep-alive that it asks for, because the server
// cannot send a shorter one, and that it is listed. By default it may ask for up to twelve hours.
func TestAnOldVersionKeepsItsKeepAlive(t *testing.T) {
	s := newStand(t, newMemory(2), mqtt.Options{MaxKeepAlive: time.Second})
	old := dial(t, s.broker.Addr())
	if code := old.connect(hello{version: 4, user: "dev-0", password: secret("dev-0"), keepAlive: 3600}); code != 0 {
		t.Fatalf("CONNACK %#x", code)
	}
	if found := awaitTrouble(t, s, sensors.TroubleKeepAlive, "dev-0"); found.Params["asked"] != "3600" || found.Params["limit"] != "1" {
		t.Errorf("shown as %+v", found)
	}
	told := dial(t, s.broker.Addr())
	if code := told.connect(hello{version: 5, user: "dev-1", password: secret("dev-1"), keepAlive: 3600}); code != 0 {
		t.Fatalf("CONNACK %#x", code)
	}
	if code := told.expectClosed(); code != packets.ErrKeepAliveTimeout.Code { // as long after it connected as the old one has been silent for at least
		t.Errorf("DISCONNECT %#x", code)
	}
	old.publish(1, 1, obsTopic("dev-0"), reading(1), false)
	old.expect(packets.Puback, 1)
}

// A 3.1.1 device that asks for no keep-alive has the limit, and is listed when the limit has ended its connection.
func TestNoKeepAlive(t *testing.T) {
	s := newStand(t, newMemory(1), mqtt.Options{MaxKeepAlive: time.Second})
	w := dial(t, s.broker.Addr())
	if code := w.connect(hello{version: 4, user: "dev-0", password: secret("dev-0"), keepAlive: -1}); code != 0 {
		t.Fatalf("CONNACK %#x", code)
	}
	w.expectClosed()
	awaitTrouble(t, s, sensors.TroubleKeepAlive, "dev-0")
}

func TestTheKeepAliveThatVersion5IsTold(t *testing.T) {
	s := newStand(t, newMemory(1), mqtt.Options{})
	for asked, told := range map[int]uint16{60: 0, 3600: 0, 43200: 0, 43201: 43200, 65535: 43200, -1: 43200} {
		ack, err := dial(t, s.broker.Addr()).connectAnswer5(hello{user: "dev-0", password: secret("dev-0"), keepAlive: asked})
		if err != nil || ack.Properties.ServerKeepAlive != told || ack.Properties.ServerKeepAliveFlag != (told > 0) {
			t.Errorf("who asks for %d is told %d, %v", asked, ack.Properties.ServerKeepAlive, err)
		}
	}
	if all := s.broker.Troubles(); len(all) > 0 {
		t.Errorf("%+v", all)
	}
}

// connectAnswer5 is hail for version 5.
func (w *wire) connectAnswer5(h hello) (packets.Packet, error) {
	h.version = 5
	return w.connectAnswer(h)
}
