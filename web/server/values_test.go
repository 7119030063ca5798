package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"onemap/alerts"
	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/web/server"
	"onemap/web/server/servertest"
)

// The values that are tried for every parameter, in the form that an address has.
func integerValues() []string {
	return []string{
		"-1", "0", "1", "32767", "32768", "2147483647", "2147483648", "4294967296", "9007199254740992", "9007199254740993",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", strings.Repeat("9", 400),
		"1e3", "1.5", "", " 1", "1 ", "0x10", "NaN",
	}
}

func stringValues() []string {
	return []string{
		"", " ", "\x00", "a\x00b", "\xff\xfe", "a\xc3", "\xed\xa0\x80", "%00", "'; drop table alert; --", "\U0010ffff", "\u202e", "..", strings.Repeat("长", 30), "9223372036854775808",
		strings.Repeat("a", 40_000),
	}
}

func timeValues() []string {
	return []string{
		"0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "-0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59",
		"10000-01-01T00:00:00Z", "+10000-01-01T00:00:00Z", "294277-01-09T04:00:54Z", "-infinity", "infinity", "", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00",
		"2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z", "1767225600", "now",
	}
}

// bodyIntegers returns JSON values for an integer in a body, bodyStrings for a string, bodyTimes for a time.
func bodyIntegers() []string {
	out := []string{"null", `""`, `" 1"`, `"1"`, "true", "[]", "{}", "1e3", "1E400", "-0", "1.0"}
	for _, v := range integerValues() {
		if _, err := strconv.ParseFloat(v, 64); (err == nil || errors.Is(err, strconv.ErrRange)) && strings.Trim(v, "-.0123456789") == "" && v != "" {
			out = append(out, v)
		}
	}
	return out
}

func bodyStrings() []string {
	out := []string{"null", "1", "true", "[]", "{}", `"\u0000"`, `"a\u0000b"`, `"\ud800"`, `"\udc00\ud800"`, "\"\xff\xfe\"", "\"\xed\xa0\x80\"", `"` + strings.Repeat("a", 1<<20) + `"`}
	for _, v := range stringValues() {
		if raw, err := json.Marshal(v); err == nil {
			out = append(out, string(raw))
		}
	}
	return out
}

func bodyTimes() []string {
	out := []string{"null", "1", "{}"}
	for _, v := range timeValues() {
		out = append(out, strconv.Quote(v))
	}
	return out
}

// bodyNumbers returns JSON values for a number that may have a fraction.
func bodyNumbers() []string {
	return []string{"null", `"1"`, "1e400", "-1e400", "1e308", "-1e308", "5e-324", "1e-400", "-0.0", "9223372036854775808", strings.Repeat("9", 400), "0." + strings.Repeat("1", 400)}
}

// try is one value for one parameter of an operation.
type try struct {
	name   string   // the parameter's, as problems write it
	value  string   // as it stands in the address, or JSON
	in     string   // path, query, header or body
	place  []string // in the body
	member string   // of the body, as patterns name it
	exact  bool     // of another type than is taken: the refusal must name the parameter itself
}

// sample is a valid request to an operation.
type sample struct {
	path string
	body func(w *world, account string) (any, []string)
}

// samples returns the requests of the permission table by route, and requests for the operations that the table lacks.
func samples(w *world) map[string]sample {
	out := map[string]sample{}
	for _, l := range lessons(w) {
		if _, there := out[l.route]; !there {
			out[l.route] = sample{l.path, l.body}
		}
	}
	rule := fmt.Sprintf("/api/v1/rules/%d", w.Rule.ID)
	out["PATCH /api/v1/accounts/{user}"] = sample{"/api/v1/accounts/" + servertest.Bystander, func(w *world, _ string) (any, []string) {
		a, err := w.DB.Auth.CredentialsByLogin(w.T.Context(), servertest.Bystander)
		w.Must(err)
		return map[string]any{"name": "x"}, []string{"If-Match", httpx.ETag(a.Version)}
	}}
	out["PUT /api/v1/rules/{id}"] = sample{rule, func(w *world, account string) (any, []string) {
		r, err := w.DB.Alerts.Rule(w.T.Context(), w.Rule.ID)
		w.Must(err)
		body, _ := servertest.NewRule(w.World, account)
		return body, []string{"If-Match", httpx.ETag(r.Version)}
	}}
	ids := w.Features("shelters")
	out["PATCH /api/v1/layers/{layer}/features"] = sample{"/api/v1/layers/shelters/features", func(w *world, account string) (any, []string) {
		body, headers := create(w, account)
		edit := body.(map[string]any)
		edit["move"] = []any{map[string]any{"id": ids["s-02"], "geometry": map[string]any{"type": "Point", "coordinates": []float64{121.5, 37.5}}}}
		edit["update"] = []any{map[string]any{"id": ids["s-14"], "level": 2, "fields": map[string]any{"beds": 1}}}
		return edit, headers
	}}
	out["PATCH /api/v1/layers/{layer}"] = sample{"/api/v1/layers/land", func(w *world, account string) (any, []string) {
		return map[string]any{"min_zoom": 2, "max_zoom": 14, "in_tile": []string{"beds"}, "tile": map[string]any{
			"thin": map[string]any{"cell": 16, "to_zoom": 9}, "cluster": map[string]any{"cell": 16, "to_zoom": 9},
		}}, []string{"If-Match", w.Version(account, "land")}
	}}
	out["PUT /api/v1/layers/{layer}/style"] = sample{"/api/v1/layers/land/style", func(w *world, account string) (any, []string) {
		return servertest.Style(), []string{"If-Match", w.Version(account, "land")}
	}}
	gone, err := w.DB.Alerts.CreateRule(w.T.Context(), alerts.Rule{
		Name: core.Text{ZH: "雨量", EN: "Rain"}, Type: "rain", Direction: alerts.Above, Origin: core.OriginReal,
		Thresholds: []alerts.Threshold{{Level: core.Red, Raise: 50, Clear: 40}},
	}, "test")
	w.Must(err)
	out["DELETE /api/v1/rules/{id}"] = sample{fmt.Sprintf("/api/v1/rules/%d", gone.ID), with(nil, "If-Match", `"99"`)}
	made := 0
	out["POST /api/v1/devices"] = sample{"/api/v1/devices", func(w *world, account string) (any, []string) {
		made++
		body, _ := servertest.Device(w.World, account)
		body.(map[string]any)["id"] = fmt.Sprintf("made-%d", made)
		return body, nil
	}}
	out["POST /api/v1/silences"] = sample{"/api/v1/silences", with(silence("device_id", "dev-02"))}
	out["POST /api/v1/session"] = sample{"/api/v1/session", with(map[string]any{"user": "nobody", "password": "x"})}
	out["DELETE /api/v1/session"] = sample{"/api/v1/session", nil}
	out["POST /api/v1/display-links/preview"] = sample{"/api/v1/display-links/preview", with(map[string]any{"token": "x"})}
	out["POST /api/v1/display-links/claim"] = sample{"/api/v1/display-links/claim", with(map[string]any{"token": "x"})}
	out["GET /readyz"] = sample{"/readyz", nil}
	out["GET /healthz"] = sample{"/healthz", nil}
	return out
}

// operationAt is an operation with its path in the description.
type operationAt struct {
	*huma.Operation
	path string
}

// described returns the operations of the description, by the routes that they are mounted as.
func described(s *server.Server) map[string]operationAt {
	plain := strings.NewReplacer("{y}.mvt", "{y}", "{layers}.json", "{layers}", "{identifier}.xml", "{file}")
	out := map[string]operationAt{}
	for path, item := range s.Huma().Paths {
		for method, o := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete} {
			if o != nil {
				out[method+" "+plain.Replace(path)] = operationAt{o, path}
			}
		}
	}
	return out
}

// fill puts values into a pattern's placeholders; those without a given value take the sample path's.
func fill(pattern, like string, name, value string) string {
	parts, given := strings.Split(pattern, "/"), strings.Split(like, "/")
	for i, part := range parts {
		open, shut := strings.Index(part, "{"), strings.Index(part, "}")
		switch {
		case open < 0:
		case part[open+1:shut] == name:
			parts[i] = part[:open] + url.PathEscape(value) + part[shut+1:]
		case i < len(given):
			parts[i] = given[i]
		}
	}
	return strings.Join(parts, "/")
}

// tries returns the values that are tried on an operation, from its description.
func (w *world) tries(o operationAt) []try {
	var out []try
	registry := w.API.Huma().Components.Schemas
	for _, p := range o.Parameters {
		for _, v := range addressValues(registry, p.Schema) {
			if p.In == "path" && strings.Trim(v, ".") == "" {
				continue // another address
			}
			out = append(out, try{name: p.Name, value: v, in: p.In, exact: p.Schema.Type == huma.TypeInteger && otherType(p.Schema.Type, v)})
		}
	}
	if o.RequestBody == nil {
		return out
	}
	for _, media := range o.RequestBody.Content {
		for _, place := range places(registry, media.Schema, "", nil, 0) {
			for _, v := range place.values {
				out = append(out, try{name: place.name(), value: v, in: "body", place: place.path, member: place.member, exact: otherType(place.kind, v)})
			}
		}
	}
	return out
}

// write builds the request with the value in its place, for the given account.
func (w *world) write(o operationAt, in sample, one try, account string) sending {
	path, query, _ := strings.Cut(in.path, "?")
	r := sending{method: o.Method, path: in.path}
	if in.body != nil {
		body, headers := in.body(w, account)
		r.headers = headers
		raw, ok := body.(string)
		if body != nil && !ok {
			encoded, err := json.Marshal(body)
			w.Must(err)
			raw = string(encoded)
		}
		r.body = raw
	}
	switch one.in {
	case "path":
		r.path = fill(o.path, path, one.name, one.value)
		if query != "" {
			r.path += "?" + query
		}
	case "query":
		q, err := url.ParseQuery(query)
		w.Must(err)
		q.Set(one.name, one.value)
		r.path = path + "?" + q.Encode()
	case "header":
		r.headers = append(slices.Clone(r.headers), one.name, `"`+one.value+`"`)
	case "body":
		r.body = w.put(r.body, one.place, one.value)
	}
	return r
}

// sending is a request that is ready to be sent.
type sending struct {
	method, path, body string
	headers            []string
}

// addressValues returns the values that are tried for a parameter of an address or a header.
func addressValues(registry huma.Registry, s *huma.Schema) []string {
	s = resolved(registry, s)
	switch {
	case s.Type == huma.TypeArray:
		var out []string
		for _, v := range addressValues(registry, s.Items) {
			out = append(out, v, v+","+v)
		}
		return append(out, strings.Repeat(",", 5000))
	case s.Type == huma.TypeInteger || s.Type == huma.TypeNumber || s.Type == huma.TypeBoolean:
		return integerValues()
	case s.Format == "date-time":
		return timeValues()
	default:
		return append(stringValues(), integerValues()...)
	}
}

func resolved(registry huma.Registry, s *huma.Schema) *huma.Schema {
	if s.Ref != "" {
		return registry.SchemaFromRef(s.Ref)
	}
	return s
}

// place is a member of a body and the JSON values that are tried for it.
type place struct {
	path   []string // names of members; "0" is the first item of a list
	member string   // by schema, as patterns name it
	kind   string   // the type of its schema
	values []string
}

// otherType reports whether a value is not of the type at all, whatever the type's limits.
func otherType(kind, value string) bool {
	switch kind {
	case huma.TypeInteger, huma.TypeNumber:
		return slices.Contains([]string{`"1"`, `""`, "true", "[]", "{}", " 1", "1 ", "0x10", "NaN"}, value)
	case huma.TypeString:
		return slices.Contains([]string{"1", "true", "[]", "{}"}, value)
	default:
		return false
	}
}

// name returns the name of the last member.
func (p place) name() string {
	for _, part := range slices.Backward(p.path) {
		if part != "0" {
			return part
		}
	}
	return "body"
}

// places walks a schema, to the depth that the API's bodies have.
func places(registry huma.Registry, s *huma.Schema, of string, path []string, depth int) []place {
	if s.Ref != "" {
		of = s.Ref[strings.LastIndex(s.Ref, "/")+1:]
	}
	s = resolved(registry, s)
	at := slices.Clone(path)
	if depth > 7 {
		return nil
	}
	switch s.Type {
	case huma.TypeObject:
		out := []place{{at, of, s.Type, []string{"null", "1", `"x"`, "[]", "[1]"}}}
		for name, member := range s.Properties {
			out = append(out, places(registry, member, of+"."+name, append(at, name), depth+1)...)
		}
		if _, open := s.AdditionalProperties.(*huma.Schema); open {
			out = append(out, place{append(slices.Clone(at), "x\x00y"), "", "", bodyStrings()}, place{append(slices.Clone(at), "any"), "", "", slices.Concat(bodyIntegers(), bodyStrings())})
		}
		return out
	case huma.TypeArray:
		out := []place{{at, of, s.Type, []string{"null", "1", `"x"`, "{}", "[]", "[null]", "[" + strings.Repeat("null,", 20_000) + "null]"}}}
		return append(out, places(registry, s.Items, of, append(at, "0"), depth+1)...)
	case huma.TypeInteger:
		return []place{{at, of, s.Type, bodyIntegers()}}
	case huma.TypeNumber:
		return []place{{at, of, s.Type, slices.Concat(bodyIntegers(), bodyNumbers())}}
	case huma.TypeString:
		if s.Format == "date-time" {
			return []place{{at, of, s.Type, bodyTimes()}}
		}
		return []place{{at, of, s.Type, bodyStrings()}}
	default:
		return []place{{at, of, s.Type, slices.Concat(bodyIntegers(), bodyStrings(), bodyNumbers())}}
	}
}

// put writes a JSON value into a document and creates the missing members around it.
func (w *world) put(doc string, path []string, value string) string {
	w.T.Helper()
	if len(path) == 0 {
		return value
	}
	if doc == "" {
		doc = "null"
	}
	var inner, rest = path[0], path[1:]
	if inner == "0" {
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(doc), &list); err != nil || len(list) == 0 {
			list = []json.RawMessage{json.RawMessage("null")}
		}
		parts := make([]string, len(list))
		for i, item := range list {
			parts[i] = string(item)
		}
		parts[0] = w.put(parts[0], rest, value)
		return "[" + strings.Join(parts, ",") + "]"
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(doc), &members); err != nil || members == nil {
		members = map[string]json.RawMessage{}
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if name != inner {
			parts = append(parts, strconv.Quote(name)+":"+string(members[name]))
		}
	}
	key, err := json.Marshal(inner)
	w.Must(err)
	parts = append(parts, string(key)+":"+w.put(string(members[inner]), rest, value))
	return "{" + strings.Join(parts, ",") + "}"
}

// Every value is tried in every parameter of every route. No answer is a fault of the server, each has a status that the
// description names, and every refusal is a short problem that names the field. The first value is tried by every role. The
// others are tried by one role that may use the route, of the city and of a county, because parameters are read in the same
// way for all.
func TestEveryValueOfEveryParameter(t *testing.T) {
	w := newWorld(t, nil)
	in := samples(w)
	accounts := []string{""}
	for _, role := range servertest.Roles() {
		accounts = append(accounts, servertest.AccountOf(role, "3706"))
	}
	accounts = append(accounts, servertest.R02)
	sent := 0
	for route, o := range described(w.API) {
		example, ok := in[route]
		if !ok {
			t.Errorf("there is no sample of %s", route)
			continue
		}
		need := httpx.Need(o.Extensions["x-onemap-needs"].(string))
		for i, one := range w.tries(o) {
			try := accounts
			if i > 0 {
				try = triers(accounts, need)
			}
			for _, account := range try {
				sent++
				what := fmt.Sprintf("%s as %q, %s = %.60q", o.OperationID, account, one.name, one.value)
				a := w.attempt(account, w.write(o, example, one, account))
				if a.Status == 0 {
					continue // no client can send it
				}
				if _, named := o.Responses[strconv.Itoa(a.Status)]; !named && a.Status < 500 {
					t.Errorf("%s: the description does not name %d: %.200s", what, a.Status, a.Body)
				}
				w.check(t, what, one, a)
			}
		}
	}
	t.Logf("%d requests", sent)
}

// triers returns the accounts that try all values: the first account of the city that may use the route, and the county's if
// it may. The guard refuses other accounts before the parameters are read.
func triers(accounts []string, need httpx.Need) []string {
	var out []string
	for i, account := range accounts {
		county := i == len(accounts)-1
		if mayTry(account, need) && (len(out) == 0 || county) {
			out = append(out, account)
		}
	}
	return out
}

func mayTry(account string, need httpx.Need) bool {
	if account == "" {
		return need == httpx.NeedNothing
	}
	role, _, _ := strings.Cut(account, ".")
	return need.Permits(core.Role(strings.ReplaceAll(role, "-", "_")))
}

func (w *world) check(t *testing.T, what string, one try, a servertest.Answer) {
	t.Helper()
	if a.Status >= 500 && a.Status != http.StatusServiceUnavailable {
		t.Errorf("%s: %d: %.300s", what, a.Status, a.Body)
		return
	}
	if a.Status < 400 {
		w.wantPattern(t, what, one)
		return
	}
	if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%s: %d with %q: %.200s", what, a.Status, got, a.Body)
		return
	}
	p := a.Problem(t)
	if len(a.Body) > 60_000 || len(p.Errors) > 100 {
		t.Errorf("%s: a refusal of %d bytes with %d faults", what, len(a.Body), len(p.Errors))
	}
	if a.Status == http.StatusBadRequest && (p.Field == "" || (one.exact && !names(p, one.name))) {
		t.Errorf("%s: does not name the field: %.300s", what, a.Body)
	}
}

// wantPattern compares an accepted text with its described pattern; spaces around the text are not counted.
func (w *world) wantPattern(t *testing.T, what string, one try) {
	t.Helper()
	p, described := w.API.Texts()[one.member]
	var text string
	if !described || json.Unmarshal([]byte(one.value), &text) != nil || one.value == "null" {
		return
	}
	text = strings.TrimSpace(text)
	n := utf8.RuneCountInString(text)
	if optional := p.Min == 0 && text == ""; !optional && p.Regexp != "" && !regexp.MustCompile(p.Regexp).MatchString(text) || n < p.Min || (p.Max > 0 && n > p.Max) {
		t.Errorf("%s: it was taken, and %s must be %+v", what, one.member, p)
	}
}

// names reports whether a problem names the parameter.
func names(p httpx.Problem, parameter string) bool {
	fields := []string{p.Field}
	for _, e := range p.Errors {
		fields = append(fields, e.Field)
	}
	return slices.ContainsFunc(fields, func(f string) bool { return strings.Contains(f, parameter) })
}

// attempt is send for requests that Go's client would not send.
func (w *world) attempt(account string, r sending) servertest.Answer {
	w.T.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(w.T.Context()), r.method, w.HTTP.URL+r.path, strings.NewReader(r.body))
	w.Must(err)
	if account != "" {
		req.Header.Set("Cookie", httpx.SessionCookie+"="+w.Tokens[account])
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(r.headers); i += 2 {
		if strings.ContainsFunc(r.headers[i+1], func(c rune) bool { return c < ' ' || c == 0x7f }) {
			return servertest.Answer{} // net/http refuses it on either side
		}
		req.Header.Set(r.headers[i], r.headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	w.Must(err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	w.Must(err)
	return servertest.Answer{Status: res.StatusCode, Header: res.Header, Body: raw}
}
