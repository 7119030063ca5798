package mqtt

import (
	"encoding/binary"
	"errors"

	"github.com/mochi-mqtt/server/v2/packets"
)

// The CONNACK return codes of version 3.1.1. Source: MQTT 3.1.1, table 3.1.
const (
	refusedVersion  = 1
	refusedClientID = 2
	refusedServer   = 3
	refusedLogin    = 5
)

// The flags of a CONNECT. Source: MQTT 5.0, 3.1.2.3.
const (
	flagReserved   = 1 << 0
	flagClean      = 1 << 1
	flagWill       = 1 << 2
	flagWillQoS    = 3 << 3
	flagWillRetain = 1 << 5
)

// hello decodes the CONNECT that was read ahead, and gives its length. The error is a packets.Code; the version
// that it has to be told in is that of the packet, 0 when not even that is known.
func (c *conn) hello() (pk packets.Packet, length int, err error) {
	pk = packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}}
	whole, err := connectLength(c.ahead)
	if err != nil || whole == 0 {
		return pk, 0, packets.ErrProtocolViolationRequireFirstConnect
	}
	start := 1
	for c.ahead[start] >= 0x80 {
		start++
	}
	body := append([]byte(nil), c.ahead[start+1:whole]...)
	pk.FixedHeader.Remaining = len(body)
	var code packets.Code
	if pk.ProtocolVersion, code = judgeConnect(body); code != packets.CodeSuccess {
		return pk, whole, code
	}
	if err := pk.ConnectDecode(body); err != nil {
		if !errors.As(err, &code) {
			code = packets.ErrMalformedPacket
		}
		return pk, whole, code
	}
	return pk, whole, nil
}

// judgeConnect judges what the engine's decoder does not see, or sees too late, and gives the protocol's version.
func judgeConnect(b []byte) (version byte, code packets.Code) {
	name, b, ok := cutBytes(b)
	if !ok || len(b) < 4 {
		return 0, packets.ErrMalformedPacket
	}
	version, flags := b[0], b[1]
	switch known := string(name) == "MQTT" || string(name) == "MQIsdp"; {
	case !known && version != 5:
		return 0, packets.ErrProtocolViolationProtocolName
	case string(name) == "MQTT" && (version == 4 || version == 5), string(name) == "MQIsdp" && version == 3:
	case known: // whatever it is, it began with these names when 3.1.1 did not know more
		return 4, packets.ErrUnsupportedProtocolVersion
	default:
		return 5, packets.ErrUnsupportedProtocolVersion
	}
	// A QoS of a will that is not there hurts nobody, and devices send it.
	if flags&flagReserved != 0 || flags&flagWillQoS == flagWillQoS || (flags&flagWill == 0 && flags&flagWillRetain != 0) {
		return version, packets.ErrMalformedFlags
	}
	if b = b[4:]; version == 5 {
		if b, code = cutProperties(packets.Connect, b); code != packets.CodeSuccess {
			return version, code
		}
	}
	id, b, ok := cutText(b)
	switch {
	case !ok, version < 5 && len(id) == 0 && flags&flagClean == 0:
		return version, packets.ErrClientIdentifierNotValid
	case version == 5 && flags&flagWill != 0:
		_, code = cutProperties(packets.WillProperties, b)
		return version, code
	}
	return version, packets.CodeSuccess
}

// turnAway answers a CONNECT that is refused, in the version of the device. Version 3.1.1 has no word for what is
// not MQTT: then the connection just ends.
func (c *conn) refuse(pk packets.Packet, code packets.Code) {
	var ack []byte
	switch pk.ProtocolVersion {
	case 0:
	case 5:
		ack = refusal5(code, pk.Properties.MaximumPacketSize)
	default:
		if old := refusal3(code); old != 0 {
			ack = []byte{packets.Connack << 4, 2, 0, old}
		}
	}
	if len(ack) > 0 {
		_, _ = c.Write(ack) // the connection ends either way
	}
}

// refusal3 is the return code of version 3.1.1; 0: it has none.
func refusal3(code packets.Code) byte {
	switch code.Code {
	case packets.ErrUnsupportedProtocolVersion.Code:
		return refusedVersion
	case packets.ErrClientIdentifierNotValid.Code:
		return refusedClientID
	case packets.ErrServerUnavailable.Code:
		return refusedServer
	case packets.ErrBadUsernameOrPassword.Code:
		return refusedLogin
	}
	return 0
}

// refusal5 is a CONNACK of version 5, with its reason in words when the device takes a packet so large.
func refusal5(code packets.Code, limit uint32) []byte {
	said := append([]byte{packets.PropReasonString}, binary.BigEndian.AppendUint16(nil, uint16(len(code.Reason)))...)
	said = append(said, code.Reason...)
	if limit > 0 && len(said)+5 > int(limit) {
		said = nil
	}
	return append([]byte{packets.Connack << 4, byte(3 + len(said)), 0, code.Code, byte(len(said))}, said...)
}
