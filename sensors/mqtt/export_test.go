package mqtt

import "github.com/mochi-mqtt/server/v2/packets"

// Command sends a device something on its cmd topic, with QoS 1.
func (b *Broker) Command(topic string, payload []byte) error {
	from := b.server.NewClient(nil, "", "test", true)
	return b.server.InjectPacket(from, packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, TopicName: topic, Payload: payload, PacketID: 1,
	})
}

// Sessions is how many sessions are kept, whether their devices are connected or not.
func (b *Broker) Sessions() int { return b.server.Clients.Len() }
