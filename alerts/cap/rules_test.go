package cap

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"

	"onemap/internal/fault"
)

// problems returns the fields that Validate names, each once.
func problems(m Message) []string {
	var fields []string
	for _, p := range Validate(m) {
		if !slices.Contains(fields, p.Field) {
			fields = append(fields, p.Field)
		}
	}
	return fields
}

// Every value of the standard's lists is accepted and comes back from the wire. CAP 1.2, sections 3.2.1 and 3.2.2.
func TestEveryValueOfTheStandard(t *testing.T) {
	try := func(name string, change func(*Message)) {
		m := full()
		change(&m)
		data, err := Marshal(m)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		back, err := Unmarshal(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(m, back); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	for _, v := range []Status{"Actual", "Exercise", "System", "Test", "Draft"} {
		try("status "+string(v), func(m *Message) { m.Status = v })
	}
	for _, v := range []MsgType{"Alert", "Update", "Cancel", "Ack", "Error"} {
		try("msgType "+string(v), func(m *Message) { m.MsgType = v })
	}
	for _, v := range []Category{"Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other"} {
		try("category "+string(v), func(m *Message) { m.Infos[0].Categories = []Category{v} })
		if !ValidCategory(string(v)) {
			t.Errorf("ValidCategory refuses %s", v)
		}
	}
	for _, v := range []ResponseType{"Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"} {
		try("responseType "+string(v), func(m *Message) { m.Infos[0].ResponseTypes = []ResponseType{v} })
	}
	for _, v := range []Urgency{"Immediate", "Expected", "Future", "Past", "Unknown"} {
		try("urgency "+string(v), func(m *Message) { m.Infos[0].Urgency = v })
	}
	for _, v := range []Severity{"Extreme", "Severe", "Moderate", "Minor", "Unknown"} {
		try("severity "+string(v), func(m *Message) { m.Infos[0].Severity = v })
	}
	for _, v := range []Certainty{"Observed", "Likely", "Possible", "Unlikely", "Unknown"} {
		try("certainty "+string(v), func(m *Message) { m.Infos[0].Certainty = v })
	}
	if ValidCategory("Water") || ValidCategory("") || ValidCategory("met") {
		t.Error("ValidCategory accepts what the schema does not know")
	}
}

// Section 3.2.1: an Update, a Cancel, an Ack and an Error are about earlier messages. An Alert or an Update speaks to people, and so
// says what and where; the others need not.
func TestMessageTypes(t *testing.T) {
	for _, c := range []struct {
		kind       MsgType
		references bool
		infos      bool
		want       []string
	}{
		{TypeAlert, false, true, nil},
		{TypeAlert, true, true, nil},
		{TypeAlert, false, false, []string{"info"}},
		{TypeUpdate, true, true, nil},
		{TypeUpdate, false, true, []string{"references"}},
		{TypeUpdate, true, false, []string{"info"}},
		{TypeCancel, true, false, nil},
		{TypeCancel, true, true, nil},
		{TypeCancel, false, false, []string{"references"}},
		{TypeAck, true, false, nil},
		{TypeAck, false, false, []string{"references"}},
		{TypeError, true, false, nil},
		{TypeError, false, true, []string{"references"}},
	} {
		m := full()
		m.MsgType = c.kind
		if !c.references {
			m.References = nil
		}
		if !c.infos {
			m.Infos = nil
		}
		if diff := cmp.Diff(c.want, problems(m)); diff != "" {
			t.Errorf("%s, references %v, infos %v: (-want +got)\n%s", c.kind, c.references, c.infos, diff)
		}
	}
	m := full() // a Cancel may be without a place, an Update may not
	m.Infos[0].Areas, m.MsgType = nil, TypeCancel
	if got := problems(m); got != nil {
		t.Errorf("a Cancel without an area: %v", got)
	}
}

// Section 3.2.1: restriction stands when the scope is Restricted, addresses when it is Private.
func TestScopes(t *testing.T) {
	for _, c := range []struct {
		scope       Scope
		restriction string
		addresses   []string
		want        []string
	}{
		{ScopePublic, "", nil, nil},
		{ScopePublic, "", []string{"city"}, nil},
		{ScopePublic, "duty officers", nil, []string{"restriction"}},
		{ScopeRestricted, "duty officers", nil, nil},
		{ScopeRestricted, "", nil, []string{"restriction"}},
		{ScopeRestricted, " \n", nil, []string{"restriction"}},
		{ScopePrivate, "", []string{"370602"}, nil},
		{ScopePrivate, "", nil, []string{"addresses"}},
		{ScopePrivate, "duty officers", []string{"370602"}, []string{"restriction"}},
	} {
		m := full()
		m.Scope, m.Restriction, m.Addresses = c.scope, c.restriction, c.addresses
		if diff := cmp.Diff(c.want, problems(m)); diff != "" {
			t.Errorf("%s %q %q: (-want +got)\n%s", c.scope, c.restriction, c.addresses, diff)
		}
	}
}

// Section 3.2.2: an info without a language is in en-US. Several infos may be of one language when they are for different areas, and
// of one area when they are in different languages.
func TestLanguagesAndAreas(t *testing.T) {
	for _, c := range []struct {
		name      string
		languages [2]string
		sameArea  bool
		want      []string
	}{
		{"two languages, one area", [2]string{"zh-CN", "en"}, true, nil},
		{"one language, two areas", [2]string{"zh-CN", "zh-CN"}, false, nil},
		{"one language, one area", [2]string{"zh-CN", "zh-CN"}, true, []string{"info[1].language"}},
		{"one language in another spelling", [2]string{"zh-CN", "ZH-cn"}, true, []string{"info[1].language"}},
		{"none, which is en-US, and en-US", [2]string{"", "en-US"}, true, []string{"info[1].language"}},
		{"none twice", [2]string{"", ""}, true, []string{"info[1].language"}},
		{"a long tag", [2]string{"zh-Hans-CN-x-duty1", "en"}, true, nil},
		{"nine letters", [2]string{"mandarinx", "en"}, true, []string{"info[0].language"}},
		{"an empty subtag", [2]string{"zh--CN", "en"}, true, []string{"info[0].language"}},
	} {
		m := full()
		m.Infos[0].Language, m.Infos[1].Language = c.languages[0], c.languages[1]
		if !c.sameArea {
			m.Infos[1].Areas = []Area{{Desc: "another place"}}
		}
		if diff := cmp.Diff(c.want, problems(m)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
}

// A file can satisfy the schema and still say what cannot be: the order of its times.
func TestTimesOfAnInfo(t *testing.T) {
	at := func(minutes int) time.Time { return sent().Add(time.Duration(minutes) * time.Minute) }
	for _, c := range []struct {
		name                      string
		effective, onset, expires time.Time
		want                      []string
	}{
		{"none of them", time.Time{}, time.Time{}, time.Time{}, nil},
		{"in order", at(0), at(30), at(60), nil},
		{"effective before it was sent", at(-10), time.Time{}, at(60), nil},
		{"it has begun already", at(0), at(-30), at(60), nil},
		{"it begins when the message expires", at(0), at(60), at(60), nil},
		{"expired when it is sent", time.Time{}, time.Time{}, at(0), []string{"info[0].expires"}},
		{"expired before it takes effect", at(60), time.Time{}, at(60), []string{"info[0].expires"}},
		{"expired before it begins", at(0), at(61), at(60), []string{"info[0].expires"}},
		{"half a second", at(0).Add(time.Second / 2), time.Time{}, at(60), []string{"info[0].effective"}},
	} {
		m := full()
		i := &m.Infos[0]
		i.Effective, i.Onset, i.Expires = c.effective, c.onset, c.expires
		if diff := cmp.Diff(c.want, problems(m)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
}

// Section 3.2.4: polygons are closed and of at least four pairs, circles have a radius in kilometres, a ceiling needs an altitude.
func TestAreas(t *testing.T) {
	triangle := orb.Ring{{121.3, 37.5}, {121.4, 37.5}, {121.4, 37.6}, {121.3, 37.5}}
	number := func(v float64) *float64 { return &v }
	for _, c := range []struct {
		name string
		area Area
		want []string
	}{
		{"a name alone", Area{Desc: "夹河口"}, nil},
		{"no name", Area{Polygons: []orb.Ring{triangle}}, []string{"areaDesc"}},
		{"the smallest polygon", Area{Desc: "a", Polygons: []orb.Ring{triangle}}, nil},
		{"open", Area{Desc: "a", Polygons: []orb.Ring{append(slices.Clone(triangle[:3]), orb.Point{121.3, 37.6})}}, []string{"polygon[0]"}},
		{"three pairs", Area{Desc: "a", Polygons: []orb.Ring{triangle, triangle[1:]}}, []string{"polygon[1]"}},
		{"lat and lon in the wrong order", Area{Desc: "a", Polygons: []orb.Ring{{{37.5, 121.3}, {37.5, 121.4}, {37.6, 121.4}, {37.5, 121.3}}}}, []string{"polygon[0]"}},
		{"no number", Area{Desc: "a", Polygons: []orb.Ring{{{math.NaN(), 37.5}, {121.4, 37.5}, {121.4, 37.6}, {math.NaN(), 37.5}}}}, []string{"polygon[0]"}},
		{"a point", Area{Desc: "a", Circles: []Circle{{orb.Point{121.3, 37.5}, 0}}}, nil},
		{"the edges of the map", Area{Desc: "a", Circles: []Circle{{orb.Point{-180, 90}, 1}, {orb.Point{180, -90}, 1}}}, nil},
		{"a centre off the Earth", Area{Desc: "a", Circles: []Circle{{orb.Point{121.3, 37.5}, 1}, {orb.Point{181, 37.5}, 1}}}, []string{"circle[1]"}},
		{"a radius in metres", Area{Desc: "a", Circles: []Circle{{orb.Point{121.3, 37.5}, 25_000}}}, []string{"circle[0]"}},
		{"no radius", Area{Desc: "a", Circles: []Circle{{orb.Point{121.3, 37.5}, math.Inf(1)}}}, []string{"circle[0]"}},
		{"an altitude alone", Area{Desc: "a", Altitude: number(-10)}, nil},
		{"a flat range", Area{Desc: "a", Altitude: number(100), Ceiling: number(100)}, nil},
		{"a ceiling alone", Area{Desc: "a", Ceiling: number(100)}, []string{"ceiling"}},
		{"a ceiling below", Area{Desc: "a", Altitude: number(100), Ceiling: number(99)}, []string{"ceiling"}},
		{"an altitude that is no number", Area{Desc: "a", Altitude: number(math.NaN())}, []string{"altitude"}},
	} {
		m := small()
		m.Infos[0].Areas = []Area{c.area}
		var want []string
		for _, field := range c.want {
			want = append(want, "info[0].area[0]."+field)
		}
		if diff := cmp.Diff(want, problems(m)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
}

// The order of coordinates on the wire is latitude, longitude; kilometres stay kilometres.
func TestCoordinatesOnTheWire(t *testing.T) {
	data, err := Marshal(full())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<polygon>37.5,121.3 37.5,121.4 37.6,121.4 37.6,121.3 37.5,121.3</polygon>", "<circle>37.55,121.35 3.5</circle>",
		"<altitude>0</altitude>", "<ceiling>328.1</ceiling>",
	} {
		if !strings.Contains(string(data), want) {
			t.Errorf("it has no %s", want)
		}
	}
}

// Section 3.2.3: a resource's own rules.
func TestResources(t *testing.T) {
	for _, c := range []struct {
		name     string
		resource Resource
		want     []string
	}{
		{"the least", Resource{Desc: "photo", MimeType: "image/jpeg"}, nil},
		{"a relative URI names the file in derefUri", Resource{Desc: "photo", MimeType: "image/jpeg", URI: "a.jpg", DerefURI: "AAEC"}, nil},
		{"a space", Resource{Desc: "photo", MimeType: "image/jpeg", URI: "a photo.jpg"}, []string{"uri"}},
		{"a bad escape", Resource{Desc: "photo", MimeType: "image/jpeg", URI: "https://example.org/%zz"}, []string{"uri"}},
		{"no description and no type", Resource{}, []string{"resourceDesc", "mimeType"}},
		{"a digest of SHA-256", Resource{Desc: "photo", MimeType: "image/jpeg", Digest: strings.Repeat("0a", 32)}, []string{"digest"}},
	} {
		m := small()
		m.Infos[0].Resources = []Resource{c.resource}
		var want []string
		for _, field := range c.want {
			want = append(want, "info[0].resource[0]."+field)
		}
		if diff := cmp.Diff(want, problems(m)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
}

// What strangers send: each document has one thing wrong, and the error names the place.
func TestUnmarshalNamesThePlace(t *testing.T) {
	document := func(inside string) string {
		return fmt.Sprintf(`<alert xmlns="%s"><identifier>a</identifier><sender>b</sender>%s`, Namespace, inside)
	}
	area := func(inside string) string {
		return document("<info><area><areaDesc>x</areaDesc>" + inside + "</area></info></alert>")
	}
	for name, c := range map[string]struct{ doc, field string }{
		"an attribute of the root":                      {strings.Replace(document("</alert>"), "<alert ", `<alert lang="zh" `, 1), "alert"},
		"text after the root":                           {document("</alert> more"), "document"},
		"a broken comment after the root":               {document("</alert><!-- "), "line"},
		"it ends within an element":                     {document("<info>"), "line"},
		"it ends within text":                           {document("<sent>2026"), "line"},
		"a signature that ends in the middle":           {document(`<Signature xmlns="` + signatureNS + `"><SignedInfo>`), "line"},
		"a declaration within text":                     {document("<sent><!DOCTYPE a></sent></alert>"), "!DOCTYPE"},
		"a number with two points":                      {area("<altitude>1.2.3</altitude>"), "info[0].area[0].altitude"},
		"a number with an exponent":                     {area("<altitude>1e3</altitude>"), "info[0].area[0].altitude"},
		"a latitude that is none":                       {area("<polygon>x,121.3</polygon>"), "info[0].area[0].polygon[0]"},
		"the second polygon":                            {area("<polygon>1,2</polygon><polygon>1;2</polygon>"), "info[0].area[0].polygon[1]"},
		"a circle's centre":                             {area("<circle>37.5 3.5</circle>"), "info[0].area[0].circle[0]"},
		"a reference whose time is none":                {document("<references>b,a,yesterday</references></alert>"), "references"},
		"a quotation mark that is not closed":           {document(`<incidents>"storm 12</incidents></alert>`), "incidents"},
		"a quotation mark within a word":                {document(`<addresses>storm"12</addresses></alert>`), "addresses"},
		"a time with a space, as the 12379 dialect has": {document("<sent>2026-11-23 14:58:01+08:00</sent></alert>"), "sent"},
		"the namespace of the 12379 dialect":            {`<alert xmlns="http://com.icss.amp"/>`, "alert"},
	} {
		_, err := Unmarshal([]byte(c.doc))
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.Invalid || !strings.HasPrefix(e.Field, c.field) {
			t.Errorf("%s: want an error at %q, got %v", name, c.field, err)
		}
	}
}

// Lists of words: what has a space is quoted (sections 3.2.1, addresses and incidents).
func TestQuotedLists(t *testing.T) {
	m := full()
	m.Addresses, m.Incidents = []string{"one", "two words", "three"}, []string{"烟台 7 号台风"}
	data, err := Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<addresses>one "two words" three</addresses>`, `<incidents>"烟台 7 号台风"</incidents>`} {
		if !strings.Contains(strings.ReplaceAll(string(data), "&#34;", `"`), want) {
			t.Errorf("it has no %s:\n%s", want, data)
		}
	}
	back, err := Unmarshal(data)
	if err != nil || !slices.Equal(back.Addresses, m.Addresses) || !slices.Equal(back.Incidents, m.Incidents) {
		t.Errorf("%q, %q, %v", back.Addresses, back.Incidents, err)
	}
}

// Check is one error of all problems, with the first one's field.
func TestCheckNamesTheFirstField(t *testing.T) {
	m := small()
	m.Sender, m.Infos[0].Severity = "a b", "Red"
	var e *fault.Error
	if err := Check(m); !errors.As(err, &e) || e.Field != "sender" || !strings.Contains(e.Error(), "info[0].severity: ") {
		t.Errorf("%v", err)
	}
	if err := Check(small()); err != nil {
		t.Error(err)
	}
}
