package authpg

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/jackc/pgx/v5"

	"onemap/auth"
	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/internal/text"
)

var _ auth.AccountStore = (*DB)(nil)

// accountColumns lists the columns of an account, in the order of accountTargets. The query names the account table p.
// The last column is the id of the display whose account it is; 0 means that it is the account of a person.
const accountColumns = `p.id, p.login, p.name, p.role, p.division_code, p.disabled, p.created_at, p.version,
	p.last_login_at, p.last_login_from, coalesce((select d.id from display d where d.account_id = p.id), 0)`

// accountTargets returns the scan targets of accountColumns. Callers append the targets of the columns that they add.
func accountTargets(a *auth.Account) []any {
	return []any{&a.ID, &a.Login, &a.Name, &a.Role, &a.Division, &a.Disabled, &a.CreatedAt, &a.Version, &a.LastLogin, &a.LastRemote, &a.Display}
}

// scanAccount reads a row of accountColumns.
func scanAccount(row pgx.CollectableRow) (a auth.Account, err error) {
	err = row.Scan(accountTargets(&a)...)
	return a, err
}

// Accounts returns all accounts, ordered by login.
func (db *DB) Accounts(ctx context.Context) ([]auth.Account, error) {
	// Accounts of displays are left out, because the list of displays contains them.
	rows, err := db.pool.Query(ctx, `select `+accountColumns+` from account p
		where not exists (select from display d where d.account_id = p.id) order by p.login`)
	if err != nil {
		return nil, pg.MapErr(err, "list accounts")
	}
	accounts, err := pgx.CollectRows(rows, scanAccount)
	return accounts, pg.MapErr(err, "list accounts")
}

// CreateAccount stores an account and returns it with its id; it returns fault.Conflict if the login is taken.
func (db *DB) CreateAccount(ctx context.Context, a auth.Account, passwordHash, actor string) (auth.Account, error) {
	var stored auth.Account
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			insert into account as p (login, name, role, division_code, password_hash, disabled)
			values ($1, $2, $3, $4, $5, $6) on conflict (login) do nothing returning `+accountColumns,
			a.Login, a.Name, a.Role, a.Division, passwordHash, a.Disabled)
		if err != nil {
			return err
		}
		// The insert returns no row if another account has the login, also if that account was created at the same
		// time.
		stored, err = pgx.CollectExactlyOneRow(rows, scanAccount)
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.NewCoded(fault.Conflict, "user", auth.CodeLoginTaken)
		}
		if err != nil {
			return err
		}
		return accountChanged(ctx, tx, stored, actor)
	})
	return stored, pg.MapErr(err, "create the account")
}

// UpdateAccount changes the account a.Login if its version is ifVersion; otherwise it returns fault.Precondition. An
// empty hash keeps the password. A change of role, division, password or state revokes the account's sessions.
func (db *DB) UpdateAccount(ctx context.Context, a auth.Account, passwordHash string, ifVersion int64, actor string) (auth.Account, error) {
	var stored auth.Account
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		// The row lock makes concurrent changes of one account run one after another, so the version check is exact.
		old, err := lockAccount(ctx, tx, a.Login, ifVersion)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			update account p set name = $2, role = $3, division_code = $4, disabled = $5,
				password_hash = coalesce(nullif($6, ''), password_hash), version = version + 1
			where id = $1 returning `+accountColumns,
			old.ID, a.Name, a.Role, a.Division, a.Disabled, passwordHash)
		if err != nil {
			return err
		}
		if stored, err = pgx.CollectExactlyOneRow(rows, scanAccount); err != nil {
			return err
		}
		// A session was opened under the old rights or the old password. A change of the name alone does not affect it.
		same := old.Role == a.Role && old.Division == a.Division && old.Disabled == a.Disabled && passwordHash == ""
		var revoked []int64
		if !same {
			if revoked, err = revokeSessions(ctx, tx, old.ID, 0); err != nil {
				return err
			}
		}
		// The events come last, because the lock of the event log is held from here to the commit.
		if err := accountChanged(ctx, tx, stored, actor); err != nil {
			return err
		}
		return sessionsRevoked(ctx, tx, old.ID, revoked, actor)
	})
	return stored, pg.MapErr(err, "change the account")
}

// lockAccount reads an account and locks its row (for update) until the commit. It returns fault.NotFound if there is
// no such account, and fault.Precondition if its version is not ifVersion.
func lockAccount(ctx context.Context, tx pgx.Tx, login string, ifVersion int64) (auth.Account, error) {
	rows, err := tx.Query(ctx, `select `+accountColumns+` from account p where p.login = $1 for update`, text.MakeStorable(login))
	if err != nil {
		return auth.Account{}, err
	}
	a, err := pgx.CollectExactlyOneRow(rows, scanAccount)
	if errors.Is(err, pgx.ErrNoRows) {
		return a, fault.New(fault.NotFound, "there is no such account")
	}
	if err == nil && a.Version != ifVersion {
		return a, fault.New(fault.Precondition, "the account is at version %s by now", pg.ETag(a.Version))
	}
	return a, err
}

// accountChanged writes the event for administrators.
func accountChanged(ctx context.Context, tx pgx.Tx, a auth.Account, actor string) error {
	payload, err := json.Marshal(map[string]any{"account_id": a.ID, "user": a.Login, "version": a.Version})
	if err != nil {
		return err
	}
	_, err = eventlog.Append(ctx, tx, core.Event{
		Kind: auth.EventAccountChanged, Roles: []core.Role{core.RoleAdministrator},
		Subject: strconv.FormatInt(a.ID, 10), Actor: actor, Payload: payload,
	})
	return err
}
