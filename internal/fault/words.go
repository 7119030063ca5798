package fault

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Code names a sentence that people read in their own language: a constant "name: sentence in English", declared in the
// domain that says it. The name is kept, by the store and by whoever reads the API: it may be taken away, but never be
// given to another sentence. In a sentence, {words} in braces stand for values.
type Code string

// Name is the code's name.
func (c Code) Name() string {
	name, _, _ := strings.Cut(string(c), ": ")
	return name
}

// English is the code's sentence.
func (c Code) English() string {
	_, sentence, _ := strings.Cut(string(c), ": ")
	return sentence
}

// Token is a value that is itself a word of our language, and not a sender's: it is worded like a sentence.
// The names of a sentence that may hold one are {found}, {level}, {before}, {role}, {permission}, {action},
// {handling} and {detection}.
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

// TokenOf is the token of a word of the domain: a role, a permission, a handling step or state, a detection.
// Tokens are written with hyphens.
func TokenOf[T ~string](word T) Token { return Token(strings.ReplaceAll(string(word), "_", "-")) }

// domainTokens are the words of the domain that TokenOf gives, with their English.
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

// Tokens lists every token.
func Tokens() []Token {
	terms := []Token{TheEnd, AString, AnObject, AnArray, ABoolean, ANull, ANumber, Red, Orange, Yellow, Blue}
	return slices.AppendSeq(terms, maps.Keys(domainTokens()))
}

// English is the token in a sentence.
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

// Message is a sentence with what goes into it, as it leaves the house and is stored.
type Message struct {
	Code   string            `json:"code" doc:"Names the sentence; a page that does not know it shows the English one"`
	Params map[string]string `json:"params,omitempty" doc:"What goes into the sentence, by its names"`

	text string
}

// String is the sentence in English.
func (s Message) String() string { return s.text }

// NewMessage makes a sentence of a code and the values of its names, in the order in which its English has them.
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

// MessageOf is the sentence of the first classified error in err's chain that has one; of another it is the
// error itself, in English.
func MessageOf(err error) Message {
	for e, ok := errors.AsType[*Error](err); ok; e, ok = errors.AsType[*Error](e.Err) {
		if e.Message.Code != "" {
			return e.Message
		}
	}
	return NewMessage(CodeOther, err)
}

// nextName cuts what stands before the next {name} off rest, and the name.
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

// InvalidCode says what is wrong with one field of the input by a code: the page has words for it in both
// languages.
func InvalidCode(field string, c Code, values ...any) *Error {
	return NewCoded(Invalid, field, c, values...)
}

// NewCoded is an error of any kind that says by a code what is wrong; field may be empty.
func NewCoded(k Kind, field string, c Code, values ...any) *Error {
	said := NewMessage(c, values...)
	return &Error{Kind: k, Field: field, Msg: said.String(), Message: said}
}
