package alerts

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"onemap/alerts/cap"
	"onemap/internal/core"
	"onemap/sensors"
)

// Issuer is who signs the messages.
type Issuer struct {
	Sender   string    // CAP sender: globally unique, no spaces, commas, < or &
	Unit     core.Text // senderName and the head of each headline
	CityCode string    // GB/T 2260, the first part of identifiers
}

// defaultLead is the life of a message whose hazard does not define one.
const defaultLead = 2 * time.Hour

// simulated is the note of every message about synthetic data.
func simulated() core.Text {
	return core.Text{ZH: "模拟数据，非真实告警", EN: "Simulated data, not a real alarm"}
}

// occasion is why a message is issued.
type occasion uint8

const (
	begun     occasion = iota // the episode begins
	rose                      // to a worse level
	fell                      // to a milder one
	renewed                   // still open, and the last message is about to expire
	ended                     // the value has returned to normal
	withdrawn                 // a person deleted, disabled or replaced the rule, the device or the datastream
)

// issue holds the input of one message. alert is the alert after the change, with the identifier and the expiry of this
// message.
type issue struct {
	why    occasion
	alert  Alert
	before core.Level      // the level until now
	rule   *Rule           // nil when it is gone
	target *sensors.Target // nil when it is gone
	sent   time.Time
	refs   []Message // the unexpired predecessors
}

// chinaTime is Asia/Shanghai, which has had no summer time since 1991.
func chinaTime() *time.Location { return time.FixedZone("CST", 8*60*60) }

// identifier names the first message of an episode, as "370600-20261123T065801Z-5d0c2f9a71b3-1"; the
// later ones count on. It is known before the alert has an ID, and the 48 random bits keep it unique
// among nodes, after restarts, and in a database that was restored and goes another way.
func (i Issuer) identifier(sent time.Time) string {
	var salt [6]byte
	_, _ = rand.Read(salt[:]) // never fails
	return fmt.Sprintf("%s-%s-%s-1", padCode(i.CityCode), sent.UTC().Format("20060102T150405Z"), hex.EncodeToString(salt[:]))
}

// nextIdentifier is the name of the message after the one named.
func nextIdentifier(last string) (string, bool) {
	stem, n, ok := cutLast(last, "-")
	if !ok {
		return "", false
	}
	count, err := strconv.Atoi(n)
	if err != nil || count < 1 {
		return "", false
	}
	return stem + "-" + strconv.Itoa(count+1), true
}

// cutLast cuts s around the last sep, as strings.Cut does around the first.
func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// padCode writes a division code with the six digits that GB/T 2260 has; longer ones stay.
func padCode(code string) string {
	if len(code) < 6 {
		code += strings.Repeat("0", 6-len(code))
	}
	return code
}

// write makes the message. It refuses nothing that an alert can hold: what CAP cannot carry is
// replaced, so that a slip in the registry never holds an alarm back.
func (i Issuer) write(is issue) (Message, error) {
	m := i.compose(is)
	xml, err := cap.Marshal(m)
	if err != nil {
		return Message{}, fmt.Errorf("message %s: %w", m.Identifier, err)
	}
	return Message{
		Identifier: m.Identifier, MsgType: string(m.MsgType), AlertID: is.alert.ID,
		Sent: is.sent, Expires: is.alert.Expires, XML: xml,
	}, nil
}

// compose says it in CAP's words. The scope is Restricted: a sensor's alarm is for those who are on duty,
// and who passes it on to the public needs a warning of the competent body. Simulated data is issued with
// the status Test and a note.
func (i Issuer) compose(is issue) cap.Message {
	a := is.alert
	m := cap.Message{
		Identifier: a.Identifier, Sender: i.Sender, Sent: is.sent.In(chinaTime()),
		Status: cap.StatusActual, MsgType: cap.TypeAlert, Scope: cap.ScopeRestricted, Restriction: restriction(), Source: clean(a.DeviceID),
	}
	if a.Origin == core.OriginSynthetic {
		note := simulated()
		m.Status, m.Note = cap.StatusTest, note.ZH+" / "+note.EN
	}
	for _, p := range is.refs {
		m.MsgType = cap.TypeUpdate // with nothing left to refer to it is an Alert of its own
		m.References = append(m.References, cap.Reference{Sender: i.Sender, Identifier: p.Identifier, Sent: p.Sent.In(chinaTime())})
	}
	area := i.area(a)
	for _, lang := range []language{chinese, english} {
		info := i.info(is, lang)
		info.Areas = []cap.Area{area(lang)}
		m.Infos = append(m.Infos, info)
	}
	return m
}

func restriction() string {
	return "应急值守人员 / for the people on duty"
}

// senderName returns the issuing unit with the note that the monitoring is automatic. It never names a person.
func (i Issuer) senderName(lang language) string {
	if lang == chinese {
		return clean(lang.of(i.Unit)) + "（自动监测）"
	}
	return clean(lang.of(i.Unit)) + " (automatic monitoring)"
}

// event returns the name of the hazard with the kind of the message.
func event(a Alert, lang language) string {
	name := orElse(lang.of(a.HazardName), a.Hazard)
	if lang == chinese {
		return name + "监测告警"
	}
	return name + " monitoring alarm"
}

// info returns the CAP info of the alert in one language. Severity and urgency follow from the colour. A cleared alert
// is Past and Minor with the response AllClear. A withdrawn alert is Unknown, because no measurement shows that it is
// over. A stale alert is Likely instead of Observed.
func (i Issuer) info(is issue, lang language) cap.Info {
	a, grade := is.alert, gradeOf(is.alert.Level)
	info := cap.Info{
		Language: lang.tag(), Categories: []cap.Category{category(is.target)}, Event: event(a, lang),
		ResponseTypes: []cap.ResponseType{grade.response},
		Urgency:       grade.urgency, Severity: grade.severity, Certainty: cap.CertaintyObserved,
		EventCodes: []cap.NamedValue{{Name: "onemap:hazard", Value: clean(a.Hazard)}},
		Onset:      wholeSecond(a.Onset), Expires: a.Expires.In(chinaTime()),
		SenderName: i.senderName(lang), Headline: clean(lang.of(a.Headline)), Description: i.description(is, lang),
		Parameters: parameters(a),
	}
	if info.Onset.After(info.Expires) { // the clock of the device is ahead
		info.Onset = is.sent.In(chinaTime())
	}
	switch {
	case is.why == withdrawn: // no measurement shows that it is over
		info.ResponseTypes = []cap.ResponseType{cap.ResponseAssess}
		info.Urgency, info.Severity, info.Certainty = cap.UrgencyUnknown, cap.SeverityUnknown, cap.CertaintyUnknown
	case a.Detection == Cleared:
		info.ResponseTypes = []cap.ResponseType{cap.ResponseAllClear}
		info.Urgency, info.Severity = cap.UrgencyPast, cap.SeverityMinor
	case a.Detection == Stale:
		info.Certainty = cap.CertaintyLikely
	}
	if a.Detection != Cleared && is.target != nil {
		info.Instruction = clean(lang.of(is.target.Hazard.Instruction))
	}
	return info
}

// parameters returns the values for which CAP has no element: the colour, the property with its value, unit and
// threshold, and the peak of the episode. Numbers have all their digits and no exponent. Times are RFC 3339.
func parameters(a Alert) []cap.NamedValue {
	level, value, at := a.peak()
	return []cap.NamedValue{
		{Name: "onemap:kind", Value: "monitoring-alarm"},
		{Name: "colour", Value: a.Level.String()},
		{Name: "datastream", Value: strconv.FormatInt(a.DatastreamID, 10)},
		{Name: "property", Value: clean(a.Property)},
		{Name: "value", Value: strconv.FormatFloat(a.Value, 'f', -1, 64)},
		{Name: "unit", Value: clean(a.Symbol)},
		{Name: "threshold", Value: strconv.FormatFloat(a.Threshold, 'f', -1, 64)},
		{Name: "peak_colour", Value: level.String()},
		{Name: "peak_value", Value: strconv.FormatFloat(value, 'f', -1, 64)},
		{Name: "peak_time", Value: wholeSecond(at).Format(time.RFC3339)},
		{Name: "origin", Value: string(a.Origin)},
	}
}

// area returns the place in a language: the polygon, and the codes of the counties addressed.
func (i Issuer) area(a Alert) func(language) cap.Area {
	shape := cap.Area{}
	for _, ring := range a.Area[:min(1, len(a.Area))] {
		shape.Polygons = append(shape.Polygons, ring)
	}
	for _, d := range a.Divisions {
		shape.Geocodes = append(shape.Geocodes, cap.NamedValue{Name: "GB/T 2260", Value: padCode(d)})
	}
	return func(lang language) cap.Area {
		area := shape
		if lang == chinese {
			area.Desc = fmt.Sprintf("%s周边（%s）", orElse(a.DeviceName.ZH, a.DeviceID), padCode(a.Division))
		} else {
			area.Desc = fmt.Sprintf("Around %s (%s)", orElse(english.of(a.DeviceName), a.DeviceID), padCode(a.Division))
		}
		return area
	}
}

// category is the hazard's, but for Met: a message of that category is read as a warning of the
// meteorological service, and this is none. It is one of general safety then.
func category(t *sensors.Target) cap.Category {
	switch {
	case t == nil || !cap.ValidCategory(t.Hazard.CAPCategory):
		return "Other"
	case t.Hazard.CAPCategory == "Met":
		return "Safety"
	default:
		return cap.Category(t.Hazard.CAPCategory)
	}
}

// grade is what a colour means in CAP.
type grade struct {
	severity cap.Severity
	urgency  cap.Urgency
	response cap.ResponseType
}

// gradeOf maps the four colours as reference practice has them: 红 Extreme, 橙 Severe, 黄 Moderate,
// 蓝 Minor. The colour itself is kept as a parameter.
func gradeOf(l core.Level) grade {
	switch l {
	case core.Red:
		return grade{cap.SeverityExtreme, cap.UrgencyImmediate, cap.ResponseExecute}
	case core.Orange:
		return grade{cap.SeveritySevere, cap.UrgencyImmediate, cap.ResponsePrepare}
	case core.Yellow:
		return grade{cap.SeverityModerate, cap.UrgencyExpected, cap.ResponsePrepare}
	case core.Blue:
		return grade{cap.SeverityMinor, cap.UrgencyExpected, cap.ResponseMonitor}
	default:
		return grade{cap.SeverityUnknown, cap.UrgencyUnknown, cap.ResponseMonitor}
	}
}

// whole drops the fraction of a second, which CAP cannot carry.
func wholeSecond(t time.Time) time.Time { return t.In(chinaTime()).Truncate(time.Second) }

// lead is how long a message holds: the lead time of the hazard, or two hours.
func lead(t *sensors.Target) time.Duration {
	if t == nil || t.Hazard.LeadMinutes <= 0 {
		return defaultLead
	}
	return time.Duration(t.Hazard.LeadMinutes) * time.Minute
}

// orElse returns the first of two texts that is not blank, and "-" if both are: CAP refuses an empty event or
// area.
func orElse(s, other string) string {
	if s = strings.TrimSpace(clean(s)); s != "" {
		return s
	}
	if other = strings.TrimSpace(clean(other)); other != "" {
		return other
	}
	return "-"
}

// clean replaces what XML cannot carry.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == 0xFFFE || r == 0xFFFF || (r < 0x20 && r != '\t' && r != '\n') {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
