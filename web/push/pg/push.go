package pushpg

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/pg"
	"onemap/web/push"
)

// ClientConnected stores that a client is connected to its node, with its status. It replaces the account and the node
// of an earlier connection with the same id.
func (db *DB) ClientConnected(ctx context.Context, c push.Client) error {
	_, err := db.pool.Exec(ctx, `
		insert into push_client (client_id, node, account_id, division_code, connected_at, last_seen, connected,
			sound, visible, alert_id, acting)
		values ($1, $2, $3, $4, $5, $5, true, $6, $7, nullif($8::bigint, 0), $9)
		on conflict (client_id) do update set node = excluded.node, account_id = excluded.account_id,
			division_code = excluded.division_code, connected_at = excluded.connected_at,
			last_seen = greatest(push_client.last_seen, excluded.last_seen), connected = true, sound = excluded.sound,
			visible = excluded.visible, alert_id = excluded.alert_id, acting = excluded.acting`,
		c.ID, c.Node, c.AccountID, c.Division, c.ConnectedAt, c.Status.Sound, c.Status.Visible, c.Status.Alert, c.Status.Acting)
	return pg.MapErr(err, "note the client")
}

// ClientsSeen marks the listed clients of the node as connected at that time, and the other clients of the node as gone.
// A node that has just started calls it with an empty list to mark the clients of its previous run as gone.
func (db *DB) ClientsSeen(ctx context.Context, node string, clientIDs []string, at time.Time) error {
	_, err := db.pool.Exec(ctx, `
		with mine as (
			select client_id from push_client
			where node = $1 and (connected or client_id = any($2)) order by client_id for no key update
		)
		update push_client p set connected = p.client_id = any($2),
			last_seen = case when p.client_id = any($2) then greatest(p.last_seen, $3) else p.last_seen end
		from mine where mine.client_id = p.client_id`, node, pg.Array(clientIDs), at)
	return pg.MapErr(err, "mark the clients as seen")
}

// ClientGone stores that a client is no longer connected to the node. A client that has reconnected to another node in
// the meantime stays connected there.
func (db *DB) ClientGone(ctx context.Context, node, clientID string) error {
	_, err := db.pool.Exec(ctx, `update push_client set connected = false where client_id = $2 and node = $1 and connected`,
		node, clientID)
	return pg.MapErr(err, "note that the client is gone")
}

// SaveReceipt stores that a client's machine has received everything visible to the scope up to seq. The stored seq
// never moves back and never exceeds the log's head. Each alert with a visible event between the previous seq and the
// new one becomes a row of alert_receipt. The first receipt of a client follows a snapshot, so it counts only the
// alerts that are not finished.
func (db *DB) SaveReceipt(ctx context.Context, c push.Client, s core.Scope, seq int64, at time.Time) error {
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		previous, seq, err := moveReceipt(ctx, tx, c, seq, at)
		if err != nil || seq <= previous {
			return err
		}
		_, err = tx.Exec(ctx, `
			insert into alert_receipt (alert_id, account_id, client_id, division_code, seq, received_at)
			select a.id, $3, $4, $5, min(e.seq), $6
			from event_log e join alert a on a.id = e.subject::bigint
			where e.seq > $1 and e.seq <= $2 and e.kind like 'alert.%'
				and scope_covers_any($7, e.divisions) and (e.roles is null or $8 = any(e.roles))
				and ($1 > 0 or a.detection <> 'cleared' or a.handling <> 'closed')
			group by a.id
			on conflict do nothing`,
			previous, seq, c.AccountID, c.ID, c.Division, at, s.Division, s.Role)
		return err
	})
	return pg.MapErr(err, "store the receipt")
}

// moveReceipt moves the client's receipt forward. It returns the previous seq, 0 if there was none, and the new one.
func moveReceipt(ctx context.Context, tx pgx.Tx, c push.Client, seq int64, at time.Time) (previous, now int64, err error) {
	_, err = tx.Exec(ctx, `
		insert into push_receipt (client_id, account_id, seq, at) values ($1, $2, 0, $3) on conflict do nothing`,
		c.ID, c.AccountID, at)
	if err != nil {
		return 0, 0, err
	}
	err = tx.QueryRow(ctx, `select seq from push_receipt where client_id = $1 and account_id = $2 for update`,
		c.ID, c.AccountID).Scan(&previous)
	if err != nil {
		return 0, 0, err
	}
	err = tx.QueryRow(ctx, `
		update push_receipt set seq = least($3, `+eventlog.SelectHeadSeq+`), at = $4
		where client_id = $1 and account_id = $2 and seq < least($3, `+eventlog.SelectHeadSeq+`) returning seq`,
		c.ID, c.AccountID, seq, at).Scan(&now)
	if errors.Is(err, pgx.ErrNoRows) {
		return previous, previous, nil
	}
	return previous, now, err
}

// Present returns the clients that are connected to any node, with their accounts, ordered by client id.
func (db *DB) Present(ctx context.Context) ([]push.Present, error) {
	rows, err := db.pool.Query(ctx, `
		select c.client_id, c.node, c.account_id, c.division_code, c.connected_at, c.sound, c.visible,
			coalesce(a.id, 0), c.acting, p.login, p.name, p.role, coalesce(a.division_code, ''), coalesce(a.divisions, '{}')
		from push_client c join account p on p.id = c.account_id left join alert a on a.id = c.alert_id
		where c.connected and c.last_seen > now() - $1::interval and not p.disabled
		order by c.client_id`, core.ConnectedFor)
	if err != nil {
		return nil, pg.MapErr(err, "list who is connected")
	}
	present, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p push.Present, err error) {
		s := &p.Status
		err = row.Scan(&p.ID, &p.Node, &p.AccountID, &p.Division, &p.ConnectedAt, &s.Sound, &s.Visible,
			&s.Alert, &s.Acting, &p.Login, &p.Name, &p.Role, &p.AlertDivision, &p.AlertDivisions)
		return p, err
	})
	return present, pg.MapErr(err, "list who is connected")
}

// PruneClients deletes the disconnected clients that were last seen before a time, and returns how many.
func (db *DB) PruneClients(ctx context.Context, before time.Time) (int64, error) {
	n, err := db.pool.DeleteChunks(ctx, `
		delete from push_client where client_id in (
			select client_id from push_client where last_seen < $2 and not connected limit $1)`, before)
	return n, pg.MapErr(err, "prune clients")
}
