package alertspg

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"onemap/alerts"
	"onemap/internal/core"
	"onemap/internal/pg"
)

// countyDigits is the length of a county's code in GB/T 2260. A longer code is of a part of the county and begins with
// the code of the county.
const countyDigits = 6

// Deliveries returns a delivery for each county that the alert is addressed to or lies in. A delivery lists the
// responders who are connected now, whose machine has received the alert, and who have confirmed it. A county without
// connected responders has an empty list. The caller has checked the scope.
func (db *DB) Deliveries(ctx context.Context, id int64) ([]alerts.Delivery, error) {
	var out []alerts.Delivery
	err := db.pool.InSnapshot(ctx, func(tx pgx.Tx) error {
		var in string
		var addressed []string
		err := tx.QueryRow(ctx, `select division_code, divisions from alert where id = $1`, id).Scan(&in, &addressed)
		if errors.Is(err, pgx.ErrNoRows) {
			return errNoAlert(id)
		}
		if err != nil {
			return err
		}
		codes := counties(append(addressed, in))
		if out, err = emptyDeliveries(ctx, tx, codes); err != nil {
			return err
		}
		return fillDeliveries(ctx, tx, out, codes, id)
	})
	return out, pg.MapErr(err, "read the alert's deliveries")
}

// counties returns the county codes of the divisions, sorted and without duplicates. A city or a province is wider than
// a county and has no county code.
func counties(divisions []string) []string {
	set := make(map[string]struct{})
	for _, d := range divisions {
		if len(d) >= countyDigits {
			set[d[:countyDigits]] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// emptyDeliveries returns one delivery without people for each county code, in the order of the codes. The name is empty
// if the division is not known.
func emptyDeliveries(ctx context.Context, tx pgx.Tx, codes []string) ([]alerts.Delivery, error) {
	rows, err := tx.Query(ctx, `
		select c.code, coalesce(d.name_zh, ''), coalesce(d.name_en, '')
		from unnest($1::text[]) c (code) left join division d on d.code = c.code order by c.code`, codes)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (alerts.Delivery, error) {
		d := alerts.Delivery{Connected: []alerts.Person{}, Received: []alerts.Person{}, Confirmed: []alerts.Person{}}
		err := row.Scan(&d.Division, &d.Name.ZH, &d.Name.EN)
		return d, err
	})
}

// The three statements that list the people of a delivery. They have the same arguments and the same columns, so that
// fillDeliveries can run them in one loop. Arguments: $1 county codes, $2 the roles of responders, $3 how long a client
// counts as connected, $4 the alert. A statement that does not need $3 or $4 has a condition on it that is always true,
// because PostgreSQL must learn the type of each argument. Columns: county, login, name, time, level, current, sound.
// The sound is 'armed' if a machine of the person has an armed alarm.
const (
	connectedSQL = `
		select left(c.division_code, 6), p.login, p.name, min(c.connected_at), 0, false,
			case when bool_or(c.sound = 'armed') then 'armed' else max(c.sound) end
		from push_client c join account p on p.id = c.account_id
		where left(c.division_code, 6) = any($1) and p.role = any($2) and not p.disabled
			and c.connected and c.last_seen > now() - $3::interval and $4::bigint <> 0
		group by 1, 2, 3 order by 1, 4, 2`
	receivedSQL = `
		select left(r.division_code, 6), p.login, p.name, min(r.received_at), 0, false, ''
		from alert_receipt r join account p on p.id = r.account_id
		where left(r.division_code, 6) = any($1) and p.role = any($2) and r.alert_id = $4 and $3::interval is not null
		group by 1, 2, 3 order by 1, 4, 2`
	// One row for each person in a county: the first step that still confirms the alert, or the last step if none does. The
	// account may be deleted, so its role may be null and the login stands for the name.
	confirmedSQL = `
		select county, actor, name, at, level, holds, '' from (
			select distinct on (county, actor) * from (
				select left(u.division_code, 6) county, u.actor, coalesce(p.name, u.actor) as name, u.at, u.level, u.id, ` + stillConfirms + ` holds
				from alert_audit u left join account p on p.login = u.actor
				where left(u.division_code, 6) = any($1) and (p.role is null or p.role = any($2)) and u.alert_id = $4
					and u.actor <> '' and $3::interval is not null
			) steps order by county, actor, holds desc, case when holds then id else -id end
		) persons order by county, at, actor`

	// stillConfirms is the SQL condition that the step u of a person still confirms the alert, as
	// alerts.Confirmation.Current defines it. No later step v of the engine may have restarted the handling, raised the
	// alert above the level of u (a smaller number is a worse level), or ended a gap in the data. The steps of the engine
	// have no actor, and their columns before and after have the form "stale red".
	stillConfirms = `not exists (
		select from alert_audit v where v.alert_id = u.alert_id and v.id > u.id and v.actor = ''
			and (v.step = 'reopened' or (v.level > 0 and v.level < u.level)
				or (v.before like 'stale %' and v.after !~ '^(stale|cleared) ')))`
)

// fillDeliveries adds the people to the deliveries. out and codes have the same order, and codes are sorted, so a binary
// search finds the delivery of a county.
func fillDeliveries(ctx context.Context, tx pgx.Tx, out []alerts.Delivery, codes []string, id int64) error {
	marks := []struct {
		sql  string
		list func(*alerts.Delivery) *[]alerts.Person
	}{
		{connectedSQL, func(d *alerts.Delivery) *[]alerts.Person { return &d.Connected }},
		{receivedSQL, func(d *alerts.Delivery) *[]alerts.Person { return &d.Received }},
		{confirmedSQL, func(d *alerts.Delivery) *[]alerts.Person { return &d.Confirmed }},
	}
	for _, m := range marks {
		rows, err := tx.Query(ctx, m.sql, codes, core.RespondingRoles(), core.ConnectedFor, id)
		if err != nil {
			return err
		}
		var county string
		var p alerts.Person
		_, err = pgx.ForEachRow(rows, []any{&county, &p.User, &p.Name, &p.At, &p.Level, &p.Current, &p.Sound}, func() error {
			if i, ok := slices.BinarySearch(codes, county); ok {
				list := m.list(&out[i])
				*list = append(*list, p)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// AlertPlace returns the division in which an alert lies and the divisions to which it is addressed. It returns
// fault.NotFound if the scope has no such alert.
func (db *DB) AlertPlace(ctx context.Context, s core.Scope, id int64) (division string, divisions []string, err error) {
	err = db.pool.QueryRow(ctx, `select a.division_code, a.divisions from alert a where `+Visible+` and a.id = $2`,
		s.Division, id).Scan(&division, &divisions)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil, errNoAlert(id)
	}
	return division, divisions, pg.MapErr(err, "read the place of the alert")
}
