package mqtt_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/sensors/feed/mqttjson"
	"onemap/sensors/mqtt"
)

// mosquitto runs mosquitto_pub with the arguments in addition to the address.
func mosquitto(t *testing.T, addr string, args ...string) error {
	t.Helper()
	host, port, _ := strings.Cut(addr, ":")
	out, err := exec.CommandContext(t.Context(), "mosquitto_pub", append([]string{"-h", host, "-p", port}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func TestMosquittoPub(t *testing.T) {
	s := newStand(t, newMemory(1), mqtt.Options{})
	n := 0
	for _, version := range []string{"mqttv311", "mqttv5"} {
		for _, qos := range []string{"0", "1", "2"} {
			n++
			args := []string{"-V", version, "-q", qos, "-u", "dev-0", "-P", secret("dev-0"), "-t", obsTopic("dev-0"), "-m", string(reading(n))}
			if err := mosquitto(t, s.broker.Addr(), args...); err != nil {
				t.Errorf("%s QoS %s: %v", version, qos, err)
			}
			eventually(t, "stored", func() bool { return s.stored() == n })
		}
		if err := mosquitto(t, s.broker.Addr(), "-V", version, "-q", "1", "-u", "dev-0", "-P", "wrong", "-t", obsTopic("dev-0"), "-m", "x"); err == nil {
			t.Errorf("%s: a wrong password was good", version)
		}
	}
}

func TestMosquittoByCertificate(t *testing.T) {
	s := newSecureStand(t)
	_, port, _ := strings.Cut(s.broker.AddrOf(mqtt.KindTLS), ":")
	run := func(program string, id identity, args ...string) (string, error) {
		args = append([]string{"-h", "localhost", "-p", port, "--cafile", s.server.certFile, "--cert", id.certFile, "--key", id.keyFile, "-i", "any"}, args...)
		out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("%s (Debian package mosquitto-clients): %w: %s", program, err, out)
		}
		return string(out), nil
	}
	for n, qos := range []string{"0", "1", "2"} {
		if _, err := run("mosquitto_pub", s.mine, "-q", qos, "-t", obsTopic("dev-0"), "-m", string(reading(n))); err != nil {
			t.Error(err)
		}
		eventually(t, "stored", func() bool { return s.stored() == n+1 })
	}
	if _, err := run("mosquitto_pub", s.unregistered, "-q", "1", "-t", obsTopic("dev-0"), "-m", "x"); err == nil {
		t.Error("a certificate that nobody registered was good")
	}
	for topic, denied := range map[string]bool{mqttjson.Topic("370602", "dev-0", mqttjson.KindCmd): false, obsTopic("dev-1"): true, "#": true} {
		out, err := run("mosquitto_sub", s.mine, "-E", "-t", topic)
		if err != nil || strings.Contains(out, "denied") != denied {
			t.Errorf("%s: %v, %q", topic, err, out)
		}
	}
}

// npm publishes three payloads, of QoS 0, 1 and 2, with the npm package mqtt.
func npm(t *testing.T, url string, options map[string]any, first int) {
	t.Helper()
	o, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"testdata/publish.mjs", url, string(o), obsTopic("dev-0")}
	for n := range 3 {
		args = append(args, string(reading(first+n)))
	}
	if out, err := exec.CommandContext(t.Context(), "node", args...).CombinedOutput(); err != nil {
		t.Fatalf("node with the packages of web/ui (npm ci there brings them): %v: %s", err, out)
	}
}

func TestNPMClient(t *testing.T) {
	s := newSecureStand(t)
	n := 0
	for _, version := range []int{4, 5} {
		for _, kind := range []string{mqtt.KindTCP, mqtt.KindTLS, mqtt.KindWS, mqtt.KindWSS} {
			o := map[string]any{"protocolVersion": version, "username": "dev-0", "password": secret("dev-0")}
			if kind == mqtt.KindTLS || kind == mqtt.KindWSS {
				o = map[string]any{"protocolVersion": version, "ca": s.server.certFile, "cert": s.mine.certFile, "key": s.mine.keyFile}
			}
			npm(t, kind+"://"+strings.Replace(s.broker.AddrOf(kind), "127.0.0.1", "localhost", 1), o, n)
			n += 3
			eventually(t, "stored", func() bool { return s.stored() == n })
		}
	}
}

func TestPahoOnEveryListener(t *testing.T) {
	s := newSecureStand(t)
	for i, scheme := range []string{"tcp", "ssl", "ws", "wss"} {
		kind := map[string]string{"tcp": mqtt.KindTCP, "ssl": mqtt.KindTLS, "ws": mqtt.KindWS, "wss": mqtt.KindWSS}[scheme]
		o := paho.NewClientOptions().AddBroker(scheme + "://" + s.broker.AddrOf(kind)).SetClientID("any").
			SetTLSConfig(s.config(&s.mine)).SetAutoReconnect(false).SetUsername("dev-0")
		if kind == mqtt.KindTCP || kind == mqtt.KindWS {
			o.SetPassword(secret("dev-0"))
		}
		c := paho.NewClient(o)
		if token := c.Connect(); token.Wait() && token.Error() != nil {
			t.Fatalf("%s: %v", scheme, token.Error())
		}
		for qos := range byte(3) {
			if token := c.Publish(obsTopic("dev-0"), qos, false, reading(10*i+int(qos))); token.Wait() && token.Error() != nil {
				t.Errorf("%s QoS %d: %v", scheme, qos, token.Error())
			}
		}
		eventually(t, "stored", func() bool { return s.stored() == 3*(i+1) })
		c.Disconnect(0)
	}
}

// pahoOptions returns options of the paho client, 3.1.1, that reconnects and sends again.
func pahoOptions(addr, device, password string) *paho.ClientOptions {
	return paho.NewClientOptions().AddBroker("tcp://"+addr).SetClientID(device).SetUsername(device).SetPassword(password).
		SetProtocolVersion(4).SetCleanSession(false).SetAutoReconnect(true).SetMaxReconnectInterval(20*time.Millisecond).
		SetWill(statusTopic(device), "offline", 1, true)
}

// pahoClient returns a client that keeps unacknowledged messages.
func pahoClient(t *testing.T, addr, device, password string) paho.Client {
	t.Helper()
	c := paho.NewClient(pahoOptions(addr, device, password).SetStore(newPahoStore(t)))
	if token := c.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() { c.Disconnect(5000) })
	return c
}

// TestAcknowledgedIsStoredUnderFire cuts connections and fails commits at random. Everything that was acknowledged must be
// stored.
func TestAcknowledgedIsStoredUnderFire(t *testing.T) {
	const devices = 20
	m := newMemory(devices)
	s := newStand(t, m, mqtt.Options{})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	acked, times := map[string]bool{}, 0
	for i := range devices {
		wg.Go(func() {
			id, next := fmt.Sprintf("dev-%d", i), 0
			for {
				select {
				case <-stop:
					return
				default:
				}
				next = burst(t, s, id, next, func(n int) {
					mu.Lock()
					defer mu.Unlock()
					acked[fmt.Sprint(i+1, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n)*time.Millisecond).UnixMicro())] = true
					times++
				})
			}
		})
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return times
	}
	for range 20 {
		m.change(func() { m.away = true })
		time.Sleep(2 * time.Millisecond)
		m.change(func() { m.away = false })
		before := count()
		eventually(t, "more is acknowledged", func() bool { return count() > before+100 })
	}
	close(stop)
	wg.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range acked {
		if _, ok := m.rows[key]; !ok {
			t.Fatalf("%s was acknowledged and is not stored", key)
		}
	}
}

// burst connects, publishes a few readings from number n on, and returns the acknowledged ones and the next number.
func burst(t *testing.T, s *stand, id string, n int, acked func(int)) int {
	w := dial(t, s.broker.Addr())
	defer func() { _ = w.conn.Close() }()
	if w.connect(hello{user: id, password: secret(id)}) != 0 {
		return n
	}
	const count = 30
	for i := range count {
		pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, PacketID: uint16(i + 1), TopicName: obsTopic(id), Payload: reading(n + i)}
		if w.trySend(pk) != nil {
			return n
		}
	}
	for i := range count - 5 { // and is cut off before the last
		pk, err := w.read()
		if err != nil {
			return n
		}
		if pk.FixedHeader.Type != packets.Puback || pk.PacketID != uint16(i+1) {
			t.Errorf("PUBACK %d where %d is next", pk.PacketID, i+1)
			return n
		}
		acked(n + i)
	}
	return n + count
}
