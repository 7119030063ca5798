package app_test

import (
	"net/http"
	"strings"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"

	"onemap/demo"
)

// device connects the demo's device to the node and reports when its connection ends.
func device(t *testing.T, d demo.Info) (ended chan struct{}) {
	t.Helper()
	ended = make(chan struct{})
	o := paho.NewClientOptions().AddBroker("tcp://" + d.MQTT).SetClientID(d.Device.ID).SetUsername(d.Device.ID).SetPassword(d.Device.Password).
		SetAutoReconnect(false).SetConnectionLostHandler(func(paho.Client, error) { close(ended) })
	c := paho.NewClient(o)
	if token := c.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() { c.Disconnect(0) })
	return ended
}

// A device loses its credentials through one node's API while it is connected to the other node.
func TestRevokingReachesEveryNode(t *testing.T) {
	first := startDemo(t, demoDir(t))
	there := secondNode(t, first.Info())
	admin := login(t, first.Info(), "admin")
	path := "/api/v1/devices/" + there.Device.ID

	ended := device(t, there)
	if code := admin.call(http.MethodPatch, path, map[string]bool{"enabled": false}, nil); code != http.StatusOK {
		t.Fatalf("disable: status %d", code)
	}
	<-ended
	if code := admin.call(http.MethodPatch, path, map[string]bool{"enabled": true}, nil); code != http.StatusOK {
		t.Fatalf("enable: status %d", code)
	}
	ended = device(t, there)
	if code := admin.call(http.MethodPut, path+"/certificate", map[string]string{"sha256": strings.Repeat("ab", 32)}, nil); code != http.StatusOK {
		t.Fatalf("certificate: status %d", code)
	}
	var fresh struct {
		Secret string `json:"secret"`
	}
	if code := admin.call(http.MethodPost, path+"/secret", nil, &fresh); code != http.StatusOK {
		t.Fatalf("secret: status %d", code)
	}
	<-ended
	there.Device.Password = fresh.Secret
	device(t, there)
}
