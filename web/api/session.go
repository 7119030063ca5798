package api

import (
	"context"
	"net/http"
	"time"

	"onemap/auth"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// Me is who is logged in, with what the pages need to know of the server.
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

// DisplayRef names a display.
type DisplayRef struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// ServerInfo is what a page shows of the server.
type ServerInfo struct {
	Version   string    `json:"version"`
	Time      time.Time `json:"time" doc:"Now, by the server's clock"`
	Simulated bool      `json:"simulated" doc:"A simulator feeds this server"`
	Node      string    `json:"node"`
	Build     string    `json:"build" doc:"Names the build of the pages, which an open page compares with its own"`
}

// Credentials is what a person logs in with.
type Credentials struct {
	User     string `json:"user" maxLength:"64"`
	Password string `json:"password" maxLength:"1024"`
}

type loginInput struct{ Body Credentials }

type loginOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      Me
}

// PasswordChange is a person's change of the own password.
type PasswordChange struct {
	Current string `json:"current_password" maxLength:"1024"`
	New     string `json:"new_password" maxLength:"1024" doc:"At least 10 characters, and neither the user name nor the current one"`
}

type passwordInput struct{ Body PasswordChange }

type logoutOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}

type sessionsInput struct {
	NewestPage

	User string `query:"user" maxLength:"64" doc:"Whose; empty is the own ones. Others' need the permission accounts"`
}

type pushInput struct {
	Origin string `query:"origin" maxLength:"300" doc:"The page's own address, as https://map.example.org"`
}

type sessionInput struct {
	ID int64 `path:"id" minimum:"1"`
}

// maxOpenBody bounds a body that is read of somebody who has not logged in.
const maxOpenBody = 8 << 10

type requestKey struct{}

// requestOf is the HTTP request of a context; loginRoutes put it there.
func requestOf(ctx context.Context) *http.Request {
	r, _ := ctx.Value(requestKey{}).(*http.Request)
	return r
}

func (s *Server) sessionRoutes() {
	login := may(op(http.MethodPost, "/api/v1/session", "login", "Log in: sets the session's cookie"), http.StatusUnauthorized, http.StatusTooManyRequests)
	login.MaxBodyBytes = maxOpenBody
	register(s, NeedNothing, login, s.login)
	register(s, NeedNothing, op(http.MethodDelete, "/api/v1/session", "logout", "Log out; without a session it does nothing"), s.logout)
	register(s, NeedSession, op(http.MethodGet, mePath, "getMe", "Who is logged in, and what the pages must know of the server"),
		func(ctx context.Context, p core.Principal, _ *none) (*body[Me], error) {
			me, err := s.me(ctx, p)
			return &body[Me]{me}, err
		})
	password := op(http.MethodPost, "/api/v1/me/password", "changePassword",
		"Change the own password: ends the other sessions; after too many wrong ones slowed as a login is; not for a display")
	password.MaxBodyBytes = 8 << 10
	register(s, NeedSession, password, func(ctx context.Context, p core.Principal, in *passwordInput) (*struct{}, error) {
		return nil, s.o.Auth.ChangePassword(ctx, p, auth.PasswordChange{
			Current: in.Body.Current, New: in.Body.New, Remote: s.remote(requestOf(ctx)),
		})
	})
	register(s, NeedSession, may(op(http.MethodGet, "/api/v1/push", "checkPush", "Whether the server lets a page of this address connect to /ws; the problem says why not"), http.StatusForbidden, http.StatusTooManyRequests),
		func(ctx context.Context, p core.Principal, in *pushInput) (*struct{}, error) {
			return nil, s.o.Push.Check(requestOf(ctx), in.Origin, p)
		})
	register(s, NeedSession, may(op(http.MethodGet, "/api/v1/sessions", "listSessions", "The sessions of an account, newest first"), http.StatusForbidden, http.StatusNotFound),
		func(ctx context.Context, p core.Principal, in *sessionsInput) (*body[List[auth.Session]], error) {
			all, err := s.o.Auth.Sessions(ctx, p, in.User, onePage(in.Limit, in.Before))
			return paged(all, in.Limit, func(v auth.Session) int64 { return v.ID }), err
		})
	register(s, NeedSession, op(http.MethodDelete, "/api/v1/sessions/{id}", "revokeSession", "End a session: an own one, or with the permission accounts anybody's"),
		func(ctx context.Context, p core.Principal, in *sessionInput) (*struct{}, error) {
			return nil, s.o.Auth.RevokeSession(ctx, p, in.ID)
		})
}

func (s *Server) login(ctx context.Context, _ core.Principal, in *loginInput) (*loginOutput, error) {
	r := requestOf(ctx)
	tokens, p, err := s.o.Auth.Login(ctx, auth.Login{
		User: in.Body.User, Password: in.Body.Password, Remote: s.remote(r), Agent: r.UserAgent(), Device: deviceToken(r),
	})
	if err != nil {
		return nil, err
	}
	exchangeOf(ctx).user = p.Login
	me, err := s.me(ctx, p)
	if err != nil {
		return nil, err
	}
	return &loginOutput{SetCookie: []http.Cookie{s.sessionCookie(r, tokens.Session, p), s.deviceCookie(r, tokens.Device)}, Body: me}, nil
}

// logout ends the session that the request brings, if it brings one, and takes the cookie away.
func (s *Server) logout(ctx context.Context, _ core.Principal, _ *none) (*logoutOutput, error) {
	r := requestOf(ctx)
	p, err := s.o.Auth.Identify(ctx, token(r))
	switch {
	case err == nil:
		exchangeOf(ctx).user = p.Login
		if err := s.o.Auth.Logout(ctx, p); err != nil {
			return nil, err
		}
	case !fault.Is(err, fault.Unauthenticated):
		return nil, err
	}
	c := s.cookie(r, "")
	c.MaxAge = -1
	return &logoutOutput{SetCookie: c}, nil
}

// sessionCookie lasts as long as the session can: use extends the session, and no answer sets the cookie again.
func (s *Server) sessionCookie(r *http.Request, token string, p core.Principal) http.Cookie {
	c := s.cookie(r, token)
	if c.Expires = p.Ends; p.Ends.IsZero() {
		c.Expires = p.Expires
	}
	return c
}

// deviceCookie stays when the person logs out.
func (s *Server) deviceCookie(r *http.Request, token string) http.Cookie {
	c := s.cookie(r, token)
	c.Name, c.SameSite = DeviceCookie, http.SameSiteStrictMode
	c.Expires = s.now().Add(deviceCookieTTL)
	return c
}

func (s *Server) cookie(r *http.Request, value string) http.Cookie {
	return http.Cookie{
		Name: SessionCookie, Value: value, Path: s.o.Base + "/", HttpOnly: true, Secure: s.secure(r), SameSite: http.SameSiteLaxMode,
	}
}

func (s *Server) me(ctx context.Context, p core.Principal) (Me, error) {
	name, err := s.divisionName(ctx, p.Division)
	if err != nil {
		return Me{}, err
	}
	me := Me{
		User: p.Login, Name: p.Name, Role: p.Role, Division: p.Division, DivisionName: name,
		Permissions: s.permissionsOf(p), Expires: p.Expires,
		Server: ServerInfo{Version: s.o.Version, Time: s.now().UTC(), Simulated: s.o.Simulated, Node: s.o.Node, Build: s.build},
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

// divisionName is the name of a code; the city needs no list of divisions for its own.
func (s *Server) divisionName(ctx context.Context, code string) (core.Text, error) {
	if code == s.o.City.Code {
		return s.o.City.Name, nil
	}
	return s.o.Divisions.DivisionName(ctx, code)
}

// permissionsOf is what the principal may do.
func (s *Server) permissionsOf(p core.Principal) []core.Permission {
	may := []core.Permission{}
	for _, perm := range s.o.Permissions {
		if p.May(perm) {
			may = append(may, perm)
		}
	}
	return may
}
