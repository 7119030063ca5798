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

const (
	signatureNS = "http://www.w3.org/2000/09/xmldsig#"
	instanceNS  = "http://www.w3.org/2001/XMLSchema-instance"
)

// Unmarshal reads one CAP 1.2 document. Errors are of kind fault.Invalid (fault.TooLarge past MaxSize)
// and name the element, counted from 0 ("info[1].expires"). What it returns has the schema's
// structure; ask Validate whether it also has its values and the standard's rules.
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

// reader walks a document by tables of fields.
type reader struct{ dec *xml.Decoder }

// field is one element that may stand at a place. Exactly one of set and enter is there.
type field struct {
	name  string
	many  bool
	set   func(text string) error
	enter func(path string) error
}

// token is the next token that matters: comments and the XML declaration do not.
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

// syntax turns an error of the XML parser into one that names the line.
func syntax(err error) error {
	line := "document"
	if at, ok := errors.AsType[*xml.SyntaxError](err); ok {
		line = "line " + strconv.Itoa(at.Line)
	}
	return &fault.Error{Kind: fault.Invalid, Field: line, Msg: "not well-formed XML", Err: err}
}

// root returns the first element. Only white space, comments and the XML declaration may stand before it.
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

// trailer makes sure that nothing follows the root.
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

// blank refuses text where only elements may stand. White space between elements has no meaning.
func blank(path string, text xml.CharData) error {
	if len(bytes.TrimSpace(text)) > 0 {
		return fault.InvalidField(path, "text %q between elements", clip(string(text)))
	}
	return nil
}

// attributes allows namespace declarations and xsi hints only, as the schema does.
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
	at, count := 0, 0 // the field that the last element was, and how many of it there were
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
			// The schema allows one foreign element: a signature at the end of alert. It is passed over, unverified.
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

// place finds the field of an element and holds it against the order and multiplicity.
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

// read reads the content of one element and hands it to its field.
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

// join is the path of a field: the n-th of those that may stand more than once has its number in brackets.
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

// orAlert names the root, whose own path is empty so that the paths of its children are short.
func orAlert(path string) string {
	if path == "" {
		return "alert"
	}
	return path
}

// clip keeps what strangers wrote short in an error.
func clip(s string) string {
	return text.Cut(s, 60)
}

// parseTime reads the one form of time that the standard allows (section 3.3.2): whole seconds with a numeric
// offset. Z is not allowed; UTC is -00:00. The length is compared because time.Parse accepts a fraction that the
// layout does not have.
func parseTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	t, err := time.Parse(timeLayout, s)
	if err != nil || len(s) != len(timeLayout) {
		return time.Time{}, fmt.Errorf("%q is no CAP time, as 2026-11-23T14:58:01+08:00", clip(s))
	}
	// The year 1 is the zero time, which stands for an element that is not there.
	if _, offset := t.Zone(); offset > maxOffset || offset < -maxOffset || t.IsZero() {
		return time.Time{}, fmt.Errorf("%q is out of range", clip(s))
	}
	return t, nil
}

// parseDecimal reads an xs:decimal: no exponent, no INF, no hexadecimal.
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

// parsePoint turns the wire's "lat,lon" into our lon, lat.
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

// parseRing reads pairs of "lat,lon". Whether the ring is closed is for Validate to say.
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

// parseCircle reads "lat,lon radius" with the radius in kilometres.
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

// parseReferences reads triples of "sender,identifier,sent". The time is in the form of parseTime, which has no
// comma.
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

// splitQuoted undoes joinQuoted.
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
