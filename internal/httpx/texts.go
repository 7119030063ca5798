package httpx

import (
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Pattern is what a text must be, as the description says it. The services check it themselves, and refuse with sentences
// that the page has in both languages, where huma would say no more than that the text does not match.
type Pattern struct {
	Regexp   string
	Min, Max int // characters; 0: not said
}

// The shapes of texts that stand in several places.
const (
	DivisionPattern = `^(\d{2}|\d{4}|\d{6}|\d{9}|\d{12})$`
	DevicePattern   = `^[A-Za-z0-9_-]{1,64}$`
)

// Text says the pattern of a text in a body, by schema and member: NewAccount.user.
func (s *Server) Text(place string, p Pattern) { s.texts[place] = p }

// withTexts runs fn while the schemas say the patterns. huma checks bodies with these very schemas, so they are put
// back afterwards.
func (s *Server) withTexts(components map[string]*huma.Schema, fn func() error) error {
	before := map[string]map[string]*huma.Schema{}
	all := s.texts
	for _, place := range slices.Sorted(maps.Keys(all)) {
		schema, member, _ := strings.Cut(place, ".")
		c := components[schema]
		if before[schema] == nil {
			before[schema] = c.Properties
			c.Properties = maps.Clone(c.Properties)
		}
		said := *c.Properties[member]
		p := all[place]
		said.Pattern = p.Regexp
		if p.Min > 0 {
			said.MinLength = &p.Min
		}
		if p.Max > 0 {
			said.MaxLength = &p.Max
		}
		c.Properties[member] = &said
	}
	err := fn()
	for schema, properties := range before {
		components[schema].Properties = properties
	}
	return err
}

// Texts are the patterns of texts, by schema and member.
func (s *Server) Texts() map[string]Pattern { return s.texts }
