package cap

import (
	"encoding/hex"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/paulmach/orb"

	"onemap/internal/fault"
)

// The schema's enumerations.
func statuses() []Status {
	return []Status{StatusActual, StatusExercise, StatusSystem, StatusTest, StatusDraft}
}
func msgTypes() []MsgType {
	return []MsgType{TypeAlert, TypeUpdate, TypeCancel, TypeAck, TypeError}
}
func scopes() []Scope { return []Scope{ScopePublic, ScopeRestricted, ScopePrivate} }
func categories() []Category {
	return []Category{"Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other"}
}
func responseTypes() []ResponseType {
	return []ResponseType{"Shelter", "Evacuate", ResponsePrepare, ResponseExecute, "Avoid", ResponseMonitor, ResponseAssess, ResponseAllClear, "None"}
}
func urgencies() []Urgency {
	return []Urgency{UrgencyImmediate, UrgencyExpected, UrgencyFuture, UrgencyPast, UrgencyUnknown}
}
func severities() []Severity {
	return []Severity{SeverityExtreme, SeveritySevere, SeverityModerate, SeverityMinor, SeverityUnknown}
}
func certainties() []Certainty {
	return []Certainty{CertaintyObserved, CertaintyLikely, CertaintyPossible, CertaintyUnlikely, CertaintyUnknown}
}

// ValidCategory reports whether c is one of the schema's categories.
func ValidCategory(c string) bool { return slices.Contains(categories(), Category(c)) }

// Check calls Validate. It returns nil if there is no problem, or one fault.Invalid with the text of all problems. The
// Field of the error is the field of the first problem.
func Check(m Message) error {
	problems := Validate(m)
	if len(problems) == 0 {
		return nil
	}
	text := make([]string, len(problems))
	for i, p := range problems {
		text[i] = p.Msg
		if i > 0 {
			text[i] = p.Field + ": " + p.Msg
		}
	}
	return fault.InvalidField(problems[0].Field, "%s", strings.Join(text, "; "))
}

// Validate checks m against the values of the schema and against the rules in the text of the standard:
//
//   - identifier and sender have no spaces, commas, < or &; times have whole seconds;
//   - Update, Cancel, Ack and Error have references; no message refers to itself or to a later message;
//   - restriction is required with the scope Restricted and not allowed with another; addresses is required with
//     Private;
//   - an info expires after sent and after effective; two infos of one language are for different areas;
//   - a polygon is closed, has at least four pairs, and its coordinates are in range; a ceiling has an altitude below it.
//
// Validate also requires at least one info in an Alert or Update, and at least one area in each of these infos. The
// standard makes both optional.
func Validate(m Message) []Problem {
	c := &checker{}
	c.token("identifier", m.Identifier)
	c.token("sender", m.Sender)
	c.when("sent", m.Sent, true)
	enum(c, "status", m.Status, statuses())
	enum(c, "msgType", m.MsgType, msgTypes())
	enum(c, "scope", m.Scope, scopes())
	c.xml("source", m.Source)
	c.xml("note", m.Note)
	c.audience(m)
	c.references(m)
	for i, code := range m.Codes {
		c.xml(fmt.Sprintf("code[%d]", i), code)
	}
	c.quoted("incidents", m.Incidents)
	if speaks(m) && len(m.Infos) == 0 {
		c.add("info", "an %s needs at least one", m.MsgType)
	}
	for i := range m.Infos {
		c.info(m, i)
	}
	return c.problems
}

// speaks reports whether the message is for people (Alert, Update) and not for systems (Cancel, Ack, Error).
func speaks(m Message) bool { return m.MsgType == TypeAlert || m.MsgType == TypeUpdate }

// checker collects the problems of a message. It continues after a problem, so that a person can correct all problems at
// once.
type checker struct{ problems []Problem }

func (c *checker) add(field, format string, args ...any) {
	c.problems = append(c.problems, Problem{Field: field, Msg: fmt.Sprintf(format, args...)})
}

// enum checks a required value that must be in a list.
func enum[T ~string](c *checker, field string, v T, allowed []T) {
	switch {
	case v == "":
		c.add(field, "is missing")
	case !slices.Contains(allowed, v):
		c.add(field, "%q is none of %v", clip(string(v)), allowed)
	}
}

// xml adds a problem if s contains a character that XML 1.0 does not allow, or bytes that are not UTF-8.
func (c *checker) xml(field, s string) {
	for i, r := range s {
		bad := r == 0xFFFE || r == 0xFFFF || (r < 0x20 && r != '\t' && r != '\n' && r != '\r')
		if _, size := utf8.DecodeRuneInString(s[i:]); bad || (r == utf8.RuneError && size == 1) {
			c.add(field, "has a character at byte %d that XML cannot carry", i)
			return
		}
	}
}

// words checks a required text.
func (c *checker) words(field, s string) {
	if strings.TrimSpace(s) == "" {
		c.add(field, "is missing")
		return
	}
	c.xml(field, s)
}

// token checks an identifier or a sender. The element references joins them with commas and spaces, so they must not
// contain these.
func (c *checker) token(field, s string) {
	if s == "" {
		c.add(field, "is missing")
		return
	}
	if words := strings.Fields(s); len(words) != 1 || words[0] != s || strings.ContainsAny(s, ",<&") {
		c.add(field, "must not have spaces, commas, < or &")
		return
	}
	c.xml(field, s)
}

// when checks that parseTime can read the written time again. The year has four digits, the seconds are whole, and the
// offset is whole minutes up to 14 hours (xs:dateTime).
func (c *checker) when(field string, t time.Time, required bool) {
	if t.IsZero() {
		if required {
			c.add(field, "is missing")
		}
		return
	}
	_, offset := t.Zone()
	switch {
	case t.Year() < 1 || t.Year() > 9999:
		c.add(field, "year %d cannot be written", t.Year())
	case t.Nanosecond() != 0:
		c.add(field, "must be whole seconds")
	case offset%60 != 0 || offset > maxOffset || offset < -maxOffset:
		c.add(field, "the offset cannot be written")
	}
}

// audience checks restriction and addresses against the scope (section 3.2.1).
func (c *checker) audience(m Message) {
	c.xml("restriction", m.Restriction)
	switch {
	case m.Scope == ScopeRestricted && strings.TrimSpace(m.Restriction) == "":
		c.add("restriction", "is missing: the scope is Restricted")
	case m.Scope != ScopeRestricted && m.Restriction != "":
		c.add("restriction", "stands only with the scope Restricted")
	}
	if m.Scope == ScopePrivate && len(m.Addresses) == 0 {
		c.add("addresses", "is missing: the scope is Private")
	}
	c.quoted("addresses", m.Addresses)
}

// quoted checks the items of a list that joinQuoted writes. An item must not contain a quotation mark, because
// splitQuoted could not read it again.
func (c *checker) quoted(field string, items []string) {
	for i, s := range items {
		at := fmt.Sprintf("%s[%d]", field, i)
		c.words(at, s)
		if strings.Contains(s, `"`) || strings.TrimSpace(s) != s {
			c.add(at, "must not have quotation marks, or spaces around it")
		}
	}
}

// references checks that a message about earlier messages names each of them once, and no later message.
func (c *checker) references(m Message) {
	if slices.Contains([]MsgType{TypeUpdate, TypeCancel, TypeAck, TypeError}, m.MsgType) && len(m.References) == 0 {
		c.add("references", "is missing: %s is about earlier messages", m.MsgType)
	}
	// Sender and identifier identify a message. The time in the triple is not part of the key.
	seen := map[[2]string]bool{}
	for i, r := range m.References {
		at := fmt.Sprintf("references[%d]", i)
		c.token(at+".sender", r.Sender)
		c.token(at+".identifier", r.Identifier)
		c.when(at+".sent", r.Sent, true)
		key := [2]string{r.Sender, r.Identifier}
		switch {
		case r.Sender == m.Sender && r.Identifier == m.Identifier:
			c.add(at, "refers to the message itself")
		case seen[key]:
			c.add(at, "stands twice")
		case r.Sent.After(m.Sent):
			c.add(at, "was sent later than this message")
		}
		seen[key] = true
	}
}

// info checks one info element. It also checks that no earlier info has the same language and the same areas, because a
// reader selects an info by its language.
func (c *checker) info(m Message, n int) {
	i, at := m.Infos[n], fmt.Sprintf("info[%d].", n)
	if i.Language != "" && !isLanguage(i.Language) {
		c.add(at+"language", "%q is no language tag", clip(i.Language))
	}
	// Several infos of one language are allowed if their areas differ.
	for k, earlier := range m.Infos[:n] {
		if strings.EqualFold(language(earlier), language(i)) && sameAreas(earlier, i) {
			c.add(at+"language", "info[%d] already speaks %s for the same area", k, language(i))
		}
	}
	if len(i.Categories) == 0 {
		c.add(at+"category", "is missing")
	}
	list(c, at+"category", i.Categories, categories())
	list(c, at+"responseType", i.ResponseTypes, responseTypes())
	c.words(at+"event", i.Event)
	enum(c, at+"urgency", i.Urgency, urgencies())
	enum(c, at+"severity", i.Severity, severities())
	enum(c, at+"certainty", i.Certainty, certainties())
	c.times(at, m.Sent, i)
	for _, t := range []NamedValue{{"audience", i.Audience}, {"senderName", i.SenderName}, {"headline", i.Headline},
		{"description", i.Description}, {"instruction", i.Instruction}, {"contact", i.Contact}} {
		c.xml(at+t.Name, t.Value)
	}
	c.uri(at+"web", i.Web)
	c.pairs(at+"eventCode", i.EventCodes)
	c.pairs(at+"parameter", i.Parameters)
	for k, r := range i.Resources {
		c.resource(fmt.Sprintf("%sresource[%d].", at, k), r)
	}
	if speaks(m) && len(i.Areas) == 0 {
		c.add(at+"area", "is missing: an %s must say where", m.MsgType)
	}
	for k, a := range i.Areas {
		c.area(fmt.Sprintf("%sarea[%d].", at, k), a)
	}
}

// isLanguage reports whether s has the form of xs:language: subtags of 1 to 8 letters, and also digits after the first
// subtag.
func isLanguage(s string) bool {
	for i, tag := range strings.Split(s, "-") {
		allowed := letters
		if i > 0 {
			allowed += "0123456789"
		}
		if tag == "" || len(tag) > 8 || strings.Trim(tag, allowed) != "" {
			return false
		}
	}
	return true
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// language returns the language of an info, or DefaultLanguage if it has none.
func language(i Info) string {
	if i.Language == "" {
		return DefaultLanguage
	}
	return i.Language
}

// sameAreas reports whether two infos name the same areas in the same order. It compares the descriptions, not the
// shapes.
func sameAreas(a, b Info) bool {
	return slices.EqualFunc(a.Areas, b.Areas, func(x, y Area) bool { return x.Desc == y.Desc })
}

// list checks that each value is in a list of allowed values and occurs once.
func list[T ~string](c *checker, field string, vs, allowed []T) {
	for i, v := range vs {
		at := fmt.Sprintf("%s[%d]", field, i)
		enum(c, at, v, allowed)
		if slices.Contains(vs[:i], v) {
			c.add(at, "%s stands twice", clip(string(v)))
		}
	}
}

// times checks that an info does not end before it begins: expires is after sent and effective, and not before onset.
func (c *checker) times(at string, sent time.Time, i Info) {
	c.when(at+"effective", i.Effective, false)
	c.when(at+"onset", i.Onset, false)
	c.when(at+"expires", i.Expires, false)
	if i.Expires.IsZero() {
		return
	}
	if !i.Expires.After(sent) {
		c.add(at+"expires", "must be after sent")
	}
	if !i.Effective.IsZero() && !i.Expires.After(i.Effective) {
		c.add(at+"expires", "must be after effective")
	}
	if !i.Onset.IsZero() && i.Onset.After(i.Expires) {
		c.add(at+"expires", "must not be before onset")
	}
}

// uri checks an absolute URI. The element web requires one (section 3.2.2).
func (c *checker) uri(field, s string) {
	if s == "" {
		return
	}
	c.xml(field, s)
	if u, err := url.Parse(s); err != nil || u.Scheme == "" || strings.ContainsAny(s, " \t\r\n") {
		c.add(field, "%q is no absolute URI", clip(s))
	}
}

// pairs checks that each pair has a name. The value may be empty.
func (c *checker) pairs(field string, pairs []NamedValue) {
	for i, p := range pairs {
		c.words(fmt.Sprintf("%s[%d].valueName", field, i), p.Name)
		c.xml(fmt.Sprintf("%s[%d].value", field, i), p.Value)
	}
}

// resource checks a resource element (section 3.2.3). The digest is a SHA-1 of 20 bytes, in hexadecimal.
func (c *checker) resource(at string, r Resource) {
	c.words(at+"resourceDesc", r.Desc)
	c.words(at+"mimeType", r.MimeType)
	if r.MimeType != "" && !strings.Contains(r.MimeType, "/") {
		c.add(at+"mimeType", "%q is no MIME type", clip(r.MimeType))
	}
	if r.Size != nil && *r.Size < 0 {
		c.add(at+"size", "is negative")
	}
	if r.URI != "" { // a relative URI is the file name of the content in derefUri
		c.xml(at+"uri", r.URI)
		if _, err := url.Parse(r.URI); err != nil || strings.ContainsAny(r.URI, " \t\r\n") {
			c.add(at+"uri", "%q is no URI", clip(r.URI))
		}
	}
	c.xml(at+"derefUri", r.DerefURI)
	if b, err := hex.DecodeString(r.Digest); err != nil || (len(b) != 0 && len(b) != 20) {
		c.add(at+"digest", "is no SHA-1 in hexadecimal")
	}
}

// area checks an area element (section 3.2.4). Polygons are closed rings of lon, lat. A radius is in kilometres; a radius
// of more than halfEarthKM is refused, because it is probably in metres.
func (c *checker) area(at string, a Area) {
	c.words(at+"areaDesc", a.Desc)
	for i, p := range a.Polygons {
		c.ring(fmt.Sprintf("%spolygon[%d]", at, i), p)
	}
	for i, circle := range a.Circles {
		field := fmt.Sprintf("%scircle[%d]", at, i)
		c.point(field, circle.Centre)
		if !finite(circle.RadiusKM) || circle.RadiusKM < 0 || circle.RadiusKM > halfEarthKM {
			c.add(field, "a radius of %v km", circle.RadiusKM)
		}
	}
	c.pairs(at+"geocode", a.Geocodes)
	if a.Altitude != nil && !finite(*a.Altitude) {
		c.add(at+"altitude", "is no number")
	}
	switch {
	case a.Ceiling == nil:
	case a.Altitude == nil:
		c.add(at+"ceiling", "stands only with an altitude")
	case !finite(*a.Ceiling) || *a.Ceiling < *a.Altitude:
		c.add(at+"ceiling", "must not be below the altitude")
	}
}

// halfEarthKM is half the circumference of the Earth at the equator, in kilometres. A circle of this radius covers the
// whole Earth.
const halfEarthKM = 20038

// finite reports whether v is neither NaN nor infinite. xs:decimal has no form for these.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// point checks a lon, lat pair in degrees. A latitude beyond 90 usually means that the pair is in the wrong order.
func (c *checker) point(field string, p orb.Point) bool {
	ok := finite(p.Lon()) && finite(p.Lat()) && math.Abs(p.Lon()) <= 180 && math.Abs(p.Lat()) <= 90
	if !ok {
		c.add(field, "lon %v, lat %v is not on the Earth", p.Lon(), p.Lat())
	}
	return ok
}

// ring checks a polygon. The standard requires at least four pairs, and the last pair must be equal to the first.
func (c *checker) ring(field string, r orb.Ring) {
	if len(r) < 4 {
		c.add(field, "has %d pairs, a polygon has at least 4", len(r))
		return
	}
	if r[0] != r[len(r)-1] {
		c.add(field, "is not closed: the last pair must be the first")
	}
	for _, p := range r {
		if !c.point(field, p) {
			return
		}
	}
}
