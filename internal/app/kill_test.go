package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/jackc/pgx/v5"

	"onemap/demo"
	"onemap/internal/core"
	"onemap/sensors"
)

// process is a real onemap that is started as a user starts it and can be killed.
type process struct {
	t    *testing.T
	bin  string
	dir  string
	cmd  *exec.Cmd
	info demo.Info
}

func newProcess(t *testing.T) *process {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "onemap")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", bin, "onemap/cmd/onemap").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	p := &process{t: t, bin: bin, dir: demoDir(t)}
	t.Cleanup(func() {
		if p.cmd != nil {
			p.end(syscall.SIGTERM)
		}
	})
	return p
}

// start runs the demo and waits for its demo.json.
func (p *process) start() {
	p.t.Helper()
	file := filepath.Join(p.dir, "demo.json")
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		p.t.Fatal(err)
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		p.t.Fatal(err)
	}
	p.cmd = exec.Command(p.bin, "demo", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--data", p.dir, "--simulate=false")
	p.cmd.Dir = root
	p.cmd.Stderr = testWriter{p.t}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	eventually(p.t, "the demo writes demo.json", func() bool {
		b, err := os.ReadFile(file)
		return err == nil && json.Unmarshal(b, &p.info) == nil
	})
}

// end sends a signal and waits until the process has ended.
func (p *process) end(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Errorf("signal %v: %v", sig, err)
	}
	if err := p.cmd.Wait(); err != nil && sig != syscall.SIGKILL {
		p.t.Errorf("onemap ended with %v", err)
	}
	p.cmd = nil
}

// acknowledged is one reading whose PUBACK arrived.
type acknowledged struct {
	datastream int64
	at         time.Time
	value      float64
}

const (
	killDevices  = 200
	killMost     = 400  // readings a device sends at the most
	killAfterAck = 3000 // acknowledgements after which the server is killed
)

// The server is killed while 200 devices publish at QoS 1. Every reading that it acknowledged is in the database.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	p := newProcess(t)
	p.start()
	var snapshot struct {
		Items []sensors.Device `json:"items"`
	}
	if code := login(t, p.info, "commander").call(http.MethodGet, "/api/v1/devices", nil, &snapshot); code != http.StatusOK {
		t.Fatalf("devices: status %d", code)
	}
	if len(snapshot.Items) < killDevices {
		t.Fatalf("the city has %d devices", len(snapshot.Items))
	}
	secrets := deviceSecrets(t, p.dir)

	var (
		mu    sync.Mutex
		acked []acknowledged
		count atomic.Int64
		wg    sync.WaitGroup
		stop  = make(chan struct{})
	)
	devices, clients := snapshot.Items[:killDevices], make([]paho.Client, killDevices)
	for i, d := range devices {
		wg.Go(func() { clients[i] = connectDevice(t, p.info.MQTT, d.ID, secrets[d.ID]) })
	}
	wg.Wait() // all are there when the server is killed, however few of them publish enough
	if t.Failed() {
		return
	}
	for i, d := range devices {
		wg.Go(func() {
			mine := publishUntil(clients[i], d, stop, &count)
			mu.Lock()
			defer mu.Unlock()
			acked = append(acked, mine...)
		})
	}
	eventually(t, "enough is acknowledged", func() bool { return count.Load() >= killAfterAck })
	p.end(syscall.SIGKILL)
	close(stop)
	wg.Wait()

	p.start()
	missing := countMissing(t, p.info.Database, acked)
	t.Logf("%d readings were acknowledged before the kill, %d of them are missing", len(acked), missing)
	if missing != 0 || len(acked) < killAfterAck {
		t.Errorf("%d of %d acknowledged readings are missing", missing, len(acked))
	}
}

func deviceSecrets(t *testing.T, dir string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "secrets.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Devices map[string]string `json:"devices"`
	}
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	return s.Devices
}

// connectDevice returns a connected client of a device; the caller disconnects it.
func connectDevice(t *testing.T, broker, id, secret string) paho.Client {
	o := paho.NewClientOptions().AddBroker("tcp://" + broker).SetClientID(id).SetUsername(id).SetPassword(secret).
		SetAutoReconnect(false).SetConnectTimeout(patience).SetCleanSession(true)
	c := paho.NewClient(o)
	if tok := c.Connect(); !tok.WaitTimeout(patience) || tok.Error() != nil {
		t.Errorf("%s cannot connect: %v", id, tok.Error())
	}
	return c
}

// publishUntil publishes readings of distinct times one after the other and returns the acknowledged ones. It ends at the
// first error, which the kill causes.
func publishUntil(c paho.Client, d sensors.Device, stop <-chan struct{}, count *atomic.Int64) []acknowledged {
	defer c.Disconnect(0)
	ds := d.Streams[0]
	begin := time.Now().UTC().Add(-time.Hour).Truncate(time.Millisecond)
	var acked []acknowledged
	for i := range killMost {
		select {
		case <-stop:
			return acked
		default:
		}
		r := acknowledged{datastream: ds.ID, at: begin.Add(time.Duration(i) * time.Second), value: float64(i) / 1000}
		payload := fmt.Sprintf(`{"t":"%s","v":{"%s":%g}}`, r.at.Format(time.RFC3339Nano), ds.Name, r.value)
		tok := c.Publish(fmt.Sprintf("onemap/v1/%s/%s/obs", d.Division, d.ID), 1, false, payload)
		select {
		case <-tok.Done():
		case <-stop:
			return acked
		}
		if tok.Error() != nil || !c.IsConnectionOpen() {
			return acked // a token is also done when the connection is lost: it does not count
		}
		acked = append(acked, r)
		count.Add(1)
	}
	return acked
}

func countMissing(t *testing.T, url string, acked []acknowledged) int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // a test's reader
	var ids []int64
	var times []time.Time
	var values []float64
	for _, a := range acked {
		ids, times, values = append(ids, a.datastream), append(times, a.at), append(values, a.value)
	}
	var missing int
	err = conn.QueryRow(t.Context(), `
		select count(*) from unnest($1::bigint[], $2::timestamptz[], $3::float8[]) as a(id, ts, value)
		where not exists (select 1 from observation o where o.datastream_id = a.id and o.ts = a.ts and o.value = a.value)`,
		ids, times, values).Scan(&missing)
	if err != nil {
		t.Fatal(err)
	}
	return missing
}

// The server is killed after it has committed a reading and before the rules have evaluated it. The alert is still raised,
// once.
func TestKillBetweenCommitAndEvaluation(t *testing.T) {
	p := newProcess(t)
	p.start()
	conn, err := pgx.Connect(t.Context(), p.info.Database)
	if err != nil {
		t.Fatal(err)
	}
	// the engine cannot move its cursor while another connection has locked its row
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "select * from rule_cursor for update"); err != nil {
		t.Fatal(err)
	}
	mosquittoPub(t, p.info, "mqttv311", p.info.Device.RedAbove+0.5) // returns after the PUBACK
	p.end(syscall.SIGKILL)

	p.start()
	u := login(t, p.info, "r370602")
	eventually(t, "the device is red", func() bool { return u.level(p.info.Device.ID) == core.Red })
	check, err := pgx.Connect(t.Context(), p.info.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer check.Close(t.Context()) //nolint:errcheck // a test's reader
	var alerts, events, messages int
	err = check.QueryRow(t.Context(), `select (select count(*) from alert where device_id = $1),
		(select count(*) from event_log where kind = 'alert.issued'), (select count(*) from cap_message)`, p.info.Device.ID).Scan(&alerts, &events, &messages)
	if err != nil || alerts != 1 || events != 1 || messages != 1 {
		t.Errorf("%d alerts, %d events, %d messages; want one of each (%v)", alerts, events, messages, err)
	}
}
