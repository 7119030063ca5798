package alertspg

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/jackc/pgx/v5"

	"onemap/alerts"
	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/fault"
	"onemap/internal/pg"
)

var _ alerts.RuleStore = (*DB)(nil)

// ruleColumns are the columns that scanRule reads. A datastream id of 0 means that the rule is for all datastreams of
// the type.
const ruleColumns = `r.id, r.name_zh, r.name_en, r.type, coalesce(r.datastream_id, 0), r.direction, r.thresholds,
	r.for_seconds, r.hold_seconds, r.enabled, r.origin, r.version, r.updated_at, r.updated_by`

// scanRule reads one row of ruleColumns.
func scanRule(row pgx.CollectableRow) (r alerts.Rule, err error) {
	err = row.Scan(&r.ID, &r.Name.ZH, &r.Name.EN, &r.Type, &r.DatastreamID, &r.Direction, &r.Thresholds,
		&r.ForSeconds, &r.HoldSeconds, &r.Enabled, &r.Origin, &r.Version, &r.UpdatedAt, &r.UpdatedBy)
	return r, err
}

// Rules returns every rule that is not deleted, including disabled rules, in the order of their ids.
func (db *DB) Rules(ctx context.Context) ([]alerts.Rule, error) {
	rows, err := db.pool.Query(ctx, `select `+ruleColumns+` from rule r where not r.deleted order by r.id`)
	if err != nil {
		return nil, pg.MapErr(err, "list rules")
	}
	rules, err := pgx.CollectRows(rows, scanRule)
	return rules, pg.MapErr(err, "list rules")
}

// Rule returns one rule. It returns fault.NotFound if the rule does not exist or is deleted.
func (db *DB) Rule(ctx context.Context, id int64) (alerts.Rule, error) {
	return readRule(ctx, db.pool, id, "")
}

// readRule reads one rule. lock is the locking clause of the statement, such as "for update", or empty.
func readRule(ctx context.Context, q pg.Querier, id int64, lock string) (alerts.Rule, error) {
	rows, err := q.Query(ctx, `select `+ruleColumns+` from rule r where not r.deleted and r.id = $1 `+lock, id)
	if err != nil {
		return alerts.Rule{}, pg.MapErr(err, "read the rule")
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanRule)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, fault.New(fault.NotFound, "there is no such rule")
	}
	return r, pg.MapErr(err, "read the rule")
}

// CreateRule stores a rule with its event and returns it with its id and version. It returns fault.Invalid with the name
// of the field if the type or the datastream does not exist, or if another field breaks a constraint of the table.
func (db *DB) CreateRule(ctx context.Context, r alerts.Rule, actor string) (alerts.Rule, error) {
	err := db.pool.InTx(ctx, func(tx pgx.Tx) (err error) {
		if r, err = insertRule(ctx, tx, r, actor); err != nil {
			return err
		}
		return ruleChanged(ctx, tx, r.ID, actor)
	})
	return r, pg.MapErr(err, "create the rule")
}

// insertRule inserts a rule and returns the stored row. The origin is core.OriginReal if the rule has none.
func insertRule(ctx context.Context, tx pgx.Tx, r alerts.Rule, actor string) (alerts.Rule, error) {
	if r.Origin == "" {
		r.Origin = core.OriginReal
	}
	rows, err := tx.Query(ctx, `
		insert into rule as r (name_zh, name_en, type, datastream_id, direction, thresholds, for_seconds, hold_seconds, enabled, origin, updated_by)
		values ($1, $2, $3, nullif($4::bigint, 0), $5, $6, $7, $8, $9, $10, $11) returning `+ruleColumns,
		r.Name.ZH, r.Name.EN, r.Type, r.DatastreamID, r.Direction, r.Thresholds, r.ForSeconds, r.HoldSeconds, r.Enabled, r.Origin, actor)
	if err != nil {
		return r, err
	}
	stored, err := pgx.CollectExactlyOneRow(rows, scanRule)
	return stored, explainRule(err)
}

// UpdateRule replaces a rule and increases its version. The origin stays if r has none. It returns fault.NotFound if the
// rule does not exist, fault.Precondition if its version is not ifVersion because somebody else changed it, and
// fault.Invalid as CreateRule does.
func (db *DB) UpdateRule(ctx context.Context, r alerts.Rule, ifVersion int64, actor string) (alerts.Rule, error) {
	var stored alerts.Rule
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		old, err := lockRule(ctx, tx, r.ID, ifVersion)
		if err != nil {
			return err
		}
		if r.Origin == "" {
			r.Origin = old.Origin
		}
		rows, err := tx.Query(ctx, `
			update rule r set name_zh = $2, name_en = $3, type = $4, datastream_id = nullif($5::bigint, 0), direction = $6,
				thresholds = $7, for_seconds = $8, hold_seconds = $9, enabled = $10, origin = $11, updated_by = $12, updated_at = now(),
				version = version + 1
			where id = $1 returning `+ruleColumns,
			r.ID, r.Name.ZH, r.Name.EN, r.Type, r.DatastreamID, r.Direction, r.Thresholds, r.ForSeconds, r.HoldSeconds, r.Enabled, r.Origin, actor)
		if err != nil {
			return err
		}
		if stored, err = pgx.CollectExactlyOneRow(rows, scanRule); err != nil {
			return explainRule(err)
		}
		return ruleChanged(ctx, tx, r.ID, actor)
	})
	return stored, pg.MapErr(err, "change the rule")
}

// DeleteRule marks a rule as deleted and disables it. The row stays, because alerts reference it. It returns
// fault.NotFound and fault.Precondition as UpdateRule does.
func (db *DB) DeleteRule(ctx context.Context, id, ifVersion int64, actor string) error {
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		if _, err := lockRule(ctx, tx, id, ifVersion); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			update rule set deleted = true, enabled = false, version = version + 1, updated_at = now(), updated_by = $2
			where id = $1`, id, actor)
		if err != nil {
			return err
		}
		return ruleChanged(ctx, tx, id, actor)
	})
	return pg.MapErr(err, "delete the rule")
}

// lockRule reads a rule and locks it until the end of the transaction. It returns fault.Precondition if the version of
// the rule is not ifVersion. The lock keeps the version the same until the write.
func lockRule(ctx context.Context, tx pgx.Tx, id, ifVersion int64) (alerts.Rule, error) {
	r, err := readRule(ctx, tx, id, "for update")
	if err != nil {
		return r, err
	}
	if r.Version != ifVersion {
		return r, fault.New(fault.Precondition, "the rule is at version %s by now", pg.ETag(r.Version))
	}
	return r, nil
}

// ruleChanged writes the event of a changed rule, addressed to every city. Each node reloads its rules after this
// event. It takes the lock of the event log, so it must be the last write of the transaction.
func ruleChanged(ctx context.Context, tx pgx.Tx, id int64, actor string) error {
	payload, err := json.Marshal(map[string]int64{"id": id})
	if err != nil {
		return err
	}
	to, err := eventlog.Everywhere(ctx, tx)
	if err != nil {
		return err
	}
	_, err = eventlog.Append(ctx, tx, core.Event{
		Kind: alerts.EventRuleChanged, Divisions: to, Subject: strconv.FormatInt(id, 10), Actor: actor, Payload: payload,
	})
	return err
}

// explainRule converts the error of a constraint of the table rule to fault.Invalid with the name of the field. It
// returns any other error, and nil, unchanged.
func explainRule(err error) error {
	e := &fault.Error{Kind: fault.Invalid, Err: err}
	switch pg.Constraint(err) {
	case "rule_type_fkey":
		e.Field, e.Msg = "datastream_type", "there is no such datastream type"
	case "rule_datastream_id_fkey":
		e.Field, e.Msg = "datastream_id", "there is no such datastream"
	case "rule_direction_check":
		e.Field, e.Msg = "direction", "above or below"
	case "rule_for_seconds_check":
		e.Field, e.Msg = "for_seconds", "0 or more"
	case "rule_hold_seconds_check":
		e.Field, e.Msg = "hold_seconds", "0 to 86400"
	default:
		return err
	}
	return e
}

// PutRules stores the rules whose Chinese name no stored rule has, and returns how many it stored. A deleted rule keeps
// its name, so a rule of the demo that a person has changed or deleted does not come back at the next start. The
// advisory lock makes two calls run one after the other, so that they cannot store a rule twice. One event announces
// all new rules.
func (db *DB) PutRules(ctx context.Context, rules []alerts.Rule) (int, error) {
	added := 0
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(7043, 4)`); err != nil {
			return err
		}
		last := int64(0)
		for _, r := range rules {
			var had bool
			if err := tx.QueryRow(ctx, `select exists (select from rule where name_zh = $1)`, r.Name.ZH).Scan(&had); err != nil {
				return err
			}
			if had {
				continue
			}
			stored, err := insertRule(ctx, tx, r, "")
			if err != nil {
				return err
			}
			added, last = added+1, stored.ID
		}
		if added == 0 {
			return nil
		}
		return ruleChanged(ctx, tx, last, "")
	})
	if err != nil {
		return 0, pg.MapErr(err, "store rules")
	}
	return added, nil
}
