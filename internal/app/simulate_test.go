package app_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"onemap/demo"
	"onemap/internal/fault"
	"onemap/sensors"
)

// The simulator publishes only as the devices whose secrets it has.
func TestSimulateFeedsTheServer(t *testing.T) {
	dir := demoDir(t)
	info := startDemo(t, dir).Info()
	known := deviceSecrets(t, dir)
	few := map[string]string{}
	for id, secret := range known {
		if few[id] = secret; len(few) == 5 {
			break
		}
	}
	b, err := json.Marshal(map[string]any{"devices": few})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- demo.Simulate(ctx, info.Database, demo.SimulateOptions{Broker: info.MQTT, Credentials: file, Seed: 1, Interval: time.Second}, slog.New(slog.DiscardHandler))
	}()
	u := login(t, info, "commander")
	published := func() map[string]bool {
		var s struct {
			Items []sensors.Device `json:"items"`
		}
		if code := u.call(http.MethodGet, "/api/v1/devices", nil, &s); code != http.StatusOK {
			t.Fatalf("devices: status %d", code)
		}
		heard := map[string]bool{}
		for _, d := range s.Items {
			if d.Online && d.LastSeen != nil && d.Streams[0].Latest != nil {
				heard[d.ID] = true
			}
		}
		return heard
	}
	eventually(t, "all five devices have published", func() bool { return len(published()) >= len(few) })
	for id := range published() {
		if few[id] == "" {
			t.Errorf("%s published without its secret being given", id)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the simulator ended with %v", err)
	}
}

func TestSimulateNamesBadCredentials(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "c.json")
	if err := os.WriteFile(garbage, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"/no/such.json", garbage} {
		err := demo.Simulate(t.Context(), "postgres://nobody@127.0.0.1:1/none", demo.SimulateOptions{Credentials: file}, slog.New(slog.DiscardHandler))
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", file, err)
		}
	}
}
