package mqttjson

import (
	"strings"

	"onemap/internal/fault"
	"onemap/sensors"
)

// topicRoot is the prefix of all topics, with the version of the protocol.
const topicRoot = "onemap/v1/"

// The kinds of topics, the last part of a topic.
const (
	KindObs    = "obs"    // readings, published by the device
	KindStatus = "status" // online or offline, published by the device and as its last will
	KindCmd    = "cmd"    // for later use; the device subscribes
)

// Topic returns onemap/v1/{division}/{device}/{kind}.
func Topic(division, device, kind string) string {
	return topicRoot + division + "/" + device + "/" + kind
}

// ParseTopic splits onemap/v1/{division}/{device}/{kind} and checks each part. It returns an error of kind fault.Invalid that
// names the wrong part.
func ParseTopic(topic string) (division, device, kind string, err error) {
	rest, ok := strings.CutPrefix(topic, topicRoot)
	if !ok {
		return "", "", "", fault.InvalidCode("topic", CodeTopicRoot, topicRoot)
	}
	parts := strings.Split(rest, "/")
	if len(parts) != 3 {
		return "", "", "", fault.InvalidCode("topic", CodeTopicParts, len(parts), topicRoot)
	}
	division, device, kind = parts[0], parts[1], parts[2]
	switch {
	case !validDivision(division):
		return "", "", "", fault.InvalidCode("topic", CodeTopicDivision)
	case !sensors.ValidDeviceID(device):
		return "", "", "", fault.InvalidCode("topic", CodeTopicDevice)
	case kind != KindObs && kind != KindStatus && kind != KindCmd:
		return "", "", "", fault.InvalidCode("topic", CodeTopicKind, KindObs, KindStatus, KindCmd)
	}
	return division, device, kind, nil
}

// validDivision reports whether code has the form of a county code of GB/T 2260: 6 digits.
func validDivision(code string) bool {
	if len(code) != 6 {
		return false
	}
	for i := range len(code) {
		if code[i] < '0' || code[i] > '9' {
			return false
		}
	}
	return true
}
