// Package fault names the kinds of failure that the whole house shares.
//
// A domain or store function wraps what went wrong with %w and, where a caller must be able to
// tell, gives it a Kind. The web floor maps kinds to HTTP statuses in one table; what has no kind
// is Internal, and its detail goes to the log alone.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind classifies a failure by what the caller can do about it.
type Kind uint8

// The kinds. The zero value is Internal: what nobody classified is our fault, not the caller's.
const (
	Internal            Kind = iota // a defect or an unforeseen failure of ours
	Invalid                         // the input is wrong; Error.Field names what
	NotFound                        // no such thing, or none that the caller may know of
	Conflict                        // the thing is not in the state that the request needs
	Precondition                    // If-Match does not hold: somebody else was faster
	PreconditionMissing             // there is no If-Match, and the change needs one
	Unauthenticated                 // no valid session
	Forbidden                       // a valid session that may not do this
	TooMany                         // slow down; Error.RetryAfter says how long
	TooLarge                        // the input is larger than is accepted
	Unavailable                     // a part is away; trying again later is right
)

// Kinds lists every kind, so that a table over them can be tested for completeness.
func Kinds() []Kind {
	var all []Kind
	for k := Internal; k <= Unavailable; k++ {
		all = append(all, k)
	}
	return all
}

// String is the kind's name as it stands in problem+json and in logs.
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

// Error is a classified failure. Msg is written for the person who sent the input; the wrapped
// error is for the log.
type Error struct {
	Kind       Kind
	Field      string // the field, line or frame at fault, as the sender wrote it; may be empty
	Msg        string
	Message    Message // what Msg says, by a code; zero where it has none
	Err        error
	RetryAfter time.Duration // with TooMany and Unavailable: how long to wait; 0 when it is not known
}

// Error joins the field, the message and the cause.
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

// New makes an error of a kind with a message for the caller.
func New(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, args...)}
}

// Wrap classifies err and keeps it as the cause; nil stays nil.
func Wrap(k Kind, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: k, Msg: fmt.Sprintf(format, args...), Err: err}
}

// InvalidField says what is wrong with one field (or line, or frame) of the input.
func InvalidField(field, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Field: field, Msg: fmt.Sprintf(format, args...)}
}

// KindOf is the kind of the outermost classified error in err's chain, Internal when there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Is reports whether err is classified as k.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }

// Under puts where a part stands before the field that its error names: create[3] and geometry are create[3].geometry.
// An error without a kind is Invalid.
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

// InField says where in a request an error's field stands. The name that the error gave it goes into the sentence, where it
// says more.
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
