package app_test

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/jackc/pgx/v5"

	"onemap/internal/app/stores/storetest"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
	"onemap/sensors/mqtt/remote/mosquittotest"
)

// ingester is a real `onemap serve` that reads from an external broker and can be killed.
type ingester struct {
	t    *testing.T
	bin  string
	args []string
	cmd  *exec.Cmd
	mu   sync.Mutex
	log  strings.Builder
}

// buildOnemap returns the program.
func buildOnemap(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "onemap")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", bin, "onemap/cmd/onemap").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	return bin
}

func newIngester(t *testing.T, bin, database, broker, id string, more ...string) *ingester {
	t.Helper()
	p := &ingester{t: t, bin: bin, args: append([]string{
		"serve", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--database", database, "--broker", broker, "--broker-client-id", id,
	}, more...)}
	t.Cleanup(func() {
		if p.cmd != nil {
			p.end(syscall.SIGTERM)
		}
	})
	p.start()
	return p
}

// start runs it and waits until it reads from the broker.
func (p *ingester) start() {
	p.t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		p.t.Fatal(err)
	}
	p.cmd = exec.Command(p.bin, p.args...)
	p.cmd.Dir = root
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	var connected atomic.Bool
	go p.read(stderr, &connected)
	eventually(p.t, "it reads from the broker", func() bool {
		if p.cmd.Process.Signal(syscall.Signal(0)) != nil {
			p.t.Fatalf("onemap ended: %s", p.said())
		}
		return connected.Load()
	})
}

func (p *ingester) read(stderr io.Reader, connected *atomic.Bool) {
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		p.mu.Lock()
		p.log.WriteString(lines.Text() + "\n")
		p.mu.Unlock()
		if strings.Contains(lines.Text(), "connected to the external broker") && !strings.Contains(lines.Text(), "not connected") {
			connected.Store(true)
		}
	}
}

func (p *ingester) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

func (p *ingester) end(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Errorf("signal %v: %v", sig, err)
	}
	if err := p.cmd.Wait(); err != nil && sig != syscall.SIGKILL {
		p.t.Errorf("onemap ended with %v: %s", err, p.said())
	}
	p.cmd = nil
}

// seededDatabase is a database with n devices.
func seededDatabase(t *testing.T, n int) (string, []sensors.Device) {
	t.Helper()
	url := storetest.NewURL(t)
	return url, settle(t, url, n)
}

// settle creates the test's devices in an empty database.
func settle(t *testing.T, url string, n int) []sensors.Device {
	t.Helper()
	return storetest.SeedDevices(t, url, n, func(string) string { return "secret" })
}

// publishing is a set of devices that publish to a broker until halt.
type publishing struct {
	count atomic.Int64
	stop  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup
	mu    sync.Mutex
	acked []acknowledged
}

func publishTo(t *testing.T, broker string, devices []sensors.Device) *publishing {
	p := &publishing{stop: make(chan struct{})}
	for _, d := range devices {
		p.wg.Go(func() {
			p.device(t, broker, d)
		})
	}
	t.Cleanup(func() { p.halt() })
	return p
}

// device publishes readings one after the other, each with a distinct time.
func (p *publishing) device(t *testing.T, broker string, d sensors.Device) {
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + broker).SetClientID(d.ID).SetAutoReconnect(false).SetConnectTimeout(patience))
	if tok := c.Connect(); !tok.WaitTimeout(patience) || tok.Error() != nil {
		t.Errorf("%s cannot connect: %v", d.ID, tok.Error())
		return
	}
	defer c.Disconnect(0)
	begin := time.Now().UTC().Add(-24 * time.Hour).Truncate(time.Millisecond)
	for i := 0; ; i++ {
		select {
		case <-p.stop:
			return
		case <-time.After(5 * time.Millisecond):
		}
		r := acknowledged{datastream: d.Streams[0].ID, at: begin.Add(time.Duration(i) * time.Second), value: float64(i%10000) / 1000}
		payload := mqttjson.Encode(sensors.Reading{Time: r.at, Values: []sensors.Value{{Name: "level", Number: r.value}}})
		tok := c.Publish(mqttjson.Topic(d.Division, d.ID, mqttjson.KindObs), 1, false, payload)
		if !tok.WaitTimeout(patience) || tok.Error() != nil || !c.IsConnectionOpen() {
			t.Errorf("%s: the broker does not acknowledge: %v", d.ID, tok.Error())
			return
		}
		p.mu.Lock()
		p.acked = append(p.acked, r)
		p.mu.Unlock()
		p.count.Add(1)
	}
}

func (p *publishing) halt() []acknowledged {
	p.once.Do(func() { close(p.stop) })
	p.wg.Wait()
	return p.acked
}

func observations(t *testing.T, url string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // a test's reader
	err = conn.QueryRow(t.Context(), `select count(*) + (select count(*) from observation_conflict) + (select count(*) from quarantine) from observation`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// onceEach waits until every reading is stored and fails if one is stored twice.
func onceEach(t *testing.T, url string, acked []acknowledged, publishers int) {
	t.Helper()
	eventually(t, "everything acknowledged is stored", func() bool { return countMissing(t, url, acked) == 0 })
	n := observations(t, url)
	t.Logf("%d acknowledged by the broker, 0 missing, %d stored", len(acked), n)
	if n > len(acked)+publishers { // the last of each device may be stored without its acknowledgement
		t.Errorf("%d rows of %d readings", n, len(acked))
	}
}

// The ingester is killed three times while devices publish to Mosquitto. Every reading that Mosquitto acknowledged is in the
// database, once.
func TestIngesterKilledLosesNothing(t *testing.T) {
	bin := buildOnemap(t)
	url, devices := seededDatabase(t, 20)
	b := mosquittotest.Start(t, mosquittotest.Durable)
	p := newIngester(t, bin, url, b.URL(), "onemap-a")
	pub := publishTo(t, b.Addr(), devices)
	for kill := range 3 {
		eventually(t, "readings are stored", func() bool { return observations(t, url) > 1000*(kill+1) })
		at := pub.count.Load()
		p.end(syscall.SIGKILL)
		eventually(t, "devices publish meanwhile", func() bool { return pub.count.Load() > at+200 })
		p.start()
	}
	onceEach(t, url, pub.halt(), len(devices))
}

// Two ingesters share a subscription group, and one is killed. The other continues with its share; Mosquitto keeps the share
// of the killed one until it returns.
func TestGroupMemberKilledLosesNothing(t *testing.T) {
	bin := buildOnemap(t)
	url, devices := seededDatabase(t, 20)
	b := mosquittotest.Start(t, mosquittotest.Durable)
	newIngester(t, bin, url, b.URL(), "onemap-a", "--broker-group", "city")
	second := newIngester(t, bin, url, b.URL(), "onemap-b", "--broker-group", "city")
	pub := publishTo(t, b.Addr(), devices)
	eventually(t, "readings are stored", func() bool { return observations(t, url) > 1000 })
	second.end(syscall.SIGKILL)
	at, had := pub.count.Load(), observations(t, url)
	eventually(t, "devices publish, and the first stores", func() bool { return pub.count.Load() > at+1000 && observations(t, url) > had+300 })
	acked := pub.halt()
	if n := countMissing(t, url, acked); n == 0 {
		t.Error("the dead member had no share: the test tests nothing")
	}
	second.start()
	onceEach(t, url, acked, len(devices))
}
