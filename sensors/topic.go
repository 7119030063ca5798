package sensors

import (
	"strings"

	"onemap/internal/fault"
)

// topicRoot is the version of the topic tree that devices publish under.
const topicRoot = "onemap/v1/"

// Topic is onemap/v1/{division}/{device}/{kind}.
func Topic(division, device, kind string) string {
	return topicRoot + division + "/" + device + "/" + kind
}

// ParseTopic splits onemap/v1/{division}/{device}/{kind} and checks each part. The error is of kind
// fault.Invalid and names the part.
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
	case !ValidDeviceID(device):
		return "", "", "", fault.InvalidCode("topic", CodeTopicDevice)
	case kind != KindObs && kind != KindStatus && kind != KindCmd:
		return "", "", "", fault.InvalidCode("topic", CodeTopicKind, KindObs, KindStatus, KindCmd)
	}
	return division, device, kind, nil
}

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

// ValidDeviceID reports whether id is 1 to 64 of [A-Za-z0-9_-].
func ValidDeviceID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
