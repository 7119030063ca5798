package httpx

import (
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// What this file states of a member of a body is part of the description only. The services check the values themselves and
// return errors with codes, which the pages can show in both languages; huma would report only that a value does not match.
// A place is a schema and a member, such as NewAccount.user.

// Pattern is what a text must be.
type Pattern struct {
	Regexp   string
	Min, Max int // length in characters; 0: no limit
}

// Range is the lowest and the highest number that is accepted.
type Range struct{ Min, Max float64 }

// The patterns that occur in several places.
const (
	DivisionPattern = `^(\d{2}|\d{4}|\d{6}|\d{9}|\d{12})$`
	DevicePattern   = `^[A-Za-z0-9_-]{1,64}$`
)

// Text states the pattern of a text.
func (s *Server) Text(place string, p Pattern) {
	s.texts[place] = p
	s.stated[place] = func(m *huma.Schema) {
		m.Pattern = p.Regexp
		if p.Min > 0 {
			m.MinLength = &p.Min
		}
		if p.Max > 0 {
			m.MaxLength = &p.Max
		}
	}
}

// Number states the range of a number.
func (s *Server) Number(place string, r Range) {
	s.stated[place] = func(m *huma.Schema) { m.Minimum, m.Maximum = &r.Min, &r.Max }
}

// OneOf states the closed set of words of a text, or of each text in a list.
func OneOf[T ~string](s *Server, place string, words ...T) {
	s.stated[place] = func(m *huma.Schema) {
		if m.Items == nil {
			m.Enum = Words(words...).Enum
			return
		}
		items := *m.Items
		items.Enum = Words(words...).Enum
		m.Items = &items
	}
}

// withStated runs fn while the schemas contain what is stated of their members, and restores the schemas afterwards, because
// huma validates bodies with the same schemas.
func (s *Server) withStated(components map[string]*huma.Schema, fn func() error) error {
	before := map[string]map[string]*huma.Schema{}
	for _, place := range slices.Sorted(maps.Keys(s.stated)) {
		schema, member, _ := strings.Cut(place, ".")
		c := components[schema]
		if before[schema] == nil {
			before[schema] = c.Properties
			c.Properties = maps.Clone(c.Properties)
		}
		described := *c.Properties[member]
		s.stated[place](&described)
		c.Properties[member] = &described
	}
	err := fn()
	for schema, properties := range before {
		components[schema].Properties = properties
	}
	return err
}

// Texts returns the patterns of texts by their places.
func (s *Server) Texts() map[string]Pattern { return s.texts }
