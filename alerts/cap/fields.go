package cap

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The tables that follow are the sequences of the schema. The order of the rows is the order of the elements.

// messageFields are the children of alert, CAP 1.2 section 3.2.1. code and info may stand more than once; the
// lists of addresses, references and incidents are one element each.
func messageFields(r *reader, m *Message) []field {
	return []field{
		{name: "identifier", set: setText(&m.Identifier)},
		{name: "sender", set: setText(&m.Sender)},
		{name: "sent", set: into(&m.Sent, parseTime)},
		{name: "status", set: setText(&m.Status)},
		{name: "msgType", set: setText(&m.MsgType)},
		{name: "source", set: setText(&m.Source)},
		{name: "scope", set: setText(&m.Scope)},
		{name: "restriction", set: setText(&m.Restriction)},
		{name: "addresses", set: into(&m.Addresses, splitQuoted)},
		{name: "code", many: true, set: add(&m.Codes)},
		{name: "note", set: setText(&m.Note)},
		{name: "references", set: into(&m.References, parseReferences)},
		{name: "incidents", set: into(&m.Incidents, splitQuoted)},
		{name: "info", many: true, enter: func(path string) error {
			var i Info
			err := r.children(path, infoFields(r, &i))
			m.Infos = append(m.Infos, i)
			return err
		}},
	}
}

// infoFields are the children of info, section 3.2.2.
func infoFields(r *reader, i *Info) []field {
	return []field{
		{name: "language", set: into(&i.Language, trimmed)},
		{name: "category", many: true, set: add(&i.Categories)},
		{name: "event", set: setText(&i.Event)},
		{name: "responseType", many: true, set: add(&i.ResponseTypes)},
		{name: "urgency", set: setText(&i.Urgency)},
		{name: "severity", set: setText(&i.Severity)},
		{name: "certainty", set: setText(&i.Certainty)},
		{name: "audience", set: setText(&i.Audience)},
		{name: "eventCode", many: true, enter: r.pair(&i.EventCodes)},
		{name: "effective", set: into(&i.Effective, parseTime)},
		{name: "onset", set: into(&i.Onset, parseTime)},
		{name: "expires", set: into(&i.Expires, parseTime)},
		{name: "senderName", set: setText(&i.SenderName)},
		{name: "headline", set: setText(&i.Headline)},
		{name: "description", set: setText(&i.Description)},
		{name: "instruction", set: setText(&i.Instruction)},
		{name: "web", set: into(&i.Web, trimmed)},
		{name: "contact", set: setText(&i.Contact)},
		{name: "parameter", many: true, enter: r.pair(&i.Parameters)},
		{name: "resource", many: true, enter: func(path string) error {
			var res Resource
			err := r.children(path, resourceFields(&res))
			i.Resources = append(i.Resources, res)
			return err
		}},
		{name: "area", many: true, enter: func(path string) error {
			var a Area
			err := r.children(path, areaFields(r, &a))
			i.Areas = append(i.Areas, a)
			return err
		}},
	}
}

// resourceFields are the children of resource, section 3.2.3. The size is in bytes.
func resourceFields(res *Resource) []field {
	return []field{
		{name: "resourceDesc", set: setText(&res.Desc)},
		{name: "mimeType", set: setText(&res.MimeType)},
		{name: "size", set: pointer(&res.Size, parseInteger)},
		{name: "uri", set: into(&res.URI, trimmed)},
		{name: "derefUri", set: setText(&res.DerefURI)},
		{name: "digest", set: setText(&res.Digest)},
	}
}

// areaFields are the children of area, section 3.2.4. Altitude and ceiling are in feet above mean sea level.
func areaFields(r *reader, a *Area) []field {
	return []field{
		{name: "areaDesc", set: setText(&a.Desc)},
		{name: "polygon", many: true, set: appended(&a.Polygons, parseRing)},
		{name: "circle", many: true, set: appended(&a.Circles, parseCircle)},
		{name: "geocode", many: true, enter: r.pair(&a.Geocodes)},
		{name: "altitude", set: pointer(&a.Altitude, parseDecimal)},
		{name: "ceiling", set: pointer(&a.Ceiling, parseDecimal)},
	}
}

// pair reads a valueName and a value, both of which the schema demands.
func (r *reader) pair(to *[]NamedValue) func(path string) error {
	return func(path string) error {
		var p NamedValue
		err := r.children(path, []field{
			{name: "valueName", set: setText(&p.Name)},
			{name: "value", set: setText(&p.Value)},
		})
		*to = append(*to, p)
		return err
	}
}

// setText returns a setter that takes the text as it stands. Whether the value is one of a list is for Validate to
// say.
func setText[T ~string](to *T) func(string) error {
	return func(s string) error {
		*to = T(s)
		return nil
	}
}

// add returns a setter for an element that may stand more than once.
func add[T ~string](to *[]T) func(string) error {
	return func(s string) error {
		*to = append(*to, T(s))
		return nil
	}
}

// into returns a setter that parses the text. The reader puts the path of the element before the error.
func into[T any](to *T, parse func(string) (T, error)) func(string) error {
	return func(s string) (err error) {
		*to, err = parse(s)
		return err
	}
}

// appended is into for an element that may stand more than once.
func appended[T any](to *[]T, parse func(string) (T, error)) func(string) error {
	return func(s string) error {
		v, err := parse(s)
		*to = append(*to, v)
		return err
	}
}

// pointer is into for a number whose absence is not the same as zero.
func pointer[T any](to **T, parse func(string) (T, error)) func(string) error {
	return func(s string) error {
		v, err := parse(s)
		*to = &v
		return err
	}
}

// trimmed removes the white space around a value. It is for the types whose white space the schema collapses.
func trimmed(s string) (string, error) { return strings.TrimSpace(s), nil }

// parseInteger parses an xs:integer. It ignores white space around the number, because the schema collapses it.
func parseInteger(s string) (int64, error) {
	v, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no whole number", clip(s))
	}
	return v, nil
}

// maxOffset is the largest time zone offset of an xs:dateTime: 14 hours. Units: seconds.
const maxOffset = int(14 * time.Hour / time.Second)
