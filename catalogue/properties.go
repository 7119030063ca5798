package catalogue

import (
	"bytes"
	"encoding/json"
)

// Properties are the values of a feature's own fields, as JSON has them. No digit of a number is lost on the way through:
// a number is a float64 where that writes the same digits, and a json.Number otherwise, as for an account of 18 digits.
type Properties map[string]any

// UnmarshalJSON reads an object; null is nil.
func (p *Properties) UnmarshalJSON(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	// Without UseNumber the decoder would make every number a float64, which has 15 to 17 digits. Contract "numbers
	// keep their digits".
	d.UseNumber()
	var all map[string]any
	if err := d.Decode(&all); err != nil {
		return err
	}
	for name, v := range all {
		all[name] = exact(v)
	}
	*p = all
	return nil
}

// exact turns the numbers of a value by ExactNumber.
func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		return ExactNumber(v)
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = exact(v[name])
		}
	}
	return v
}

// ExactNumber is n as a float64 where JSON writes that with the same digits, else n itself.
func ExactNumber(n json.Number) any {
	f, err := n.Float64()
	if err != nil {
		return n
	}
	// The comparison is of texts: 1.0 stays a json.Number, because a float64 would be written as 1.
	if written, err := json.Marshal(f); err != nil || string(written) != n.String() {
		return n
	}
	return f
}
