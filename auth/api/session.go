package authapi

import (
	"context"
	"net/http"
	"time"

	"onemap/auth"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/httpx"
)

// Me is the logged-in principal, with the facts about the server that the pages need.
type Me struct {
	User         string            `json:"user"`
	Name         string            `json:"name"`
	Role         core.Role         `json:"role"`
	Division     string            `json:"division"`
	DivisionName core.Text         `json:"division_name"`
	Permissions  []core.Permission `json:"permissions"`
	Expires      time.Time         `json:"expires" doc:"When the session ends without further use"`
	Ends         *time.Time        `json:"ends" doc:"When it ends whatever the use; null: never"`
	Display      *DisplayRef       `json:"display" doc:"The display that is logged in; null: a person is"`
	Server       ServerInfo        `json:"server"`
	City         core.City         `json:"city"`
	Timezone     string            `json:"timezone" doc:"IANA name of the zone that times are shown in"`
}

// DisplayRef is the id and the name of a display.
type DisplayRef struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// ServerInfo holds the facts about the server that a page shows.
type ServerInfo struct {
	Version   string    `json:"version"`
	Time      time.Time `json:"time" doc:"Now, by the server's clock"`
	Simulated bool      `json:"simulated" doc:"A simulator feeds this server"`
	Node      string    `json:"node"`
	Build     string    `json:"build" doc:"Names the build of the pages, which an open page compares with its own"`
}

// Credentials is the body of a login request.
type Credentials struct {
	User     string `json:"user" maxLength:"64"`
	Password string `json:"password" maxLength:"1024"`
}

type loginInput struct{ Body Credentials }

type loginOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      Me
}

type meOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      Me
}

// PasswordChange is the body of a request to change the person's own password.
type PasswordChange struct {
	Current string `json:"current_password" maxLength:"1024"`
	New     string `json:"new_password" maxLength:"1024" doc:"At least 10 characters, and neither the user name nor the current one"`
}

type passwordInput struct{ Body PasswordChange }

type logoutOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}

type sessionsInput struct {
	httpx.NewestPage

	User string `query:"user" maxLength:"64" doc:"Whose; empty is the own ones. Others' need the permission accounts"`
}

type sessionInput struct {
	ID int64 `path:"id" minimum:"1"`
}

// DeviceCookie is the name of the cookie that identifies a browser that has logged in before at its next login.
const DeviceCookie = "onemap_device"

// deviceCookieTTL is the longest that a browser keeps a cookie.
const deviceCookieTTL = 400 * 24 * time.Hour

// deviceToken returns the device token of the request, empty if it has none.
func deviceToken(r *http.Request) string {
	c, err := r.Cookie(DeviceCookie)
	if err != nil {
		return ""
	}
	return c.Value
}

// maxOpenBody is the largest request body, in bytes, that is read from a client that has not logged in.
const maxOpenBody = 8 << 10

func (s *API) sessionRoutes() {
	login := httpx.May(httpx.Op(http.MethodPost, "/api/v1/session", "login", "Log in: sets the session's cookie"), http.StatusUnauthorized, http.StatusTooManyRequests)
	login.MaxBodyBytes = maxOpenBody
	httpx.Register(s.Server, httpx.NeedNothing, login, s.login)
	httpx.Register(s.Server, httpx.NeedNothing, httpx.Op(http.MethodDelete, "/api/v1/session", "logout", "Log out; without a session it does nothing"), s.logout)
	httpx.Register(s.Server, httpx.NeedSession, httpx.Op(http.MethodGet, "/api/v1/me", "getMe", "Who is logged in, and what the pages must know of the server"),
		func(ctx context.Context, p core.Principal, _ *httpx.None) (*meOutput, error) {
			me, err := s.me(ctx, p)
			out := &meOutput{Body: me}
			if r := httpx.RequestOf(ctx); p.Display != 0 { // a browser forgets a cookie after 400 days
				out.SetCookie = []http.Cookie{s.sessionCookie(r, httpx.Token(r), p)}
			}
			return out, err
		})
	password := httpx.Op(http.MethodPost, "/api/v1/me/password", "changePassword",
		"Change the own password: ends the other sessions; after too many wrong ones slowed as a login is; not for a display")
	password.MaxBodyBytes = 8 << 10
	httpx.Register(s.Server, httpx.NeedSession, password, func(ctx context.Context, p core.Principal, in *passwordInput) (*struct{}, error) {
		return nil, s.o.Sessions.ChangePassword(ctx, p, auth.PasswordChange{
			Current: in.Body.Current, New: in.Body.New, Remote: s.Remote(httpx.RequestOf(ctx)),
		})
	})
	httpx.Register(s.Server, httpx.NeedSession, httpx.May(httpx.Op(http.MethodGet, "/api/v1/sessions", "listSessions", "The sessions of an account, newest first"), http.StatusForbidden, http.StatusNotFound),
		func(ctx context.Context, p core.Principal, in *sessionsInput) (*httpx.Body[httpx.List[auth.Session]], error) {
			all, err := s.o.Sessions.Sessions(ctx, p, in.User, httpx.OnePage(in.Limit, in.Before))
			return httpx.Paged(all, in.Limit, func(v auth.Session) int64 { return v.ID }), err
		})
	httpx.Register(s.Server, httpx.NeedSession, httpx.Op(http.MethodDelete, "/api/v1/sessions/{id}", "revokeSession", "End a session: an own one, or with the permission accounts anybody's"),
		func(ctx context.Context, p core.Principal, in *sessionInput) (*struct{}, error) {
			return nil, s.o.Sessions.RevokeSession(ctx, p, in.ID)
		})
}

func (s *API) login(ctx context.Context, _ core.Principal, in *loginInput) (*loginOutput, error) {
	r := httpx.RequestOf(ctx)
	tokens, p, err := s.o.Sessions.Login(ctx, auth.Login{
		User: in.Body.User, Password: in.Body.Password, Remote: s.Remote(r), Agent: r.UserAgent(), Device: deviceToken(r),
	})
	if err != nil {
		return nil, err
	}
	httpx.NoteUser(ctx, p.Login)
	me, err := s.me(ctx, p)
	if err != nil {
		return nil, err
	}
	return &loginOutput{SetCookie: []http.Cookie{s.sessionCookie(r, tokens.Session, p), s.deviceCookie(r, tokens.Device)}, Body: me}, nil
}

// logout ends the session of the request, if it has one, and deletes the cookie.
func (s *API) logout(ctx context.Context, _ core.Principal, _ *httpx.None) (*logoutOutput, error) {
	r := httpx.RequestOf(ctx)
	p, err := s.o.Sessions.Identify(ctx, httpx.Token(r))
	switch {
	case err == nil:
		httpx.NoteUser(ctx, p.Login)
		if err := s.o.Sessions.Logout(ctx, p); err != nil {
			return nil, err
		}
	case !fault.Is(err, fault.Unauthenticated):
		return nil, err
	}
	c := s.cookie(r, "")
	c.MaxAge = -1
	return &logoutOutput{SetCookie: c}, nil
}

// sessionCookie returns the session's cookie. It lasts as long as the session can last at most, because use extends the
// session but no later response sets the cookie again.
func (s *API) sessionCookie(r *http.Request, token string, p core.Principal) http.Cookie {
	c := s.cookie(r, token)
	if c.Expires = p.Ends; p.Ends.IsZero() {
		c.Expires = p.Expires
	}
	return c
}

// deviceCookie returns the device's cookie. It stays after a logout.
func (s *API) deviceCookie(r *http.Request, token string) http.Cookie {
	c := s.cookie(r, token)
	c.Name, c.SameSite = DeviceCookie, http.SameSiteStrictMode
	c.Expires = s.Now().Add(deviceCookieTTL)
	return c
}

func (s *API) cookie(r *http.Request, value string) http.Cookie {
	return http.Cookie{
		Name: httpx.SessionCookie, Value: value, Path: s.Base() + "/", HttpOnly: true, Secure: s.Secure(r), SameSite: http.SameSiteLaxMode,
	}
}

func (s *API) me(ctx context.Context, p core.Principal) (Me, error) {
	name, err := s.divisionName(ctx, p.Division)
	if err != nil {
		return Me{}, err
	}
	me := Me{
		User: p.Login, Name: p.Name, Role: p.Role, Division: p.Division, DivisionName: name,
		Permissions: s.permissionsOf(p), Expires: p.Expires,
		Server: ServerInfo{Version: s.o.Version, Time: s.Now().UTC(), Simulated: s.o.Simulated, Node: s.o.Node, Build: s.Build()},
		City:   s.o.City, Timezone: s.o.Timezone,
	}
	if !p.Ends.IsZero() {
		me.Ends = &p.Ends
	}
	if p.Display != 0 {
		me.Display = &DisplayRef{ID: p.Display, Name: p.Name}
	}
	return me, nil
}

// divisionName returns the name of a division. The name of the city itself needs no list of divisions.
func (s *API) divisionName(ctx context.Context, code string) (core.Text, error) {
	if code == s.o.City.Code {
		return s.o.City.Name, nil
	}
	return s.o.Divisions.DivisionName(ctx, code)
}

// permissionsOf returns the permissions of the principal.
func (s *API) permissionsOf(p core.Principal) []core.Permission {
	may := []core.Permission{}
	for _, perm := range s.Permissions() {
		if p.May(perm) {
			may = append(may, perm)
		}
	}
	return may
}
