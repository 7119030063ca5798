package api

import (
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"onemap/alerts"
	"onemap/auth"
)

// pattern is what a text must be, as the description says it. The services check it themselves, and refuse with sentences
// that the page has in both languages, where huma would say no more than that the text does not match.
type pattern struct {
	regexp   string
	min, max int // characters; 0: not said
}

// The shapes of texts that stand in several places.
const (
	divisionPattern = `^(\d{2}|\d{4}|\d{6}|\d{9}|\d{12})$`
	devicePattern   = `^[A-Za-z0-9_-]{1,64}$`
)

// patterns are the texts that bodies hold, by schema and member.
func patterns() map[string]pattern {
	division, name := pattern{regexp: divisionPattern}, pattern{min: 1, max: auth.MaxName}
	return map[string]pattern{
		"NewAccount.user":               {regexp: `^[a-z0-9._-]{2,64}$`},
		"NewAccount.name":               name,
		"NewAccount.division":           division,
		"NewAccount.password":           {min: auth.MinPassword},
		"AccountChange.name":            name,
		"AccountChange.division":        division,
		"AccountChange.password":        {min: auth.MinPassword},
		"NewDisplay.name":               name,
		"NewDisplay.division":           division,
		"NewDevice.id":                  {regexp: devicePattern},
		"NewDevice.division":            {regexp: `^(\d{6}|\d{9}|\d{12})$`},
		"NewDevice.hazard_type":         {min: 1},
		"NewDatastream.name":            {regexp: `^[A-Za-z0-9_.-]{1,64}$`},
		"NewDatastream.type":            {min: 1},
		"NewSilence.device_id":          {regexp: devicePattern},
		"NewSilence.division":           division,
		"NewSilence.reason":             {min: 1, max: alerts.MaxReason},
		"RuleInput.datastream_type":     {min: 1},
		"AlertStep.note":                {max: alerts.MaxNote},
		"BulkStep.note":                 {max: alerts.MaxNote},
		"NewFeatureProperties.division": division,
		"NewCertificate.sha256":         {regexp: `^([0-9A-Fa-f]{2}:?){32}$`},
	}
}

// withPatterns runs fn while the schemas say the patterns. huma checks bodies with these very schemas, so they are put
// back afterwards.
func withPatterns(components map[string]*huma.Schema, fn func() error) error {
	before := map[string]map[string]*huma.Schema{}
	all := patterns()
	for _, place := range slices.Sorted(maps.Keys(all)) {
		schema, member, _ := strings.Cut(place, ".")
		s := components[schema]
		if before[schema] == nil {
			before[schema] = s.Properties
			s.Properties = maps.Clone(s.Properties)
		}
		said := *s.Properties[member]
		p := all[place]
		said.Pattern = p.regexp
		if p.min > 0 {
			said.MinLength = &p.min
		}
		if p.max > 0 {
			said.MaxLength = &p.max
		}
		s.Properties[member] = &said
	}
	err := fn()
	for schema, properties := range before {
		components[schema].Properties = properties
	}
	return err
}
