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

// bodyFormat is huma's JSON format with two changes: an error names the wrong member, and text must not contain U+0000, which
// PostgreSQL cannot store.
func bodyFormat() huma.Format {
	f := huma.DefaultJSONFormat
	f.Unmarshal = decodeBody
	return f
}

// bodyMark is the prefix of the message of a bodyError. huma passes on only the message of an error.
const bodyMark = "body."

// bodyError is the error of one member of a body.
type bodyError struct{ member, detail string }

// Error implements error. memberOf parses the text.
func (e bodyError) Error() string { return bodyMark + e.member + ": " + e.detail }

// memberOf splits the message of a bodyError. ok is false for any other message.
func memberOf(message string) (member, detail string, ok bool) {
	rest, ok := strings.CutPrefix(message, bodyMark)
	if !ok {
		return "", "", false
	}
	member, detail, ok = strings.Cut(rest, ": ")
	return member, detail, ok
}

// decodeBody decodes a body. huma calls it twice for each body: with an any, which it validates, and with the type of the
// operation.
func decodeBody(raw []byte, v any) error {
	doc, validated := v.(*any)
	if err := json.Unmarshal(raw, v); err != nil {
		wrong, typed := errors.AsType[*json.UnmarshalTypeError](err)
		switch {
		case typed && validated: // a number such as 1e400, too large for float64; decoding to the operation's type reports it
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

// misfit returns a message with the values that the type accepts.
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

// checkText returns an error if a string or a name in a JSON value contains U+0000. at is the path of the value.
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
