package app

import (
	"context"
	"log/slog"
	"slices"

	"onemap/internal/app/stores"

	"onemap/auth"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// Accounts manages the accounts for the command line. A person who can access the database needs no other permission.
type Accounts struct {
	db      *stores.Stores
	service *auth.Service
}

// OpenAccounts connects to the database.
func OpenAccounts(ctx context.Context, url string, logger *slog.Logger) (*Accounts, error) {
	db, err := stores.Open(ctx, stores.Options{URL: url, MaxConns: 2, Logger: logger})
	if err != nil {
		return nil, err
	}
	return &Accounts{db: db, service: auth.NewService(auth.Options{}, db.Auth, db.Auth, db.Auth, logger, nil, nil)}, nil
}

// Close ends the connection.
func (a *Accounts) Close() { a.db.Close() }

// console returns the principal of the command line, with an administrator's permissions in the division. No account can have
// this login, because a login has no parentheses.
func console(division string) core.Principal {
	return core.Principal{Login: "(console)", Role: core.RoleAdministrator, Division: division}
}

// Add creates an account.
func (a *Accounts) Add(ctx context.Context, login, name string, role core.Role, division, password string) error {
	_, err := a.service.CreateAccount(ctx, console(division), auth.NewAccount{Login: login, Name: name, Role: role, Division: division, Password: password})
	return err
}

// SetPassword changes an account's password and ends its sessions.
func (a *Accounts) SetPassword(ctx context.Context, login, password string) error {
	all, err := a.List(ctx)
	if err != nil {
		return err
	}
	// The command line knows no version of the account, so the version that was just read is used for the update.
	i := slices.IndexFunc(all, func(acct auth.Account) bool { return acct.Login == login })
	if i < 0 {
		return fault.New(fault.NotFound, "there is no account %q", login)
	}
	_, err = a.service.UpdateAccount(ctx, console(all[i].Division), login, auth.AccountChange{Password: &password}, all[i].Version)
	return err
}

// List returns every account.
func (a *Accounts) List(ctx context.Context) ([]auth.Account, error) { return a.db.Auth.Accounts(ctx) }
