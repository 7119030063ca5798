package cap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/fault"
	"onemap/internal/text"
)

// The namespaces that the schema allows beside that of CAP: XML signatures, and xsi attributes.
const (
	signatureNS = "http://www.w3.org/2000/09/xmldsig#"
	instanceNS  = "http://www.w3.org/2001/XMLSchema-instance"
)

// Unmarshal parses one CAP 1.2 document. It returns fault.TooLarge if data is larger than MaxSize, and fault.Invalid if
// the document does not have the structure of the schema. The error names the element; indexes start at 0
// ("info[1].expires"). Unmarshal does not check values; use Validate for the values and the rules of the standard.
func Unmarshal(data []byte) (Message, error) {
	if len(data) > MaxSize {
		return Message{}, fault.New(fault.TooLarge, "a CAP message of %d bytes; at most %d are read", len(data), MaxSize)
	}
	r := &reader{dec: xml.NewDecoder(bytes.NewReader(data))}
	root, err := r.root()
	if err != nil {
		return Message{}, err
	}
	if root.Name.Space != Namespace || root.Name.Local != "alert" {
		return Message{}, fault.InvalidField(root.Name.Local, "the root must be alert in %s, it is in %q", Namespace, root.Name.Space)
	}
	if err := attributes("alert", root); err != nil {
		return Message{}, err
	}
	var m Message
	if err := r.children("", messageFields(r, &m)); err != nil {
		return Message{}, err
	}
	return m, r.trailer()
}

// reader reads a document with tables of fields. It rejects document types and processing instructions, so a document
// cannot define entities.
type reader struct{ dec *xml.Decoder }

// field is one element that the schema allows at a place. Either set (text) or enter (child elements) is not nil.
type field struct {
	name  string
	many  bool
	set   func(text string) error
	enter func(path string) error
}

// token returns the next token. It skips comments and the XML declaration. It returns io.EOF at the end.
func (r *reader) token() (xml.Token, error) {
	for {
		t, err := r.dec.Token()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil, io.EOF
			}
			return nil, syntax(err)
		}
		switch t := t.(type) {
		case xml.Comment:
		case xml.ProcInst:
			if t.Target != "xml" {
				return nil, fault.InvalidField("?"+t.Target, "processing instructions are not accepted")
			}
		case xml.Directive:
			return nil, fault.InvalidField("!DOCTYPE", "document types are not accepted")
		default:
			return t, nil
		}
	}
}

// syntax converts an error of the XML parser to a fault.Invalid that names the line.
func syntax(err error) error {
	line := "document"
	if at, ok := errors.AsType[*xml.SyntaxError](err); ok {
		line = "line " + strconv.Itoa(at.Line)
	}
	return &fault.Error{Kind: fault.Invalid, Field: line, Msg: "not well-formed XML", Err: err}
}

// root returns the first element. Only white space, comments and the XML declaration are allowed before it.
func (r *reader) root() (xml.StartElement, error) {
	for {
		t, err := r.token()
		if errors.Is(err, io.EOF) {
			return xml.StartElement{}, fault.InvalidField("alert", "the document is empty")
		}
		if err != nil {
			return xml.StartElement{}, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return t, nil
		case xml.CharData:
			if err := blank("document", t); err != nil {
				return xml.StartElement{}, err
			}
		}
	}
}

// trailer returns fault.Invalid if an element or text follows the root.
func (r *reader) trailer() error {
	for {
		t, err := r.token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if text, ok := t.(xml.CharData); ok {
			if err := blank("document", text); err != nil {
				return err
			}
			continue
		}
		return fault.InvalidField("document", "something follows the alert element")
	}
}

// blank returns fault.Invalid for text between elements. White space between elements is allowed; it has no meaning.
func blank(path string, text xml.CharData) error {
	if len(bytes.TrimSpace(text)) > 0 {
		return fault.InvalidField(path, "text %q between elements", clip(string(text)))
	}
	return nil
}

// attributes returns fault.Invalid for an attribute that is not a namespace declaration and not in the xsi namespace. The
// schema allows only these.
func attributes(path string, e xml.StartElement) error {
	for _, a := range e.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == instanceNS || (a.Name.Space == "" && a.Name.Local == "xmlns") {
			continue
		}
		return fault.InvalidField(path, "attribute %s is not part of CAP 1.2", clip(a.Name.Local))
	}
	return nil
}

// children reads the content of an element: the fields in their order, then its end.
func (r *reader) children(path string, fields []field) error {
	at, count := 0, 0 // the index of the last element's field, and the number of its elements
	for {
		t, err := r.token()
		if errors.Is(err, io.EOF) {
			return fault.InvalidField(orAlert(path), "the document ends in the middle")
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.EndElement:
			return nil
		case xml.CharData:
			if err := blank(orAlert(path), t); err != nil {
				return err
			}
		case xml.StartElement:
			// The schema allows one foreign element: a signature at the end of alert. It is skipped and not verified. No element
			// of CAP may follow it.
			if t.Name.Space == signatureNS && path == "" {
				if err := r.dec.Skip(); err != nil {
					return syntax(err)
				}
				at = len(fields)
				continue
			}
			i, err := place(path, fields, t, at, count)
			if err != nil {
				return err
			}
			if i != at {
				at, count = i, 0
			}
			if err := r.read(join(path, fields[i], count), fields[i], t); err != nil {
				return err
			}
			count++
		}
	}
}

// place returns the index of an element's field. It returns fault.Invalid if the element is unknown, too late in the
// order, or repeated when the schema allows it only once.
func place(path string, fields []field, e xml.StartElement, at, count int) (int, error) {
	name := e.Name.Local
	where := strings.TrimPrefix(path+"."+clip(name), ".")
	if e.Name.Space != Namespace {
		return 0, fault.InvalidField(where, "namespace %q is not CAP 1.2's", clip(e.Name.Space))
	}
	for i, f := range fields {
		if f.name != name {
			continue
		}
		switch {
		case i < at:
			return 0, fault.InvalidField(where, "stands too late: the order of elements is the schema's")
		case i == at && count > 0 && !f.many:
			return 0, fault.InvalidField(where, "may stand only once")
		}
		return i, nil
	}
	return 0, fault.InvalidField(where, "is not an element of CAP 1.2 at this place")
}

// read reads the content of one element and passes it to the set or enter function of its field.
func (r *reader) read(path string, f field, e xml.StartElement) error {
	if err := attributes(path, e); err != nil {
		return err
	}
	if f.enter != nil {
		return f.enter(path)
	}
	text, err := r.text(path)
	if err != nil {
		return err
	}
	if err := f.set(text); err != nil {
		return fault.InvalidField(path, "%s", err.Error())
	}
	return nil
}

// text reads character data up to the element's end.
func (r *reader) text(path string) (string, error) {
	var b strings.Builder
	for {
		t, err := r.token()
		if errors.Is(err, io.EOF) {
			return "", fault.InvalidField(path, "the document ends in the middle")
		}
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.StartElement:
			return "", fault.InvalidField(path, "has an element %s in it, it must be text", clip(t.Name.Local))
		case xml.EndElement:
			return b.String(), nil
		}
	}
}

// join returns the path of a field. If the field may be repeated, the path ends with its index n in brackets.
func join(path string, f field, n int) string {
	s := f.name
	if path != "" {
		s = path + "." + s
	}
	if f.many {
		s = fmt.Sprintf("%s[%d]", s, n)
	}
	return s
}

// orAlert returns "alert" for the root. The path of the root is empty, so that the paths of its children are short.
func orAlert(path string) string {
	if path == "" {
		return "alert"
	}
	return path
}

// clip shortens text of a document for an error message, because the text comes from outside and can be long.
func clip(s string) string {
	return text.Cut(s, 60)
}

// parseTime parses a time in the only form that the standard allows (section 3.3.2): whole seconds with a numeric
// offset. Z is not allowed; UTC is -00:00. It compares the length, because time.Parse accepts a fraction of a second that
// is not in the layout.
func parseTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	t, err := time.Parse(timeLayout, s)
	if err != nil || len(s) != len(timeLayout) {
		return time.Time{}, fmt.Errorf("%q is no CAP time, as 2026-11-23T14:58:01+08:00", clip(s))
	}
	// The zero time (year 1) is refused, because it means that the element is absent.
	if _, offset := t.Zone(); offset > maxOffset || offset < -maxOffset || t.IsZero() {
		return time.Time{}, fmt.Errorf("%q is out of range", clip(s))
	}
	return t, nil
}

// parseDecimal parses an xs:decimal. It checks the characters first, because strconv.ParseFloat also accepts an exponent,
// INF and hexadecimal.
func parseDecimal(s string) (float64, error) {
	s = strings.TrimSpace(s)
	if s == "" || strings.Trim(s, "+-.0123456789") != "" {
		return 0, fmt.Errorf("%q is no decimal number", clip(s))
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is no decimal number", clip(s))
	}
	return v, nil
}

// parsePoint parses "lat,lon", the order of CAP, and returns a lon, lat point.
func parsePoint(s string) (orb.Point, error) {
	lat, lon, ok := strings.Cut(s, ",")
	if !ok {
		return orb.Point{}, fmt.Errorf("%q is no lat,lon pair", clip(s))
	}
	y, err := parseDecimal(lat)
	if err != nil {
		return orb.Point{}, err
	}
	x, err := parseDecimal(lon)
	if err != nil {
		return orb.Point{}, err
	}
	return orb.Point{x, y}, nil
}

// parseRing parses pairs of "lat,lon". Validate checks that the ring is closed.
func parseRing(s string) (orb.Ring, error) {
	var ring orb.Ring
	for pair := range strings.FieldsSeq(s) {
		p, err := parsePoint(pair)
		if err != nil {
			return nil, err
		}
		ring = append(ring, p)
	}
	return ring, nil
}

// parseCircle parses "lat,lon radius". The radius is in kilometres.
func parseCircle(s string) (Circle, error) {
	parts := strings.Fields(s)
	if len(parts) != 2 {
		return Circle{}, fmt.Errorf("%q is no circle, as \"lat,lon radius\"", clip(s))
	}
	centre, err := parsePoint(parts[0])
	if err != nil {
		return Circle{}, err
	}
	radius, err := parseDecimal(parts[1])
	return Circle{Centre: centre, RadiusKM: radius}, err
}

// parseReferences parses triples of "sender,identifier,sent". A comma separates the parts, because none of them may
// contain one.
func parseReferences(s string) ([]Reference, error) {
	var refs []Reference
	for triple := range strings.FieldsSeq(s) {
		parts := strings.Split(triple, ",")
		if len(parts) != 3 {
			return nil, fmt.Errorf("%q is no sender,identifier,sent", clip(triple))
		}
		sent, err := parseTime(parts[2])
		if err != nil {
			return nil, err
		}
		refs = append(refs, Reference{Sender: parts[0], Identifier: parts[1], Sent: sent})
	}
	return refs, nil
}

// splitQuoted splits a list that joinQuoted wrote. It is the inverse of joinQuoted.
func splitQuoted(s string) ([]string, error) {
	var items []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		if s[0] == '"' {
			item, rest, ok := strings.Cut(s[1:], `"`)
			if !ok {
				return nil, errors.New("a quotation mark is not closed")
			}
			items, s = append(items, item), rest
			continue
		}
		end := strings.IndexAny(s, " \t\r\n")
		if end < 0 {
			end = len(s)
		}
		if strings.Contains(s[:end], `"`) {
			return nil, errors.New("a quotation mark in the middle of a word")
		}
		items, s = append(items, s[:end]), s[end:]
	}
	return items, nil
}
