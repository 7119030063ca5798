package mqttjson

import "testing"

func TestParseTopic(t *testing.T) {
	for topic, good := range map[string]bool{
		"onemap/v1/370602/dev-1/obs":    true,
		"onemap/v1/370602/dev-1/status": true,
		"onemap/v1/370602/dev-1/cmd":    true,
		"onemap/v1/370602/dev-1/other":  false,
		"onemap/v1/370602/dev-1/obs/":   false,
		"onemap/v1/370602/dev+1/obs":    false,
		"onemap/v1/3706/dev-1/obs":      false,
		"onemap/v1/37060x/dev-1/obs":    false,
		"onemap/v1/370602//obs":         false,
		"onemap/v2/370602/dev-1/obs":    false,
		"/onemap/v1/370602/dev-1/obs":   false,
		"":                              false,
	} {
		if _, _, _, err := ParseTopic(topic); (err == nil) != good {
			t.Errorf("%q: %v", topic, err)
		}
	}
}
