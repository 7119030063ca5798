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

// decodeConnect decodes the CONNECT that was read ahead, and returns it with its length in bytes. The error is a packets.Code. The
// refusal must be sent in the protocol version of the returned packet, which is 0 if the version is not known.
func (c *conn) decodeConnect() (pk packets.Packet, length int, err error) {
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
	if pk.ProtocolVersion, code = checkConnect(body); code != packets.CodeSuccess {
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

// checkConnect checks what the engine's decoder does not check, or checks too late. It returns the protocol version.
func checkConnect(b []byte) (version byte, code packets.Code) {
	name, b, ok := cutBytes(b)
	if !ok || len(b) < 4 {
		return 0, packets.ErrMalformedPacket
	}
	version, flags := b[0], b[1]
	switch known := string(name) == "MQTT" || string(name) == "MQIsdp"; {
	// Without a known name the client may not understand a CONNACK, so none is sent (version 0).
	case !known && version != 5:
		return 0, packets.ErrProtocolViolationProtocolName
	case string(name) == "MQTT" && (version == 4 || version == 5), string(name) == "MQIsdp" && version == 3:
	case known: // an unknown version under a known name: it is answered as 3.1.1
		return 4, packets.ErrUnsupportedProtocolVersion
	default:
		return 5, packets.ErrUnsupportedProtocolVersion
	}
	// A will QoS without a will violates [MQTT-3.1.2-11] of MQTT 5.0. It is accepted: it does no harm, and some devices send it.
	// The reserved flag must be 0 ([MQTT-3.1.2-3]), will QoS 3 is malformed ([MQTT-3.1.2-12] in 5.0), and the will's
	// retain flag needs a will ([MQTT-3.1.2-13] in 5.0).
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
	// In 3.1.1 an empty client id needs Clean Session ([MQTT-3.1.3-8]); version 5 has no such rule.
	case !ok, version < 5 && len(id) == 0 && flags&flagClean == 0:
		return version, packets.ErrClientIdentifierNotValid
	case version == 5 && flags&flagWill != 0:
		_, code = cutProperties(packets.WillProperties, b)
		return version, code
	}
	return version, packets.CodeSuccess
}

// refuse answers a refused CONNECT in the protocol version of the device. If the packet is not MQTT, or version 3.1.1 has no
// return code for the reason, the connection ends without an answer.
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
		_, _ = c.Write(ack) // an error is ignored: the connection ends in both cases
	}
}

// refusal3 returns the CONNACK return code of version 3.1.1; it returns 0 if that version has none for the reason.
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

// refusal5 returns a CONNACK packet of version 5. It contains the reason string unless the packet would exceed limit, the
// maximum packet size of the device in bytes (0: no limit). Source: [MQTT-3.2.2-19].
func refusal5(code packets.Code, limit uint32) []byte {
	reason := append([]byte{packets.PropReasonString}, binary.BigEndian.AppendUint16(nil, uint16(len(code.Reason)))...)
	reason = append(reason, code.Reason...)
	if limit > 0 && len(reason)+5 > int(limit) {
		reason = nil
	}
	return append([]byte{packets.Connack << 4, byte(3 + len(reason)), 0, code.Code, byte(len(reason))}, reason...)
}
