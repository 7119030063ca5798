package catalogueapi

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/httpx"
)

type divisionsInput struct {
	Level string `query:"level" enum:"county,town" default:"county"`
}

type searchInput struct {
	Q     string `query:"q" required:"true" maxLength:"100" doc:"A name in Chinese, English, pinyin or its initials; a code; a key; an alert's hazard or number"`
	Limit int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
}

// Sources is the answer of listSources: the files of the base data, and the credit line that the map must show.
type Sources struct {
	Items       []Source `json:"items"`
	Attribution string   `json:"attribution" doc:"The credit line of the map"`
}

// placeRoutes registers the routes of divisions, the search and the sources of the base data. The search refuses a text
// that is empty, not valid UTF-8 or has a NUL character, which PostgreSQL cannot store.
func (s *API) placeRoutes() {
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/divisions", "listDivisions", "The county units of the city, or its towns"),
		func(ctx context.Context, _ core.Principal, in *divisionsInput) (*httpx.Body[httpx.Whole[catalogue.Division]], error) {
			all, err := s.o.Divisions.Divisions(ctx, in.Level == "town")
			return httpx.WholeList(all), err
		})
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/search", "search", "Find features, devices, divisions and alerts"),
		func(ctx context.Context, p core.Principal, in *searchInput) (*httpx.Body[httpx.Whole[catalogue.Hit]], error) {
			q := strings.TrimSpace(in.Q)
			if q == "" || !utf8.ValidString(q) || strings.ContainsRune(q, 0) {
				return nil, fault.InvalidField("q", "must be a text to look for")
			}
			hits, err := s.o.Search.Search(ctx, p.Scope(), q, in.Limit)
			return httpx.WholeList(hits), err
		})
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/sources", "listSources", "The base data's files with source and licence"),
		func(context.Context, core.Principal, *httpx.None) (*httpx.Body[Sources], error) {
			return httpx.Answer(Sources{Items: httpx.OrEmpty(s.o.Sources), Attribution: s.o.Attribution}), nil
		})
}

// Source describes one file of base data: where it comes from and under which licence. The page shows it in the credit
// line and on the About page.
type Source struct {
	File        string      `json:"file"`
	Title       core.Text   `json:"title"`
	Source      string      `json:"source"`
	Version     string      `json:"version"`
	SHA256      string      `json:"sha256"`
	Licence     string      `json:"licence"`
	Origin      core.Origin `json:"origin"`
	Attribution string      `json:"attribution"`
	Note        string      `json:"note"`
}
