package alertsapi

import (
	"context"
	"encoding/xml"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"onemap/alerts"
	"onemap/alerts/cap"
	"onemap/internal/fault"
	"onemap/internal/httpx"
)

// capRoutes registers the two routes that answer with XML. They are plain handlers beside huma, so their parameters are
// described here and parsed in the handlers.
func (s *API) capRoutes() {
	text := func(name, doc string) *huma.Param {
		return &huma.Param{Name: name, In: "path", Required: true, Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	query := func(name string, schema *huma.Schema) *huma.Param {
		return &huma.Param{Name: name, In: "query", Description: schema.Description, Schema: schema}
	}
	// A wildcard of net/http is a whole path segment, so {file} includes ".xml" and capMessage cuts it off. Doc is the path
	// in the OpenAPI description.
	s.HandlePlain(httpx.Plain{
		Route: httpx.Route{Path: "/cap/alerts/{file}", Need: httpx.View}, Doc: "/cap/alerts/{identifier}.xml", ID: "getCAPMessage",
		Summary: "A CAP 1.2 message", ContentType: "application/cap+xml; charset=utf-8", Statuses: []int{http.StatusNotFound},
		Params: []*huma.Param{text("identifier", "its CAP identifier")},
	}, s.capMessage)
	s.HandlePlain(httpx.Plain{
		Route: httpx.Route{Path: "/cap/feed.atom", Need: httpx.View}, ID: "getCAPFeed",
		Summary:     "The current CAP messages of the own division as an Atom feed, newest first; a link next leads to more",
		ContentType: "application/atom+xml; charset=utf-8", Statuses: []int{http.StatusBadRequest},
		Params: []*huma.Param{
			query("after", &huma.Schema{Type: huma.TypeString, MaxLength: new(200), Description: "Only those after the message of this identifier"}),
			query("limit", &huma.Schema{Type: huma.TypeInteger, Minimum: new(1.0), Maximum: new(float64(maxFeedPage)), Default: maxFeedPage}),
		},
	}, s.capFeed)
}

// capMessage answers with one CAP message, byte for byte as it was issued. A browser may keep it for a day, because a
// stored message never changes. capMessage answers 404 if the scope of the caller has no such message.
func (s *API) capMessage(w http.ResponseWriter, r *http.Request) {
	p, _ := httpx.PrincipalOf(r.Context())
	identifier, ok := strings.CutSuffix(r.PathValue("file"), ".xml")
	if !ok || identifier == "" {
		s.Fail(w, r, httpx.NotFound("a CAP message's address ends in .xml"))
		return
	}
	m, err := s.o.CAP.MessageByIdentifier(r.Context(), p.Scope(), identifier)
	if err != nil {
		s.Fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/cap+xml; charset=utf-8")
	h.Set("Cache-Control", "private, max-age=86400, immutable")
	h.Set("Last-Modified", m.Sent.UTC().Format(http.TimeFormat))
	_, _ = w.Write(m.XML)
}

// AtomFeed and the types below are the elements of an Atom feed (RFC 4287) that a reader of CAP needs. Times are RFC
// 3339 in UTC.
type (
	AtomFeed struct {
		XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
		ID      string      `xml:"id"`
		Title   string      `xml:"title"`
		Updated string      `xml:"updated"`
		Author  atomAuthor  `xml:"author"`
		Links   []atomLink  `xml:"link"`
		Entries []atomEntry `xml:"entry"`
	}
	atomAuthor struct {
		Name string `xml:"name"`
	}
	atomLink struct {
		Rel  string `xml:"rel,attr"`
		Type string `xml:"type,attr"`
		Href string `xml:"href,attr"`
	}
	atomEntry struct {
		ID        string   `xml:"id"`
		Title     string   `xml:"title"`
		Updated   string   `xml:"updated"`
		Published string   `xml:"published"`
		Summary   string   `xml:"summary,omitempty"`
		Link      atomLink `xml:"link"`
	}
)

// maxFeedPage is the largest number of messages in one page of the feed, and the default.
const maxFeedPage = 500

// feedPage parses the page of the feed from the query: at most limit messages after the message with the identifier
// after. It returns fault.Invalid if the limit is not 1 to maxFeedPage or after has more than 200 bytes.
func feedPage(q url.Values) (after string, limit int, err error) {
	if limit = maxFeedPage; q.Get("limit") != "" {
		if limit, err = strconv.Atoi(q.Get("limit")); err != nil || limit < 1 || limit > maxFeedPage {
			return "", 0, fault.InvalidField("limit", "must be 1 to %d", maxFeedPage)
		}
	}
	if after = q.Get("after"); len(after) > 200 {
		return "", 0, fault.InvalidCode("after", fault.CodeTooLong, 200)
	}
	return after, limit, nil
}

// feedID returns the Atom id of a division's feed, a urn:uuid. RFC 4287, section 4.2.6, requires an id that stays the
// same when the feed moves to another address. The id is therefore a UUID of version 5 from the UUID of the database
// and the division's code.
func (s *API) feedID(ctx context.Context, division string) (string, error) {
	instance, err := s.o.CAP.Instance(ctx)
	if err != nil {
		return "", err
	}
	space, err := uuid.Parse(instance)
	if err != nil {
		return "", fmt.Errorf("the database's identity: %w", err)
	}
	return uuid.NewSHA1(space, []byte("cap/feed/"+division)).URN(), nil
}

// capFeed answers with one page of the scope's current messages as an Atom feed (paging: RFC 5005, section 3). The
// entries keep the order of the store, newest first, so updated of the feed is the time of the first entry.
func (s *API) capFeed(w http.ResponseWriter, r *http.Request) {
	p, _ := httpx.PrincipalOf(r.Context())
	after, limit, err := feedPage(r.URL.Query())
	if err != nil {
		s.Fail(w, r, err)
		return
	}
	id, err := s.feedID(r.Context(), p.Division)
	if err != nil {
		s.Fail(w, r, err)
		return
	}
	// One message more than the limit shows whether a page follows.
	messages, err := s.o.CAP.CurrentMessages(r.Context(), p.Scope(), s.Now(), after, limit+1)
	if err != nil {
		s.Fail(w, r, err)
		return
	}
	here := s.Address(r) + "/cap/feed.atom"
	self := here
	if r.URL.RawQuery != "" {
		self += "?" + r.URL.RawQuery
	}
	feed := AtomFeed{
		ID: id, Title: s.o.City.Name.ZH + " 监测告警", Updated: atomTime(s.Now()), Author: atomAuthor{"onemap"},
		Links: []atomLink{{Rel: "self", Type: "application/atom+xml", Href: self}},
	}
	messages, next := httpx.CutPage(messages, limit, func(m alerts.Message) string { return m.Identifier })
	// The cursor is the identifier of the last message and not a number, so it stays valid when new messages arrive.
	if next != "" {
		q := url.Values{"after": {next}, "limit": {strconv.Itoa(limit)}}
		feed.Links = append(feed.Links, atomLink{Rel: "next", Type: "application/atom+xml", Href: here + "?" + q.Encode()})
	}
	for i, m := range messages {
		if i == 0 {
			feed.Updated = atomTime(m.Sent)
		}
		feed.Entries = append(feed.Entries, s.atomEntry(r, m))
	}
	// A client must ask for the feed again each time, because any new message changes it. The messages themselves may be
	// kept.
	w.Header().Set("Content-Type", "application/atom+xml; charset=utf-8")
	w.Header().Set("Cache-Control", "private, no-cache")
	if _, err := w.Write([]byte(xml.Header)); err == nil {
		err = xml.NewEncoder(w).Encode(feed)
		if err != nil {
			s.Log().DebugContext(r.Context(), "the client went away", slog.Any("error", err))
		}
	}
}

// atomEntry returns the entry of one message. Its title and summary come from the first info block that has a headline.
// If the stored XML cannot be parsed, the title is the identifier and the feed stays readable.
func (s *API) atomEntry(r *http.Request, m alerts.Message) atomEntry {
	e := atomEntry{
		ID: "urn:cap:" + m.Identifier, Title: m.Identifier, Updated: atomTime(m.Sent), Published: atomTime(m.Sent),
		Link: atomLink{Rel: "alternate", Type: "application/cap+xml", Href: s.Address(r) + "/cap/alerts/" + url.PathEscape(m.Identifier) + ".xml"},
	}
	content, err := cap.Unmarshal(m.XML)
	if err != nil {
		s.Log().WarnContext(r.Context(), "a stored CAP message cannot be read", slog.String("identifier", m.Identifier), slog.Any("error", err))
		return e
	}
	for _, info := range content.Infos {
		if info.Headline != "" {
			e.Title, e.Summary = info.Headline, info.Description
			break
		}
	}
	return e
}

// atomTime formats a time as RFC 4287, section 3.3, requires.
func atomTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
