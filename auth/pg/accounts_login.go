package authpg

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/auth"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/internal/text"
)

var _ auth.LoginStore = (*DB)(nil)

// maxCallers is how many familiar devices and addresses are kept per account: the latest ones.
const maxCallers = 100

// maxListed is the largest number of rows of failed logins per minute, separately for existing accounts and for unknown
// names. One more row of each counts the rest.
const maxListed = 20

// LoginFacts reads the facts that are needed before a password is compared, in one round trip. The queries are the same
// for an unknown name.
func (db *DB) LoginFacts(ctx context.Context, q auth.LoginQuery) (auth.LoginFacts, error) {
	f := auth.LoginFacts{Failures: map[auth.LoginKey]auth.Failures{}}
	var b pgx.Batch
	b.Queue(`
		select `+accountColumns+`, p.password_hash,
			exists (select from login_caller c where c.account_id = p.id and c.caller = $2 and c.at > $4),
			exists (select from login_caller c where c.account_id = p.id and c.caller = $3 and c.at > $4)
		from account p where p.login = $1`, q.Login, q.Device[:], q.Address[:], q.Since).QueryRow(func(row pgx.Row) error {
		c := &f.Credentials
		err := row.Scan(append(accountTargets(&c.Account), &c.PasswordHash, &f.FamiliarDevice, &f.FamiliarAddress)...)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		f.Known = err == nil
		return err
	})
	// This device may have logged in to any account, so the query does not name one.
	// The failures are a bucket that leaks one failure per c.Forget ($3, in seconds) and holds at most c.Highest ($4).
	// The time of the row moves back only if it is more than auth.NoteSlack ahead of the attempt: such a time comes
	// from a wrong clock.
	b.Queue(`select exists (select from login_caller where caller = $1 and at > $2)`, q.Device[:], q.Since).QueryRow(func(row pgx.Row) error {
		return row.Scan(&f.KnownDevice)
	})
	keys := make([][]byte, len(q.Keys))
	for i := range q.Keys {
		keys[i] = q.Keys[i][:]
	}
	// The inner query counts the rows of this minute. If maxListed rows exist and none of them is the same attempt, the
	// attempt goes to the row with the reason "rest". So a flood of attempts cannot fill the table.
	b.Queue(`select key, failures, at from login_count where key = any($1)`, keys).Query(func(rows pgx.Rows) error {
		var key []byte
		var n auth.Failures
		_, err := pgx.ForEachRow(rows, []any{&key, &n.Count, &n.At}, func() error {
			f.Failures[auth.LoginKey(key)] = n
			return nil
		})
		return err
	})
	return f, pg.MapErr(db.pool.SendBatch(ctx, &b).Close(), "read the account")
}

// LoginFailed counts an attempt under its keys, and lists it in its minute.
func (db *DB) LoginFailed(ctx context.Context, a auth.FailedAttempt) ([]auth.Failures, error) {
	counts := make([]auth.Failures, len(a.Counts))
	var b pgx.Batch
	for _, i := range inKeyOrder(a.Counts) { // one lock order for all attempts, so that two attempts cannot deadlock
		c := a.Counts[i]
		b.Queue(`
			insert into login_count as c (key, failures, at, account) values ($1, 1, $2, $5)
			on conflict (key) do update set at = case when c.at > $2 and c.at <= $6 then c.at else $2 end,
				failures = least($4, greatest(0, c.failures - greatest(0, extract(epoch from $2 - c.at)) / $3) + 1)
			returning failures, at`, c.Key[:], a.At, c.Forget.Seconds(), c.Highest, c.Account[:], a.At.Add(auth.NoteSlack)).QueryRow(func(row pgx.Row) error {
			return row.Scan(&counts[i].Count, &counts[i].At)
		})
	}
	b.Queue(`
		insert into login_failure as f (minute, at, known, reason, name, remote, account_id)
		select $1, $2, $3, case when full_up then 'rest' else $4 end, case when full_up then '' else $5 end,
			case when full_up then '' else $6 end, case when full_up then null else $7::bigint end
		from (
			select count(*) >= $8 and not coalesce(bool_or((reason, name, remote) = ($4, $5, $6)), false) as full_up
			from login_failure where minute = $1 and known = $3
		) m
		on conflict (minute, known, reason, name, remote) do update set attempts = f.attempts + 1, at = greatest(f.at, excluded.at)`,
		a.At.Truncate(time.Minute), a.At, a.AccountID != 0, string(a.Reason), a.User, a.Remote, nullID(a.AccountID), maxListed)
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error { return tx.SendBatch(ctx, &b).Close() })
	if err != nil {
		return nil, pg.MapErr(err, "record the login")
	}
	return counts, nil
}

// nullID returns nil for 0, so that the column is null if the attempt names no existing account.
func nullID(id int64) *int64 {
	if id == 0 {
		return nil
	}
	return &id
}

// inKeyOrder returns the indexes of the counts in the order of their keys.
func inKeyOrder(counts []auth.FailureCount) []int {
	order := make([]int, len(counts))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(counts[a].Key[:], counts[b].Key[:]) })
	return order
}

// LoginSucceeded makes the callers familiar to the account, records the login and resets the caller's failures.
func (db *DB) LoginSucceeded(ctx context.Context, s auth.Success) error {
	var b pgx.Batch
	callers := make([][]byte, len(s.Callers))
	for i := range s.Callers {
		callers[i] = s.Callers[i][:]
	}
	// The rows are written in the order of the callers, so that two logins to one account cannot deadlock.
	slices.SortFunc(callers, bytes.Compare)
	b.Queue(`update account set last_login_at = $2, last_login_from = $3 where id = $1`, s.AccountID, s.At, s.Remote)
	b.Queue(`
		insert into login_caller as c (account_id, caller, at) select $1, caller, $3 from unnest($2::bytea[]) caller
		on conflict (account_id, caller) do update set at = greatest(c.at, excluded.at)`, s.AccountID, callers, s.At)
	b.Queue(`
		delete from login_caller where account_id = $1 and caller in (
			select caller from login_caller where account_id = $1 order by at desc, caller offset $2)`, s.AccountID, maxCallers)
	b.Queue(`delete from login_count where key = $1`, s.Caller[:])
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error { return tx.SendBatch(ctx, &b).Close() })
	return pg.MapErr(err, "record the login")
}

// ForgetFailures deletes the count of the key and all counts whose account is this key.
func (db *DB) ForgetFailures(ctx context.Context, key auth.LoginKey) error {
	_, err := db.pool.Exec(ctx, `delete from login_count where key = $1 or account = $1`, key[:])
	return pg.MapErr(err, "forget failed logins")
}

// FailedLogins returns failed logins, newest first: those of accounts in the scope and, for a city-wide scope, those of
// unknown names.
func (db *DB) FailedLogins(ctx context.Context, f auth.FailedLoginFilter) ([]auth.FailedLogin, error) {
	// An attempt on an unknown name has no division; scope_covers returns true for it only if the scope is city-wide.
	rows, err := db.pool.Query(ctx, `
		select f.id, f.at, f.name, f.known, coalesce(p.division_code, ''), f.remote, f.reason, f.attempts
		from login_failure f left join account p on p.id = f.account_id
		where scope_covers($1, coalesce(p.division_code, '')) and ($2::bigint <= 0 or f.id < $2)
			and ($4 = '' or strpos(f.name, $4) > 0) and ($5 = '' or starts_with(f.remote, $5))
			and ($6 = '' or f.reason = $6) and ($7::boolean is null or f.known = $7)
		order by f.id desc limit $3`,
		f.Scope.Division, f.Page.Before, f.Page.Length(), text.MakeStorable(strings.ToLower(f.User)), text.MakeStorable(f.Remote), string(f.Reason), f.Known)
	if err != nil {
		return nil, pg.MapErr(err, "list failed logins")
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l auth.FailedLogin, err error) {
		err = row.Scan(&l.ID, &l.At, &l.User, &l.Known, &l.Division, &l.Remote, &l.Reason, &l.Attempts)
		return l, err
	})
	return all, pg.MapErr(err, "list failed logins")
}

// ChangePassword replaces the password hash of an account and ends all its sessions except one. It returns
// fault.Conflict if the hash has changed in the meantime.
func (db *DB) ChangePassword(ctx context.Context, c auth.PasswordHashChange) error {
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			update account p set password_hash = $3, version = version + 1 where id = $1 and password_hash = $2 returning `+accountColumns,
			c.AccountID, c.Was, c.Becomes)
		if err != nil {
			return err
		}
		a, err := pgx.CollectExactlyOneRow(rows, scanAccount)
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.NewCoded(fault.Conflict, "", auth.CodePasswordMeanwhile)
		}
		if err != nil {
			return err
		}
		// The session in which the password was changed stays open.
		revoked, err := revokeSessionsBut(ctx, tx, c.AccountID, c.Keep)
		if err != nil {
			return err
		}
		if err := accountChanged(ctx, tx, a, c.Actor); err != nil {
			return err
		}
		return sessionsRevoked(ctx, tx, c.AccountID, revoked, c.Actor)
	})
	return pg.MapErr(err, "change the password")
}
