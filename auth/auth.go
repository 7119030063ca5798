// Package auth manages people: accounts with a role and a division, their sessions, and the permissions of each role.
// Devices are not people; package sensors manages their secrets.
package auth

import (
	"context"
	"time"

	"onemap/internal/core"
)

// Account is a person who can log in.
type Account struct {
	ID        int64     `json:"id"`
	Login     string    `json:"user"` // [a-z0-9._-]{2,64}
	Name      string    `json:"name"`
	Role      core.Role `json:"role"`
	Division  string    `json:"division"`
	Disabled  bool      `json:"disabled"`
	CreatedAt time.Time `json:"created_at"`
	Version   int64     `json:"version"` // the ETag
	// The time and the address of the last successful login; null and empty: there was none.
	LastLogin  *time.Time `json:"last_login_at"`
	LastRemote string     `json:"last_login_from"`
	Display    int64      `json:"-"` // id of the display that the account belongs to; 0: a person's account
}

// Session is one login of an account, as its owner and the administrator see it.
type Session struct {
	ID        int64      `json:"id"`
	AccountID int64      `json:"account_id"`
	Login     string     `json:"user"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt time.Time  `json:"expires_at"` // without further use
	EndsAt    *time.Time `json:"ends_at"`    // the absolute end; use does not extend it; null: never
	LastSeen  time.Time  `json:"last_seen"`
	RevokedAt *time.Time `json:"revoked_at"`
	Remote    string     `json:"remote"`
	Agent     string     `json:"agent"`
}

// Credentials is an account with its argon2id hash.
type Credentials struct {
	Account
	PasswordHash string
}

// Store stores accounts and sessions. It receives only the SHA-256 of tokens, never the tokens.
type Store interface {
	LoginStore
	CredentialsByLogin(ctx context.Context, login string) (Credentials, error) // fault.NotFound
	CreateSession(ctx context.Context, s Session, tokenSHA256 []byte) (int64, error)
	SessionByToken(ctx context.Context, tokenSHA256 []byte) (Session, Account, error) // fault.NotFound when unknown; revoked and expired ones are returned as such
	SessionByID(ctx context.Context, id int64) (Session, Account, error)              // the same by its id
	// TouchSession records a use: last_seen becomes at, and expires_at becomes the later of itself and expires. It does
	// not change a session that was used after at or that is revoked.
	TouchSession(ctx context.Context, id int64, at, expires time.Time) error
	// RevokeSessions revokes one session (id > 0) or all of an account and writes session.revoked.
	RevokeSessions(ctx context.Context, accountID, id int64, actor string) error
}

// AccountStore stores accounts for their management. Each change writes account.changed; a change of role, division,
// password or state also revokes the account's sessions.
type AccountStore interface {
	Accounts(ctx context.Context) ([]Account, error)
	CreateAccount(ctx context.Context, a Account, passwordHash, actor string) (Account, error) // fault.Conflict when the login is taken
	UpdateAccount(ctx context.Context, a Account, passwordHash string, ifVersion int64, actor string) (Account, error)
	Sessions(ctx context.Context, accountID int64, p core.Page) ([]Session, error) // newest first
}
