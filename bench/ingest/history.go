package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"onemap/bench/kit"
)

const (
	// The size of the stored history.
	historyMonths = 25 // including the current month
	historyPace   = 10 * time.Minute
	rowBytes      = 130 // approximate size of a stored observation with its index entry
)

// history describes the stored observations of a database: one every ten minutes for some datastreams and months, in the
// order of arrival.
type history struct {
	streams []int64
	months  []time.Time
}

// newHistory returns a history of about this number of rows. The last month is the current one, unless there is only one
// month. A datastream has 4,464 readings in a month of 31 days. With more than a hundred datastreams, each reading of a chart
// is on a different page.
func newHistory(rows float64, months int, streams []int64) history {
	perMonth := rows / float64(months)
	perStream := 30.44 * 24 * time.Hour.Seconds() / historyPace.Seconds() // a month has 30.44 days
	h := history{streams: streams[:min(max(1, int(math.Round(perMonth/perStream))), len(streams))]}
	now := time.Now().UTC()
	for back := max(1, months-1); len(h.months) < months; back-- {
		h.months = append(h.months, time.Date(now.Year(), now.Month()-time.Month(back), 1, 0, 0, 0, 0, time.UTC))
	}
	return h
}

// checkDisk returns an error if the disk has too little free space.
func checkDisk(dir string, rows float64) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("look for room: %w", err)
	}
	free, need := float64(fs.Bavail)*float64(fs.Bsize), rows*rowBytes*1.2+4<<30
	if free < need {
		return fmt.Errorf("%g observations need %.0f GB of disk, and %.0f are free; -rows takes fewer", rows, need/1e9, free/1e9)
	}
	return nil
}

// store writes the history directly into partitions, on two connections.
func (h history) store(ctx context.Context, url string) (rows int64, err error) {
	end := time.Now().UTC().Add(-time.Minute)
	months := make(chan time.Time, len(h.months))
	for _, m := range h.months {
		months <- m
	}
	close(months)
	counts := make([]int64, 2)
	group, ctx := errgroup.WithContext(ctx)
	for i := range counts {
		group.Go(func() error {
			return connected(ctx, url, func(conn *pgx.Conn) error {
				if _, err := conn.Exec(ctx, "set maintenance_work_mem = '512MB'"); err != nil {
					return err
				}
				for m := range months {
					if err := makeMonth(ctx, conn, m, func(table string, from, to time.Time) error {
						if to.After(end) {
							to = end
						}
						n, err := h.fill(ctx, conn, table, from, to)
						counts[i] += n
						return err
					}); err != nil {
						return fmt.Errorf("fill %s: %w", m.Format("2006-01"), err)
					}
				}
				return nil
			})
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	for _, n := range counts {
		rows += n
	}
	return rows, connected(context.WithoutCancel(ctx), url, func(conn *pgx.Conn) error {
		_, err := conn.Exec(context.WithoutCancel(ctx), "analyze observation")
		return errors.Join(err, settle(context.WithoutCancel(ctx), url))
	})
}

// fill creates the table of a month and copies rows into it. The rows are frozen, so that PostgreSQL does not write them
// again during a measurement.
func (h history) fill(ctx context.Context, conn *pgx.Conn, table string, from, to time.Time) (rows int64, err error) {
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf("drop table if exists %s; create table %[1]s (like observation_standard including defaults)", table)); err != nil {
			return err
		}
		in := &copyRows{streams: h.streams, at: from, to: to}
		tag, err := tx.Conn().PgConn().CopyFrom(ctx, in, fmt.Sprintf(
			"copy %s (retention, datastream_id, ts, value, qc, time_source, seq, received_at) from stdin with (format binary, freeze)", table))
		rows = tag.RowsAffected()
		return err
	})
	return rows, err
}

// copyRows is a reader of rows in the binary format of COPY. Source: PostgreSQL manual, COPY.
type copyRows struct {
	streams []int64
	at, to  time.Time
	next    int // index of the next datastream
	began   bool
	ended   bool
	buf     []byte
	off     int
}

// Read implements io.Reader.
func (c *copyRows) Read(p []byte) (int, error) {
	if c.off == len(c.buf) {
		if c.ended {
			return 0, io.EOF
		}
		c.buf, c.off = c.buf[:0], 0
		if !c.began {
			c.buf = append(c.buf, "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
			c.began = true
		}
		for len(c.buf) < 64<<10 && c.at.Before(c.to) {
			c.row()
		}
		if !c.at.Before(c.to) {
			c.buf = binary.BigEndian.AppendUint16(c.buf, 0xffff)
			c.ended = true
		}
	}
	n := copy(p, c.buf[c.off:])
	c.off += n
	return n, nil
}

// row appends the next row: all datastreams at one time, then all at the next time.
func (c *copyRows) row() {
	const epoch = 946684800 * 1_000_000 // 2000-01-01 in Unix microseconds
	stream := c.streams[c.next]
	at := uint64(c.at.UnixMicro() - epoch)
	value := 1 + float64((c.at.Unix()/600*7919+stream*104729)%1000)/500 // below the thresholds
	b := binary.BigEndian.AppendUint16(c.buf, 8)
	b = append(binary.BigEndian.AppendUint32(b, 8), "standard"...)
	b = append8(append8(append8(b, uint64(stream)), at), math.Float64bits(value))
	for range 2 { // qc, time_source
		b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(b, 2), 1)
	}
	c.buf = append8(append8(b, at/1_000_000+uint64(c.next)), at)
	if c.next++; c.next == len(c.streams) {
		c.next, c.at = 0, c.at.Add(historyPace)
	}
}

func append8(b []byte, v uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 8), v)
}

// storeHistory creates a database with a history of about this number of rows.
func (b *bench) storeHistory(ctx context.Context, name string, rows float64, months int) (url string, h history, err error) {
	if url, err = b.database(ctx, name); err != nil {
		return url, h, err
	}
	var streams []int64
	if err := connected(ctx, url, func(conn *pgx.Conn) error {
		all, err := streamIDs(ctx, conn)
		for _, d := range b.devices {
			streams = append(streams, all[d.id]...)
		}
		return err
	}); err != nil {
		return url, h, err
	}
	h = newHistory(rows, months, streams)
	start := time.Now()
	n, err := h.store(ctx, url)
	if err != nil {
		return url, h, err
	}
	kit.Say("stored %d observations of %d datastreams in %.0f s", n, len(h.streams), time.Since(start).Seconds())
	b.r.Note("The database %s holds %d observations of %d datastreams, one every %v, of %d months, in the order of arrival.", name, n, len(h.streams), historyPace, months)
	return url, h, nil
}
