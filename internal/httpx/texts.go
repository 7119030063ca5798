package httpx

import (
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Pattern is the pattern of a text in the description. The services check texts themselves and return errors with codes,
// which the pages can show in both languages. huma would only report that the text does not match.
type Pattern struct {
	Regexp   string
	Min, Max int // length in characters; 0: no limit
}

// The patterns that occur in several places.
const (
	DivisionPattern = `^(\d{2}|\d{4}|\d{6}|\d{9}|\d{12})$`
	DevicePattern   = `^[A-Za-z0-9_-]{1,64}$`
)

// Text sets the pattern of a text in a body. place is schema and member, such as NewAccount.user.
func (s *Server) Text(place string, p Pattern) { s.texts[place] = p }

// withTexts runs fn while the schemas contain the patterns, and restores the schemas afterwards, because huma validates
// bodies with the same schemas.
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
		described := *c.Properties[member]
		p := all[place]
		described.Pattern = p.Regexp
		if p.Min > 0 {
			described.MinLength = &p.Min
		}
		if p.Max > 0 {
			described.MaxLength = &p.Max
		}
		c.Properties[member] = &described
	}
	err := fn()
	for schema, properties := range before {
		components[schema].Properties = properties
	}
	return err
}

// Texts returns the patterns of texts, by schema and member.
func (s *Server) Texts() map[string]Pattern { return s.texts }
