package servertest

import (
	"strings"

	"onemap/sensors"
)

// Told is a way in that tells what it was given.
type Told struct{ Stats sensors.IngestStats }

// IngestStats returns what it was made with.
func (f Told) IngestStats() sensors.IngestStats { return f.Stats }

// Device is a new device in 370602, another one for each account.
func Device(_ *World, account string) (any, []string) {
	return map[string]any{
		"id": "new-" + strings.NewReplacer(".", "-").Replace(account), "division": "370602", "name": map[string]string{"zh": "演示-新", "en": ""},
		"hazard_type": "flood", "lon": 121.4, "lat": 37.5,
		"datastreams": []any{map[string]any{"name": "level", "type": "level", "title": map[string]string{"zh": "", "en": ""}}},
	}, nil
}
