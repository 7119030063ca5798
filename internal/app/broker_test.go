package app

import (
	"net"
	"strings"
	"testing"
	"time"

	"onemap/internal/config"
	"onemap/internal/fault"
	"onemap/sensors/mqtt"
)

func TestBrokerOptionsNameTheFlagAtFault(t *testing.T) {
	for want, o := range map[string]config.Server{
		"--mqtt-cert":       {MQTTTLS: ":0"},
		"--mqtt-key":        {MQTTWSS: ":0", MQTTCert: "c"},
		"--mqtt-cert: is":   {MQTTCert: "c"},
		"--mqtt-key: is":    {MQTTKey: "k"},
		"--mqtt: off leave": {MQTT: "off"},
		"--mqtt-keepalive":  {MQTTKeepAlive: 20 * time.Hour},
		"--mqtt-keepalive:": {MQTTKeepAlive: time.Millisecond},
	} {
		got, err := brokerOptions(Options{Server: o})
		if !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), want) || got != nil {
			t.Errorf("%+v: %v, want %s", o, err, want)
		}
	}
	if got, err := brokerOptions(Options{Server: config.Server{MQTT: "off", Broker: "mqtt://b"}}); got != nil || err != nil {
		t.Errorf("off: %v, %v", got, err)
	}
	got, err := brokerOptions(Options{Server: config.Server{MQTT: "off", MQTTTLS: ":1", MQTTWS: ":2", MQTTWSS: ":3", MQTTCert: "c", MQTTKey: "k", MQTTKeepAlive: time.Hour}})
	if err != nil || got.MaxKeepAlive != time.Hour || got.Listen != mqtt.Off || got.ListenTLS != ":1" || got.ListenWS != ":2" || got.ListenWSS != ":3" || got.CertFile != "c" || got.KeyFile != "k" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestABusyBrokerAddressNamesItsFlag(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	o := mqtt.Options{Listen: mqtt.Off, ListenWS: ln.Addr().String()}
	err = mqtt.New(o, nil, nil, nil, nil, nil).Start(t.Context())
	if got := nameBrokerFlag(err, o); !fault.Is(got, fault.Invalid) || !strings.HasPrefix(got.Error(), "--mqtt-ws") {
		t.Errorf("%v", got)
	}
	o = mqtt.Options{Listen: mqtt.Off, ListenTLS: "127.0.0.1:0", CertFile: "/nowhere", KeyFile: "/nowhere"}
	err = mqtt.New(o, nil, nil, nil, nil, nil).Start(t.Context())
	if got := nameBrokerFlag(err, o); !fault.Is(got, fault.Invalid) || !strings.Contains(got.Error(), "--mqtt-cert /nowhere") {
		t.Errorf("%v", got)
	}
}
