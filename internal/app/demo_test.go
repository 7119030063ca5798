package app_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"

	"onemap/demo"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors/mqtt/remote/mosquittotest"
)

// Without a listener the simulator cannot publish: the demo returns an error and creates nothing.
func TestDemoWithoutABrokerRefusesItsSimulator(t *testing.T) {
	o := demoOptions(t, demoDir(t))
	o.MQTT, o.Simulate = "off", true
	_, err := demo.Start(t.Context(), o)
	if !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), "--mqtt: ") || !strings.Contains(err.Error(), "--no-simulate") {
		t.Errorf("it says %v", err)
	}
	if left, err := os.ReadDir(o.Data); err != nil || len(left) > 0 {
		t.Errorf("the data folder has %v (%v)", left, err)
	}
}

// A demo without a listener of its own shows the readings that arrive through an external broker.
func TestDemoOnAnExternalBroker(t *testing.T) {
	b := mosquittotest.Start(t, mosquittotest.Durable)
	o := demoOptions(t, demoDir(t))
	o.MQTT, o.Broker, o.BrokerClientID = "off", b.URL(), "onemap-test"
	info := startDemoOn(t, o).Info()
	if info.MQTT != "" {
		t.Errorf("it listens at %s", info.MQTT)
	}
	u := login(t, info, "r370602")
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + b.Addr()).SetClientID(info.Device.ID).SetConnectTimeout(patience))
	tok := c.Connect()
	if !tok.WaitTimeout(patience) || tok.Error() != nil {
		t.Fatalf("connect: %v", tok.Error())
	}
	defer c.Disconnect(0)
	red := fmt.Sprintf(`{"v":{%q:%g}}`, info.Device.Datastream, info.Device.RedAbove+0.3)
	eventually(t, "the device is red", func() bool { // what comes before the server has subscribed is nobody's
		tok := c.Publish(info.Device.Topic, 1, false, red)
		return tok.WaitTimeout(patience) && tok.Error() == nil && u.level(info.Device.ID) == core.Red
	})
}
