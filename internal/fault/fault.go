// Package fault defines the kinds of error that all packages share.
//
// A domain or store function wraps an error with %w and sets its Kind where a caller must distinguish errors. Package
// httpx maps kinds to HTTP statuses in one table. An error without a kind is Internal; its detail is written only to the
// log.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind classifies an error by what the caller can do about it.
type Kind uint8

// The kinds. The zero value is Internal: an error that is not classified is a fault of the server, not of the caller.
const (
	Internal            Kind = iota // a defect or an unexpected failure of the server
	Invalid                         // the input is wrong; Error.Field names the field
	NotFound                        // the thing does not exist, or the caller may not know that it exists
	Conflict                        // the thing is not in the state that the request needs
	Precondition                    // If-Match does not match: another request changed the thing first
	PreconditionMissing             // the change needs If-Match, and the request has none
	Unauthenticated                 // no valid session
	Forbidden                       // a valid session that may not do this
	TooMany                         // too many requests; Error.RetryAfter is the time to wait
	TooLarge                        // the input is larger than the limit
	Unavailable                     // a part is not available; the caller should try again later
)

// Kinds returns every kind, so that a test can check that a table of kinds is complete.
func Kinds() []Kind {
	var all []Kind
	for k := Internal; k <= Unavailable; k++ {
		all = append(all, k)
	}
	return all
}

// String returns the kind's name in problem+json and in logs.
func (k Kind) String() string {
	switch k {
	case Internal:
		return "internal"
	case Invalid:
		return "invalid"
	case NotFound:
		return "not-found"
	case Conflict:
		return "conflict"
	case Precondition:
		return "precondition"
	case PreconditionMissing:
		return "precondition-missing"
	case Unauthenticated:
		return "unauthenticated"
	case Forbidden:
		return "forbidden"
	case TooMany:
		return "too-many"
	case TooLarge:
		return "too-large"
	case Unavailable:
		return "unavailable"
	default:
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
}

// Error is a classified error. Msg is for the person who sent the input; the wrapped error is for the log.
type Error struct {
	Kind       Kind
	Field      string // the wrong field, line or frame, as the sender wrote it; may be empty
	Msg        string
	Message    Message // Msg with its code and values; zero if it has no code
	Err        error
	RetryAfter time.Duration // for TooMany and Unavailable: how long to wait; 0: not known
}

// Error returns the field, the message and the cause, joined with colons.
func (e *Error) Error() string {
	s := e.Msg
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Err != nil {
		if s == "" {
			return e.Err.Error()
		}
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns an error of a kind with a message for the caller.
func New(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, args...)}
}

// Wrap returns an error of a kind with err as the cause; it returns nil if err is nil.
func Wrap(k Kind, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: k, Msg: fmt.Sprintf(format, args...), Err: err}
}

// InvalidField returns an Invalid error for one field, line or frame of the input.
func InvalidField(field, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Field: field, Msg: fmt.Sprintf(format, args...)}
}

// KindOf returns the kind of the outermost *Error in err's chain, Internal if there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Is reports whether err is classified as k.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }

// Under returns err with at as the prefix of its field: create[3] and geometry become create[3].geometry. An error
// without a kind becomes Invalid.
func Under(at string, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return InvalidField(at, "%s", err.Error())
	}
	c := *e
	c.Field = at
	if e.Field != "" {
		c.Field += "." + e.Field
	}
	return &c
}

// InField returns err with its field replaced by a field of the request. The previous field name becomes the prefix of the
// message, except "division", which adds no information. An error without a kind is returned unchanged.
func InField(field string, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	c := *e
	if c.Field != "" && c.Field != "division" {
		c.Msg = c.Field + ": " + c.Msg
	}
	c.Field = field
	return &c
}
