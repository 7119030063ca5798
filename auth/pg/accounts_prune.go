package authpg

import (
	"cmp"
	"context"
	"time"

	"onemap/internal/pg"
)

// LoginsPolicy defines how long the data of logins is kept. A zero field means the default in its comment.
type LoginsPolicy struct {
	Sessions     time.Duration // sessions, after their end; default 30 days
	Callers      time.Duration // familiar devices and addresses, since the last success; default 180 days
	FailedLogins time.Duration // rows of failed logins; default 90 days
	FailedRows   int           // how many of the newest failed logins, and of the newest counts, are kept; default 200,000
}

// withDefaults returns the policy with the default in each field that is zero or negative.
func (p LoginsPolicy) withDefaults() LoginsPolicy {
	const day = 24 * time.Hour
	return LoginsPolicy{
		Sessions: cmp.Or(max(p.Sessions, 0), 30*day), Callers: cmp.Or(max(p.Callers, 0), 180*day),
		FailedLogins: cmp.Or(max(p.FailedLogins, 0), 90*day), FailedRows: cmp.Or(max(p.FailedRows, 0), 200_000),
	}
}

// PruneLogins deletes sessions, failed logins and familiar devices and addresses that the policy no longer keeps, and
// returns the numbers of deleted rows. It also deletes counts that are more than a day old, because they no longer count,
// and counts that are more than a day in the future, because they come from a wrong clock.
func (db *DB) PruneLogins(ctx context.Context, policy LoginsPolicy) (sessions, logins int64, err error) {
	const day = 24 * time.Hour
	p, now := policy.withDefaults(), db.now()
	// A session ends at its expiry or at its revocation, whichever is first; least ignores a null revoked_at. In each
	// statement $1 is the size of a chunk, which DeleteChunks passes.
	sessions, err = db.pool.DeleteChunks(ctx, `
		delete from session where id in (
			select id from session where least(expires_at, revoked_at) < $2 limit $1)`, now.Add(-p.Sessions))
	if err != nil {
		return sessions, 0, pg.MapErr(err, "prune sessions")
	}
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{`delete from login_count where key in (
			select key from login_count where at < $2 or at > $3 limit $1)`, []any{now.Add(-day), now.Add(day)}},
		{`delete from login_count where key in (
			select key from login_count
			where at <= (select at from login_count order by at desc offset $2 limit 1) order by at limit $1)`, []any{p.FailedRows}},
		{`delete from login_caller where (account_id, caller) in (
			select account_id, caller from login_caller where at < $2 limit $1)`, []any{now.Add(-p.Callers)}},
		{`delete from login_failure where id in (
			select id from login_failure where at < $2 limit $1)`, []any{now.Add(-p.FailedLogins)}},
		{`delete from login_failure where id in (
			select id from login_failure
			where id <= (select id from login_failure order by id desc offset $2 limit 1) order by id limit $1)`, []any{p.FailedRows}},
	} {
		// DeleteChunks also returns the number of rows that it deleted before an error.
		n, err := db.pool.DeleteChunks(ctx, s.sql, s.args...)
		logins += n
		if err != nil {
			return sessions, logins, pg.MapErr(err, "prune the failed logins")
		}
	}
	return sessions, logins, nil
}
