package mqtt

import (
	"crypto/subtle"
	"sync"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/internal/errs"
	"onemap/sensors"
)

// session is one authenticated connection.
type session struct {
	b        *Broker
	client   *mochi.Client
	device   string
	division string
	secret   []byte // SHA-256, as it was when the device authenticated
	obs      string
	status   string
	cmd      string
	will     *will

	window chan struct{} // a token for each publish that waits for its answer

	mu          sync.Mutex
	established bool // the device has its CONNACK
	dead        bool // a publish could not be stored: nothing after it is acknowledged
	answers     []answer
	writing     bool
}

// will is what is to be said when the device vanishes.
type will struct {
	online bool // hardly ever, but it is the device's to say
	retain bool
}

// payload is the will without its time: that is the time of the connection, and what counts is when
// the device vanished.
func (w *will) payload() []byte {
	if w.online {
		return []byte("online")
	}
	return []byte("offline")
}

// answer is what is owed for one publish.
type answer struct {
	packetID uint16
	qos      byte
	err      error
}

func newSession(b *Broker, cl *mochi.Client, known *sensors.Known) *session {
	topic := func(kind string) string { return sensors.Topic(known.Division, known.ID, kind) }
	return &session{
		b: b, client: cl, device: known.ID, division: known.Division, secret: known.SecretSHA256,
		obs: topic(sensors.KindObs), status: topic(sensors.KindStatus), cmd: topic(sensors.KindCmd),
		window: make(chan struct{}, b.opts.Window),
	}
}

// kind is the kind of one of the device's own topics, empty for any other.
func (s *session) kind(topic string) string {
	switch topic {
	case s.obs:
		return sensors.KindObs
	case s.status:
		return sensors.KindStatus
	}
	return ""
}

// valid reports whether what the session was let in by still holds.
func (s *session) valid() bool {
	known := s.b.registry.Device(s.device)
	return known != nil && known.Division == s.division && subtle.ConstantTimeCompare(known.SecretSHA256, s.secret) == 1
}

// owe queues an answer. It never blocks: a goroutine of the session writes while there is something
// to write, so a device that does not read holds up itself alone.
func (s *session) owe(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, a)
	if !s.writing {
		s.writing = true
		go s.write()
	}
}

// write answers in order until nothing is owed.
func (s *session) write() {
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
		for _, a := range batch {
			s.give(a)
			<-s.window
			s.b.pending.Done()
		}
	}
}

// give writes one PUBACK, or closes the connection for a publish that could not be stored.
func (s *session) give(a answer) {
	s.mu.Lock()
	dead := s.dead
	s.mu.Unlock()
	switch {
	case a.err != nil:
		s.b.metrics.unstored.Inc()
		s.fail(a.err)
	case a.qos == 1 && !dead:
		err := s.client.WritePacket(packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Puback},
			PacketID:    a.packetID,
			ReasonCode:  packets.CodeSuccess.Code,
		})
		if err != nil {
			s.client.Stop(err) // it will send again
		}
	}
}

// fail ends the connection because a publish was not stored: the one answer that makes a device of
// either version send again.
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
	case !errs.Is(err, errs.Unavailable):
		code = packets.ErrImplementationSpecificError
	}
	s.disconnect(code)
}

// disconnect closes the connection, with the reason where the version has one.
func (s *session) disconnect(code packets.Code) {
	if s.client.Properties.ProtocolVersion == 5 {
		_ = s.b.server.DisconnectClient(s.client, code) // gives the code back
		return
	}
	s.client.Stop(code)
}

// stopOld closes a 3.1.1 connection, before the engine does so with a DISCONNECT that 3.1.1 does not know.
func (s *session) stopOld(code packets.Code) {
	if s.client.Properties.ProtocolVersion < 5 {
		s.client.Stop(code)
	}
}

// liveMap is the newest session of each device.
type liveMap struct {
	mu sync.Mutex
	m  map[string]*session
}

// put makes s the device's session and gives the one that it replaces.
func (l *liveMap) put(s *session) (old *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old = l.m[s.device]
	l.m[s.device] = s
	return old
}

// drop takes s away and reports whether it was still the device's session.
func (l *liveMap) drop(s *session) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m[s.device] != s {
		return false
	}
	delete(l.m, s.device)
	return true
}

func (l *liveMap) has(device string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.m[device] != nil
}

func (l *liveMap) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.m)
}
