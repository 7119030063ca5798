package authapi

import (
	"context"
	"net/http"

	"onemap/auth"
	"onemap/internal/core"
	"onemap/internal/httpx"
)

// NewAccount is the body of a request to create an account.
type NewAccount struct {
	User     string    `json:"user" doc:"2 to 64 of a–z, 0–9, dot, underscore, hyphen"`
	Name     string    `json:"name"`
	Role     core.Role `json:"role"`
	Division string    `json:"division" doc:"GB/T 2260; a county responder has a county's 6 digits"`
	Password string    `json:"password" doc:"At least 10 characters" maxLength:"1024"`
}

// AccountChange is the body of a request to change an account. Only the members that are present change.
type AccountChange struct {
	Name     *string    `json:"name,omitempty"`
	Role     *core.Role `json:"role,omitempty"`
	Division *string    `json:"division,omitempty"`
	Disabled *bool      `json:"disabled,omitempty"`
	Password *string    `json:"password,omitempty" maxLength:"1024"`
}

type createAccountInput struct{ Body NewAccount }

type changeAccountInput struct {
	User    string `path:"user" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The account's version that was seen, in quotes; required"`
	Body    AccountChange
}

type failedLoginsInput struct {
	Limit   int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Before  int64  `query:"before" minimum:"0" doc:"Only those with a smaller id"`
	User    string `query:"user" maxLength:"64" doc:"Part of the user name"`
	Remote  string `query:"remote" maxLength:"64" doc:"The beginning of the address"`
	Reason  string `query:"reason" enum:"password,disabled,locked,change,rest"`
	Account string `query:"account" enum:"known,unknown" doc:"Whether there is such an account"`
}

func (in *failedLoginsInput) filter() auth.FailedLoginFilter {
	f := auth.FailedLoginFilter{
		Page: core.Page{Limit: in.Limit + 1, Before: in.Before}, User: in.User, Remote: in.Remote, Reason: auth.FailureReason(in.Reason),
	}
	if in.Account != "" {
		f.Known = new(in.Account == "known")
	}
	return f
}

func (s *API) accountRoutes() {
	httpx.Register(s.Server, needAccounts, httpx.Op(http.MethodGet, "/api/v1/accounts", "listAccounts", "The accounts of the own division and below"),
		func(ctx context.Context, p core.Principal, in *httpx.LoginPage) (*httpx.Body[httpx.List[auth.Account]], error) {
			all, err := s.o.Accounts.Accounts(ctx, p)
			return httpx.ByLogin(all, *in, func(a auth.Account) string { return a.Login }), err
		})
	httpx.Register(s.Server, needAccounts, httpx.May(httpx.Created(httpx.Op(http.MethodPost, "/api/v1/accounts", "createAccount", "Make an account")), http.StatusConflict, http.StatusTooManyRequests),
		func(ctx context.Context, p core.Principal, in *createAccountInput) (*httpx.Tagged[auth.Account], error) {
			a, err := s.o.Accounts.CreateAccount(ctx, p, auth.NewAccount{
				Login: in.Body.User, Name: in.Body.Name, Role: in.Body.Role, Division: in.Body.Division, Password: in.Body.Password,
			})
			return httpx.Versioned(a.Version, a), err
		})
	httpx.Register(s.Server, needAccounts, httpx.May(httpx.Op(http.MethodPatch, "/api/v1/accounts/{user}", "changeAccount",
		"Change an account; its sessions end with a change of role, division, password or state"), http.StatusConflict, http.StatusTooManyRequests),
		func(ctx context.Context, p core.Principal, in *changeAccountInput) (*httpx.Tagged[auth.Account], error) {
			version, err := httpx.IfMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			a, err := s.o.Accounts.UpdateAccount(ctx, p, in.User, auth.AccountChange(in.Body), version)
			return httpx.Versioned(a.Version, a), err
		})
	httpx.Register(s.Server, needAccounts, httpx.Op(http.MethodGet, "/api/v1/failed-logins", "listFailedLogins",
		"Failed logins of the own division's accounts, newest first, and for the city those of names that no account has; what is alike within a minute is one"),
		func(ctx context.Context, p core.Principal, in *failedLoginsInput) (*httpx.Body[httpx.List[auth.FailedLogin]], error) {
			all, err := s.o.Accounts.FailedLogins(ctx, p, in.filter())
			return httpx.Paged(all, in.Limit, func(l auth.FailedLogin) int64 { return l.ID }), err
		})
}
