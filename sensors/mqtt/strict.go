package mqtt

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"github.com/mochi-mqtt/server/v2/packets"
)

// The engine takes properties that come twice, that are zero where zero means nothing, or that belong to another
// packet. What follows looks at them first, on the bytes. Source: MQTT 5.0, 2.2.2.2 and the sections of the packets.

// propertyType is how a property's value is written.
type propertyType byte

const (
	propByte propertyType = iota + 1
	propTwo
	propFour
	propVariable
	propText
	propBytes
	propPair
)

// propertyTypeOf returns the type of a property; 0: there is no such property.
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

// mayHave lists the properties that a client may send with a packet, beside user properties.
func mayHave(kind byte) []byte {
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

// property is one property as it was sent.
type property struct {
	id    byte
	value uint32 // of a number
	text  []byte // of a text
}

// cutProperty takes one property from the front; ok is false when the bytes are none.
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

// cutVariable takes a variable byte integer, which has four bytes at most.
func cutVariable(b []byte) (n uint32, rest []byte, ok bool) {
	for i := 0; i < len(b) && i < 4; i++ {
		n |= uint32(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return n, b[i+1:], true
		}
	}
	return 0, nil, false
}

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

// cutText takes a UTF-8 string, in which no NUL may be.
func cutText(b []byte) (value, rest []byte, ok bool) {
	value, rest, ok = cutBytes(b)
	return value, rest, ok && utf8.Valid(value) && bytes.IndexByte(value, 0) < 0
}

// cutProperties takes the length and the properties of a packet, or of its will, and judges them.
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
		if p.id == packets.PropUser {
			continue
		}
		switch {
		case !slices.Contains(mayHave(kind), p.id):
			return nil, packets.ErrMalformedBadProperty
		case seen[p.id]:
			return nil, packets.Code{Code: packets.ErrProtocolViolation.Code, Reason: "protocol violation: a property that is there twice"}
		}
		seen[p.id] = true
		if code := p.judge(kind); code != packets.CodeSuccess {
			return nil, code
		}
	}
	if seen[packets.PropAuthenticationData] && !seen[packets.PropAuthenticationMethod] {
		return nil, packets.Code{Code: packets.ErrProtocolViolation.Code, Reason: "protocol violation: authentication data without a method"}
	}
	if seen[packets.PropAuthenticationMethod] {
		return nil, packets.ErrBadAuthenticationMethod // there is none but the secret and the certificate
	}
	return rest, packets.CodeSuccess
}

// judge looks at the value of a property.
func (p property) judge(kind byte) packets.Code {
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

// judgePacket judges a packet that a device has sent after its CONNECT, by its first byte and its body, before the
// engine reads it.
func judgePacket(version, first byte, body []byte) packets.Code {
	kind := first >> 4
	switch kind {
	case packets.Publish, packets.Puback, packets.Pubrec, packets.Pubrel, packets.Pubcomp, packets.Subscribe, packets.Unsubscribe,
		packets.Pingreq, packets.Disconnect, packets.Connect:
	default: // what only servers send, what is reserved, and AUTH, for which the CONNECT must have named a method
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
		if len(b) < 4 { // a reason code, and properties, may be left out
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

func cutTwo(b []byte) (rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, false
	}
	return b[2:], true
}
