package mqtt

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"github.com/mochi-mqtt/server/v2/packets"
)

// The engine accepts properties that occur twice, that are zero where zero is not allowed, or that belong to another packet.
// This file checks the bytes before the engine reads them. Source: MQTT 5.0, 2.2.2.2 and the sections of the packets.

// propertyType is the encoding of a property's value. Source: MQTT 5.0, table 2-4.
type propertyType byte

// The types. The first three are in the order of their sizes, 1, 2 and 4 bytes: cutProperty computes the size from the
// order.
const (
	propByte propertyType = iota + 1
	propTwo
	propFour
	propVariable
	propText
	propBytes
	propPair
)

// propertyTypeOf returns the type of a property. It returns 0 if there is no such property.
func propertyTypeOf(id byte) propertyType {
	switch id {
	case packets.PropPayloadFormat, packets.PropRequestProblemInfo, packets.PropRequestResponseInfo, packets.PropMaximumQos,
		packets.PropRetainAvailable, packets.PropWildcardSubAvailable, packets.PropSubIDAvailable, packets.PropSharedSubAvailable:
		return propByte
	case packets.PropServerKeepAlive, packets.PropReceiveMaximum, packets.PropTopicAliasMaximum, packets.PropTopicAlias:
		return propTwo
	case packets.PropMessageExpiryInterval, packets.PropSessionExpiryInterval, packets.PropWillDelayInterval, packets.PropMaximumPacketSize:
		return propFour
	case packets.PropSubscriptionIdentifier:
		return propVariable
	case packets.PropContentType, packets.PropResponseTopic, packets.PropAssignedClientID, packets.PropAuthenticationMethod,
		packets.PropResponseInfo, packets.PropServerReference, packets.PropReasonString:
		return propText
	case packets.PropCorrelationData, packets.PropAuthenticationData:
		return propBytes
	case packets.PropUser:
		return propPair
	}
	return 0
}

// allowedProperties returns the properties that a client may send with a packet. User properties are always allowed and not listed.
func allowedProperties(kind byte) []byte {
	switch kind {
	case packets.Connect:
		return []byte{
			packets.PropSessionExpiryInterval, packets.PropReceiveMaximum, packets.PropMaximumPacketSize, packets.PropTopicAliasMaximum,
			packets.PropRequestResponseInfo, packets.PropRequestProblemInfo, packets.PropAuthenticationMethod, packets.PropAuthenticationData,
		}
	case packets.WillProperties:
		return []byte{
			packets.PropWillDelayInterval, packets.PropPayloadFormat, packets.PropMessageExpiryInterval, packets.PropContentType,
			packets.PropResponseTopic, packets.PropCorrelationData,
		}
	case packets.Publish:
		return []byte{
			packets.PropPayloadFormat, packets.PropMessageExpiryInterval, packets.PropTopicAlias, packets.PropResponseTopic,
			packets.PropCorrelationData, packets.PropSubscriptionIdentifier, packets.PropContentType,
		}
	case packets.Subscribe:
		return []byte{packets.PropSubscriptionIdentifier}
	case packets.Disconnect:
		return []byte{packets.PropSessionExpiryInterval, packets.PropReasonString}
	case packets.Puback, packets.Pubrec, packets.Pubrel, packets.Pubcomp:
		return []byte{packets.PropReasonString}
	}
	return nil
}

// property is one decoded property.
type property struct {
	id    byte
	value uint32 // if the type is a number
	text  []byte // if the type is propText
}

// cutProperty decodes the property at the beginning of b and returns the rest. ok is false if it is malformed.
func cutProperty(b []byte) (p property, rest []byte, ok bool) {
	if len(b) == 0 {
		return p, nil, false
	}
	p.id, b = b[0], b[1:]
	switch kind := propertyTypeOf(p.id); kind {
	case propByte, propTwo, propFour:
		size := 1 << (kind - propByte)
		if len(b) < size {
			return p, nil, false
		}
		for _, c := range b[:size] {
			p.value = p.value<<8 | uint32(c)
		}
		return p, b[size:], true
	case propVariable:
		p.value, rest, ok = cutVariable(b)
		return p, rest, ok
	case propText:
		p.text, rest, ok = cutText(b)
		return p, rest, ok
	case propBytes:
		_, rest, ok = cutBytes(b)
		return p, rest, ok
	case propPair:
		if _, b, ok = cutText(b); ok {
			_, rest, ok = cutText(b)
		}
		return p, rest, ok
	}
	return p, nil, false
}

// cutVariable decodes a variable byte integer of at most four bytes. Source: MQTT 5.0, 1.5.5.
func cutVariable(b []byte) (n uint32, rest []byte, ok bool) {
	for i := 0; i < len(b) && i < 4; i++ {
		n |= uint32(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return n, b[i+1:], true
		}
	}
	return 0, nil, false
}

// cutBytes decodes binary data with a length of two bytes. Source: MQTT 5.0, 1.5.6.
func cutBytes(b []byte) (value, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	size := int(binary.BigEndian.Uint16(b))
	if len(b) < 2+size {
		return nil, nil, false
	}
	return b[2 : 2+size], b[2+size:], true
}

// cutText decodes a UTF-8 string, which must not contain U+0000 ([MQTT-1.5.4-2]).
func cutText(b []byte) (value, rest []byte, ok bool) {
	value, rest, ok = cutBytes(b)
	return value, rest, ok && utf8.Valid(value) && bytes.IndexByte(value, 0) < 0
}

// cutProperties decodes and checks the property length and the properties of a packet or of its will. It returns the rest.
func cutProperties(kind byte, b []byte) (rest []byte, code packets.Code) {
	length, b, ok := cutVariable(b)
	if !ok || int(length) > len(b) {
		return nil, packets.ErrMalformedProperties
	}
	list, rest := b[:length], b[length:]
	var seen [256]bool
	for len(list) > 0 {
		var p property
		if p, list, ok = cutProperty(list); !ok {
			return nil, packets.ErrMalformedProperties
		}
		// A user property may occur more than once, and its content is not used (3.1.2.11.8 and 3.3.2.3.7).
		if p.id == packets.PropUser {
			continue
		}
		switch {
		case !slices.Contains(allowedProperties(kind), p.id):
			return nil, packets.ErrMalformedBadProperty
		case seen[p.id]:
			return nil, packets.Code{Code: packets.ErrProtocolViolation.Code, Reason: "protocol violation: a property that is there twice"}
		}
		seen[p.id] = true
		if code := p.check(kind); code != packets.CodeSuccess {
			return nil, code
		}
	}
	if seen[packets.PropAuthenticationData] && !seen[packets.PropAuthenticationMethod] {
		return nil, packets.Code{Code: packets.ErrProtocolViolation.Code, Reason: "protocol violation: authentication data without a method"}
	}
	if seen[packets.PropAuthenticationMethod] {
		return nil, packets.ErrBadAuthenticationMethod // no method is supported; devices use a secret or a certificate
	}
	return rest, packets.CodeSuccess
}

// check checks the value of a property. Sources: MQTT 5.0, 3.1.2.11.3 and 3.1.2.11.4 (zero), [MQTT-3.3.4-6] (subscription
// identifier), [MQTT-3.3.2-8] (topic alias), [MQTT-3.3.2-14] (response topic).
func (p property) check(kind byte) packets.Code {
	wrong := packets.Code{Code: packets.ErrProtocolViolation.Code, Reason: "protocol violation: value of a property"}
	switch p.id {
	case packets.PropReceiveMaximum, packets.PropMaximumPacketSize:
		if p.value == 0 {
			return wrong
		}
	case packets.PropSubscriptionIdentifier:
		if p.value == 0 || kind == packets.Publish {
			return wrong
		}
	case packets.PropTopicAlias:
		if p.value == 0 {
			return packets.ErrTopicAliasInvalid
		}
	case packets.PropPayloadFormat, packets.PropRequestProblemInfo, packets.PropRequestResponseInfo:
		if p.value > 1 {
			return wrong
		}
	case packets.PropResponseTopic:
		if len(p.text) == 0 || bytes.ContainsAny(p.text, "+#") {
			return wrong
		}
	}
	return packets.CodeSuccess
}

// checkPacket checks a packet that a device has sent after its CONNECT, by its first byte and its body, before the engine
// reads it.
func checkPacket(version, first byte, body []byte) packets.Code {
	kind := first >> 4
	switch kind {
	case packets.Publish, packets.Puback, packets.Pubrec, packets.Pubrel, packets.Pubcomp, packets.Subscribe, packets.Unsubscribe,
		packets.Pingreq, packets.Disconnect, packets.Connect:
	default: // packets of servers, reserved types, and AUTH, which needs a method in the CONNECT
		return packets.ErrProtocolViolation
	}
	if version != 5 {
		return packets.CodeSuccess
	}
	b, ok := body, true
	switch kind {
	case packets.Publish:
		qos := first >> 1 & 3
		if qos == 3 {
			return packets.ErrMalformedQos
		}
		if _, b, ok = cutText(b); ok && qos > 0 {
			b, ok = cutTwo(b)
		}
	case packets.Subscribe, packets.Unsubscribe:
		b, ok = cutTwo(b)
	case packets.Puback, packets.Pubrec, packets.Pubrel, packets.Pubcomp:
		if len(b) < 4 { // packet id, and perhaps a reason code: there are no properties
			return packets.CodeSuccess
		}
		b = b[3:]
	case packets.Disconnect:
		if len(b) < 2 {
			return packets.CodeSuccess
		}
		b = b[1:]
	default:
		return packets.CodeSuccess
	}
	if !ok {
		return packets.ErrMalformedPacket
	}
	_, code := cutProperties(kind, b)
	return code
}

// cutTwo skips two bytes, the packet id.
func cutTwo(b []byte) (rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, false
	}
	return b[2:], true
}
