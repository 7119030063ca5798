package cap

import (
	"bytes"
	"encoding/xml"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"
)

// Marshal returns m as an indented UTF-8 document with the elements in the order of the schema. It returns fault.Invalid
// with the problems if Validate finds any.
func Marshal(m Message) ([]byte, error) {
	if err := Check(m); err != nil {
		return nil, err
	}
	w := &writer{}
	w.buf.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	w.buf.WriteString(`<alert xmlns="` + Namespace + `">` + "\n")
	w.depth++
	w.message(m)
	w.close("alert")
	return w.buf.Bytes(), nil
}

// writer writes one element per line. It returns no errors, because a write to a bytes.Buffer cannot fail.
type writer struct {
	buf   bytes.Buffer
	depth int
}

func (w *writer) indent() { w.buf.WriteString(strings.Repeat("  ", w.depth)) }

func (w *writer) open(name string) {
	w.indent()
	w.buf.WriteString("<" + name + ">\n")
	w.depth++
}

func (w *writer) close(name string) {
	w.depth--
	w.indent()
	w.buf.WriteString("</" + name + ">\n")
}

// text writes a required element.
func (w *writer) text(name, value string) {
	w.indent()
	w.buf.WriteString("<" + name + ">")
	_ = xml.EscapeText(&w.buf, []byte(value)) // the buffer's Write never fails
	w.buf.WriteString("</" + name + ">\n")
}

// optional writes the element unless the value is empty.
func (w *writer) optional(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

func (w *writer) time(name string, t time.Time) {
	if !t.IsZero() {
		w.text(name, FormatTime(t))
	}
}

// pairs writes the name and the value of each pair. It writes an empty value too, because the schema requires the
// element.
func (w *writer) pairs(name string, pairs []NamedValue) {
	for _, p := range pairs {
		w.open(name)
		w.text("valueName", p.Name)
		w.text("value", p.Value)
		w.close(name)
	}
}

// message writes the children of alert in the order of the schema. The schema is a sequence, so another order is not
// valid.
func (w *writer) message(m Message) {
	w.text("identifier", m.Identifier)
	w.text("sender", m.Sender)
	w.time("sent", m.Sent)
	w.text("status", string(m.Status))
	w.text("msgType", string(m.MsgType))
	w.optional("source", m.Source)
	w.text("scope", string(m.Scope))
	w.optional("restriction", m.Restriction)
	w.optional("addresses", joinQuoted(m.Addresses))
	for _, c := range m.Codes {
		w.text("code", c)
	}
	w.optional("note", m.Note)
	w.optional("references", joinReferences(m.References))
	w.optional("incidents", joinQuoted(m.Incidents))
	for _, i := range m.Infos {
		w.open("info")
		w.info(i)
		w.close("info")
	}
}

// info writes an info element in the order of the schema.
func (w *writer) info(i Info) {
	w.optional("language", i.Language)
	for _, c := range i.Categories {
		w.text("category", string(c))
	}
	w.text("event", i.Event)
	for _, r := range i.ResponseTypes {
		w.text("responseType", string(r))
	}
	w.text("urgency", string(i.Urgency))
	w.text("severity", string(i.Severity))
	w.text("certainty", string(i.Certainty))
	w.optional("audience", i.Audience)
	w.pairs("eventCode", i.EventCodes)
	w.time("effective", i.Effective)
	w.time("onset", i.Onset)
	w.time("expires", i.Expires)
	w.optional("senderName", i.SenderName)
	w.optional("headline", i.Headline)
	w.optional("description", i.Description)
	w.optional("instruction", i.Instruction)
	w.optional("web", i.Web)
	w.optional("contact", i.Contact)
	w.pairs("parameter", i.Parameters)
	for _, r := range i.Resources {
		w.resource(r)
	}
	for _, a := range i.Areas {
		w.area(a)
	}
}

// resource writes a resource element. It writes a size of 0 and omits a nil size.
func (w *writer) resource(r Resource) {
	w.open("resource")
	w.text("resourceDesc", r.Desc)
	w.text("mimeType", r.MimeType)
	if r.Size != nil {
		w.text("size", strconv.FormatInt(*r.Size, 10))
	}
	w.optional("uri", r.URI)
	w.optional("derefUri", r.DerefURI)
	w.optional("digest", r.Digest)
	w.close("resource")
}

// area writes an area element: polygons and circles as "lat,lon", radii in kilometres, altitudes in feet.
func (w *writer) area(a Area) {
	w.open("area")
	w.text("areaDesc", a.Desc)
	for _, p := range a.Polygons {
		w.text("polygon", formatRing(p))
	}
	for _, c := range a.Circles {
		w.text("circle", formatPoint(c.Centre)+" "+formatFloat(c.RadiusKM))
	}
	w.pairs("geocode", a.Geocodes)
	if a.Altitude != nil {
		w.text("altitude", formatFloat(*a.Altitude))
	}
	if a.Ceiling != nil {
		w.text("ceiling", formatFloat(*a.Ceiling))
	}
	w.close("area")
}

// formatFloat returns v as an xs:decimal, which has no exponent.
func formatFloat(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// formatPoint returns a lon, lat point as "lat,lon", the order of CAP.
func formatPoint(p orb.Point) string { return formatFloat(p.Lat()) + "," + formatFloat(p.Lon()) }

// formatRing writes a closed ring as pairs of "lat,lon" with spaces between them.
func formatRing(r orb.Ring) string {
	pairs := make([]string, len(r))
	for i, p := range r {
		pairs[i] = formatPoint(p)
	}
	return strings.Join(pairs, " ")
}

// joinReferences returns triples of "sender,identifier,sent" with spaces between them. Sender and identifier must not
// contain a space or a comma for this reason.
func joinReferences(refs []Reference) string {
	triples := make([]string, len(refs))
	for i, r := range refs {
		triples[i] = r.Sender + "," + r.Identifier + "," + FormatTime(r.Sent)
	}
	return strings.Join(triples, " ")
}

// joinQuoted joins the items with spaces and quotes an item that contains white space. The elements addresses and
// incidents use this form (section 3.2.1).
func joinQuoted(items []string) string {
	quoted := make([]string, len(items))
	for i, s := range items {
		quoted[i] = s
		if strings.ContainsAny(s, " \t\r\n") {
			quoted[i] = `"` + s + `"`
		}
	}
	return strings.Join(quoted, " ")
}
