package errs

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Code names a sentence that people read in their own language. Its name is kept, by the store and by
// whoever reads the API: it may be taken away, but never given to another sentence.
type Code uint8

// String is the code's name.
func (c Code) String() string { return words[c].name }

// Codes lists every code, so that whoever words them can be tested for completeness.
func Codes() []Code {
	var all []Code
	for c := range words[1:] {
		all = append(all, Code(c+1))
	}
	return all
}

// English is the code's sentence with its {names}.
func (c Code) English() string { return words[c].english }

// Term is a value that is itself a word of our language, and not a sender's: it is worded like a sentence.
// The names of a sentence that may hold one are {found}, {level}, {before}, {role}, {permission}, {action},
// {handling} and {detection}.
type Term string

// The terms, by their names.
const (
	TheEnd   Term = "end"
	AString  Term = "string"
	AnObject Term = "object"
	AnArray  Term = "array"
	ABoolean Term = "boolean"
	ANull    Term = "null"
	ANumber  Term = "number"
	Red      Term = "red"
	Orange   Term = "orange"
	Yellow   Term = "yellow"
	Blue     Term = "blue"
)

// TermOf is the term of a word of the domain: a role, a permission, a handling step or state, a detection.
// Terms are written with hyphens.
func TermOf[T ~string](word T) Term { return Term(strings.ReplaceAll(string(word), "_", "-")) }

// domainTerms are the words of the domain that TermOf gives, with their English.
func domainTerms() map[Term]string {
	return map[Term]string{
		"city-commander": "city commander", "county-responder": "county responder", "data-steward": "data steward",
		"observer": "observer", "administrator": "administrator", "display": "display",
		"view": "view", "handle-alert": "handle alerts", "edit-data": "edit data", "edit-rules": "edit rules", "accounts": "manage accounts",
		"acknowledge": "acknowledge", "assign": "assign", "resolve": "resolve", "close": "close",
		"new": "new", "acknowledged": "acknowledged", "assigned": "assigned", "resolved": "resolved", "closed": "closed",
		"firing": "firing", "recovering": "recovering", "cleared": "cleared", "stale": "stale",
	}
}

// Terms lists every term.
func Terms() []Term {
	terms := []Term{TheEnd, AString, AnObject, AnArray, ABoolean, ANull, ANumber, Red, Orange, Yellow, Blue}
	return slices.AppendSeq(terms, maps.Keys(domainTerms()))
}

// English is the term in a sentence.
func (t Term) English() string {
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
		if english, ok := domainTerms()[t]; ok {
			return english
		}
		return string(t)
	}
}

// Said is a sentence with what goes into it, as it leaves the house and is stored.
type Said struct {
	Code   string            `json:"code" doc:"Names the sentence; a page that does not know it shows the English one"`
	Params map[string]string `json:"params,omitempty" doc:"What goes into the sentence, by its names"`

	text string
}

// String is the sentence in English.
func (s Said) String() string { return s.text }

// Say makes a sentence of a code and the values of its names, in the order in which its English has them.
func Say(c Code, values ...any) Said {
	s := Said{Code: c.String()}
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
		if t, ok := v.(Term); ok {
			value = t.English()
		}
		text.WriteString(before)
		text.WriteString(value)
	}
	text.WriteString(rest)
	s.text = text.String()
	return s
}

// SaidOf is the sentence of the first classified error in err's chain that has one; of another it is the
// error itself, in English.
func SaidOf(err error) Said {
	for e, ok := errors.AsType[*Error](err); ok; e, ok = errors.AsType[*Error](e.Err) {
		if e.Said.Code != "" {
			return e.Said
		}
	}
	return Say(Other, err)
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

// Refuse says what is wrong with one field of the input by a code: the page has words for it in both
// languages.
func Refuse(field string, c Code, values ...any) *Error { return Coded(Invalid, field, c, values...) }

// Coded is an error of any kind that says by a code what is wrong; field may be empty.
func Coded(k Kind, field string, c Code, values ...any) *Error {
	said := Say(c, values...)
	return &Error{Kind: k, Field: field, Msg: said.String(), Said: said}
}
