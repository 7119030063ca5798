package servertest

import (
	"strings"

	"onemap/sensors"
)

// Told is an ingest path with fixed statistics.
type Told struct{ Stats sensors.IngestStats }

// IngestStats implements sensorsapi.Ingest.
func (f Told) IngestStats() sensors.IngestStats { return f.Stats }

// Device returns a new device in 370602, with a different id for each account.
func Device(_ *World, account string) (any, []string) {
	return map[string]any{
		"id": "new-" + strings.NewReplacer(".", "-").Replace(account), "division": "370602", "name": map[string]string{"zh": "演示-新", "en": ""},
		"hazard_type": "flood", "lon": 121.4, "lat": 37.5,
		"datastreams": []any{map[string]any{"name": "level", "type": "level", "title": map[string]string{"zh": "", "en": ""}}},
	}, nil
}
