package mqtt

import "onemap/internal/fault"

// The codes of the faults and troubles at the embedded broker.
const (
	CodePacketUnread     fault.Code = "packet-unread: a packet larger than {limit} bytes; it was not read, so its topic, size and content are not known"
	CodeConnectedOften   fault.Code = "connected-often: connected {n} times within a minute"
	CodeLoginWrong       fault.Code = "login-wrong: unknown device, or wrong secret or certificate; user name {user}"
	CodeLoginMissing     fault.Code = "login-missing: no user name and no certificate"
	CodeCertificateDates fault.Code = "certificate-dates: the client certificate is out of date: valid from {from} to {to}"
	CodeWillForeign      fault.Code = "will-foreign: its last will is on {topic}, which is not its status: it is let in, and the will is not spoken"
	CodeWillOfOther      fault.Code = "will-of-other: its last will is on {topic}, which is of another device: it is let in, and the will is not spoken"
	CodeWillUnread       fault.Code = "will-unread: its last will says neither online nor offline: it is let in, and the will is not spoken; it says {said}"
	CodeStatusUnread     fault.Code = "status-unread: its status says neither online nor offline; it says {said}"
	CodeKeepAliveLong    fault.Code = "keep-alive-long: asks for a keep-alive of {asked} s, above the limit of {limit} s, of which version 3.1.1 cannot be told: its connection ends only after one and a half times what it asks for"
	CodeKeepAliveNone    fault.Code = "keep-alive-none: asked for no keep-alive and said nothing for {seconds} s: its connection was ended"
	CodePacketTooLarge   fault.Code = "packet-too-large: a packet larger than {limit} bytes"
	CodeHelloPushedOut   fault.Code = "hello-pushed-out: did not say who it is, and others needed its room"
	CodeHelloLate        fault.Code = "hello-late: did not say who it is in time"
	CodeAcksUnread       fault.Code = "acks-unread: does not read its acknowledgements"
	CodeAcksPutOut       fault.Code = "acks-put-out: did not read its acknowledgements and was put out"
	CodeAccessEnded      fault.Code = "access-ended: was connected when it was disabled, or its credentials or division were changed"
	CodeSendsTooFast     fault.Code = "sends-too-fast: sends faster than readings are stored; reading from it pauses"
	CodeOverQuota        fault.Code = "over-quota: sends more than {limit} readings a minute; reading from it pauses"
	CodePublishForeign   fault.Code = "publish-foreign: publishes to {topic}"
	CodeSubscribeForeign fault.Code = "subscribe-foreign: subscribes to {topic}"
	CodeListenerClosed   fault.Code = "listener-closed: no longer accepts connections on {listener}"
	CodeCertificateOver  fault.Code = "certificate-over: the certificate for devices has expired on {date}"
	CodeCertificateStays fault.Code = "certificate-stays: the certificate for devices could not be read anew: {error}; the last one stays, until {date}"
)
