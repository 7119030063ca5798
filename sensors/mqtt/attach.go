package mqtt

import (
	"errors"
	"net"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// connect accepts a device. It does the same as the engine's own attach function up to the CONNACK. The engine's function is
// not used, because it would then read in the same call, on a stack five times as large as reading needs. It would also keep a
// second goroutine for deliveries, although almost no device subscribes.
func (b *Broker) connect(kind string, c *conn) (*session, error) {
	cl := b.server.NewClient(c, kind, "", false)
	s, err := b.handshake(kind, cl, c)
	if err != nil {
		cl.Stop(err)
		return nil, err
	}
	return s, nil
}

// handshake decodes the CONNECT, authenticates the device and answers with the CONNACK. It returns the error that ended
// the connection; a refusal was sent to the device before that.
func (b *Broker) handshake(kind string, cl *mochi.Client, c *conn) (*session, error) {
	pk, length, err := c.decodeConnect()
	if err != nil {
		if code, ok := errors.AsType[packets.Code](err); ok {
			c.refuse(pk, code)
		}
		return nil, err
	}
	c.ahead = c.ahead[length:]
	cl.ParseConnect(kind, pk)
	s, err := b.acceptClient(cl, c, pk)
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Time{}) // from here on conn sets its own deadlines; an error means that it is closed, and reading reports that
	// The order matters: the session is registered before the CONNACK, so that a device that publishes after its
	// CONNACK is always found by Recheck.
	present, old := b.establish(s, pk)
	// [MQTT-3.1.4-3] in MQTT 5.0, [MQTT-3.1.4-2] in 3.1.1: the server disconnects the existing client.
	if old != nil {
		b.metrics.takeovers.Inc()
		old.disconnect(packets.ErrSessionTakenOver) // before the new connection gets its CONNACK
	}
	if err := b.server.SendConnack(cl, packets.CodeSuccess, present, nil); err != nil {
		b.forget(s)
		return nil, err
	}
	// Deliveries that the last session did not acknowledge are sent again ([MQTT-4.4.0-1]).
	if present {
		s.deliver()
		if err := cl.ResendInflightMessages(true); err != nil {
			b.forget(s)
			return nil, err
		}
	}
	s.mu.Lock()
	s.established = true // from now on its will is published when the connection is lost
	s.mu.Unlock()
	return s, nil
}

// establish makes s the session of the device. present reports whether s continues the state of the last session. old is the
// session that is still connected, or nil; its end will be recognized as a takeover.
func (b *Broker) establish(s *session, pk packets.Packet) (present bool, old *session) {
	b.attaching.Lock()
	defer b.attaching.Unlock()
	old = b.live.put(s)
	last, ok := b.server.Clients.Get(s.client.ID)
	// Clean Start discards the state of the last session ([MQTT-3.1.2-4] in 5.0). In 3.1.1 the state also ends with a
	// connection that had Clean Session (3.1.2.4). In 5.0 its expiry interval decides: the engine removes an expired
	// session from Clients.
	present = ok && !pk.Connect.Clean && (last.Properties.ProtocolVersion == 5 || !last.Properties.Clean)
	switch {
	case present:
		s.inherit(last)
	case ok:
		b.server.UnsubscribeClient(last)
		last.ClearInflights()
	}
	b.server.Clients.Add(s.client)
	b.recheck(s) // the device may have been revoked since it was looked up
	return present, old
}

// inherit moves the subscriptions and the pending deliveries from the device's last session to s. The engine finds
// subscribers by the device id, so no message is missed in the meantime.
func (s *session) inherit(last *mochi.Client) {
	s.client.State.Inflight = last.State.Inflight.Clone()
	s.client.State.Inflight.ResetReceiveQuota(int32(s.b.server.Options.Capabilities.ReceiveMaximum))
	s.client.State.Inflight.ResetSendQuota(int32(s.client.Properties.Props.ReceiveMaximum))
	last.ClearInflights()
	for filter, sub := range last.State.Subscriptions.GetAll() {
		s.client.State.Subscriptions.Add(filter, sub)
		last.State.Subscriptions.Delete(filter)
	}
}

// forget removes a session that must not outlive its connection, unless a newer session has taken over.
func (b *Broker) forget(s *session) {
	b.attaching.Lock()
	defer b.attaching.Unlock()
	if now, ok := b.server.Clients.Get(s.client.ID); !ok || now != s.client || outlives(s.client) {
		return
	}
	s.client.ClearInflights()
	b.server.UnsubscribeClient(s.client)
	b.server.Clients.Delete(s.client.ID)
}

// readLoop reads packets until the connection ends, and returns the cause; it returns nil if the device sent a DISCONNECT.
func (s *session) readLoop() (err error) {
	defer func() {
		s.client.Stop(err)
		s.b.forget(s)
	}()
	err = s.conn.packets(s)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() && s.conn.ctx.Err() == nil {
		s.keepAliveExpired()
	}
	return err
}

// deliver starts the goroutine that writes publishes to the device. It is called only when there is a subscription.
func (s *session) deliver() {
	if !s.delivers {
		s.delivers = true
		go s.client.WriteLoop()
	}
}

// engine passes one packet to the engine, which reads and processes it. whole is the length of the packet, 0 if the length is
// malformed; body is the offset of its body. If the connection ends, a device of version 5 gets the reason in a DISCONNECT.
// engine is a separate function, and not inlined, because processing a packet takes kilobytes of stack.
//
//go:noinline
func (s *session) engine(whole, body int) error {
	err := s.process(whole, body)
	var code packets.Code
	if !errors.As(err, &code) || s.client.Properties.ProtocolVersion < 5 || code.Code < packets.ErrUnspecifiedError.Code {
		return err
	}
	// The hook has refused the packet because of its topic. A device of version 5 gets "not authorized" (0x87).
	if refusedBefore(err) {
		code = packets.ErrNotAuthorized
	}
	s.disconnect(code)
	return err
}

// process handles one packet of whole bytes, whose body begins at byte body. The checks of lengths and of the protocol come
// first, on the raw bytes: the engine accepts some packets that the specification calls malformed. The engine then reads the
// same bytes from the connection.
func (s *session) process(whole, body int) error {
	if whole == 0 {
		return packets.ErrMalformedVariableByteInteger
	}
	if whole-body > s.b.opts.maxPacket() {
		return packets.ErrPacketTooLarge
	}
	if err := s.conn.gather(whole); err != nil {
		return err
	}
	first, sent, version := s.conn.ahead[0], s.conn.ahead[body:whole], s.client.Properties.ProtocolVersion
	if code := checkPacket(version, first, sent); code != packets.CodeSuccess {
		return code
	}
	if version == 5 && first>>4 == packets.Disconnect && len(sent) == 1 && sent[0] == packets.CodeDisconnectWillMessage.Code {
		return packets.CodeDisconnectWillMessage // the engine does not read a reason code without properties
	}
	s.conn.pass = whole
	var head packets.FixedHeader
	if err := s.client.ReadFixedHeader(&head); err != nil {
		return err
	}
	pk, err := s.client.ReadPacket(&head)
	if err != nil {
		return err
	}
	if pk.FixedHeader.Type == packets.Subscribe {
		s.deliver()
	}
	return s.b.server.InjectPacket(s.client, pk)
}
