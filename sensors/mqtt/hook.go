package mqtt

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"strings"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/internal/errs"
	"onemap/sensors"
)

// hook is where the broker's engine asks.
type hook struct {
	mochi.HookBase
	b *Broker
}

// ID is mochi.Hook's.
func (h *hook) ID() string { return "onemap" }

// Provides is mochi.Hook's.
func (h *hook) Provides(b byte) bool {
	return bytes.IndexByte([]byte{
		mochi.OnConnect, mochi.OnConnectAuthenticate, mochi.OnSessionEstablish, mochi.OnSessionEstablished,
		mochi.OnACLCheck, mochi.OnPacketRead, mochi.OnPublish, mochi.OnPacketEncode,
	}, b) >= 0
}

func (h *hook) session(cl *mochi.Client) *session {
	s, ok := h.b.sessions.Load(cl.Net.Conn)
	if !ok {
		return nil
	}
	return s.(*session)
}

// OnConnect authenticates and checks the will; both before anything else may happen. It answers a
// refusal itself, since the engine knows one reason only.
func (h *hook) OnConnect(cl *mochi.Client, pk packets.Packet) error {
	s, reason, code := h.admit(cl, pk)
	if reason != "" {
		h.b.refuse(reason, slog.String("device", string(clip(pk.Connect.Username))), slog.String("remote", cl.Net.Remote),
			slog.String("will_topic", string(clip([]byte(pk.Connect.WillTopic)))))
		if cl.Properties.ProtocolVersion < 5 && code == packets.ErrNotAuthorized {
			code = packets.ErrBadUsernameOrPassword // the engine makes 3.1.1's "not authorized" of it
		}
		_ = h.b.server.SendConnack(cl, code, false, nil) // the connection ends either way
		return code
	}
	// One session a device, whatever client id it uses: ids are not secret, and a session that
	// could be taken over by its id could be taken over by another device.
	cl.ID = s.device
	if cl.Properties.Props.AssignedClientID != "" {
		cl.Properties.Props.AssignedClientID = s.device
	}
	cl.Properties.Will = mochi.Will{} // the broker keeps it: see Broker.ended
	h.b.sessions.Store(cl.Net.Conn, s)
	h.b.metrics.connects.Inc()
	return nil
}

// admit gives the session, or the reason and the code of a refusal.
func (h *hook) admit(cl *mochi.Client, pk packets.Packet) (*session, string, packets.Code) {
	if h.b.isStopping() {
		return nil, refusedUnavailable, packets.ErrServerUnavailable
	}
	if !pk.Connect.UsernameFlag || len(pk.Connect.Username) == 0 {
		return nil, refusedAnonymous, packets.ErrBadUsernameOrPassword
	}
	known, err := h.b.registry.Authenticate(context.Background(), sensors.Credentials{ID: string(pk.Connect.Username), Secret: string(pk.Connect.Password)})
	switch {
	case errs.Is(err, errs.Unavailable):
		return nil, refusedUnavailable, packets.ErrServerUnavailable
	case errs.Is(err, errs.Unauthenticated):
		return nil, refusedCredentials, packets.ErrBadUsernameOrPassword
	case err != nil:
		h.b.log.ErrorContext(context.Background(), "a device could not be looked up", "error", err)
		return nil, refusedUnavailable, packets.ErrServerUnavailable
	}
	s := newSession(h.b, cl, known)
	if pk.Connect.WillFlag {
		last, faults := sensors.DecodeStatus(pk.Connect.WillPayload, h.b.clock(), known.ID, sensors.TimeLimits{})
		if pk.Connect.WillTopic != s.status || faults.Len() > 0 {
			return nil, refusedWill, packets.ErrNotAuthorized
		}
		s.will = &will{online: last.Online, retain: pk.Connect.WillRetain}
	}
	return s, "", packets.CodeSuccess
}

// OnConnectAuthenticate lets in what OnConnect has admitted.
func (h *hook) OnConnectAuthenticate(cl *mochi.Client, _ packets.Packet) bool {
	return h.session(cl) != nil
}

// OnSessionEstablish is called before a session of the same device is closed, so that its end is
// known to be a takeover.
func (h *hook) OnSessionEstablish(cl *mochi.Client, _ packets.Packet) {
	s := h.session(cl)
	if s == nil {
		return
	}
	if old := h.b.live.put(s); old != nil {
		h.b.metrics.takeovers.Inc()
		old.stopOld(packets.ErrSessionTakenOver)
	}
}

// OnSessionEstablished is called when the device has its CONNACK: from now on its will holds.
func (h *hook) OnSessionEstablished(cl *mochi.Client, _ packets.Packet) {
	if s := h.session(cl); s != nil {
		s.mu.Lock()
		s.established = true
		s.mu.Unlock()
	}
}

// OnACLCheck allows publishing to the device's own obs and status, and reading its own cmd. It is
// asked for filters and, before each delivery, for topics; a filter with a wildcard equals no topic.
func (h *hook) OnACLCheck(cl *mochi.Client, topic string, write bool) bool {
	s := h.session(cl)
	if s == nil {
		return false
	}
	allowed, reason := topic == s.cmd, refusedSubscribe
	if write {
		allowed, reason = s.kind(topic) != "", refusedPublish
	}
	if !allowed {
		h.b.refuse(reason, slog.String("device", s.device), slog.String("topic", string(clip([]byte(topic)))))
		if write && cl.Properties.ProtocolVersion < 5 {
			cl.Stop(packets.ErrNotAuthorized) // 3.1.1 knows no other answer, and no DISCONNECT from a server
		}
	}
	return allowed
}

// OnPacketRead ends connections that publish to $ topics: the engine would drop that without a word.
func (h *hook) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Type == packets.Publish && strings.HasPrefix(pk.TopicName, "$") {
		h.b.refuse(refusedPublish, slog.String("device", cl.ID), slog.String("topic", string(clip([]byte(pk.TopicName)))))
		return pk, packets.ErrRejectPacket
	}
	return pk, nil
}

// OnPacketEncode tells a version 5 device how large a packet may be, before it sends one in vain.
func (h *hook) OnPacketEncode(_ *mochi.Client, pk packets.Packet) packets.Packet {
	if pk.FixedHeader.Type == packets.Connack && pk.ReasonCode == packets.CodeSuccess.Code {
		pk.Properties.MaximumPacketSize = uint32(h.b.opts.maxPacket())
	}
	return pk
}

// OnPublish hands a publish to the ingest path. For QoS 0 and 1 it answers ErrRejectPacket, which
// keeps the engine from acknowledging: the session does so after the commit. A full window blocks
// here, and with it the reading of this one connection.
func (h *hook) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	s := h.session(cl)
	if s == nil {
		return pk, packets.ErrRejectPacket
	}
	h.b.metrics.published.WithLabelValues(strconv.Itoa(int(pk.FixedHeader.Qos))).Inc()
	if !s.valid() {
		h.b.refuse(refusedRevoked, slog.String("device", s.device))
		s.disconnect(packets.ErrNotAuthorized)
		return pk, packets.ErrRejectPacket
	}
	if !h.b.begin() {
		s.fail(errs.New(errs.Unavailable, "the server is stopping"))
		return pk, packets.ErrRejectPacket
	}
	s.window <- struct{}{}
	if pk.FixedHeader.Qos == 2 {
		return h.publishNow(s, pk)
	}
	id, qos := pk.PacketID, pk.FixedHeader.Qos
	err := h.b.receiver.Accept(h.b.envelope(s, pk), func(err error) {
		if err == nil {
			h.b.retain(s, pk)
		}
		s.owe(answer{packetID: id, qos: qos, err: err})
	})
	if err != nil {
		h.b.refuse(refusedUnavailable, slog.String("device", s.device), slog.Any("error", err))
		s.owe(answer{packetID: id, qos: qos, err: err})
	}
	return pk, packets.ErrRejectPacket
}

// publishNow waits for the commit, so that the engine's PUBREC comes after it.
func (h *hook) publishNow(s *session, pk packets.Packet) (packets.Packet, error) {
	defer h.b.pending.Done()
	defer func() { <-s.window }()
	result := make(chan error, 1)
	err := h.b.receiver.Accept(h.b.envelope(s, pk), func(err error) { result <- err })
	if err == nil {
		err = <-result
	} else {
		h.b.refuse(refusedUnavailable, slog.String("device", s.device), slog.Any("error", err))
	}
	if err != nil {
		h.b.metrics.unstored.Inc()
		s.fail(err)
		return pk, packets.ErrRejectPacket
	}
	h.b.retain(s, pk)
	pk.FixedHeader.Retain = false
	pk.Ignore = true // routed to nobody
	return pk, nil
}

func (b *Broker) envelope(s *session, pk packets.Packet) sensors.Envelope {
	return sensors.Envelope{
		Topic: pk.TopicName, Division: s.division, Device: s.device, Kind: s.kind(pk.TopicName),
		Payload: pk.Payload, QoS: pk.FixedHeader.Qos, Received: b.clock(),
	}
}

// retain honours the retained flag on status; on readings it means nothing here.
func (b *Broker) retain(s *session, pk packets.Packet) {
	if pk.FixedHeader.Retain && pk.TopicName == s.status {
		pk.Created = b.clock().Unix()
		b.server.Topics.RetainMessage(pk.Copy(false))
	}
}

// ended is called once for each connection, authenticated or not, with what ended it.
func (b *Broker) ended(conn net.Conn, err error) {
	found, ok := b.sessions.LoadAndDelete(conn)
	if !ok {
		b.strangerEnded(conn, err)
		return
	}
	s := found.(*session)
	newest := b.live.drop(s)
	cause := s.client.StopCause()
	if cause == nil {
		cause = err
	}
	if errors.Is(err, packets.ErrPacketTooLarge) {
		b.refuse(refusedTooLarge, slog.String("device", s.device))
		b.presence.quarantineOversize(s)
	} else if code := (packets.Code{}); errors.As(err, &code) && code.Code >= packets.ErrUnspecifiedError.Code && !errors.Is(err, packets.ErrRejectPacket) {
		b.refuse(refusedProtocol, slog.String("device", s.device), slog.Any("error", err))
	}
	s.mu.Lock()
	established := s.established
	s.mu.Unlock()
	graceful := errors.Is(cause, packets.CodeDisconnect)
	if s.will == nil || graceful || !newest || !established || b.isStopping() {
		return
	}
	b.metrics.wills.Inc()
	b.presence.announce(sensors.Envelope{
		Topic: s.status, Division: s.division, Device: s.device, Kind: sensors.KindStatus,
		Payload: s.will.payload(), QoS: 1, Received: b.clock(),
	}, s.will.retain)
}

// strangerEnded counts connections that never authenticated. Refused credentials were counted then.
func (b *Broker) strangerEnded(conn net.Conn, err error) {
	var code packets.Code
	remote := slog.String("remote", conn.RemoteAddr().String())
	var timeout net.Error
	switch {
	case err == nil, errors.Is(err, packets.ErrBadUsernameOrPassword), errors.Is(err, packets.ErrNotAuthorized), errors.Is(err, packets.ErrServerUnavailable):
	case errors.As(err, &timeout) && timeout.Timeout():
		b.refuse(refusedHandshake, remote)
	case errors.As(err, &code):
		b.refuse(refusedProtocol, remote, slog.Any("error", err))
	}
}

// clip bounds what a stranger can write into the log.
func clip(b []byte) []byte { return b[:min(len(b), 100)] }
