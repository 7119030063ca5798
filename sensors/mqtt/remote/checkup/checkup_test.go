package checkup_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors/mqtt/remote"
	"onemap/sensors/mqtt/remote/checkup"
	"onemap/sensors/mqtt/remote/mosquittotest"
)

const patience = 2 * time.Minute

// runChecks returns the findings by check. It waits longer than the default before it expects no more messages, because a busy
// machine may pause.
func runChecks(t *testing.T, o checkup.Options) map[string]core.Finding {
	t.Helper()
	o.Quiet, o.Timeout = 4*time.Second, patience
	found, err := checkup.Broker(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return byCheck(t, found)
}

func byCheck(t *testing.T, found []core.Finding) map[string]core.Finding {
	t.Helper()
	m := map[string]core.Finding{}
	for _, f := range found {
		if _, twice := m[f.Check]; twice {
			t.Errorf("%s is said twice", f.Check)
		}
		if (f.State == core.FindingBad) && f.Advice == "" && !strings.Contains(f.Found, "no number") {
			t.Errorf("%s is bad, and nothing is advised", f.Check)
		}
		m[f.Check] = f
	}
	return m
}

func expect(t *testing.T, found map[string]core.Finding, want map[string]string) {
	t.Helper()
	for check, state := range want {
		if f, ok := found[check]; !ok || f.State != state {
			t.Errorf("%s: %+v, want %s", check, f, state)
		}
	}
}

// With its default configuration, Mosquitto keeps 1,000 messages for a disconnected client, and sends 20 ahead.
func TestMosquittoByDefault(t *testing.T) {
	b := mosquittotest.Start(t, "")
	found := runChecks(t, checkup.Options{Endpoint: remote.Endpoint{URL: b.URL()}})
	expect(t, found, map[string]string{
		"broker connection": core.FindingOK, "broker version": core.FindingOK, "broker protocol": core.FindingOK,
		"broker anonymous": core.FindingWarn, "broker access": core.FindingOK, "broker size": core.FindingOK,
		"broker session": core.FindingOK, "broker queue": core.FindingBad, "broker window": core.FindingWarn,
		"broker groups": core.FindingOK, "broker persistence": core.FindingWarn,
	})
	if f := found["broker queue"]; !strings.Contains(f.Found, "of 2000 messages") || !strings.Contains(f.Found, " 1000 were kept") || !strings.Contains(f.Advice, "max_queued_messages 0") {
		t.Errorf("%+v", f)
	}
	if f := found["broker window"]; !strings.HasPrefix(f.Found, "20 ") {
		t.Errorf("%+v", f)
	}
	if f := found["broker version"]; !strings.Contains(f.Found, "mosquitto version 2.") {
		t.Errorf("%+v", f)
	}
	checkNoSessions(t, b)
}

// checkNoSessions checks that no session but that of the caller is left.
func checkNoSessions(t *testing.T, b *mosquittotest.Broker) {
	t.Helper()
	target, err := remote.Endpoint{URL: b.URL(), User: "onemap", Password: "word"}.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	const topic = "$SYS/broker/clients/total"
	told := make(chan string, 100)
	c := paho.NewClient(target.ClientOptions("asker", patience, func() (net.Conn, error) { return target.Dial(t.Context(), patience) }).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { told <- string(m.Payload()) }))
	if tok := c.Connect(); !tok.WaitTimeout(patience) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	defer c.Disconnect(0)
	if tok := c.Subscribe(topic, 1, nil); !tok.WaitTimeout(patience) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	last, deadline := "", time.After(patience)
	for last != "1" {
		select {
		case last = <-told: // once a second
		case <-deadline:
			t.Fatalf("%s sessions are left, with this one", last)
		}
	}
}

// With the settings of docs/brokers.md all findings are good, also those of the configuration.
func TestMosquittoSetUpWell(t *testing.T) {
	dir := t.TempDir()
	words, access := filepath.Join(dir, "passwords"), filepath.Join(dir, "acl")
	if out, err := exec.CommandContext(t.Context(), "mosquitto_passwd", "-b", "-c", words, "onemap", "word").CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd (Debian package mosquitto): %v: %s", err, out)
	}
	if err := os.WriteFile(access, []byte("user onemap\ntopic read onemap/v1/#\ntopic readwrite onemap/doctor/#\ntopic read $SYS/#\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := mosquittotest.Start(t, mosquittotest.Durable+"allow_anonymous false\npassword_file "+words+"\nacl_file "+access+"\n")
	found := runChecks(t, checkup.Options{Endpoint: remote.Endpoint{URL: b.URL(), User: "onemap", Password: "word"}, ConfigSeen: true})
	config, err := checkup.ConfigFile(b.Config())
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 || len(config) < 10 {
		t.Errorf("%d and %d findings", len(found), len(config))
	}
	for _, all := range []map[string]core.Finding{found, byCheck(t, config)} {
		for _, f := range all {
			if f.State != core.FindingOK {
				t.Errorf("%+v", f)
			}
		}
	}
	checkNoSessions(t, b)

	found = runChecks(t, checkup.Options{Endpoint: remote.Endpoint{URL: b.URL(), User: "onemap", Password: "wrong"}})
	if f := found["broker connection"]; f.State != core.FindingBad || !strings.Contains(f.Advice, "ONEMAP_BROKER_PASSWORD") || len(found) != 1 {
		t.Errorf("%+v", found)
	}
}

// A broker with small limits and few permissions: what can be measured is measured, and the rest is reported.
func TestMosquittoWithLimits(t *testing.T) {
	rights := filepath.Join(t.TempDir(), "acl")
	if err := os.WriteFile(rights, []byte("topic read onemap/v1/#\ntopic readwrite onemap/doctor/#\ntopic read $SYS/#\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	small := mosquittotest.Start(t, "message_size_limit 2000\nacl_file "+rights+"\n")
	quick := checkup.Options{Endpoint: remote.Endpoint{URL: small.URL()}, Messages: 100}
	expect(t, runChecks(t, quick), map[string]string{"broker size": core.FindingBad, "broker queue": core.FindingOK, "broker groups": core.FindingOK})

	if err := os.WriteFile(rights, []byte("topic read onemap/v1/#\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	deaf := mosquittotest.Start(t, "acl_file "+rights+"\n")
	quick.URL = deaf.URL()
	found := runChecks(t, quick)
	expect(t, found, map[string]string{"broker measuring": core.FindingWarn})
	if f, ok := found["broker queue"]; ok {
		t.Errorf("measured without the right to: %+v", f)
	}
}

func TestNoBroker(t *testing.T) {
	found := runChecks(t, checkup.Options{Endpoint: remote.Endpoint{URL: "mqtt://127.0.0.1:1"}})
	if len(found) != 1 {
		t.Errorf("%+v", found)
	}
	expect(t, found, map[string]string{"broker connection": core.FindingBad})
	if _, err := checkup.Broker(t.Context(), checkup.Options{Endpoint: remote.Endpoint{URL: "nonsense"}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v", err)
	}
}
