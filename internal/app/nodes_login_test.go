package app_test

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"onemap/demo"
)

// logsIn reports whether a node's broker accepts a device and lets it publish its status.
func logsIn(t *testing.T, node demo.Info, division, device, secret string) bool {
	t.Helper()
	host, port, _ := strings.Cut(node.MQTT, ":")
	return exec.CommandContext(t.Context(), "mosquitto_pub", "-h", host, "-p", port, "-V", "mqttv311", "-q", "1", "-u", device, "-P", secret,
		"-t", "onemap/v1/"+division+"/"+device+"/status", "-m", "online").Run() == nil
}

// As soon as the API has answered on one node, a new device, a new secret and a disabled device take effect on the other.
func TestDevicesHoldOnEveryNode(t *testing.T) {
	first := startDemo(t, demoDir(t))
	there := secondNode(t, first.Info())
	admin := login(t, first.Info(), "admin")
	var like struct {
		HazardType string `json:"hazard_type"`
		Streams    []struct {
			Type string `json:"type"`
		} `json:"datastreams"`
	}
	if code := admin.call(http.MethodGet, "/api/v1/devices/"+first.Info().Device.ID, nil, &like); code != http.StatusOK || len(like.Streams) == 0 {
		t.Fatalf("the demo's device: status %d, %+v", code, like)
	}
	for i := range 5 {
		id := fmt.Sprintf("new-%d", i)
		if logsIn(t, there, "370602", id, "x") {
			t.Fatal("a device that is not there is let in")
		}
		var made struct {
			Secret string `json:"secret"`
		}
		name := map[string]string{"zh": id, "en": id}
		device := map[string]any{
			"id": id, "division": "370602", "name": name, "hazard_type": like.HazardType, "lon": 121.4, "lat": 37.5,
			"datastreams": []map[string]any{{"name": "level", "type": like.Streams[0].Type, "title": name}},
		}
		if code := admin.call(http.MethodPost, "/api/v1/devices", device, &made); code != http.StatusCreated {
			t.Fatalf("new device: status %d", code)
		}
		if !logsIn(t, there, "370602", id, made.Secret) {
			t.Error("a new device is not let in")
		}
		old := made.Secret
		if code := admin.call(http.MethodPost, "/api/v1/devices/"+id+"/secret", nil, &made); code != http.StatusOK {
			t.Fatalf("new secret: status %d", code)
		}
		if logsIn(t, there, "370602", id, old) {
			t.Error("the old secret is good")
		}
		if !logsIn(t, there, "370602", id, made.Secret) {
			t.Error("the new secret is not good")
		}
		if code := admin.call(http.MethodPatch, "/api/v1/devices/"+id, map[string]bool{"enabled": false}, nil); code != http.StatusOK {
			t.Fatalf("disable: status %d", code)
		}
		if logsIn(t, there, "370602", id, made.Secret) {
			t.Error("a disabled device is let in")
		}
	}
}
