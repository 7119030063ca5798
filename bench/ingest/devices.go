package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/app"
	"onemap/internal/core"
)

// device is a device that publishes.
type device struct {
	login
	topic   string // topic of its readings
	streams []string
}

// mostStreams is the largest number of datastreams of a device. The nth device has 1 + n mod 10.
const mostStreams = 10

// counties returns the divisions of the devices, which are assigned in turn.
func counties() []string { return []string{"370602", "370611", "370612", "370613", "370614", "370681"} }

// newDevices returns the first n devices. They are the same in each database.
func newDevices(n int) []device {
	all := make([]device, n)
	in := counties()
	for i := range all {
		id := deviceID(i)
		place := "onemap/v1/" + in[i%len(in)] + "/" + id
		all[i] = device{login: login{id: id, secret: secretOf(id), will: place + "/status"}, topic: place + "/obs"}
		for s := range 1 + i%mostStreams {
			all[i].streams = append(all[i].streams, fmt.Sprintf("s%d", s))
		}
	}
	return all
}

func deviceID(i int) string { return fmt.Sprintf("bench-%05d", i) }

func secretOf(id string) string { return "secret-of-" + id }

// gateways returns n devices with the largest number of datastreams.
func gateways(all []device, n int) []device {
	var out []device
	for i := mostStreams - 1; i < len(all) && len(out) < n; i += mostStreams {
		out = append(out, all[i])
	}
	return out
}

const userName = "bench"

// prepare creates the tables, divisions, devices, the rule and the account of a database.
func prepare(ctx context.Context, url string, devices []device, password string) error {
	if err := app.Migrate(ctx, url, slog.New(slog.DiscardHandler), nil); err != nil {
		return err
	}
	a, err := app.OpenAccounts(ctx, url, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	err = a.Add(ctx, userName, userName, core.RoleObserver, "3706", password)
	a.Close()
	if err != nil {
		return err
	}
	return connected(ctx, url, func(conn *pgx.Conn) error {
		if err := putTypes(ctx, conn); err != nil {
			return fmt.Errorf("put the words: %w", err)
		}
		if err := putDevices(ctx, conn, devices); err != nil {
			return fmt.Errorf("put the devices: %w", err)
		}
		for _, month := range []time.Time{time.Now(), time.Now().AddDate(0, 0, 10)} {
			if err := makeMonth(ctx, conn, month, nil); err != nil {
				return fmt.Errorf("make a partition: %w", err)
			}
		}
		_, err := conn.Exec(ctx, "vacuum analyze")
		return err
	})
}

// connected opens a connection to a database, calls use, and closes the connection.
func connected(ctx context.Context, url string, use func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return errors.Join(use(conn), conn.Close(context.WithoutCancel(ctx)))
}

// putTypes stores what the devices refer to: divisions, a type, and a rule for the type. The interval of the type is so long
// that no datastream becomes stale during a case.
func putTypes(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `
		insert into hazard_type (code, title_zh, title_en, sector, cap_category, radius_m)
			values ('flood', '洪水', 'Flood', 'water', 'Met', 1000);
		insert into datastream_type (code, title_zh, title_en, unit, symbol, hazard_type, gross_min, gross_max, interval_s)
			values ('level', '水位', 'Level', 'm', 'm', 'flood', -10, 100, 86400);
		insert into rule (name_zh, name_en, type, direction, thresholds)
			values ('水位', 'Level', 'level', 'above', '[{"level":1,"raise":7,"clear":5},{"level":3,"raise":4,"clear":3}]');
		insert into division (code, name_zh, parent) values ('3706', '烟台市', '37')`)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, `insert into division (code, name_zh, parent) select c, c, '3706' from unnest($1::text[]) c`, counties())
	return err
}

// putDevices stores the devices by SQL, because the API would take minutes for 15,000.
func putDevices(ctx context.Context, conn *pgx.Conn, devices []device) error {
	n := len(devices)
	ids, divisions, secrets := make([]string, n), make([]string, n), make([][]byte, n)
	var owners, names []string
	in := counties()
	for i, d := range devices {
		sum := sha256.Sum256([]byte(d.secret))
		ids[i], divisions[i], secrets[i] = d.id, in[i%len(in)], sum[:]
		for _, s := range d.streams {
			owners, names = append(owners, d.id), append(names, s)
		}
	}
	_, err := conn.Exec(ctx, `
		insert into device (id, division_code, name_zh, hazard_type, geom, secret_sha256, origin, source)
		select id, division, id, 'flood', st_setsrid(st_makepoint(121 + n % 100 * 0.005, 37 + n / 100 * 0.003), 4326), secret, 'synthetic', 'benchingest'
		from unnest($1::text[], $2::text[], $3::bytea[]) with ordinality as u (id, division, secret, n)`, ids, divisions, secrets)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, `
		insert into datastream (device_id, name, type) select owner, name, 'level'
		from unnest($1::text[], $2::text[]) with ordinality as u (owner, name, n) order by n`, owners, names)
	return err
}

// makeMonth creates the partition of a month in UTC, like the store. If fill is set, it creates the table and inserts rows
// before the table has indexes and is attached, which is faster.
func makeMonth(ctx context.Context, conn *pgx.Conn, month time.Time, fill func(table string, from, to time.Time) error) error {
	from := time.Date(month.UTC().Year(), month.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
	to := from.AddDate(0, 1, 0)
	table := fmt.Sprintf("observation_standard_%04d_%02d", from.Year(), from.Month())
	bounds := fmt.Sprintf("for values from ('%s') to ('%s')", from.Format(time.RFC3339), to.Format(time.RFC3339))
	if fill == nil {
		_, err := conn.Exec(ctx, fmt.Sprintf("create table if not exists %s partition of observation_standard %s", table, bounds))
		return err
	}
	if err := fill(table, from, to); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, fmt.Sprintf("alter table observation_standard attach partition %s %s", table, bounds)) // this also creates the indexes
	return err
}

// streamIDs returns the ids of each device's datastreams, in the order of their names.
func streamIDs(ctx context.Context, conn *pgx.Conn) (map[string][]int64, error) {
	rows, err := conn.Query(ctx, `select device_id, id from datastream order by device_id, name`)
	if err != nil {
		return nil, fmt.Errorf("read the datastreams: %w", err)
	}
	out := map[string][]int64{}
	var owner string
	var id int64
	if _, err := pgx.ForEachRow(rows, []any{&owner, &id}, func() error {
		out[owner] = append(out[owner], id)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read the datastreams: %w", err)
	}
	return out, nil
}
