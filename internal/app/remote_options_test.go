package app

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"onemap/internal/fault"
)

// The broker keeps the session under the client id, so the id must be the same in the next process.
func TestStableClientID(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	unnamed, err := stableClientID(fmt.Sprintf("%s-%d", host, os.Getpid()))
	if next, e := stableClientID(host); err != nil || e != nil || unnamed != next {
		t.Errorf("%q, and %q in another process: %v, %v", unnamed, next, err, e)
	}
	named, err := stableClientID("室 1.example/雨" + string(make([]byte, 100)))
	if err != nil || !regexp.MustCompile(`^onemap-[A-Za-z0-9_-]{1,57}$`).MatchString(named) {
		t.Errorf("%q, %v", named, err)
	}
}

func TestBrokerPassword(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("of the file \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ONEMAP_BROKER_PASSWORD", "of the environment")
	var o Options
	o.Broker = "mqtt://127.0.0.1"
	if e, err := brokerEndpoint(o); err != nil || e.Password != "of the environment" {
		t.Errorf("%q, %v", e.Password, err)
	}
	o.BrokerPasswordFile = file
	if e, err := brokerEndpoint(o); err != nil || e.Password != "of the file " {
		t.Errorf("%q, %v", e.Password, err)
	}
	o.BrokerPasswordFile = file + ".none"
	if _, err := brokerEndpoint(o); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v", err)
	}
}
