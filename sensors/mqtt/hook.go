package mqtt

import (
	"log/slog"
	"strings"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
)

// hook implements the callbacks of the engine, mochi.Hook.
type hook struct {
	mochi.HookBase
	b *Broker
}

// ID implements mochi.Hook.
func (h *hook) ID() string { return "onemap" }

// Provides implements mochi.Hook.
func (h *hook) Provides(b byte) bool {
	switch b {
	case mochi.OnACLCheck, mochi.OnPacketRead, mochi.OnPublish, mochi.OnPacketEncode:
		return true
	}
	return false
}

// sessionOf returns the session of a client of the engine. It returns nil for the engine's own client, which has no
// connection.
func sessionOf(cl *mochi.Client) *session {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return nil
	}
	return c.session.Load()
}

// OnACLCheck implements mochi.Hook. A device may publish to its own obs and status topics and subscribe to its own cmd topic.
// The engine calls it with the filter of a subscription and, before each delivery, with the topic. Filters are compared as
// text, so a filter with wildcards is never allowed.
func (h *hook) OnACLCheck(cl *mochi.Client, topic string, write bool) bool {
	s := sessionOf(cl)
	if s == nil {
		return false
	}
	allowed, reason, did := topic == s.cmd, refusedSubscribe, CodeSubscribeForeign
	if write {
		own, _ := s.own(topic)
		allowed, reason, did = own != "", refusedPublish, CodePublishForeign
	}
	if !allowed {
		topic = clip(topic)
		h.b.refuse(reason, slog.String("device", s.device), slog.String("topic", topic))
		h.b.abuse.report(sensors.TroubleTopic, s.device, s.conn, fault.NewMessage(did, topic))
		if write && cl.Properties.ProtocolVersion < 5 {
			cl.Stop(packets.ErrNotAuthorized) // 3.1.1 can only close the connection or acknowledge, [MQTT-3.3.5-2]
		}
	}
	return allowed
}

// OnPacketRead implements mochi.Hook. It ends connections that publish to $ topics. The engine would drop such a publish
// without an answer.
func (h *hook) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Type == packets.Publish && strings.HasPrefix(pk.TopicName, "$") {
		h.b.refuse(refusedPublish, slog.String("device", cl.ID), slog.String("topic", clip(pk.TopicName)))
		return pk, packets.ErrRejectPacket
	}
	return pk, nil
}

// OnPacketEncode implements mochi.Hook. In the CONNACK it announces the largest packet and the subscriptions that are not
// available, so that a device of version 5 does not try them. It also makes each PUBCOMP a success. A publish is stored
// before its PUBREC, so a released publish is complete. The engine never received the publish and would answer "packet
// identifier not found".
func (h *hook) OnPacketEncode(_ *mochi.Client, pk packets.Packet) packets.Packet {
	switch pk.FixedHeader.Type {
	case packets.Connack:
		if pk.ReasonCode == packets.CodeSuccess.Code {
			p := &pk.Properties
			p.MaximumPacketSize = uint32(h.b.opts.maxPacket())
			p.WildcardSubAvailableFlag, p.SubIDAvailableFlag, p.SharedSubAvailableFlag = true, true, true // "flag present"; the values stay 0: not available
		}
	case packets.Pubcomp:
		pk.ReasonCode, pk.Properties = packets.CodeSuccess.Code, packets.Properties{}
	}
	return pk
}

// OnPublish implements mochi.Hook. It passes a publish to the session and returns ErrRejectPacket, so that the engine does
// not acknowledge it. The session acknowledges it after the commit.
func (h *hook) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	s := sessionOf(cl)
	if s == nil { // published by the server itself
		return pk, nil
	}
	topic, kind := s.own(pk.TopicName)
	var stored func()
	if kind == mqttjson.KindStatus {
		s.checkStatus(pk.Payload)
	}
	if pk.FixedHeader.Retain && kind == mqttjson.KindStatus {
		stored = s.retaining(pk)
	}
	s.publish(s.message(topic, kind, pk.Payload, pk.FixedHeader.Dup), answer{packetID: pk.PacketID, qos: pk.FixedHeader.Qos}, stored)
	return pk, packets.ErrRejectPacket
}

// retaining returns a function that retains the message. It is called after the commit. Only a retained status has a use; the
// retain flag of readings is ignored.
func (s *session) retaining(pk packets.Packet) func() {
	return func() {
		pk.Created = s.b.clock().Unix()
		s.b.server.Topics.RetainMessage(pk.Copy(false))
	}
}

// clip limits the text from a client that may be written to the log, to 100 bytes.
func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 100)], "?") }
