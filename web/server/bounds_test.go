package server_test

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
	alertsapi "onemap/alerts/api"
	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/web/server/servertest"
)

// A refusal lists the first 100 faults and their number, whatever was sent and whichever layer found them.
func TestRefusalsHaveBounds(t *testing.T) {
	w := newWorld(t, nil)
	version := w.Version(servertest.Steward, "shelters")
	for name, c := range map[string]struct {
		account, method, path, body string
		faults                      int
	}{
		"200,000 items of another type": {servertest.Steward, http.MethodPatch, "/api/v1/layers/shelters/features", `{"delete":[` + strings.Repeat(`"",`, 199_999) + `""]}`, 200_001},
		"100,000 unknown members":       {servertest.Steward, http.MethodPatch, "/api/v1/layers/shelters/features", "{" + servertest.Members(100_000) + "}", 100_000},
		"an item of each kind of fault": {servertest.Commander, http.MethodPost, "/api/v1/rules", `{"thresholds":[` + strings.Repeat(`{},`, 9_999) + `{}]}`, 0},
		"items of a parameter":          {servertest.Commander, http.MethodGet, "/api/v1/alerts?handling=" + strings.Repeat("x,", 9_999) + "x", "", 10_001},
	} {
		a := w.Send(c.account, c.method, c.path, c.body, "If-Match", version)
		p := a.Problem(t)
		if a.Status != http.StatusBadRequest || len(p.Errors) != 100 || p.Faults < 10_000 || (c.faults > 0 && p.Faults != c.faults) {
			t.Errorf("%s: %d with %d of %d faults: %.200s", name, a.Status, len(p.Errors), p.Faults, a.Body)
		}
		if len(a.Body) > 40_000 {
			t.Errorf("%s: %d bytes", name, len(a.Body))
		}
	}
	long := strings.Repeat("é", 100_000)
	for name, body := range map[string]string{
		"the name of a member": `{"` + long + `":1}`, "a value": `{"direction":"` + long + `"}`, "no JSON": long, "a number": "{\"thresholds\":" + strings.Repeat("9", 100_000) + "}",
	} {
		if a := w.Send(servertest.Commander, http.MethodPost, "/api/v1/rules", body); a.Status != http.StatusBadRequest || len(a.Body) > 4000 {
			t.Errorf("%s: %d with %d bytes", name, a.Status, len(a.Body))
		}
	}
}

// A body whose transfer is interrupted is the client's fault.
func TestBrokenTransfers(t *testing.T) {
	w := newWorld(t, nil)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(w.HTTP.URL, "http://"))
	w.Must(err)
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "POST /api/v1/rules HTTP/1.1\r\nHost: x\r\nCookie: %s=%s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", httpx.SessionCookie, w.Tokens[servertest.Commander])
	w.Must(err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	w.Must(err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	w.Must(err)
	if p := (servertest.Answer{Status: res.StatusCode, Header: res.Header, Body: raw}).Problem(t); res.StatusCode != http.StatusBadRequest || p.Field != "body" {
		t.Errorf("%d: %s", res.StatusCode, raw)
	}
}

// A feed has the same id at every address, and each division's feed has a different id.
func TestFeedsKeepTheirNames(t *testing.T) {
	w := newWorld(t, nil)
	name := func(account, host string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.HTTP.URL+"/cap/feed.atom", nil)
		w.Must(err)
		req.Host = host
		req.Header.Set("Cookie", httpx.SessionCookie+"="+w.Tokens[account])
		res, err := http.DefaultTransport.RoundTrip(req)
		w.Must(err)
		defer func() { _ = res.Body.Close() }()
		var f alertsapi.AtomFeed
		w.Must(xml.NewDecoder(res.Body).Decode(&f))
		if !strings.Contains(f.Links[0].Href, host) {
			t.Errorf("the feed's own address is %s", f.Links[0].Href)
		}
		return f.ID
	}
	city := name(servertest.Commander, "map.example")
	if !strings.HasPrefix(city, "urn:uuid:") || name(servertest.Observer, "10.0.0.1:8080") != city {
		t.Errorf("the city's feed is %s and %s", city, name(servertest.Observer, "10.0.0.1:8080"))
	}
	if county := name(servertest.R02, "map.example"); county == city || county != name(servertest.AccountOf(core.RoleSteward, "370602"), "other.example") {
		t.Errorf("a county's feed is %s, the city's %s", county, city)
	}
}

// tell adds a message to an alert.
func (w *world) tell(a alerts.Alert, i int) {
	w.T.Helper()
	from, err := w.DB.Alerts.Cursor(w.T.Context())
	w.Must(err)
	a.Identifier = fmt.Sprintf("onemap-told-%d", i)
	m := alerts.Message{Identifier: a.Identifier, AlertID: a.ID, MsgType: "Alert", Sent: a.OpenedAt, Expires: a.OpenedAt.Add(time.Hour), XML: []byte("<alert/>")}
	_, err = w.DB.Alerts.Apply(w.T.Context(), alerts.Step{From: from, To: core.Mark{Seq: from.Seq + 1}, Changes: []alerts.Change{{Kind: alerts.EventUpdated, Alert: a, Message: &m}}})
	w.Must(err)
}

// The pages of the feed, with one message each, make up the whole feed.
func TestPagesOfTheFeed(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 3 {
		w.tell(w.Raise([]string{"dev-02", "dev-14"}[i%2], nil), i)
	}
	read := func(path string) alertsapi.AtomFeed {
		var f alertsapi.AtomFeed
		w.Must(xml.Unmarshal(w.Send(servertest.Commander, http.MethodGet, path, nil).Body, &f))
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
				path = strings.TrimPrefix(l.Href, w.HTTP.URL)
			}
		}
	}
	if len(all) < 3 || strings.Join(got, " ") != strings.Join(all, " ") {
		t.Errorf("the pages have %v, the feed %v", got, all)
	}
	w.Refuse(t, []servertest.Wrong{
		{Name: "no limit", Account: servertest.Commander, Method: http.MethodGet, Path: "/cap/feed.atom?limit=0", Body: nil, Headers: nil, Status: 400, Field: "limit"},
		{Name: "too long a page", Account: servertest.Commander, Method: http.MethodGet, Path: "/cap/feed.atom?limit=501", Body: nil, Headers: nil, Status: 400, Field: "limit"},
		{Name: "a limit beyond 64 bits", Account: servertest.Commander, Method: http.MethodGet, Path: "/cap/feed.atom?limit=99999999999999999999", Body: nil, Headers: nil, Status: 400, Field: "limit"},
		{Name: "a long identifier", Account: servertest.Commander, Method: http.MethodGet, Path: "/cap/feed.atom?after=" + strings.Repeat("a", 201), Body: nil, Headers: nil, Status: 400, Field: "after"},
	})
}
