package api

import (
	"encoding/xml"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"onemap/alerts"
	"onemap/alerts/cap"
	"onemap/auth"
)

// capMessage answers with one CAP message as it was issued, byte for byte.
func (s *Server) capMessage(w http.ResponseWriter, r *http.Request) {
	p, _ := auth.FromContext(r.Context())
	identifier, ok := strings.CutSuffix(r.PathValue("file"), ".xml")
	if !ok || identifier == "" {
		s.fail(w, r, notFound("a CAP message's address ends in .xml"))
		return
	}
	m, err := s.o.CAP.MessageByIdentifier(r.Context(), p.Scope(), identifier)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/cap+xml; charset=utf-8")
	h.Set("Cache-Control", "private, max-age=86400, immutable")
	h.Set("Last-Modified", m.Sent.UTC().Format(http.TimeFormat))
	_, _ = w.Write(m.XML)
}

// The elements of an Atom feed (RFC 4287) that a reader of CAP needs.
type (
	atomFeed struct {
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

// capFeed lists the current messages of the scope, newest first as the store gives them.
func (s *Server) capFeed(w http.ResponseWriter, r *http.Request) {
	p, _ := auth.FromContext(r.Context())
	messages, err := s.o.CAP.CurrentMessages(r.Context(), p.Scope(), s.now())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	self := s.address(r) + "/cap/feed.atom"
	feed := atomFeed{
		ID: self, Title: s.o.City.Name.ZH + " 监测告警", Updated: atomTime(s.now()), Author: atomAuthor{"onemap"},
		Links: []atomLink{{Rel: "self", Type: "application/atom+xml", Href: self}},
	}
	for i, m := range messages {
		if i == 0 {
			feed.Updated = atomTime(m.Sent)
		}
		feed.Entries = append(feed.Entries, s.atomEntry(r, m))
	}
	w.Header().Set("Content-Type", "application/atom+xml; charset=utf-8")
	w.Header().Set("Cache-Control", "private, no-cache")
	if _, err := w.Write([]byte(xml.Header)); err == nil {
		err = xml.NewEncoder(w).Encode(feed)
		if err != nil {
			s.log.DebugContext(r.Context(), "the client went away", slog.Any("error", err))
		}
	}
}

func (s *Server) atomEntry(r *http.Request, m alerts.Message) atomEntry {
	e := atomEntry{
		ID: "urn:cap:" + m.Identifier, Title: m.Identifier, Updated: atomTime(m.Sent), Published: atomTime(m.Sent),
		Link: atomLink{Rel: "alternate", Type: "application/cap+xml", Href: s.address(r) + "/cap/alerts/" + url.PathEscape(m.Identifier) + ".xml"},
	}
	content, err := cap.Unmarshal(m.XML)
	if err != nil {
		s.log.WarnContext(r.Context(), "a stored CAP message cannot be read", slog.String("identifier", m.Identifier), slog.Any("error", err))
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

func atomTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
