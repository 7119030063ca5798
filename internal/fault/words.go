package fault

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Code identifies a sentence that people read in their own language. It is a constant "name: sentence in English",
// declared in the domain that uses it. The store and API clients keep the name, so a name may be removed but never
// reused for a different sentence. In a sentence, {words} in braces are placeholders for values.
type Code string

// Name returns the code's name.
func (c Code) Name() string {
	name, _, _ := strings.Cut(string(c), ": ")
	return name
}

// English returns the code's sentence.
func (c Code) English() string {
	_, sentence, _ := strings.Cut(string(c), ": ")
	return sentence
}

// Token is a value that is a word of this product and not text of the sender. It is translated like a sentence. The
// placeholders that may hold a token are {found}, {level}, {before}, {role}, {permission}, {action}, {handling} and
// {detection}.
type Token string

// The tokens, by their names.
const (
	TheEnd   Token = "end"
	AString  Token = "string"
	AnObject Token = "object"
	AnArray  Token = "array"
	ABoolean Token = "boolean"
	ANull    Token = "null"
	ANumber  Token = "number"
	Red      Token = "red"
	Orange   Token = "orange"
	Yellow   Token = "yellow"
	Blue     Token = "blue"
)

// TokenOf returns the token of a domain word: a role, a permission, a handling step or state, or a detection. Tokens
// contain hyphens in place of underscores.
func TokenOf[T ~string](word T) Token { return Token(strings.ReplaceAll(string(word), "_", "-")) }

// domainTokens returns the tokens that TokenOf can return, with their English.
func domainTokens() map[Token]string {
	return map[Token]string{
		"city-commander": "city commander", "county-responder": "county responder", "data-steward": "data steward",
		"observer": "observer", "administrator": "administrator", "display": "display",
		"view": "view", "handle-alert": "handle alerts", "edit-data": "edit data", "edit-rules": "edit rules", "accounts": "manage accounts",
		"acknowledge": "acknowledge", "assign": "assign", "resolve": "resolve", "close": "close",
		"new": "new", "acknowledged": "acknowledged", "assigned": "assigned", "resolved": "resolved", "closed": "closed",
		"firing": "firing", "recovering": "recovering", "cleared": "cleared", "stale": "stale",
	}
}

// Tokens returns every token.
func Tokens() []Token {
	terms := []Token{TheEnd, AString, AnObject, AnArray, ABoolean, ANull, ANumber, Red, Orange, Yellow, Blue}
	return slices.AppendSeq(terms, maps.Keys(domainTokens()))
}

// English returns the form of the token in an English sentence.
func (t Token) English() string {
	switch t {
	case TheEnd:
		return "the end"
	case AnObject, AnArray:
		return "an " + string(t)
	case AString, ABoolean, ANumber:
		return "a " + string(t)
	case ANull, Red, Orange, Yellow, Blue:
		return string(t)
	default:
		if english, ok := domainTokens()[t]; ok {
			return english
		}
		return string(t)
	}
}

// Message is a sentence with its values, as the API sends it and the store keeps it.
type Message struct {
	Code   string            `json:"code" doc:"Names the sentence; a page that does not know it shows the English one"`
	Params map[string]string `json:"params,omitempty" doc:"What goes into the sentence, by its names"`

	text string
}

// String returns the sentence in English.
func (s Message) String() string { return s.text }

// NewMessage returns the sentence of a code with values for its placeholders, in the order of the English sentence.
func NewMessage(c Code, values ...any) Message {
	s := Message{Code: c.Name()}
	var text strings.Builder
	rest := c.English()
	for _, v := range values {
		before, name, ok := nextName(&rest)
		if !ok {
			break
		}
		if s.Params == nil {
			s.Params = make(map[string]string, len(values))
		}
		value := fmt.Sprint(v)
		s.Params[name] = value
		if t, ok := v.(Token); ok {
			value = t.English()
		}
		text.WriteString(before)
		text.WriteString(value)
	}
	text.WriteString(rest)
	s.text = text.String()
	return s
}

// MessageOf returns the message of the first *Error in err's chain that has a code. If there is none, it returns a message
// with the code CodeOther and the text of err.
func MessageOf(err error) Message {
	for e, ok := errors.AsType[*Error](err); ok; e, ok = errors.AsType[*Error](e.Err) {
		if e.Message.Code != "" {
			return e.Message
		}
	}
	return NewMessage(CodeOther, err)
}

// nextName removes the text up to and including the next {name} from rest, and returns the text before it and the name.
// ok is false if there is no further placeholder.
func nextName(rest *string) (before, name string, ok bool) {
	open := strings.IndexByte(*rest, '{')
	if open < 0 {
		return "", "", false
	}
	end := open + strings.IndexByte((*rest)[open:], '}')
	before, name = (*rest)[:open], (*rest)[open+1:end]
	*rest = (*rest)[end+1:]
	return before, name, true
}

// InvalidCode returns an Invalid error for one field of the input, with a code that the page can show in both languages.
func InvalidCode(field string, c Code, values ...any) *Error {
	return NewCoded(Invalid, field, c, values...)
}

// NewCoded returns an error of a kind with the message of a code; field may be empty.
func NewCoded(k Kind, field string, c Code, values ...any) *Error {
	said := NewMessage(c, values...)
	return &Error{Kind: k, Field: field, Msg: said.String(), Message: said}
}
