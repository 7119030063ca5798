package authpg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/auth"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/internal/text"
)

var _ auth.DisplayStore = (*DB)(nil)

// displayQuery reads displays with the state of their devices; $1 is how long a client counts as connected after it was
// last seen.
const displayQuery = `
	select d.id, d.name, p.division_code, p.role, d.start, d.created_at, d.created_by, d.link_expires, d.claimed_at,
		s.last_seen, coalesce(s.agent, ''), coalesce(s.remote, ''), d.revoked_at, d.revoked_by, d.account_id,
		exists (select from push_client c where c.account_id = p.id and c.connected and c.last_seen > now() - $1::interval)
	from display d join account p on p.id = d.account_id
	left join lateral (
		select last_seen, agent, remote from session where account_id = p.id order by id desc limit 1) s on true`

// scanDisplay reads a row of displayQuery. The mode of a display follows from the role of its account.
func scanDisplay(row pgx.CollectableRow) (d auth.Display, err error) {
	var role core.Role
	err = row.Scan(&d.ID, &d.Name, &d.Division, &role, &d.Start, &d.CreatedAt, &d.CreatedBy, &d.LinkExpires, &d.ClaimedAt,
		&d.LastSeen, &d.Agent, &d.Remote, &d.RevokedAt, &d.RevokedBy, &d.AccountID, &d.Connected)
	d.Mode = auth.DisplayReads
	if role == core.RoleDisplayAck {
		d.Mode = auth.DisplayAcknowledges
	}
	return d, err
}

// displaysOf returns the displays that satisfy where, which is an SQL clause whose arguments begin at $2.
func displaysOf(ctx context.Context, q pg.Querier, where string, args ...any) ([]auth.Display, error) {
	rows, err := q.Query(ctx, displayQuery+" "+where, append([]any{core.ConnectedFor}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanDisplay)
}

// displayOf returns the first display that satisfies where; it returns fault.NotFound if there is none.
func displayOf(ctx context.Context, q pg.Querier, where string, args ...any) (auth.Display, error) {
	all, err := displaysOf(ctx, q, where, args...)
	if err == nil && len(all) == 0 {
		err = fault.New(fault.NotFound, "there is no such display")
	}
	if err != nil {
		return auth.Display{}, err
	}
	return all[0], nil
}

// Displays returns the displays of the scope, newest first.
func (db *DB) Displays(ctx context.Context, s core.Scope, p core.Page) ([]auth.Display, error) {
	all, err := displaysOf(ctx, db.pool, `where scope_covers($2, p.division_code) and ($3::bigint <= 0 or d.id < $3) order by d.id desc limit $4`,
		s.Division, p.Before, p.Length())
	return all, pg.MapErr(err, "list displays")
}

// DisplayByID returns a display; it returns fault.NotFound if there is none.
func (db *DB) DisplayByID(ctx context.Context, id int64) (auth.Display, error) {
	d, err := displayOf(ctx, db.pool, "where d.id = $2", id)
	return d, pg.MapErr(err, "read the display")
}

// displayLogin returns the login of a display's account. The history of an alert shows it.
func displayLogin(name string) string { return "display: " + name }

// CreateDisplay stores a display with its account; it returns fault.Conflict if a display in use has the name.
func (db *DB) CreateDisplay(ctx context.Context, d auth.Display, linkSHA256 []byte, actor string) (auth.Display, error) {
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		var account int64
		// The account has no password hash, so a login with a password never succeeds. Only the link opens a session.
		err := tx.QueryRow(ctx, `
			insert into account (login, name, role, division_code, password_hash, created_at)
			values ($1, $2, $3, $4, '', $5) on conflict (login) do nothing returning id`,
			displayLogin(d.Name), d.Name, d.Role(), d.Division, d.CreatedAt).Scan(&account)
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.NewCoded(fault.Conflict, "name", auth.CodeDisplayTaken)
		}
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `
			insert into display (account_id, name, start, link_sha256, link_expires, created_at, created_by)
			values ($1, $2, $3, $4, $5, $6, $7) returning id`,
			account, d.Name, d.Start, linkSHA256, d.LinkExpires, d.CreatedAt, actor).Scan(&d.ID)
		if err != nil {
			return err
		}
		d, err = displayOf(ctx, tx, "where d.id = $2", d.ID)
		return err
	})
	return d, pg.MapErr(err, "create the display")
}

// RenewLink replaces the link of a display; it returns fault.NotFound if the display does not exist or is revoked.
func (db *DB) RenewLink(ctx context.Context, id int64, linkSHA256 []byte, expires time.Time, _ string) (d auth.Display, err error) {
	err = db.pool.InTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `update display set link_sha256 = $2, link_expires = $3 where id = $1 and revoked_at is null`, id, linkSHA256, expires)
		if err != nil {
			return err
		}
		d, err = displayOf(ctx, tx, "where d.id = $2 and d.revoked_at is null", id)
		return err
	})
	return d, pg.MapErr(err, "renew the link")
}

// DisplayByLink returns the display of an unused link; it returns fault.NotFound if the link is unknown, used or expired.
func (db *DB) DisplayByLink(ctx context.Context, linkSHA256 []byte, now time.Time) (auth.Display, error) {
	d, err := displayOf(ctx, db.pool, "where d.link_sha256 = $2 and d.link_expires > $3 and d.revoked_at is null", linkSHA256, now)
	return d, pg.MapErr(linkErr(err), "read the link")
}

// linkErr converts a missing row to the one error for all links that do not work. The error does not tell whether the
// link is unknown, used or expired.
func linkErr(err error) error {
	if fault.Is(err, fault.NotFound) || errors.Is(err, pgx.ErrNoRows) {
		return fault.NewCoded(fault.NotFound, "", auth.CodeLinkUsed)
	}
	return err
}

// ClaimLink marks a link as used, ends the sessions of the display's previous device and stores the new session.
func (db *DB) ClaimLink(ctx context.Context, linkSHA256 []byte, s auth.Session, tokenSHA256 []byte, now time.Time) (auth.Session, auth.Account, error) {
	var a auth.Account
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		// One update reads and uses up the link. Its row lock makes a second claim of the same link wait and then find
		// no link.
		err := tx.QueryRow(ctx, `
			update display set link_sha256 = null, link_expires = null, claimed_at = $2
			where link_sha256 = $1 and link_expires > $2 and revoked_at is null returning account_id`, linkSHA256, now).Scan(&s.AccountID)
		if err != nil {
			return linkErr(err)
		}
		// A display runs on one device at a time: the new device replaces the one before.
		former, err := revokeSessions(ctx, tx, s.AccountID, 0)
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `
			insert into session (token_sha256, account_id, created_at, expires_at, ends_at, last_seen, remote, agent)
			values ($1, $2, $3, $4, $5, $3, $6, $7) returning id`,
			tokenSHA256, s.AccountID, s.CreatedAt, s.ExpiresAt, s.EndsAt, text.MakeStorable(s.Remote), text.MakeStorable(s.Agent)).Scan(&s.ID)
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `select `+accountColumns+` from account p where p.id = $1`, s.AccountID).Scan(accountTargets(&a)...)
		if err != nil {
			return err
		}
		s.Login = a.Login
		return sessionsRevoked(ctx, tx, s.AccountID, former, a.Login)
	})
	return s, a, pg.MapErr(err, "use the link")
}

// RevokeDisplay ends a display, its sessions and its link, and frees its name. Its account stays, but disabled, because
// receipts and acknowledgements refer to it.
func (db *DB) RevokeDisplay(ctx context.Context, id int64, actor string) error {
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		var account int64
		// A display that is revoked already, or that does not exist, is no error: the result is the one that the caller
		// wants.
		err := tx.QueryRow(ctx, `
			update display set revoked_at = $2, revoked_by = $3, link_sha256 = null, link_expires = null
			where id = $1 and revoked_at is null returning account_id`, id, db.now(), actor).Scan(&account)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		// The suffix makes the login free, so that a new display can have the name.
		_, err = tx.Exec(ctx, `update account set disabled = true, version = version + 1, login = login || $2 where id = $1`,
			account, fmt.Sprintf(" #%d", id))
		if err != nil {
			return err
		}
		revoked, err := revokeSessions(ctx, tx, account, 0)
		if err != nil {
			return err
		}
		return sessionsRevoked(ctx, tx, account, revoked, actor)
	})
	return pg.MapErr(err, "revoke the display")
}
