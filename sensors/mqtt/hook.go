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

// hook is where the broker's engine asks.
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

func sessionOf(cl *mochi.Client) *session {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return nil
	}
	return c.session.Load()
}

// OnACLCheck allows publishing to the device's own obs and status, and reading its own cmd. It is
// asked for filters and, before each delivery, for topics; a filter with a wildcard equals no topic.
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
			cl.Stop(packets.ErrNotAuthorized) // 3.1.1 knows no other answer, and no DISCONNECT from a server
		}
	}
	return allowed
}

// OnPacketRead ends connections that publish to $ topics: the engine would drop that without a word.
func (h *hook) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Type == packets.Publish && strings.HasPrefix(pk.TopicName, "$") {
		h.b.refuse(refusedPublish, slog.String("device", cl.ID), slog.String("topic", clip(pk.TopicName)))
		return pk, packets.ErrRejectPacket
	}
	return pk, nil
}

// OnPacketEncode tells a version 5 device how large a packet may be and what it cannot subscribe to, before it
// tries in vain. It makes each PUBCOMP a success: a publish is stored before its PUBREC, so what a device releases is
// complete, and the engine, which was not given the publish, would say that it does not know it.
func (h *hook) OnPacketEncode(_ *mochi.Client, pk packets.Packet) packets.Packet {
	switch pk.FixedHeader.Type {
	case packets.Connack:
		if pk.ReasonCode == packets.CodeSuccess.Code {
			p := &pk.Properties
			p.MaximumPacketSize = uint32(h.b.opts.maxPacket())
			p.WildcardSubAvailableFlag, p.SubIDAvailableFlag, p.SharedSubAvailableFlag = true, true, true // and not available
		}
	case packets.Pubcomp:
		pk.ReasonCode, pk.Properties = packets.CodeSuccess.Code, packets.Properties{}
	}
	return pk
}

// OnPublish hands a publish to the session and answers ErrRejectPacket, which keeps the engine from
// acknowledging: the session does so after the commit.
func (h *hook) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	s := sessionOf(cl)
	if s == nil { // the server's own
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

// retaining keeps the message, too: on status that means something, on readings it does not.
func (s *session) retaining(pk packets.Packet) func() {
	return func() {
		pk.Created = s.b.clock().Unix()
		s.b.server.Topics.RetainMessage(pk.Copy(false))
	}
}

// clip bounds what a stranger can write into the log.
func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 100)], "?") }
