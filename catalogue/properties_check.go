package catalogue

import (
	"encoding/json"
	"strings"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/text"
)

// maxGrowth bounds by how many characters the numbers of a feature may grow when they are written without exponents, as
// jsonb writes them.
const maxGrowth = 64 << 10

// encodeProperties refuses what JSON or PostgreSQL's jsonb cannot say, and what is beyond the bounds of risk.
func encodeProperties(properties map[string]any) (json.RawMessage, error) {
	if properties == nil {
		return json.RawMessage("{}"), nil
	}
	if n := len(properties); n > MaxProperties {
		return nil, fault.InvalidField("properties", "has %d fields, more than %d", n, MaxProperties)
	}
	growth := 0
	for name, v := range properties {
		switch {
		case !text.Storable(name):
			return nil, notText("properties." + strings.ToValidUTF8(strings.ReplaceAll(name, "\x00", "␀"), "\uFFFD"))
		case len(name) > MaxPropertyName:
			return nil, fault.InvalidField("properties", "the name of the field %.40q… is longer than %d bytes", name, MaxPropertyName)
		}
		if err := checkValue(v, "properties."+name, 0, &growth); err != nil {
			return nil, err
		}
	}
	raw, err := json.Marshal(properties)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Invalid, Field: "properties", Msg: "cannot be written as JSON", Err: err}
	}
	return raw, checkSize(properties, len(raw))
}

// checkSize bounds each field and all fields, which take size bytes.
func checkSize(properties map[string]any, size int) error {
	// No field can be larger than all of them together, so in the usual case no field is encoded a second time.
	if size <= MaxPropertyBytes {
		return nil
	}
	for name, v := range properties {
		raw, err := json.Marshal(v)
		if err != nil {
			return &fault.Error{Kind: fault.Invalid, Field: "properties." + name, Msg: "cannot be written as JSON", Err: err}
		}
		if len(raw) > MaxPropertyBytes {
			return fault.InvalidField("properties."+name, "takes %d bytes as JSON, more than %d", len(raw), MaxPropertyBytes)
		}
	}
	if size > MaxPropertiesBytes {
		return fault.InvalidField("properties", "take %d bytes as JSON, more than %d", size, MaxPropertiesBytes)
	}
	return nil
}

// notText returns fault.Invalid for a text that PostgreSQL cannot store.
func notText(field string) error {
	return fault.InvalidField(field, "is not text: it has a NUL or is not UTF-8")
}

// checkValue refuses texts and numbers that jsonb cannot hold, and lists and objects that are too deep; at is the property
// that the value stands in, below depth of them. It adds to growth what the numbers grow by.
func checkValue(v any, at string, depth int, growth *int) error {
	switch v := v.(type) {
	case string:
		if !text.Storable(v) {
			return notText(at)
		}
	case json.Number:
		plain, ok := core.Plain(v.String())
		if !ok {
			return fault.InvalidField(at, "%.40s has more than the %d digits that a number may have", v.String(), core.MaxDigits)
		}
		if *growth += max(len(plain)-len(v), 0); *growth > maxGrowth {
			return fault.InvalidField(at, "the feature's numbers, written without exponents, take more than %d characters more", maxGrowth)
		}
	case map[string]any:
		if depth == MaxPropertyDepth {
			return tooDeep(at)
		}
		for name, inner := range v {
			if !text.Storable(name) {
				return notText(at)
			}
			if err := checkValue(inner, at, depth+1, growth); err != nil {
				return err
			}
		}
	case []any:
		if depth == MaxPropertyDepth {
			return tooDeep(at)
		}
		for _, inner := range v {
			if err := checkValue(inner, at, depth+1, growth); err != nil {
				return err
			}
		}
	}
	return nil
}

// tooDeep returns fault.Invalid for lists and objects that are nested too deep.
func tooDeep(at string) error {
	return fault.InvalidField(at, "has more than %d lists and objects inside each other", MaxPropertyDepth)
}
