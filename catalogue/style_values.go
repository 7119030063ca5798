package catalogue

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"onemap/internal/fault"
	"onemap/internal/text"
)

// maxStyleWord bounds a word of the sender in a fault, bytes.
const maxStyleWord = 64

// foundIn returns the token of a decoded JSON value's type; null is what is missing.
func foundIn(v any) fault.Token {
	switch v.(type) {
	case string:
		return fault.AString
	case json.Number:
		return fault.ANumber
	case bool:
		return fault.ABoolean
	case []any:
		return fault.AnArray
	case map[string]any:
		return fault.AnObject
	default:
		return fault.ANull
	}
}

// wordOf returns a value as the faults show it.
func wordOf(v any) string {
	// A text is shown as it is, every other value as JSON, and both are cut to maxStyleWord.
	raw, err := json.Marshal(v)
	if s, ok := v.(string); ok {
		raw, err = []byte(s), nil
	}
	if err != nil {
		return fmt.Sprint(v)
	}
	return text.Cut(string(raw), maxStyleWord)
}

// given returns fault.CodeRequired for a member that is missing or null.
func given(at string, v any) error {
	if v == nil {
		return fault.InvalidCode(at, fault.CodeRequired)
	}
	return nil
}

// onlyMembers refuses a member that is none of the names.
func onlyMembers(at string, m map[string]any, names ...string) error {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(names, name) {
			return fault.InvalidCode(at+"."+name, CodeStyleMember)
		}
	}
	return nil
}

// styleMembers returns the members of an object that has no others than the names.
func styleMembers(at string, v any, names ...string) (map[string]any, error) {
	if err := given(at, v); err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fault.InvalidCode(at, CodeStyleObject, foundIn(v))
	}
	return m, onlyMembers(at, m, names...)
}

// styleList returns the items of a list that has from to to of them.
func styleList(at string, v any, from, to int) ([]any, error) {
	if err := given(at, v); err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fault.InvalidCode(at, CodeStyleList, foundIn(v))
	}
	if n := len(list); n < from || n > to {
		return nil, fault.InvalidCode(at, CodeStyleCount, n, from, to)
	}
	return list, nil
}

// styleString returns a text; it returns fault.Invalid if the member is missing or is no text.
func styleString(at string, v any) (string, error) {
	if err := given(at, v); err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", fault.InvalidCode(at, CodeStyleString, foundIn(v))
	}
	return s, nil
}

// styleWord returns a word of a short list, which the fault names.
func styleWord[T ~string](at string, v any, list []T) (T, error) {
	word, err := styleString(at, v)
	if err != nil {
		return "", err
	}
	if !oneOf(word, list) {
		return "", fault.InvalidCode(at, CodeStyleWord, wordOf(word), join(list))
	}
	return T(word), nil
}

// checkStyleWord checks a word of a list that is too long for a fault.
func checkStyleWord[T ~string](at string, v any, list []T, code fault.Code) error {
	word, err := styleString(at, v)
	if err == nil && !oneOf(word, list) {
		return fault.InvalidCode(at, code, wordOf(word))
	}
	return err
}

// checkStyleNumber checks a number of 0 to to.
func checkStyleNumber(at string, v any, to float64) error {
	n, ok := v.(json.Number)
	if !ok {
		return fault.InvalidCode(at, CodeStyleNumber, foundIn(v))
	}
	f, err := n.Float64()
	if err != nil {
		return fault.InvalidCode(at, fault.CodeNotFinite)
	}
	if f < 0 || f > to {
		return fault.InvalidCode(at, fault.CodeOutOfRange, f, 0, to)
	}
	return nil
}
