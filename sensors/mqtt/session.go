package mqtt

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
)

// session is one authenticated connection.
type session struct {
	b         *Broker
	client    *mochi.Client
	conn      *conn
	number    uint64 // unique in this process
	device    string
	division  string
	known     atomic.Pointer[sensors.Known] // the newest registry entry that grants the same as the one at the login
	byCert    bool
	unlimited bool // the device asked for no keep-alive
	obs       string
	status    string
	cmd       string
	will      *will
	revoked   atomic.Bool
	delivers  bool // the goroutine that writes publishes to the device runs; used by the reader only

	order  sync.Mutex
	failed bool // a publish was not stored: no later one is accepted

	mu           sync.Mutex
	established  bool // the device has its CONNACK
	dead         bool // a publish could not be stored: nothing after it is acknowledged
	held         int  // publishes that wait for their answer
	heldReadings int
	heldBytes    int
	room         chan struct{} // closed when there is room; nil: no goroutine waits for room
	answers      []answer
	writing      bool
}

// answer is the pending acknowledgement of one publish, or the error because of which there is none.
type answer struct {
	packetID uint16
	qos      byte
	readings int // counted in the window
	size     int // counted in the window, bytes
	err      error
}

// newSession returns the session of an authenticated device. Its three topics are fixed, so a device that moves to
// another division must connect again.
func newSession(b *Broker, cl *mochi.Client, c *conn, known *sensors.Known) *session {
	topic := func(kind string) string { return mqttjson.Topic(known.Division, known.ID, kind) }
	s := &session{
		b: b, client: cl, conn: c, number: b.sessions.Add(1), device: known.ID, division: known.Division,
		obs: topic(mqttjson.KindObs), status: topic(mqttjson.KindStatus), cmd: topic(mqttjson.KindCmd),
	}
	s.known.Store(known)
	return s
}

// own returns the topic and its kind if it is one of the device's own, and empty strings otherwise.
func (s *session) own(topic string) (own, kind string) {
	switch topic {
	case s.obs:
		return s.obs, mqttjson.KindObs
	case s.status:
		return s.status, mqttjson.KindStatus
	}
	return "", ""
}

// queueAck queues an answer. It never blocks. A goroutine of the session writes while the queue is not empty, so a device
// that does not read delays only itself.
func (s *session) queueAck(a answer) {
	if a.err != nil {
		s.order.Lock()
		s.failed = true
		s.order.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answers == nil {
		s.answers = s.b.getAnswers()
	}
	s.answers = append(s.answers, a)
	if !s.writing {
		s.writing = true
		go s.writeQueue()
	}
}

// writeQueue writes the queued answers in order until the queue is empty. It writes all queued answers at once.
func (s *session) writeQueue() {
	for {
		s.mu.Lock()
		batch := s.answers
		s.answers = nil
		if len(batch) == 0 {
			s.writing = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		s.writeAcks(batch)
		readings, bytes := 0, 0
		for _, a := range batch {
			readings += a.readings
			bytes += a.size
		}
		s.release(len(batch), readings, bytes)
		s.b.pending.Add(-len(batch))
		s.b.putAnswers(batch)
	}
}

// writeAcks writes PUBACKs and PUBRECs, or closes the connection if a publish could not be stored.
func (s *session) writeAcks(batch []answer) {
	buf := s.b.getBuffer()
	defer s.b.putBuffer(buf)
	out := (*buf)[:0]
	for _, a := range batch {
		if a.err != nil {
			s.b.metrics.unstored.Inc()
			s.send(out)
			out = out[:0]
			s.fail(a.err)
			continue
		}
		switch a.qos {
		case 1: // without a reason code, which means success in both versions (MQTT 5.0, 3.4.2.1)
			out = append(out, packets.Puback<<4, 2, byte(a.packetID>>8), byte(a.packetID))
		case 2:
			out = append(out, packets.Pubrec<<4, 2, byte(a.packetID>>8), byte(a.packetID))
		}
	}
	s.send(out)
	*buf = out
}

// send writes acknowledgements to the device. After a publish that was not stored it writes nothing more, so that no
// later publish is acknowledged on this connection.
func (s *session) send(out []byte) {
	if len(out) == 0 || s.isDead() || s.client.Closed() {
		return
	}
	if _, err := s.conn.Write(out); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.b.refuse(refusedSlowReader)
			s.b.abuse.report(sensors.TroubleSlowReader, s.device, s.conn, fault.NewMessage(CodeAcksPutOut))
		}
		s.client.Stop(err) // the device sends the unacknowledged publishes again
	}
}

// isDead reports whether a publish could not be stored.
func (s *session) isDead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}

// fail closes the connection because a publish was not stored. A device of version 3.1.1 sends again only over a new
// connection, and a negative PUBACK of version 5 would end the delivery.
func (s *session) fail(err error) {
	s.mu.Lock()
	dead := s.dead
	s.dead = true
	s.mu.Unlock()
	if dead {
		return
	}
	code := packets.ErrServerBusy
	switch {
	case s.b.isStopping():
		code = packets.ErrServerShuttingDown
	case fault.Is(err, fault.Unauthenticated):
		code = packets.ErrNotAuthorized
	case !fault.Is(err, fault.Unavailable):
		code = packets.ErrImplementationSpecificError
	}
	s.disconnect(code)
}

// disconnect closes the connection. A device of version 5 gets a DISCONNECT with the reason. This takes one second at most.
func (s *session) disconnect(code packets.Code) {
	s.conn.boundLastWrite()
	if s.client.Properties.ProtocolVersion == 5 {
		_ = s.b.server.DisconnectClient(s.client, code) // the error is the code itself
		return
	}
	s.client.Stop(code)
}

// revoke disconnects the device because its credentials are no longer valid. It does not block.
func (s *session) revoke() {
	if s.revoked.Swap(true) {
		return
	}
	s.b.refuse(refusedRevoked)
	s.b.abuse.report(sensors.TroubleRevoked, s.device, s.conn, fault.NewMessage(CodeAccessEnded))
	go s.disconnect(packets.ErrNotAuthorized)
}

// getAnswers returns an empty slice of answers, from the pool if it has one.
func (b *Broker) getAnswers() []answer {
	if p, ok := b.answers.Get().(*[]answer); ok {
		return (*p)[:0]
	}
	return make([]answer, 0, 16)
}

// putAnswers clears the answers and returns them to the pool. A slice of more than 1,024 answers is left to the garbage
// collector, so that one flood does not hold memory for ever.
func (b *Broker) putAnswers(a []answer) {
	clear(a)
	if cap(a) <= 1024 {
		b.answers.Put(&a)
	}
}

// getBuffer returns a buffer for the bytes of acknowledgements, from the pool if it has one.
func (b *Broker) getBuffer() *[]byte {
	if p, ok := b.buffers.Get().(*[]byte); ok {
		return p
	}
	return &[]byte{}
}

// putBuffer returns a buffer to the pool.
func (b *Broker) putBuffer(p *[]byte) { b.buffers.Put(p) }
