package mqtt

import "github.com/mochi-mqtt/server/v2/packets"

// Command publishes to the cmd topic of a device, with QoS 1.
func (b *Broker) Command(topic string, payload []byte) error {
	from := b.server.NewClient(nil, "", "test", true)
	return b.server.InjectPacket(from, packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, TopicName: topic, Payload: payload, PacketID: 1,
	})
}

// Sessions returns the number of kept sessions, with or without a connection.
func (b *Broker) Sessions() int { return b.server.Clients.Len() }
