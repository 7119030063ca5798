package remote

import (
	"bytes"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"pgregory.net/rapid"
)

// The acknowledgements have the same bytes as those of paho.
func TestAcknowledgementsArePahos(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var got []byte
		var want bytes.Buffer
		for _, id := range rapid.SliceOf(rapid.Uint16()).Draw(t, "ids") {
			s := &slot{id: id, qos: rapid.ByteRange(0, 2).Draw(t, "qos")}
			got = s.appendAck(got)
			var p packets.ControlPacket
			switch s.qos {
			case 0:
				continue
			case 1:
				ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
				ack.MessageID, p = id, ack
			case 2:
				ack := packets.NewControlPacket(packets.Pubrec).(*packets.PubrecPacket)
				ack.MessageID, p = id, ack
			}
			if err := p.Write(&want); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("wrote % x, want % x", got, want.Bytes())
		}
	})
}
