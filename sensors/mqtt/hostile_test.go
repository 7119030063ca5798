package mqtt_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/sensors"
	"onemap/sensors/mqtt"
)

// holdingReceiver is a receiver that stores at once, except for the devices whose messages it holds back.
type holdingReceiver struct {
	mu    sync.Mutex
	back  func(device string) bool
	kept  []func(error)
	held  map[string]int // of each device, messages kept back
	bytes map[string]int
	most  int // kept back at the same time
	taken int
}

func newShelf(back func(device string) bool) *holdingReceiver {
	return &holdingReceiver{back: back, held: map[string]int{}, bytes: map[string]int{}}
}

func (r *holdingReceiver) Accept(m sensors.Message, done func(error)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken++
	if !r.back(m.Device) {
		go done(nil)
		return nil
	}
	size := len(m.Raw)
	r.held[m.Device]++
	r.bytes[m.Device] += size
	r.kept = append(r.kept, func(err error) {
		r.held[m.Device]--
		r.bytes[m.Device] -= size
		go done(err)
	})
	r.most = max(r.most, len(r.kept))
	return nil
}

func (r *holdingReceiver) Quarantine(sensors.Quarantined, func(error)) error { return nil }
func (r *holdingReceiver) Await(context.Context) error                       { return nil }

// heldBack returns the held-back messages of the device.
func (r *holdingReceiver) heldBack(device string) (held, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held[device], r.bytes[device]
}

// storeOldest stores the oldest n of the held-back messages.
func (r *holdingReceiver) storeOldest(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = min(n, len(r.kept))
	for _, f := range r.kept[:n] {
		f(nil)
	}
	r.kept = slices.Delete(r.kept, 0, n)
}

func is(device string) func(string) bool { return func(d string) bool { return d == device } }

// publishUntilClosed sends publishes of this size until the connection ends.
func (w *wire) publishUntilClosed(device string, size int) {
	raw, at := sized(device, size)
	var many []byte
	for id := 1; ; id = id%65535 + 1 {
		raw[at], raw[at+1] = byte(id>>8), byte(id)
		if many = append(many, raw...); len(many) < 16<<10 {
			continue
		}
		if _, err := w.conn.Write(many); err != nil {
			return
		}
		many = many[:0]
	}
}

// sized returns a QoS 1 PUBLISH with a payload of this size.
func sized(device string, size int) (raw []byte, id int) {
	topic := obsTopic(device)
	raw = []byte{0x32}
	for n := 2 + len(topic) + 2 + size; ; n >>= 7 {
		if n < 128 {
			raw = append(raw, byte(n))
			break
		}
		raw = append(raw, byte(n&127|128))
	}
	raw = append(append(raw, byte(len(topic)>>8), byte(len(topic))), topic...)
	return append(raw, make([]byte, 2+size)...), len(raw)
}

// checkServed checks that a normal device is served now, whatever another one does.
func checkServed(t *testing.T, s *stand, device string) {
	t.Helper()
	w := login(t, s.broker.Addr(), device, 4)
	for i := range 100 {
		w.publish(1, uint16(i+1), obsTopic(device), reading(i), false)
		w.expect(packets.Puback, uint16(i+1))
	}
	_ = w.conn.Close()
}

// awaitTrouble waits until the trouble is listed.
func awaitTrouble(t *testing.T, s *stand, kind, device string) (found sensors.DeviceTrouble) {
	t.Helper()
	eventually(t, kind+" of "+device+" is shown", func() bool {
		for _, d := range s.broker.Troubles() {
			if d.Kind == kind && d.Device == device {
				found = d
				return true
			}
		}
		return false
	})
	return found
}

func TestAFloodPausesItsOwnReadingAlone(t *testing.T) {
	const window, windowBytes = 32, 64 << 10
	for _, c := range []struct{ payload, held int }{{10, window}, {8 << 10, 7}} { // bounded by count, and by bytes
		r := newShelf(is("dev-0"))
		s := newStandOn(t, newMemory(2), mqtt.Options{Window: window, WindowBytes: windowBytes, FloodAfter: time.Nanosecond}, sensors.IngestOptions{}, r)
		go login(t, s.broker.Addr(), "dev-0", 4).publishUntilClosed("dev-0", c.payload)
		eventually(t, "the window is full", func() bool { held, _ := r.heldBack("dev-0"); return held == c.held })
		checkServed(t, s, "dev-1")
		if got := awaitTrouble(t, s, sensors.TroubleFlood, "dev-0"); got.Remote == "" || got.Count == 0 || got.Last.Before(got.First) {
			t.Errorf("%+v", got)
		}
		for range 50 { // one by one: never more than the window
			r.storeOldest(1)
			eventually(t, "the next", func() bool { held, _ := r.heldBack("dev-0"); return held == c.held })
		}
		if held, bytes := r.heldBack("dev-0"); r.most != c.held || held > window || bytes > windowBytes {
			t.Errorf("%d held at most, %d now, %d bytes", r.most, held, bytes)
		}
		r.back = is("nobody")
		r.storeOldest(1 << 20)
	}
}

func TestManyFloodsShareWhatIsInFlight(t *testing.T) {
	const floods, inFlight = 40, 200
	r := newShelf(func(d string) bool { return d != "dev-0" })
	s := newStandOn(t, newMemory(floods+1), mqtt.Options{Window: 256, InFlight: inFlight}, sensors.IngestOptions{}, r)
	for i := range floods {
		id := fmt.Sprintf("dev-%d", i+1)
		go login(t, s.broker.Addr(), id, 4).publishUntilClosed(id, 10)
	}
	eventually(t, "what may be in flight is", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.kept) >= inFlight })
	checkServed(t, s, "dev-0")
	for range 200 {
		r.storeOldest(10)
		served1 := login(t, s.broker.Addr(), "dev-0", 4)
		served1.publish(1, 1, obsTopic("dev-0"), reading(1), false)
		served1.expect(packets.Puback, 1)
		_ = served1.conn.Close()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// above twice the limit each has four, and one more that was accepted in the meantime
	if limit := 2*inFlight + 5*floods; r.most > limit {
		t.Errorf("%d in flight at the same time, more than %d", r.most, limit)
	}
	for _, f := range r.kept {
		f(nil)
	}
	r.kept, r.back = nil, is("nobody")
}

// TestAFullQueueIsBackpressure uses an ingest path with room for four messages. No device is disconnected, and everything is
// acknowledged at the end.
func TestAFullQueueIsBackpressure(t *testing.T) {
	const devices, each = 8, 200
	m := newMemory(devices)
	m.gate, m.entered = make(chan struct{}), make(chan struct{}, 1<<16)
	s := newStandOn(t, m, mqtt.Options{}, sensors.IngestOptions{MaxQueue: 4}, nil)
	var wires []*wire
	for i := range devices {
		wires = append(wires, login(t, s.broker.Addr(), fmt.Sprintf("dev-%d", i), 4))
	}
	for i, w := range wires { // at once when all are there: a commit is not held for long
		go func() {
			for n := range each {
				pk := packets.Packet{
					FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1},
					PacketID:    uint16(n + 1), TopicName: obsTopic(fmt.Sprintf("dev-%d", i)), Payload: reading(n),
				}
				if w.trySend(pk) != nil {
					return
				}
			}
		}()
	}
	eventually(t, "the queue is full", func() bool { return s.counter(t, "onemap_ingest_refused_total", "queue-full") > 0 })
	close(m.gate)
	for _, w := range wires {
		for n := range each {
			w.expect(packets.Puback, uint16(n+1))
		}
	}
	if m.stored() != devices*each || s.refused(t, "unavailable") != 0 {
		t.Errorf("%d stored, %v put out", m.stored(), s.refused(t, "unavailable"))
	}
}

func TestADeviceThatRepeatsWhatIsNotReadWaitsLonger(t *testing.T) {
	s := newStand(t, newMemory(2), mqtt.Options{Backoff: time.Hour}) // bounded by a minute, beyond this test
	hello0 := hello{version: 4, user: "dev-0", password: secret("dev-0"), willTopic: statusTopic("dev-0"), will: "offline"}
	for n := 1; n <= 2; n++ { // the first one is forgiven
		w := dial(t, s.broker.Addr())
		if code := w.connect(hello0); code != 0 {
			t.Fatalf("CONNACK %#x", code)
		}
		_, _ = w.conn.Write([]byte{0x32, 0xff, 0xff, 0x7f})
		w.expectClosed()
		eventually(t, "all is done about it, its will last", func() bool { _, times := s.online("dev-0"); return times == n })
	}
	if n := s.refused(t, "too-large"); n != 2 {
		t.Errorf("%v refused", n)
	}
	first := dial(t, s.broker.Addr())
	first.sendConnect(hello0)
	second := dial(t, s.broker.Addr())
	second.sendConnect(hello0)
	// it waits for its CONNACK, with at most one connection, and other devices do not wait
	ended := make(chan byte, 2)
	for i, w := range []*wire{first, second} {
		go func() {
			if _, err := w.r.ReadByte(); err != nil {
				ended <- byte(i)
			}
		}()
	}
	<-ended
	checkServed(t, s, "dev-1")
	wrong := dial(t, s.broker.Addr()) // nor does who only says that it is the device
	if code := wrong.connect(hello{version: 4, user: "dev-0", password: "wrong"}); code == 0 {
		t.Error("let in")
	}
	if got := awaitTrouble(t, s, sensors.TroubleOversize, "dev-0"); got.Count != 2 {
		t.Errorf("%+v", got)
	}
	eventually(t, "nobody is connected", func() bool { return s.broker.Connections() == 0 })
	stopAll(t, s) // and stopping does not wait for it
	<-ended
}

func TestABackoffEnds(t *testing.T) {
	s := newStand(t, newMemory(1), mqtt.Options{Backoff: time.Millisecond})
	for range 4 {
		w := login(t, s.broker.Addr(), "dev-0", 4)
		_, _ = w.conn.Write([]byte{0x32, 0xff, 0xff, 0x7f})
		w.expectClosed()
	}
	checkServed(t, s, "dev-0")
}

func TestHalfOpenConnectionsEnd(t *testing.T) {
	s := newStand(t, newMemory(2), mqtt.Options{MaxKeepAlive: time.Second})
	const publishes = 100
	for _, alive := range []int{-1, 65535} {
		w := dial(t, s.broker.Addr())
		ack, err := w.connectAnswer(hello{version: 5, user: "dev-0", password: secret("dev-0"), keepAlive: alive})
		if err != nil || ack.Properties.ServerKeepAlive != 1 || !ack.Properties.ServerKeepAliveFlag {
			t.Errorf("%+v, %v", ack.Properties, err)
		}
		other := dial(t, s.broker.Addr()) // one that speaks is served, without a pause in which it could be taken for silent
		other.sendConnect(hello{version: 4, user: "dev-1", password: secret("dev-1")})
		for i := range publishes {
			other.publish(1, uint16(i+1), obsTopic("dev-1"), reading(i), false)
		}
		other.expect(packets.Connack, 0)
		for i := range publishes {
			other.expect(packets.Puback, uint16(i+1))
		}
		w.expectClosed() // it never says a word
	}
}

// fromHost connects from another address of the loopback network.
func fromHost(t *testing.T, host, addr string) *wire {
	t.Helper()
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(host)}}).Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &wire{t: t, conn: conn, r: newReader(conn), version: 4}
}

func TestStrangersGiveTheirRoomToDevices(t *testing.T) {
	const room = 10
	s := newStand(t, newMemory(room+1), mqtt.Options{MaxClients: room, HandshakeTimeout: time.Hour})
	for range 2 * room {
		w := fromHost(t, "127.0.0.2", s.broker.Addr())
		_, _ = w.conn.Write([]byte{0x10})
	}
	eventually(t, "no room", func() bool { return s.refused(t, "too-many-connections") == room })
	for i := range room { // from another address: each takes the room of a stranger
		id := fmt.Sprintf("dev-%d", i)
		w := login(t, s.broker.Addr(), id, 4)
		w.publish(1, 1, obsTopic(id), reading(i), false)
		w.expect(packets.Puback, 1)
	}
	if got := awaitTrouble(t, s, sensors.TroubleHandshake, ""); got.Remote[:9] != "127.0.0.2" {
		t.Errorf("%+v", got)
	}
	eventually(t, "all strangers are gone", func() bool { return s.refused(t, "handshake") == room })
	// devices keep their connections
	w := fromHost(t, "127.0.0.3", s.broker.Addr())
	w.expectClosed()
	if n := s.broker.Connections(); n != room {
		t.Errorf("%d connected", n)
	}
}

func TestASlowHandshakeIsShown(t *testing.T) {
	s := newStand(t, newMemory(1), mqtt.Options{HandshakeTimeout: 20 * time.Millisecond})
	w := dial(t, s.broker.Addr())
	_, _ = w.conn.Write([]byte{0x10, 0x20, 0})
	w.expectClosed()
	awaitTrouble(t, s, sensors.TroubleHandshake, "")
}

// nonReader is a device that publishes without end and reads nothing.
func nonReader(t *testing.T, s *stand) {
	t.Helper()
	go login(t, s.broker.Addr(), "dev-0", 4).publishUntilClosed("dev-0", 1)
}

func TestASlowReaderHoldsUpItselfAlone(t *testing.T) {
	s := newStandOn(t, newMemory(2), mqtt.Options{WriteTimeout: time.Hour, SlowAfter: time.Millisecond, PresenceRetry: 50 * time.Millisecond}, sensors.IngestOptions{}, &instant{})
	nonReader(t, s)
	awaitTrouble(t, s, sensors.TroubleSlowReader, "dev-0")
	checkServed(t, s, "dev-1")
	if n := s.refused(t, "slow-reader"); n != 0 {
		t.Errorf("%v put out", n)
	}
	eventually(t, "it is connected still, alone", func() bool { return s.broker.Connections() == 1 })
}

func TestASlowReaderIsPutOut(t *testing.T) {
	s := newStandOn(t, newMemory(2), mqtt.Options{WriteTimeout: 2 * time.Second, SlowAfter: time.Hour}, sensors.IngestOptions{}, &instant{})
	nonReader(t, s)
	eventually(t, "put out", func() bool { return s.refused(t, "slow-reader") == 1 && s.broker.Connections() == 0 })
	awaitTrouble(t, s, sensors.TroubleSlowReader, "dev-0")
	checkServed(t, s, "dev-1")
}

func TestTroublesOfCredentialsTopicsAndReconnects(t *testing.T) {
	s := newStand(t, newMemory(2), mqtt.Options{})
	dial(t, s.broker.Addr()).connect(hello{user: "dev-0", password: "wrong"})
	dial(t, s.broker.Addr()).connect(hello{user: "ghost", password: "wrong"})
	w := login(t, s.broker.Addr(), "dev-0", 4)
	w.publish(1, 1, obsTopic("dev-1"), reading(1), false)
	w.expectClosed()
	awaitTrouble(t, s, sensors.TroubleCredential, "dev-0")
	wrong := awaitTrouble(t, s, sensors.TroubleCredential, "") // a name that nobody has is not a device's
	if wrong.Code != "login-wrong" || wrong.Params["user"] != "ghost" || !strings.HasSuffix(wrong.Detail, "user name ghost") {
		t.Errorf("%+v", wrong)
	}
	if got := awaitTrouble(t, s, sensors.TroubleTopic, "dev-0"); got.Code != "publish-foreign" || got.Params["topic"] != obsTopic("dev-1") {
		t.Errorf("%+v", got)
	}
	eventually(t, "it comes again and again", func() bool {
		_ = login(t, s.broker.Addr(), "dev-1", 4).conn.Close()
		return slices.ContainsFunc(s.broker.Troubles(), func(d sensors.DeviceTrouble) bool {
			return d.Kind == sensors.TroubleReconnect && d.Device == "dev-1"
		})
	})
	list := s.broker.Troubles()
	if !slices.IsSortedFunc(list, func(a, b sensors.DeviceTrouble) int { return b.Last.Compare(a.Last) }) {
		t.Errorf("not the newest first: %+v", list)
	}
	if got := s.broker.Stats().Refused; got["credentials"] != 2 || got["publish-topic"] != 1 {
		t.Errorf("%v", got)
	}
}
