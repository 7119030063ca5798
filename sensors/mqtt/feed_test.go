package mqtt_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
	"onemap/sensors/feedtest"
	"onemap/sensors/mqtt"
)

// The embedded broker passes the conformance test of feeds.
func TestFeed(t *testing.T) {
	feedtest.Run(t, feedtest.Harness{
		Store: func(t *testing.T) feedtest.Store {
			url := storetest.NewURL(t)
			storetest.SeedDevices(t, url, 1, secret)
			db, err := stores.Open(t.Context(), stores.Options{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(db.Close)
			return db.Sensors
		},
		Start: func(t *testing.T, r sensors.Receiver, registry *sensors.Registry) feedtest.Feed {
			b := mqtt.New(mqtt.Options{Listen: "127.0.0.1:0"}, r, registry, nil, nil, nil)
			if err := b.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				if err := b.Stop(ctx); err != nil {
					t.Error(err)
				}
			})
			return feed{b}
		},
		Encode: func(at time.Time, level float64) []byte {
			return mqttjson.Encode(sensors.Reading{Time: at, Values: []sensors.Value{{Name: feedtest.Stream, Number: level}}})
		},
		Garbage: []byte("{\"v\":{\"level\":\x00\xff"),
	})
}

type feed struct{ *mqtt.Broker }

// Connect implements feedtest.Feed.
func (f feed) Connect(t *testing.T, device string) (feedtest.Sender, error) {
	store := newPahoStore(t)
	c := paho.NewClient(pahoOptions(f.Addr(), device, secret(device)).SetStore(store))
	if token := c.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
		return nil, errors.Join(errors.New("not connected"), token.Error())
	}
	t.Cleanup(func() { c.Disconnect(0) })
	return &sender{client: c, store: store, topic: obsTopic(device)}, nil
}

// sender is a paho client that keeps unacknowledged messages and sends them again.
type sender struct {
	client paho.Client
	store  *pahoStore
	topic  string
	sent   int
}

// Send implements feedtest.Sender.
func (s *sender) Send(_ *testing.T, message []byte) {
	s.client.Publish(s.topic, 1, false, message) // the store says what became of it, over all connections
	s.sent++
}

// Acknowledged implements feedtest.Sender.
func (s *sender) Acknowledged() int { return s.sent - s.store.count("o.") }

// count returns the number of kept messages, sent or received, by the prefix of their keys.
func (s *pahoStore) count(prefix string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.m {
		if strings.HasPrefix(key, prefix) {
			n++
		}
	}
	return n
}
