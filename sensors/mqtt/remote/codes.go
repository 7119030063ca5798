package remote

import "onemap/internal/fault"

// The codes of the faults at an external broker.
const (
	CodePayloadLost   fault.Code = "payload-lost: the payload could not be kept; it is in the log"
	CodeTopicRead     fault.Code = "topic-read: is one that devices read"
	CodeExternalAway  fault.Code = "external-away: external broker: not connected"
	CodeExternalSlow  fault.Code = "external-slow: external broker: a publish waits long for its commit"
	CodeExternalCause fault.Code = "external-cause: the last connection, or the last try: {error}"
)
