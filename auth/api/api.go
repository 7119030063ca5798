// Package authapi is the HTTP API of accounts, sessions and displays.
package authapi

import (
	"context"
	"errors"

	"github.com/danielgtaylor/huma/v2"

	"onemap/auth"
	"onemap/internal/core"
	"onemap/internal/httpx"
)

// needAccounts is the permission that the management of accounts needs.
const needAccounts = httpx.Need(auth.PermAccounts)

// Sessions manages people's sessions. auth.Service implements it.
type Sessions interface {
	Login(ctx context.Context, l auth.Login) (tokens auth.Tokens, p core.Principal, err error)
	// Identify authenticates a token without counting a use of the session.
	Identify(ctx context.Context, token string) (core.Principal, error)
	Logout(ctx context.Context, p core.Principal) error
	Sessions(ctx context.Context, actor core.Principal, login string, p core.Page) ([]auth.Session, error)
	RevokeSession(ctx context.Context, actor core.Principal, id int64) error
	ChangePassword(ctx context.Context, p core.Principal, c auth.PasswordChange) error
}

// Accounts manages accounts. auth.Service implements it.
type Accounts interface {
	Accounts(ctx context.Context, actor core.Principal) ([]auth.Account, error)
	CreateAccount(ctx context.Context, actor core.Principal, n auth.NewAccount) (auth.Account, error)
	UpdateAccount(ctx context.Context, actor core.Principal, login string, c auth.AccountChange, ifVersion int64) (auth.Account, error)
	FailedLogins(ctx context.Context, actor core.Principal, f auth.FailedLoginFilter) ([]auth.FailedLogin, error)
}

// DivisionNames returns the names of divisions.
type DivisionNames interface {
	// DivisionName returns the name of a division, or the code itself if it is in no list.
	DivisionName(ctx context.Context, code string) (core.Text, error)
}

// Options holds the dependencies of the routes and the facts about the server that every page receives.
type Options struct {
	Sessions  Sessions
	Accounts  Accounts
	Displays  Displays
	Divisions DivisionNames

	City      core.City
	Version   string
	Node      string // name of this process; it helps people who run several
	Timezone  string // IANA name; empty means Asia/Shanghai
	Simulated bool   // a simulator sends the data of this server; every page shows it
}

// Complete returns an error that names the first required part that is missing.
func (o Options) Complete() error {
	if o.City.Code == "" {
		return errors.New("authapi: Options.City is missing")
	}
	return httpx.Complete("authapi", o)
}

// API implements the routes of accounts, sessions and displays.
type API struct {
	*httpx.Server

	o Options
}

// Mount registers the routes on the server.
func Mount(h *httpx.Server, o Options) {
	if o.Timezone == "" {
		o.Timezone = "Asia/Shanghai"
	}
	s := &API{h, o}
	httpx.Enum[auth.FailureReason, failureWord](h)
	s.sessionRoutes()
	s.accountRoutes()
	s.displayRoutes()
	s.texts()
	h.Amend(func(doc *huma.OpenAPI) {
		words := doc.Components.Schemas.Map()["Me"].Properties["permissions"].Items
		for _, p := range h.Permissions() {
			words.Enum = append(words.Enum, p.Name())
		}
	})
}

type failureWord string

// Schema returns the schema with all failure reasons.
func (failureWord) Schema(huma.Registry) *huma.Schema { return httpx.Words(auth.FailureReasons()...) }

// texts states the rules for the text members of the bodies.
func (s *API) texts() {
	division, name := httpx.Pattern{Regexp: httpx.DivisionPattern}, httpx.Pattern{Min: 1, Max: auth.MaxName}
	s.Text("NewAccount.user", httpx.Pattern{Regexp: `^[a-z0-9._-]{2,64}$`})
	s.Text("NewAccount.name", name)
	s.Text("NewAccount.division", division)
	s.Text("NewAccount.password", httpx.Pattern{Min: auth.MinPassword})
	s.Text("AccountChange.name", name)
	s.Text("AccountChange.division", division)
	s.Text("AccountChange.password", httpx.Pattern{Min: auth.MinPassword})
	s.Text("PasswordChange.new_password", httpx.Pattern{Min: auth.MinPassword})
	s.Text("NewDisplay.name", name)
	s.Text("NewDisplay.division", division)
	httpx.OneOf(s.Server, "Display.mode", auth.DisplayReads, auth.DisplayAcknowledges)
	httpx.OneOf(s.Server, "Display.start", auth.StartWall, auth.StartPhone)
}
