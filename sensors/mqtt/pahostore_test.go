package mqtt_test

import (
	"bytes"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// pahoStore keeps the unacknowledged messages of a paho client. paho's own store in memory returns the packet that is being
// written, and its store in files panics if two goroutines delete one message. This one keeps bytes under a lock, for the
// length of the test.
type pahoStore struct {
	t  *testing.T
	mu sync.Mutex
	m  map[string][]byte
}

func newPahoStore(t *testing.T) *pahoStore { return &pahoStore{t: t, m: map[string][]byte{}} }

// Open implements paho.Store.
func (s *pahoStore) Open() {}

// Close implements paho.Store.
func (s *pahoStore) Close() {}

// Put implements paho.Store.
func (s *pahoStore) Put(key string, message packets.ControlPacket) {
	var b bytes.Buffer
	if err := message.Write(&b); err != nil {
		s.t.Errorf("keep a packet: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m[key] = b.Bytes()
}

// Get implements paho.Store.
func (s *pahoStore) Get(key string) packets.ControlPacket {
	s.mu.Lock()
	b, ok := s.m[key]
	s.mu.Unlock()
	if !ok {
		return nil
	}
	pk, err := packets.ReadPacket(bytes.NewReader(b))
	if err != nil {
		s.t.Errorf("read a packet that was kept: %v", err)
	}
	return pk
}

// All implements paho.Store.
func (s *pahoStore) All() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.m))
}

// Del implements paho.Store.
func (s *pahoStore) Del(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, key)
}

// Reset implements paho.Store.
func (s *pahoStore) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.m)
}
