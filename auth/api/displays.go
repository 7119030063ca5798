package authapi

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/danielgtaylor/huma/v2"

	"onemap/auth"
	"onemap/internal/core"
	"onemap/internal/httpx"
)

// Displays manages walls and duty phones and logs them in. auth.Service implements it.
type Displays interface {
	Displays(ctx context.Context, actor core.Principal, p core.Page) ([]auth.Display, error)
	CreateDisplay(ctx context.Context, actor core.Principal, n auth.NewDisplay) (auth.Display, string, error)
	RenewLink(ctx context.Context, actor core.Principal, id int64) (auth.Display, string, error)
	RevokeDisplay(ctx context.Context, actor core.Principal, id int64) error
	PreviewLink(ctx context.Context, token string, remote netip.Addr) (auth.Display, error)
	ClaimLink(ctx context.Context, token string, remote netip.Addr, agent string) (string, core.Principal, error)
}

// NewDisplay is the body of a request to create a display.
type NewDisplay struct {
	Name     string `json:"name" doc:"What people call it; the history of alerts names it so"`
	Division string `json:"division" doc:"GB/T 2260; what it may see"`
	Mode     string `json:"mode" enum:"read,acknowledge"`
	Start    string `json:"start" enum:"wall,phone" doc:"The page that it opens"`
}

// DisplayLink is a display with the token of its link. The token is returned only once.
type DisplayLink struct {
	Display auth.Display `json:"display"`
	Token   string       `json:"token" doc:"The link is /display#TOKEN at the address of the pages"`
}

// LinkPreview describes the display of a link to a device that has not used the link yet.
type LinkPreview struct {
	Name         string    `json:"name"`
	Division     string    `json:"division"`
	DivisionName core.Text `json:"division_name"`
	Mode         string    `json:"mode" enum:"read,acknowledge"`
	Start        string    `json:"start" enum:"wall,phone"`
}

// LinkToken is the token of a display's link. It is never part of a URL that a server receives.
type LinkToken struct {
	Token string `json:"token" maxLength:"64"`
}

type createDisplayInput struct{ Body NewDisplay }

type displayInput struct {
	ID int64 `path:"id" minimum:"1"`
}

type linkInput struct{ Body LinkToken }

func (s *API) displayRoutes() {
	httpx.Register(s.Server, needAccounts, httpx.Op(http.MethodGet, "/api/v1/displays", "listDisplays", "The walls and duty phones of the own division and below"),
		func(ctx context.Context, p core.Principal, in *httpx.NewestPage) (*httpx.Body[httpx.List[auth.Display]], error) {
			all, err := s.o.Displays.Displays(ctx, p, httpx.OnePage(in.Limit, in.Before))
			return httpx.Paged(all, in.Limit, func(d auth.Display) int64 { return d.ID }), err
		})
	httpx.Register(s.Server, needAccounts, httpx.May(httpx.Created(httpx.Op(http.MethodPost, "/api/v1/displays", "createDisplay", "Make a display and its link")), http.StatusConflict),
		func(ctx context.Context, p core.Principal, in *createDisplayInput) (*httpx.Body[DisplayLink], error) {
			d, token, err := s.o.Displays.CreateDisplay(ctx, p, auth.NewDisplay{
				Name: in.Body.Name, Division: in.Body.Division, Mode: auth.DisplayMode(in.Body.Mode), Start: auth.DisplayStart(in.Body.Start),
			})
			return httpx.Answer(DisplayLink{d, token}), err
		})
	httpx.Register(s.Server, needAccounts, httpx.Op(http.MethodPost, "/api/v1/displays/{id}/link", "renewDisplayLink", "Make a new link for a display; its device stays until the link is used"),
		func(ctx context.Context, p core.Principal, in *displayInput) (*httpx.Body[DisplayLink], error) {
			d, token, err := s.o.Displays.RenewLink(ctx, p, in.ID)
			return httpx.Answer(DisplayLink{d, token}), err
		})
	httpx.Register(s.Server, needAccounts, httpx.Op(http.MethodDelete, "/api/v1/displays/{id}", "revokeDisplay", "Revoke a display: its device is logged out at once"),
		func(ctx context.Context, p core.Principal, in *displayInput) (*struct{}, error) {
			return nil, s.o.Displays.RevokeDisplay(ctx, p, in.ID)
		})
	link := func(o huma.Operation) huma.Operation {
		o.MaxBodyBytes = maxOpenBody
		return httpx.May(o, http.StatusNotFound, http.StatusTooManyRequests)
	}
	httpx.Register(s.Server, httpx.NeedNothing, link(httpx.Op(http.MethodPost, "/api/v1/display-links/preview", "previewDisplayLink", "What a display's link is for; it is not used up")), s.previewLink)
	httpx.Register(s.Server, httpx.NeedNothing, link(httpx.Op(http.MethodPost, "/api/v1/display-links/claim", "claimDisplayLink", "Log this device in as the display of a link, which is used up: sets the session's cookie")), s.claimLink)
}

func (s *API) previewLink(ctx context.Context, _ core.Principal, in *linkInput) (*httpx.Body[LinkPreview], error) {
	d, err := s.o.Displays.PreviewLink(ctx, in.Body.Token, s.Remote(httpx.RequestOf(ctx)))
	if err != nil {
		return nil, err
	}
	name, err := s.divisionName(ctx, d.Division)
	return httpx.Answer(LinkPreview{d.Name, d.Division, name, string(d.Mode), string(d.Start)}), err
}

func (s *API) claimLink(ctx context.Context, _ core.Principal, in *linkInput) (*loginOutput, error) {
	r := httpx.RequestOf(ctx)
	token, p, err := s.o.Displays.ClaimLink(ctx, in.Body.Token, s.Remote(r), r.UserAgent())
	if err != nil {
		return nil, err
	}
	httpx.NoteUser(ctx, p.Login)
	me, err := s.me(ctx, p)
	if err != nil {
		return nil, err
	}
	return &loginOutput{SetCookie: []http.Cookie{s.sessionCookie(r, token, p)}, Body: me}, nil
}
