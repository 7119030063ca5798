package cap

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"
	"pgregory.net/rapid"

	"onemap/internal/fault"
)

var update = flag.Bool("update", false, "write the golden files anew")

func china() *time.Location { return time.FixedZone("CST", 8*3600) }

func sent() time.Time { return time.Date(2026, 11, 23, 14, 58, 1, 0, china()) }

// full has every element that there is.
func full() Message {
	size, low, high := int64(2048), 0.0, 328.1
	square := orb.Ring{{121.3, 37.5}, {121.4, 37.5}, {121.4, 37.6}, {121.3, 37.6}, {121.3, 37.5}}
	zh := Info{
		Language: "zh-CN", Categories: []Category{"Met", "Safety"}, Event: "洪水",
		ResponseTypes: []ResponseType{"Evacuate", ResponseMonitor},
		Urgency:       UrgencyImmediate, Severity: SeverityExtreme, Certainty: CertaintyObserved,
		Audience:   "沿河居民",
		EventCodes: []NamedValue{{"onemap:hazard", "flood"}},
		Effective:  sent(), Onset: sent().Add(-time.Minute), Expires: sent().Add(2 * time.Hour),
		SenderName: "烟台市应急管理局", Headline: "烟台市应急管理局发布洪水红色预警",
		Description: "水位 4.62 m ≥ 4.50 m\n第二行 <&> \"引号\"", Instruction: "转移",
		Web: "https://example.org/alerts?id=1&lang=zh", Contact: "0535-0000000",
		Parameters: []NamedValue{{"colour", "red"}, {"empty", ""}},
		Resources: []Resource{{Desc: "照片", MimeType: "image/jpeg", Size: &size, URI: "https://example.org/a.jpg",
			DerefURI: "AAEC", Digest: strings.Repeat("0a", 20)}},
		Areas: []Area{{Desc: "夹河口", Polygons: []orb.Ring{square}, Circles: []Circle{{orb.Point{121.35, 37.55}, 3.5}},
			Geocodes: []NamedValue{{"GB/T 2260", "370602"}}, Altitude: &low, Ceiling: &high}},
	}
	en := zh
	en.Language, en.Event, en.Headline = "en-US", "Flood", "Red flood warning"
	return Message{
		Identifier: "370600-20261123T065801Z-0a1b2c-2", Sender: "onemap.yantai", Sent: sent(),
		Status: StatusExercise, MsgType: TypeUpdate, Source: "water level gauge", Scope: ScopeRestricted,
		Restriction: "演练参与单位", Addresses: []string{"county 370602", "370614"}, Codes: []string{"a", "b"},
		Note:       "演练",
		References: []Reference{{"onemap.yantai", "370600-20261123T065801Z-0a1b2c-1", sent().Add(-time.Hour)}},
		Incidents:  []string{"storm 12", "i-2"},
		Infos:      []Info{zh, en},
	}
}

// small is the least that may be issued.
func small() Message {
	return Message{
		Identifier: "a-1", Sender: "onemap", Sent: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Status: StatusActual, MsgType: TypeAlert, Scope: ScopePublic,
		Infos: []Info{{
			Categories: []Category{"Geo"}, Event: "Landslide", Urgency: UrgencyExpected, Severity: SeverityMinor,
			Certainty: CertaintyLikely, Areas: []Area{{Desc: "Laishan"}},
		}},
	}
}

func cancel() Message {
	m := small()
	m.MsgType, m.Infos, m.Identifier = TypeCancel, nil, "a-2"
	m.References = []Reference{small().Reference()}
	return m
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (run with -update to accept):\n%s", name, diff)
	}
}

func TestMarshalGolden(t *testing.T) {
	for name, m := range map[string]Message{"full.xml": full(), "small.xml": small(), "cancel.xml": cancel()} {
		t.Run(name, func(t *testing.T) {
			data, err := Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, data)
			back, err := Unmarshal(data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(m, back); diff != "" {
				t.Errorf("what was read is not what was written:\n%s", diff)
			}
		})
	}
}

// TestSchema holds the golden files against the schema itself where one is at hand; the rules of
// Validate hold everywhere else.
func TestSchema(t *testing.T) {
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Unmarshal(data)
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		if err := Check(m); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
	xsd := os.Getenv("ONEMAP_CAP_XSD")
	if xsd == "" {
		return
	}
	out, err := exec.CommandContext(t.Context(), "xmllint", append([]string{"--noout", "--nonet", "--schema", xsd}, files...)...).CombinedOutput()
	if err != nil {
		t.Errorf("xmllint: %v\n%s", err, out)
	}
}

// spoiled is a way to break one rule, and the field that Validate must name.
type spoiled struct {
	field string
	spoil func(*Message)
}

// spoiledMessages are the ways to break a message's own elements, spoiledInfos an info's.
func spoiledMessages() []spoiled {
	return []spoiled{
		{"identifier", func(m *Message) { m.Identifier = "" }},
		{"identifier", func(m *Message) { m.Identifier = "a b" }},
		{"identifier", func(m *Message) { m.Identifier = "a\u2003b" }},
		{"sender", func(m *Message) { m.Sender = "a,b" }},
		{"sender", func(m *Message) { m.Sender = "a&b" }},
		{"sender", func(m *Message) { m.Sender = "a<b" }},
		{"sent", func(m *Message) { m.Sent = time.Time{} }},
		{"sent", func(m *Message) { m.Sent = m.Sent.Add(time.Millisecond) }},
		{"sent", func(m *Message) { m.Sent = m.Sent.AddDate(9000, 0, 0) }},
		{"sent", func(m *Message) { m.Sent = m.Sent.In(time.FixedZone("", 61)) }},
		{"status", func(m *Message) { m.Status = "Real" }},
		{"msgType", func(m *Message) { m.MsgType = "" }},
		{"scope", func(m *Message) { m.Scope = "public" }},
		{"restriction", func(m *Message) { m.Restriction = "" }},
		{"restriction", func(m *Message) { m.Scope = ScopePublic }},
		{"addresses", func(m *Message) { m.Scope, m.Restriction, m.Addresses = ScopePrivate, "", nil }},
		{"addresses[0]", func(m *Message) { m.Addresses[0] = `a"b` }},
		{"incidents[1]", func(m *Message) { m.Incidents[1] = " " }},
		{"note", func(m *Message) { m.Note = "\x00" }},
		{"code[1]", func(m *Message) { m.Codes[1] = "\xff" }},
		{"references", func(m *Message) { m.References = nil }},
		{"references[0]", func(m *Message) { m.References[0].Identifier = m.Identifier }},
		{"references[1]", func(m *Message) { m.References = append(m.References, m.References[0]) }},
		{"references[0]", func(m *Message) { m.References[0].Sent = m.Sent.Add(time.Second) }},
		{"references[0].sender", func(m *Message) { m.References[0].Sender = "a b" }},
		{"references[0].sent", func(m *Message) { m.References[0].Sent = time.Time{} }},
		{"info", func(m *Message) { m.Infos = nil }},
	}
}

func spoiledInfos() []spoiled {
	return []spoiled{
		{"info[1].language", func(m *Message) { m.Infos[1].Language = "zh-cn" }},
		{"info[0].language", func(m *Message) { m.Infos[0].Language = "zh_CN" }},
		{"info[0].language", func(m *Message) { m.Infos[0].Language = "1zh" }},
		{"info[0].category", func(m *Message) { m.Infos[0].Categories = nil }},
		{"info[0].category[1]", func(m *Message) { m.Infos[0].Categories[1] = "Water" }},
		{"info[0].category[1]", func(m *Message) { m.Infos[0].Categories[1] = "Met" }},
		{"info[0].responseType[0]", func(m *Message) { m.Infos[0].ResponseTypes[0] = "Run" }},
		{"info[1].event", func(m *Message) { m.Infos[1].Event = "\n" }},
		{"info[0].urgency", func(m *Message) { m.Infos[0].Urgency = "" }},
		{"info[0].severity", func(m *Message) { m.Infos[0].Severity = "Red" }},
		{"info[0].certainty", func(m *Message) { m.Infos[0].Certainty = "Very Likely" }},
		{"info[0].expires", func(m *Message) { m.Infos[0].Expires = m.Sent }},
		{"info[0].expires", func(m *Message) { m.Infos[0].Effective = m.Infos[0].Expires }},
		{"info[0].expires", func(m *Message) { m.Infos[0].Onset = m.Infos[0].Expires.Add(time.Second) }},
		{"info[0].headline", func(m *Message) { m.Infos[0].Headline = "\x01" }},
		{"info[0].web", func(m *Message) { m.Infos[0].Web = "alerts/1" }},
		{"info[0].eventCode[0].valueName", func(m *Message) { m.Infos[0].EventCodes[0].Name = "" }},
		{"info[0].parameter[1].value", func(m *Message) { m.Infos[0].Parameters[1].Value = "\ufffe" }},
		{"info[0].resource[0].mimeType", func(m *Message) { m.Infos[0].Resources[0].MimeType = "jpeg" }},
		{"info[0].resource[0].digest", func(m *Message) { m.Infos[0].Resources[0].Digest = "00" }},
		{"info[0].resource[0].size", func(m *Message) { *m.Infos[0].Resources[0].Size = -1 }},
		{"info[0].area", func(m *Message) { m.Infos[0].Areas = nil }},
		{"info[0].area[0].areaDesc", func(m *Message) { m.Infos[0].Areas[0].Desc = "" }},
		{"info[0].area[0].polygon[0]", func(m *Message) { m.Infos[0].Areas[0].Polygons[0] = orb.Ring{{1, 2}, {2, 2}, {1, 2}} }},
		{"info[0].area[0].polygon[0]", func(m *Message) { m.Infos[0].Areas[0].Polygons[0][4] = orb.Point{121, 37} }},
		{"info[0].area[0].polygon[0]", func(m *Message) { m.Infos[0].Areas[0].Polygons[0][1] = orb.Point{37, 121} }},
		{"info[0].area[0].circle[0]", func(m *Message) { m.Infos[0].Areas[0].Circles[0].RadiusKM = -1 }},
		{"info[0].area[0].circle[0]", func(m *Message) { m.Infos[0].Areas[0].Circles[0].RadiusKM = 3_500_000 }},
		{"info[0].area[0].ceiling", func(m *Message) { m.Infos[0].Areas[0].Altitude = nil }},
		{"info[0].area[0].ceiling", func(m *Message) { *m.Infos[0].Areas[0].Ceiling = -1 }},
	}
}

func TestValidateFindsEachBrokenRule(t *testing.T) {
	for _, tc := range append(spoiledMessages(), spoiledInfos()...) {
		m := full()
		tc.spoil(&m)
		found := false
		for _, p := range Validate(m) {
			found = found || p.Field == tc.field
		}
		if !found {
			t.Errorf("%s: not among %v", tc.field, Validate(m))
		}
		if _, err := Marshal(m); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: marshalled all the same: %v", tc.field, err)
		}
	}
	for name, m := range map[string]Message{"full": full(), "small": small(), "cancel": cancel()} {
		if p := Validate(m); len(p) != 0 {
			t.Errorf("%s: %v", name, p)
		}
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	good, err := Marshal(full())
	if err != nil {
		t.Fatal(err)
	}
	swap := func(from, to string) string {
		s := strings.Replace(string(good), from, to, 1)
		if s == string(good) {
			t.Fatalf("%q is not in the document", from)
		}
		return s
	}
	for name, tc := range map[string]struct{ doc, field string }{
		"empty":              {"", "alert"},
		"garbage":            {"not xml", "document"},
		"cut":                {string(good[:len(good)/2]), "line"},
		"CAP 1.1":            {swap(Namespace, "urn:oasis:names:tc:emergency:cap:1.1"), "alert"},
		"no namespace":       {swap(` xmlns="`+Namespace+`"`, ""), "alert"},
		"doctype":            {swap("<alert", "<!DOCTYPE alert [<!ENTITY a \"b\">]>\n<alert"), "!DOCTYPE"},
		"instruction":        {swap("<alert", "<?php x ?><alert"), "?php"},
		"attribute":          {swap("<scope>", "<scope lang=\"zh\">"), "scope"},
		"unknown element":    {swap("<scope>", "<colour>red</colour><scope>"), "colour"},
		"other namespace":    {swap("<scope>", `<x xmlns="urn:x"/><scope>`), "x"},
		"twice":              {swap("<scope>", "<source>b</source><scope>"), "source"},
		"order":              {swap("<scope>", "<status>Actual</status><scope>"), "status"},
		"nested text":        {swap("<scope>", "<scope><b/>"), "scope"},
		"stray text":         {swap("<scope>", "stray <scope>"), "alert"},
		"time with Z":        {swap("2026-11-23T14:58:01+08:00</sent>", "2026-11-23T06:58:01Z</sent>"), "sent"},
		"time with fraction": {swap("14:58:01+08:00</sent>", "14:58:01.5+08:00</sent>"), "sent"},
		"time with comma":    {swap("14:58:01+08:00</sent>", "14:58:01,08:00</sent>"), "sent"},
		"offset":             {swap("14:58:01+08:00</sent>", "14:58:01+15:00</sent>"), "sent"},
		"info's time":        {swap("<expires>2026", "<expires>x2026"), "info[0].expires"},
		"reference":          {swap("<references>", "<references>a,b "), "references"},
		"quotation":          {swap(`<incidents>`, `<incidents>"`), "incidents"},
		"polygon":            {swap("37.5,121.3 ", "37.5 "), "info[0].area[0].polygon[0]"},
		"polygon's number":   {swap("37.5,121.3 ", "37.5,1e9 "), "info[0].area[0].polygon[0]"},
		"circle":             {swap(" 3.5</circle>", "</circle>"), "info[0].area[0].circle[0]"},
		"altitude":           {swap("<altitude>0", "<altitude>INF"), "info[0].area[0].altitude"},
		"size":               {swap("<size>2048", "<size>2 kB"), "info[0].resource[0].size"},
		"pair":               {swap("<valueName>onemap", "<name/><valueName>onemap"), "info[0].eventCode[0].name"},
		"trailing":           {string(good) + "<alert/>", "document"},
	} {
		_, err := Unmarshal([]byte(tc.doc))
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.Invalid || !strings.HasPrefix(e.Field, tc.field) {
			t.Errorf("%s: want an error at %q, got %v", name, tc.field, err)
		}
	}
	if _, err := Unmarshal(make([]byte, MaxSize+1)); !fault.Is(err, fault.TooLarge) {
		t.Errorf("too large: %v", err)
	}
}

func TestUnmarshalTakesWhatOthersWrite(t *testing.T) {
	data, err := Marshal(full())
	if err != nil {
		t.Fatal(err)
	}
	s := strings.NewReplacer(
		"<alert xmlns", "<!-- issued --><c:alert xmlns:c", "</alert>",
		`<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo/></Signature></c:alert>`,
		"<sent>", "<sent>\n ", "</", "</c:").Replace(string(data))
	s = strings.ReplaceAll(s, "</c:Sig", "</Sig")
	for _, name := range strings.FieldsFunc(s, func(r rune) bool { return r == '<' || r == '>' }) {
		if rest, ok := strings.CutPrefix(name, "/c:"); ok {
			s = strings.ReplaceAll(s, "<"+rest+">", "<c:"+rest+">")
		}
	}
	m, err := Unmarshal([]byte(s))
	if err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	if diff := cmp.Diff(full(), m); diff != "" {
		t.Error(diff)
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := full()
		s := rapid.String()
		m.Note, m.Source = s.Draw(t, "note"), s.Draw(t, "source")
		m.Incidents = rapid.SliceOfN(s, 1, 3).Draw(t, "incidents")
		m.Sent = time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "sent"), 0).In(
			time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(t, "offset")))
		for i := range m.Infos {
			m.Infos[i].Headline = s.Draw(t, "headline")
			m.Infos[i].Effective, m.Infos[i].Onset = time.Time{}, time.Time{}
			m.Infos[i].Expires = m.Sent.Add(time.Hour)
			m.Infos[i].Areas[0].Circles[0] = Circle{
				orb.Point{rapid.Float64Range(-180, 180).Draw(t, "lon"), rapid.Float64Range(-90, 90).Draw(t, "lat")},
				rapid.Float64Range(0, 100).Draw(t, "km")}
		}
		m.References[0].Sent = m.Sent
		if len(Validate(m)) > 0 {
			return
		}
		data, err := Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Unmarshal(data)
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		if diff := cmp.Diff(m, back); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFormatTime(t *testing.T) {
	if got := FormatTime(sent().UTC()); got != "2026-11-23T06:58:01-00:00" {
		t.Errorf("UTC is %s", got)
	}
	if got := FormatTime(sent()); got != "2026-11-23T14:58:01+08:00" {
		t.Errorf("Asia/Shanghai is %s", got)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, m := range []Message{full(), small(), cancel()} {
		data, err := Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Add([]byte(`<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><sent>0000-00-00T00:00:00-00:00</sent></alert>`))
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY a "&a;">]><alert>&a;</alert>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Unmarshal(data)
		if err != nil {
			if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
				t.Fatalf("kind %v: %v", k, err)
			}
			return
		}
		if len(Validate(m)) > 0 {
			return
		}
		out, err := Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Unmarshal(out)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if diff := cmp.Diff(m, back); diff != "" {
			t.Errorf("%s\n%s", diff, out)
		}
	})
}
