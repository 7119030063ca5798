package main

import (
	"bytes"
	"strings"
	"testing"

	"onemap/demo"
)

// A demo without an MQTT listener prints no address to publish to.
func TestPrintPublishing(t *testing.T) {
	d := demo.Info{MQTT: "127.0.0.1:1884", Device: demo.Device{ID: "a", Password: "secret", Datastream: "level", Topic: "onemap/v1/370602/a/obs", RedAbove: 5, ClearBelow: 2}}
	var b bytes.Buffer
	printPublishing(&b, d)
	if want := `mosquitto_pub -h 127.0.0.1 -p 1884 -q 1 -u a -P secret -t onemap/v1/370602/a/obs -m '{"v":{"level":5.3}}'`; !strings.Contains(b.String(), want) {
		t.Errorf("no %s in\n%s", want, b.String())
	}
	b.Reset()
	d.MQTT = ""
	printPublishing(&b, d)
	if out := b.String(); strings.Contains(out, "mosquitto_pub") || !strings.Contains(out, "topic "+d.Device.Topic) || !strings.Contains(out, `payload {"v":{"level":5.3}}`) {
		t.Errorf("without a listener:\n%s", out)
	}
}
