package main

import (
	"encoding/json"
	"strings"
	"testing"

	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/sensors/mqtt/remote/mosquittotest"
)

// doctor finds a broker that drops messages, and the test database without fsync, and ends with exit code 1.
func TestDoctor(t *testing.T) {
	b := mosquittotest.Start(t, "max_queued_messages 10\n")
	code, out, errOut := command(t, "doctor", "--broker", b.URL(), "--broker-config", b.Config(), "--messages", "100", "--database", storetest.NewURL(t))
	if code != exitFailed || !strings.Contains(errOut, "checks are bad") {
		t.Errorf("code %d, %s", code, errOut)
	}
	for _, line := range []string{"bad   database fsync", "ok    database tables", "bad   broker queue", "of 100 messages", "→ Mosquitto: max_queued_messages 0", "bad   config max_queued_messages", "ok    broker size"} {
		if !strings.Contains(out, line) {
			t.Errorf("no %q in\n%s", line, out)
		}
	}
}

func TestDoctorIsContent(t *testing.T) {
	b := mosquittotest.Start(t, mosquittotest.Durable)
	code, out, errOut := command(t, "doctor", "--broker", b.URL(), "--messages", "100", "--json")
	var found []core.Finding
	if err := json.Unmarshal([]byte(out), &found); err != nil || code != exitOK || len(found) < 8 {
		t.Errorf("code %d, %v, %s, %s", code, err, out, errOut)
	}
	if code, _, errOut := command(t, "doctor"); code != exitUsage || !strings.Contains(errOut, "--broker") {
		t.Errorf("code %d, %s", code, errOut)
	}
	if code, _, errOut := command(t, "doctor", "--broker", "mqtt://u:secret-word@127.0.0.1"); code != exitUsage || strings.Contains(errOut, "secret-word") {
		t.Errorf("code %d, %s", code, errOut)
	}
}
