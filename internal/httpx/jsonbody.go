package httpx

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// bodyFormat is JSON as huma decodes it, but that a refusal names the member, and that text can be stored: PostgreSQL
// has no U+0000.
func bodyFormat() huma.Format {
	f := huma.DefaultJSONFormat
	f.Unmarshal = decodeBody
	return f
}

// bodyMark begins the message of a bodyError; huma hands on nothing but the message.
const bodyMark = "body."

// bodyError is what is wrong with a member of a body.
type bodyError struct{ member, detail string }

// Error is read by memberOf.
func (e bodyError) Error() string { return bodyMark + e.member + ": " + e.detail }

// memberOf takes the message of a bodyError apart.
func memberOf(message string) (member, detail string, ok bool) {
	rest, ok := strings.CutPrefix(message, bodyMark)
	if !ok {
		return "", "", false
	}
	member, detail, ok = strings.Cut(rest, ": ")
	return member, detail, ok
}

// decodeBody decodes a body. huma decodes each twice: into an any, which it validates, and into the operation's type.
func decodeBody(raw []byte, v any) error {
	doc, validated := v.(*any)
	if err := json.Unmarshal(raw, v); err != nil {
		wrong, typed := errors.AsType[*json.UnmarshalTypeError](err)
		switch {
		case typed && validated: // 1e400, which no float64 holds; the operation's type says what it takes
		case typed && wrong.Field != "":
			return bodyError{wrong.Field, misfit(wrong)}
		default:
			return err
		}
	}
	switch {
	case !validated:
		return nil
	case !utf8.Valid(raw):
		return errors.New("is not UTF-8")
	}
	return checkText(*doc, "")
}

// misfit says what a value would have to be.
func misfit(e *json.UnmarshalTypeError) string {
	switch e.Type.Kind() {
	case reflect.Int, reflect.Int64:
		return Cut(e.Value) + " is no whole number of 64 bits, written in digits"
	case reflect.Uint8:
		return Cut(e.Value) + " is no whole number of 0 to 255, written in digits"
	default:
		return Cut(e.Value) + " does not fit here"
	}
}

// checkText refuses U+0000 in the strings and the names of a JSON value; at is where the value stands.
func checkText(v any, at string) error {
	switch v := v.(type) {
	case string:
		if strings.ContainsRune(v, 0) {
			return bodyError{at, "is not text: it has a U+0000"}
		}
	case []any:
		for i, item := range v {
			if err := checkText(item, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case map[string]any:
		for name, item := range v {
			inner := strings.TrimPrefix(at+"."+name, ".")
			if strings.ContainsRune(name, 0) {
				return bodyError{strings.ReplaceAll(inner, "\x00", "\uFFFD"), "the name of a member is not text: it has a U+0000"}
			}
			if err := checkText(item, inner); err != nil {
				return err
			}
		}
	}
	return nil
}
