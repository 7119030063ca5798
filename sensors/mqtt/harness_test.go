package mqtt_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
	"onemap/sensors/mqtt"
)

// patience is how long a test waits for an expected event. It is long, because the tests do not measure time.
const patience = 2 * time.Minute

// memory is a store in memory. It implements Committer and RegistryStore, with readings keyed by datastream and time like the
// table.
type memory struct {
	mu       sync.Mutex
	devices  []sensors.RegisteredDevice
	away     bool
	gate     chan struct{} // when set, each commit waits for it
	entered  chan struct{} // when set, told of each commit that begins
	after    func()        // when set, called when a batch is stored, before CommitBatch returns
	hold     chan struct{} // when set, each reading of the registry but the first waits for it
	loads    int
	changed  int64 // how often the devices were changed
	rows     map[string]float64
	statuses []sensors.Status
	set      []sensors.Quarantined
	seq      int64
}

func (m *memory) CommitBatch(ctx context.Context, b sensors.Batch) (sensors.BatchResult, error) {
	m.mu.Lock()
	gate, entered := m.gate, m.entered
	m.mu.Unlock()
	if entered != nil {
		entered <- struct{}{}
	}
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return sensors.BatchResult{}, ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return sensors.BatchResult{}, fault.New(fault.Unavailable, "no connection")
	}
	for _, o := range b.Observations {
		m.rows[fmt.Sprint(o.DatastreamID, o.Time.UnixMicro())] = o.Value
	}
	m.statuses = append(m.statuses, b.Statuses...)
	m.set = append(m.set, b.Quarantine...)
	m.seq++
	if m.after != nil {
		m.after()
	}
	return sensors.BatchResult{Seq: m.seq, Stored: len(b.Observations)}, nil
}

func (m *memory) Stored(_ context.Context, readings []sensors.Observation) ([]bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]bool, len(readings))
	for i, o := range readings {
		value, there := m.rows[fmt.Sprint(o.DatastreamID, o.Time.UnixMicro())]
		out[i] = there && value == o.Value
	}
	return out, nil
}

func (m *memory) LoadRegistry(context.Context) ([]sensors.RegisteredDevice, error) {
	m.mu.Lock()
	m.loads++
	if m.hold != nil && m.loads > 1 {
		m.mu.Unlock()
		<-m.hold
		m.mu.Lock()
	}
	defer m.mu.Unlock()
	if m.away {
		return nil, fault.New(fault.Unavailable, "no connection")
	}
	return slices.Clone(m.devices), nil
}

func (m *memory) RegistrySeq(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return 0, fault.New(fault.Unavailable, "no connection")
	}
	return m.changed, nil
}

func (m *memory) DatastreamTypes(context.Context) ([]sensors.DatastreamType, error) {
	return []sensors.DatastreamType{{Code: "water_level", Min: -5, Max: 1e9}}, nil
}

func (m *memory) change(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func (m *memory) stored() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.rows)
}

// online returns the last stored status of the device, and the number of stored statuses.
func (m *memory) online(device string) (online bool, times int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.statuses {
		if s.DeviceID == device {
			online = s.Online
			times++
		}
	}
	return online, times
}

func (m *memory) quarantine() []sensors.Quarantined {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.set)
}

func newMemory(n int) *memory {
	m := &memory{rows: map[string]float64{}}
	for i := range n {
		id := fmt.Sprintf("dev-%d", i)
		m.devices = append(m.devices, sensors.RegisteredDevice{
			Device: sensors.Device{
				ID: id, Division: "370602", Enabled: true,
				Streams: []sensors.Datastream{{ID: int64(i + 1), DeviceID: id, Name: "level", Type: "water_level"}},
			},
			SecretSHA256: sensors.HashSecret(secret(id)),
		})
	}
	return m
}

func secret(device string) string { return "secret-of-" + device }

func obsTopic(device string) string    { return mqttjson.Topic("370602", device, mqttjson.KindObs) }
func statusTopic(device string) string { return mqttjson.Topic("370602", device, mqttjson.KindStatus) }

// reading returns a payload whose time identifies n.
func reading(n int) []byte {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Millisecond)
	return mqttjson.Encode(sensors.Reading{Time: at, Values: []sensors.Value{{Name: "level", Number: float64(n)}}})
}

// stand is a broker on the ingest path with a store in memory.
type stand struct {
	*memory
	broker   *mqtt.Broker
	ingest   *sensors.Ingest
	registry *sensors.Registry
	reg      *prometheus.Registry
}

func newStand(t testing.TB, m *memory, opts mqtt.Options) *stand {
	t.Helper()
	return newStandOn(t, m, opts, sensors.IngestOptions{}, nil)
}

// newStandOn is newStand with options for the ingest path, or with another receiver.
func newStandOn(t testing.TB, m *memory, opts mqtt.Options, path sensors.IngestOptions, instead sensors.Receiver) *stand {
	t.Helper()
	reg := prometheus.NewRegistry()
	registry := sensors.NewRegistry(m, sensors.RegistryOptions{MissInterval: time.Nanosecond}, nil, nil)
	if err := registry.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	path.ProbeMin, path.ProbeMax = time.Millisecond, 5*time.Millisecond
	in := sensors.NewIngest(path, registry, m, nil, reg)
	in.Start()
	if opts.Listen == "" {
		opts.Listen = "127.0.0.1:0"
	}
	if opts.PresenceRetry == 0 {
		opts.PresenceRetry = 10 * time.Millisecond
	}
	var receiver sensors.Receiver = in
	if instead != nil {
		receiver = instead
	}
	b := mqtt.New(opts, receiver, registry, nil, reg, nil)
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Stop(ctx); err != nil && !errors.Is(err, context.Canceled) { // one test cancels
			t.Error(err)
		}
		if err := in.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return &stand{memory: m, broker: b, ingest: in, registry: registry, reg: reg}
}

// refused returns the number of refusals for the reason.
func (s *stand) refused(t *testing.T, reason string) float64 {
	t.Helper()
	return s.counter(t, "onemap_mqtt_refused_total", reason)
}

// counter returns the value of a metric with one label.
func (s *stand) counter(t *testing.T, name, label string) (n float64) {
	t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && m.GetLabel()[0].GetValue() == label {
				n = m.GetCounter().GetValue()
			}
		}
	}
	return n
}

// eventually waits until f returns true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// wire is an MQTT client that sends exactly what a test defines, byte by byte.
type wire struct {
	t       testing.TB
	conn    net.Conn
	r       *bufio.Reader
	version byte
}

// hello describes a CONNECT.
type hello struct {
	version   byte // 4 is 3.1.1
	user      string
	password  string
	id        string
	willTopic string
	will      string
	persist   bool // not a clean session, and one that outlives its connection
	keepAlive int  // seconds; 0 is 60, below is none
}

func dial(t testing.TB, addr string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &wire{t: t, conn: conn, r: bufio.NewReader(conn), version: 4}
}

func newReader(c net.Conn) *bufio.Reader { return bufio.NewReader(c) }

// connect sends a CONNECT and returns the code of the CONNACK.
func (w *wire) connect(h hello) byte {
	w.t.Helper()
	if h.version == 0 {
		h.version = 4
	}
	w.version = h.version
	pk, err := w.connectAnswer(h)
	if err != nil || pk.FixedHeader.Type != packets.Connack {
		w.t.Fatalf("no CONNACK: %v, %v", pk.FixedHeader.Type, err)
	}
	return pk.ReasonCode
}

// connectAnswer sends a CONNECT and returns the response.
func (w *wire) connectAnswer(h hello) (packets.Packet, error) {
	w.sendConnect(h)
	return w.read()
}

// sendConnect sends a CONNECT.
func (w *wire) sendConnect(h hello) {
	w.t.Helper()
	w.version = h.version
	alive := uint16(60)
	switch {
	case h.keepAlive > 0:
		alive = uint16(h.keepAlive)
	case h.keepAlive < 0:
		alive = 0
	}
	w.send(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Connect},
		Properties:  packets.Properties{SessionExpiryInterval: 600, SessionExpiryIntervalFlag: h.persist},
		Connect: packets.ConnectParams{
			ProtocolName: []byte("MQTT"), Clean: !h.persist, Keepalive: alive, ClientIdentifier: h.id,
			UsernameFlag: h.user != "", Username: []byte(h.user), PasswordFlag: h.password != "", Password: []byte(h.password),
			WillFlag: h.willTopic != "", WillTopic: h.willTopic, WillPayload: []byte(h.will), WillQos: 1, WillRetain: h.willTopic != "",
		},
	})
}

// login returns a wire that is connected as the device.
func login(t testing.TB, addr, device string, version byte) *wire {
	t.Helper()
	w := dial(t, addr)
	if code := w.connect(hello{version: version, user: device, password: secret(device), id: "c-" + device}); code != 0 {
		t.Fatalf("CONNACK %#x", code)
	}
	return w
}

func (w *wire) publish(qos byte, id uint16, topic string, payload []byte, dup bool) {
	w.t.Helper()
	w.send(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos, Dup: dup},
		PacketID:    id, TopicName: topic, Payload: payload,
	})
}

func (w *wire) send(pk packets.Packet) {
	w.t.Helper()
	if err := w.trySend(pk); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) trySend(pk packets.Packet) error {
	pk.ProtocolVersion = w.version
	var buf bytes.Buffer
	var err error
	switch pk.FixedHeader.Type {
	case packets.Connect:
		err = pk.ConnectEncode(&buf)
	case packets.Publish:
		err = pk.PublishEncode(&buf)
	case packets.Pubrel:
		pk.FixedHeader.Qos = 1
		err = pk.PubrelEncode(&buf)
	case packets.Subscribe:
		pk.FixedHeader.Qos = 1
		err = pk.SubscribeEncode(&buf)
	case packets.Pingreq:
		err = pk.PingreqEncode(&buf)
	case packets.Disconnect:
		err = pk.DisconnectEncode(&buf)
	}
	if err != nil {
		return err
	}
	_, err = w.conn.Write(buf.Bytes())
	return err
}

func (w *wire) read() (pk packets.Packet, err error) {
	first, err := w.r.ReadByte()
	if err != nil {
		return pk, err
	}
	if err = pk.FixedHeader.Decode(first); err != nil {
		return pk, err
	}
	if pk.FixedHeader.Remaining, _, err = packets.DecodeLength(w.r); err != nil {
		return pk, err
	}
	body := make([]byte, pk.FixedHeader.Remaining)
	if _, err = io.ReadFull(w.r, body); err != nil {
		return pk, err
	}
	pk.ProtocolVersion = w.version
	switch pk.FixedHeader.Type {
	case packets.Connack:
		err = pk.ConnackDecode(body)
	case packets.Puback:
		err = pk.PubackDecode(body)
	case packets.Pubrec:
		err = pk.PubrecDecode(body)
	case packets.Pubcomp:
		err = pk.PubcompDecode(body)
	case packets.Suback:
		err = pk.SubackDecode(body)
	case packets.Publish:
		err = pk.PublishDecode(body)
	case packets.Disconnect:
		err = pk.DisconnectDecode(body)
	}
	return pk, err
}

// expect checks the type of the next packet, and its id if it has one.
func (w *wire) expect(kind byte, id uint16) packets.Packet {
	w.t.Helper()
	pk, err := w.read()
	if err != nil || pk.FixedHeader.Type != kind || pk.PacketID != id {
		w.t.Fatalf("want packet type %d id %d, got type %d id %d, %v", kind, id, pk.FixedHeader.Type, pk.PacketID, err)
	}
	return pk
}

// expectClosed waits for the end of the connection. In version 5 it returns the code of the DISCONNECT before it.
func (w *wire) expectClosed() (code byte) {
	w.t.Helper()
	for {
		pk, err := w.read()
		switch {
		case err != nil && errors.Is(err, context.DeadlineExceeded):
			w.t.Fatal("the connection stays open")
		case err != nil:
			var late net.Error
			if errors.As(err, &late) && late.Timeout() {
				w.t.Fatal("the connection stays open")
			}
			return code
		case pk.FixedHeader.Type == packets.Disconnect && w.version == 5:
			code = pk.ReasonCode
		default:
			w.t.Fatalf("packet type %d instead of the end", pk.FixedHeader.Type)
		}
	}
}
