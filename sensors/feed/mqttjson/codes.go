package mqttjson

import "onemap/internal/fault"

// The codes of topics.
const (
	// root is the beginning of each topic, with the version of the protocol: onemap/v1/.
	CodeTopicRoot     fault.Code = "topic-root: does not begin with {root}"
	CodeTopicParts    fault.Code = "topic-parts: has {n} parts below {root}, not the 3 of division/device/kind"
	CodeTopicDivision fault.Code = "topic-division: the division is not 6 digits"
	CodeTopicDevice   fault.Code = "topic-device: the device is not 1 to 64 of [A-Za-z0-9_-]"
	// one, two and three are the kinds obs, status and cmd.
	CodeTopicKind fault.Code = "topic-kind: ends in neither {one}, {two} nor {three}"
)
