package api

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"onemap/alerts"
	"onemap/internal/core"
)

// A refusal lists the first 100 faults and says how many there are, whatever was sent and whoever found them.
func TestRefusalsHaveBounds(t *testing.T) {
	w := newWorld(t, nil)
	version := w.version(steward, "shelters")
	for name, c := range map[string]struct {
		account, method, path, body string
		faults                      int
	}{
		"200,000 items of another type": {steward, http.MethodPatch, "/api/v1/layers/shelters/features", `{"delete":[` + strings.Repeat(`"",`, 199_999) + `""]}`, 200_001},
		"100,000 unknown members":       {steward, http.MethodPatch, "/api/v1/layers/shelters/features", "{" + members(100_000) + "}", 100_000},
		"an item of each kind of fault": {commander, http.MethodPost, "/api/v1/rules", `{"thresholds":[` + strings.Repeat(`{},`, 9_999) + `{}]}`, 0},
		"items of a parameter":          {commander, http.MethodGet, "/api/v1/alerts?handling=" + strings.Repeat("x,", 9_999) + "x", "", 10_001},
	} {
		a := w.send(c.account, c.method, c.path, c.body, "If-Match", version)
		p := a.problem(t)
		if a.status != http.StatusBadRequest || len(p.Errors) != 100 || p.Faults < 10_000 || (c.faults > 0 && p.Faults != c.faults) {
			t.Errorf("%s: %d with %d of %d faults: %.200s", name, a.status, len(p.Errors), p.Faults, a.body)
		}
		if len(a.body) > 40_000 {
			t.Errorf("%s: %d bytes", name, len(a.body))
		}
	}
	long := strings.Repeat("é", 100_000)
	for name, body := range map[string]string{
		"the name of a member": `{"` + long + `":1}`, "a value": `{"direction":"` + long + `"}`, "no JSON": long, "a number": "{\"thresholds\":" + strings.Repeat("9", 100_000) + "}",
	} {
		if a := w.send(commander, http.MethodPost, "/api/v1/rules", body); a.status != http.StatusBadRequest || len(a.body) > 4000 {
			t.Errorf("%s: %d with %d bytes", name, a.status, len(a.body))
		}
	}
}

// members are so many different members of an object.
func members(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"m%d":0`, i)
	}
	return strings.Join(all, ",")
}

// A body whose transfer is broken is the sender's fault.
func TestBrokenTransfers(t *testing.T) {
	w := newWorld(t, nil)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(w.http.URL, "http://"))
	w.must(err)
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "POST /api/v1/rules HTTP/1.1\r\nHost: x\r\nCookie: %s=%s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", SessionCookie, w.tokens[commander])
	w.must(err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	w.must(err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	w.must(err)
	if p := (answer{res.StatusCode, res.Header, raw}).problem(t); res.StatusCode != http.StatusBadRequest || p.Field != "body" {
		t.Errorf("%d: %s", res.StatusCode, raw)
	}
}

// A feed keeps its name at whatever address it is read, and each division's has another.
func TestFeedsKeepTheirNames(t *testing.T) {
	w := newWorld(t, nil)
	name := func(account, host string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.http.URL+"/cap/feed.atom", nil)
		w.must(err)
		req.Host = host
		req.Header.Set("Cookie", SessionCookie+"="+w.tokens[account])
		res, err := http.DefaultTransport.RoundTrip(req)
		w.must(err)
		defer func() { _ = res.Body.Close() }()
		var f atomFeed
		w.must(xml.NewDecoder(res.Body).Decode(&f))
		if !strings.Contains(f.Links[0].Href, host) {
			t.Errorf("the feed's own address is %s", f.Links[0].Href)
		}
		return f.ID
	}
	city := name(commander, "map.example")
	if !strings.HasPrefix(city, "urn:uuid:") || name(observer, "10.0.0.1:8080") != city {
		t.Errorf("the city's feed is %s and %s", city, name(observer, "10.0.0.1:8080"))
	}
	if county := name(r02, "map.example"); county == city || county != name(accountOf(core.RoleSteward, "370602"), "other.example") {
		t.Errorf("a county's feed is %s, the city's %s", county, city)
	}
}

// tell adds a message to an alert.
func (w *world) tell(a alerts.Alert, i int) {
	w.t.Helper()
	from, err := w.db.Alerts.Cursor(w.t.Context())
	w.must(err)
	a.Identifier = fmt.Sprintf("onemap-told-%d", i)
	m := alerts.Message{Identifier: a.Identifier, AlertID: a.ID, MsgType: "Alert", Sent: a.OpenedAt, Expires: a.OpenedAt.Add(time.Hour), XML: []byte("<alert/>")}
	_, err = w.db.Alerts.Apply(w.t.Context(), alerts.Step{From: from, To: core.Mark{Seq: from.Seq + 1}, Changes: []alerts.Change{{Kind: core.EventAlertUpdated, Alert: a, Message: &m}}})
	w.must(err)
}

// The pages of the feed, one message each, are the feed.
func TestPagesOfTheFeed(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 3 {
		w.tell(w.raise([]string{"dev-02", "dev-14"}[i%2], nil), i)
	}
	read := func(path string) atomFeed {
		var f atomFeed
		w.must(xml.Unmarshal(w.send(commander, http.MethodGet, path, nil).body, &f))
		return f
	}
	var all, got []string
	for _, e := range read("/cap/feed.atom").Entries {
		all = append(all, e.ID)
	}
	for path := "/cap/feed.atom?limit=1"; path != ""; {
		f := read(path)
		path = ""
		for _, e := range f.Entries {
			got = append(got, e.ID)
		}
		for _, l := range f.Links {
			if l.Rel == "next" {
				path = strings.TrimPrefix(l.Href, w.http.URL)
			}
		}
	}
	if len(all) < 3 || strings.Join(got, " ") != strings.Join(all, " ") {
		t.Errorf("the pages have %v, the feed %v", got, all)
	}
	w.refuse(t, []wrong{
		{"no limit", commander, http.MethodGet, "/cap/feed.atom?limit=0", nil, nil, 400, "limit"},
		{"too long a page", commander, http.MethodGet, "/cap/feed.atom?limit=501", nil, nil, 400, "limit"},
		{"a limit beyond 64 bits", commander, http.MethodGet, "/cap/feed.atom?limit=99999999999999999999", nil, nil, 400, "limit"},
		{"a long identifier", commander, http.MethodGet, "/cap/feed.atom?after=" + strings.Repeat("a", 201), nil, nil, 400, "after"},
	})
}
