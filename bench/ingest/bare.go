package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/jackc/pgx/v5"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// bareOptions configures a bare hook or a bare loop.
type bareOptions struct {
	database string
	broker   string // host:port, for the loop
	values   int    // rows per publish
	latest   bool
}

// serveBare is the program that the server is compared with: mochi with a hook that decodes nothing. For each value it
// commits a row of one of the sender's datastreams, in turn. It acknowledges after the commit, in order, with one write for a
// batch. It runs until ctx ends.
func serveBare(ctx context.Context, o bareOptions, out io.Writer) error {
	conn, err := pgx.Connect(ctx, o.database)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // an error is ignored: the work is committed, or is not waited for
	streams, err := streamIDs(ctx, conn)
	if err != nil {
		return err
	}
	h := &bareHook{streams: streams, queue: newBareQueue(o.values)}
	caps := mochi.NewDefaultServerCapabilities()
	caps.MaximumClients = 20_000
	s := mochi.New(&mochi.Options{Capabilities: caps, Logger: slog.New(slog.DiscardHandler), SysTopicResendInterval: 24 * 3600})
	ln := listeners.NewTCP(listeners.Config{ID: "bare", Address: "127.0.0.1:0"})
	if err := errors.Join(s.AddHook(h, nil), s.AddListener(ln), s.Serve()); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	fmt.Fprintf(out, "the bare hook serves %s\n", ln.Address())
	return errors.Join(h.queue.run(ctx, newBareRows(conn, o.latest)), s.Close())
}

// bareHook is the hook of the bare server.
type bareHook struct {
	mochi.HookBase
	streams  map[string][]int64
	queue    *bareQueue
	sessions sync.Map // *mochi.Client → *bareSession
}

// ID implements mochi.Hook.
func (h *bareHook) ID() string { return "bare" }

// Provides implements mochi.Hook.
func (h *bareHook) Provides(b byte) bool {
	return bytes.IndexByte([]byte{mochi.OnConnectAuthenticate, mochi.OnACLCheck, mochi.OnPublish, mochi.OnDisconnect}, b) >= 0
}

// OnConnectAuthenticate implements mochi.Hook. It accepts devices whose datastreams are known.
func (h *bareHook) OnConnectAuthenticate(cl *mochi.Client, pk packets.Packet) bool {
	streams := h.streams[string(pk.Connect.Username)]
	h.sessions.Store(cl, &bareSession{client: cl, streams: streams})
	return len(streams) > 0
}

// OnACLCheck implements mochi.Hook.
func (h *bareHook) OnACLCheck(*mochi.Client, string, bool) bool { return true }

// OnDisconnect implements mochi.Hook.
func (h *bareHook) OnDisconnect(cl *mochi.Client, _ error, _ bool) { h.sessions.Delete(cl) }

// OnPublish implements mochi.Hook. It queues the publish and returns ErrRejectPacket, so that the engine does not acknowledge
// it.
func (h *bareHook) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	found, ok := h.sessions.Load(cl)
	if !ok {
		return pk, packets.ErrRejectPacket
	}
	s := found.(*bareSession)
	id := pk.PacketID
	h.queue.put(waiting{stream: s.next(), done: func() { s.queueAck(id) }})
	return pk, packets.ErrRejectPacket
}

// bareSession is one connection.
type bareSession struct {
	client  *mochi.Client
	streams []int64
	n       int // number of publishes

	mu      sync.Mutex
	out     []byte
	writing bool
}

// next returns the datastreams in turn, in the same order as the load publishes them. It is called only by the reader of the
// connection.
func (s *bareSession) next() int64 {
	s.n++
	return s.streams[(s.n-1)%len(s.streams)]
}

// queueAck queues a PUBACK. A goroutine writes while the queue is not empty.
func (s *bareSession) queueAck(id uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = append(s.out, packetPuback, 2, byte(id>>8), byte(id))
	if !s.writing {
		s.writing = true
		go s.write()
	}
}

// write sends all queued PUBACKs in one write, until none are left.
func (s *bareSession) write() {
	var mine []byte
	for {
		s.mu.Lock()
		mine, s.out = s.out, mine[:0]
		if len(mine) == 0 {
			s.writing = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		if _, err := s.client.Net.Conn.Write(mine); err != nil {
			s.client.Stop(err)
		}
	}
}
