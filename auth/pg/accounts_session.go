package authpg

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/auth"
	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/internal/text"
)

var _ auth.Store = (*DB)(nil)

// CredentialsByLogin returns an account with its hash; it returns fault.NotFound if the account does not exist.
func (db *DB) CredentialsByLogin(ctx context.Context, login string) (auth.Credentials, error) {
	var c auth.Credentials
	err := db.pool.QueryRow(ctx, `select `+accountColumns+`, p.password_hash from account p where p.login = $1`,
		text.MakeStorable(login)).Scan(append(accountTargets(&c.Account), &c.PasswordHash)...)
	return c, pg.MapErr(err, "there is no such account")
}

// CreateSession stores a session under its token's SHA-256 and returns its id.
func (db *DB) CreateSession(ctx context.Context, s auth.Session, tokenSHA256 []byte) (int64, error) {
	var id int64
	err := db.pool.QueryRow(ctx, `
		insert into session (token_sha256, account_id, created_at, expires_at, ends_at, last_seen, remote, agent)
		values ($1, $2, $3, $4, $5, $3, $6, $7) returning id`,
		tokenSHA256, s.AccountID, s.CreatedAt, s.ExpiresAt, s.EndsAt, text.MakeStorable(s.Remote), text.MakeStorable(s.Agent)).Scan(&id)
	return id, pg.MapErr(err, "create the session")
}

// sessionColumns lists the columns of a session, in the order of sessionTargets. The query names the session table s
// and the account table p.
const sessionColumns = `s.id, s.account_id, p.login, s.created_at, s.expires_at, s.ends_at, s.last_seen, s.revoked_at, s.remote, s.agent`

// sessionTargets returns the scan targets of sessionColumns.
func sessionTargets(s *auth.Session) []any {
	return []any{&s.ID, &s.AccountID, &s.Login, &s.CreatedAt, &s.ExpiresAt, &s.EndsAt, &s.LastSeen, &s.RevokedAt, &s.Remote, &s.Agent}
}

// SessionByToken returns the session of a token with its account in their current state. It also returns revoked and
// expired sessions; their fields show it. It returns fault.NotFound if the token is unknown.
func (db *DB) SessionByToken(ctx context.Context, tokenSHA256 []byte) (auth.Session, auth.Account, error) {
	return db.session(ctx, "s.token_sha256 = $1", tokenSHA256)
}

// SessionByID returns a session with its account in their current state; it returns fault.NotFound if there is none.
func (db *DB) SessionByID(ctx context.Context, id int64) (auth.Session, auth.Account, error) {
	return db.session(ctx, "s.id = $1", id)
}

// session reads one session with its account. where is an SQL condition with the one argument $1; it is never user
// input.
func (db *DB) session(ctx context.Context, where string, arg any) (s auth.Session, a auth.Account, err error) {
	err = db.pool.QueryRow(ctx, `
		select `+sessionColumns+`, `+accountColumns+` from session s join account p on p.id = s.account_id
		where `+where, arg).Scan(append(sessionTargets(&s), accountTargets(&a)...)...)
	return s, a, pg.MapErr(err, "there is no such session")
}

// TouchSession records that a session was used and extends it until expires. Neither time moves back, and expires_at
// does not exceed ends_at.
func (db *DB) TouchSession(ctx context.Context, id int64, at, expires time.Time) error {
	_, err := db.pool.Exec(ctx, `
		update session set last_seen = $2, expires_at = greatest(expires_at, least($3, ends_at))
		where id = $1 and last_seen < $2 and revoked_at is null and expires_at > $2`, id, at, expires)
	return pg.MapErr(err, "touch the session")
}

// Sessions returns the sessions of an account, newest first; account 0 means all accounts. It includes ended sessions
// that have not been pruned.
func (db *DB) Sessions(ctx context.Context, accountID int64, p core.Page) ([]auth.Session, error) {
	rows, err := db.pool.Query(ctx, `
		select `+sessionColumns+` from session s join account p on p.id = s.account_id
		where ($1::bigint = 0 or s.account_id = $1) and ($2::bigint <= 0 or s.id < $2) order by s.id desc limit $3`,
		accountID, p.Before, p.Length())
	if err != nil {
		return nil, pg.MapErr(err, "list sessions")
	}
	sessions, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s auth.Session, err error) {
		err = row.Scan(sessionTargets(&s)...)
		return s, err
	})
	return sessions, pg.MapErr(err, "list sessions")
}

// RevokeSessions ends one session of the account, or all of them if id is 0, and writes an event for each session that
// had not ended before. It returns fault.NotFound if the account has no such session.
func (db *DB) RevokeSessions(ctx context.Context, accountID, id int64, actor string) error {
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		// A session of another account counts as missing, so that a caller cannot find out whether its id exists.
		if id != 0 {
			var there int64
			err := tx.QueryRow(ctx, `select id from session where id = $1 and account_id = $2`, id, accountID).Scan(&there)
			if errors.Is(err, pgx.ErrNoRows) {
				return fault.New(fault.NotFound, "there is no such session")
			}
			if err != nil {
				return err
			}
		}
		revoked, err := revokeSessions(ctx, tx, accountID, id)
		if err != nil {
			return err
		}
		return sessionsRevoked(ctx, tx, accountID, revoked, actor)
	})
	return pg.MapErr(err, "revoke sessions")
}

// revokeSessions ends the session id of the account, or all its sessions if id is 0. It returns the ids of those that
// were not revoked before. The update locks these rows until the commit.
func revokeSessions(ctx context.Context, tx pgx.Tx, accountID, id int64) ([]int64, error) {
	rows, err := tx.Query(ctx, `
		update session set revoked_at = now() where account_id = $1 and ($2::bigint = 0 or id = $2) and revoked_at is null
		returning id`, accountID, id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// revokeSessionsBut ends all sessions of the account except keep.
func revokeSessionsBut(ctx context.Context, tx pgx.Tx, accountID, keep int64) ([]int64, error) {
	rows, err := tx.Query(ctx, `
		update session set revoked_at = now() where account_id = $1 and id <> $2 and revoked_at is null returning id`, accountID, keep)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// sessionsRevoked writes the events that make every node drop the sessions from its cache. Only administrators may see
// these events.
func sessionsRevoked(ctx context.Context, tx pgx.Tx, accountID int64, ids []int64, actor string) error {
	for _, id := range ids {
		payload, err := json.Marshal(map[string]int64{"session_id": id, "account_id": accountID})
		if err != nil {
			return err
		}
		_, err = eventlog.Append(ctx, tx, core.Event{
			Kind: auth.EventSessionRevoked, Roles: []core.Role{core.RoleAdministrator},
			Subject: strconv.FormatInt(id, 10), Actor: actor, Payload: payload,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
